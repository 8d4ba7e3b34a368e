-- tool_calls: one row a tool call.
-- Generated from analytics_lib/schema.py by `make generate`; do not edit.
-- Columns:
--   dt                     VARCHAR      the UTC date of the folder that holds the record, `YYYY-MM-DD`
--   session_id             VARCHAR      the agent's id for the session, e.g. the room name
--   ended_at               TIMESTAMP(3) when the session ended and was logged (UTC, to the millisecond)
--   call_index             BIGINT       position in the session's array of calls, from 1
--   tool                   VARCHAR      the tool's name
--   query                  VARCHAR      what was asked of it
--   results_found          BOOLEAN      false: the tool answered, with nothing
--   error                  VARCHAR      the tool raised or reported this error
--   cancelled              BOOLEAN      the call was interrupted before it ended
--   duration_ms            DOUBLE       how long the call took (milliseconds)
--   offset_seconds         DOUBLE       when the call began, from the session's start (seconds)
--   outcome                VARCHAR      `error`, `cancelled`, `empty` or `ok`; `error` and `empty` are failures
CREATE OR REPLACE VIEW tool_calls AS
SELECT
    records.dt,
    records.session_id,
    records.ended_at,
    call.call_index,
    call.tool,
    call.query,
    call.results_found,
    call.error,
    call.cancelled,
    call.duration_ms,
    call.offset_seconds,
    CASE
        WHEN call.error IS NOT NULL THEN 'error'
        WHEN call.cancelled THEN 'cancelled'
        WHEN NOT call.results_found THEN 'empty'
        ELSE 'ok'
    END AS outcome
FROM records
CROSS JOIN
    UNNEST(records.tool_calls) WITH ORDINALITY
        AS call (
            tool,
            query,
            results_found,
            error,
            cancelled,
            duration_ms,
            offset_seconds,
            call_index
        )
WHERE call.tool IS NOT NULL;

-- sessions: one row a session record.
-- Generated from analytics_lib/schema.py by `make generate`; do not edit.
-- Columns:
--   dt                     VARCHAR        the UTC date of the folder that holds the record, `YYYY-MM-DD`
--   session_id             VARCHAR        the agent's id for the session, e.g. the room name
--   started_at             TIMESTAMP(3)   when the session began; null without a duration (UTC, to the millisecond)
--   ended_at               TIMESTAMP(3)   when the session ended and was logged (UTC, to the millisecond)
--   duration_seconds       DOUBLE         length of the session (seconds)
--   team_size              BIGINT         people in the lead's team
--   monthly_volume         DOUBLE         documents (or whatever the product counts) a month
--   integration_needs      ARRAY(VARCHAR) products the lead wants connected
--   urgency                VARCHAR        how soon the lead wants it: `low`, `medium`, `high`
--   tool_call_count        BIGINT         tool calls of the session (calls)
--   failed_tool_call_count BIGINT         calls among them whose outcome is `error` or `empty` (calls)
--   llm_tokens             BIGINT         tokens used by the session (tokens)
--   avg_latency_ms         DOUBLE         mean response latency (milliseconds)
--   agent_name             VARCHAR        which agent ran the session
--   agent_version          VARCHAR        which version of it
--   room_id                VARCHAR        LiveKit's id of the room: the way back to transcript and recording
--   close_reason           VARCHAR        why the session ended, in LiveKit's words
--   caller_key             VARCHAR        salted hash that recognises a returning caller and names nobody
CREATE OR REPLACE VIEW sessions AS
SELECT
    dt,
    session_id,
    started_at,
    ended_at,
    duration_seconds,
    team_size,
    monthly_volume,
    integration_needs,
    urgency,
    COALESCE(cardinality(filter(tool_calls, call -> call.tool IS NOT NULL)), 0) AS tool_call_count,
    COALESCE(cardinality(filter(tool_calls, call -> CASE
        WHEN call.error IS NOT NULL THEN 'error'
        WHEN call.cancelled THEN 'cancelled'
        WHEN NOT call.results_found THEN 'empty'
        ELSE 'ok'
    END IN ('error', 'empty'))), 0) AS failed_tool_call_count,
    llm_tokens,
    avg_latency_ms,
    agent_name,
    agent_version,
    room_id,
    close_reason,
    caller_key
FROM records;

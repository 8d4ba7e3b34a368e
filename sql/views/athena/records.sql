-- records: one row a session record: of compacted days from Parquet, of all others from the raw lines.
-- Generated from analytics_lib/schema.py by `make generate`; do not edit.
-- Columns:
--   session_id             VARCHAR        the agent's id for the session, e.g. the room name
--   started_at             TIMESTAMP(3)   when the session began; null without a duration (UTC, to the millisecond)
--   ended_at               TIMESTAMP(3)   when the session ended and was logged (UTC, to the millisecond)
--   duration_seconds       DOUBLE         length of the session (seconds)
--   team_size              BIGINT         people in the lead's team
--   monthly_volume         DOUBLE         documents (or whatever the product counts) a month
--   integration_needs      ARRAY(VARCHAR) products the lead wants connected
--   urgency                VARCHAR        how soon the lead wants it: `low`, `medium`, `high`
--   llm_tokens             BIGINT         tokens used by the session (tokens)
--   avg_latency_ms         DOUBLE         mean response latency (milliseconds)
--   agent_name             VARCHAR        which agent ran the session
--   agent_version          VARCHAR        which version of it
--   room_id                VARCHAR        LiveKit's id of the room: the way back to transcript and recording
--   close_reason           VARCHAR        why the session ended, in LiveKit's words
--   caller_key             VARCHAR        salted hash that recognises a returning caller and names nobody
--   tool_calls             ARRAY(ROW)     every tool call of the session, in order; NULL where an entry is no call
--   dt                     VARCHAR        the UTC date of the folder that holds the record, `YYYY-MM-DD`
CREATE OR REPLACE VIEW records AS
SELECT
    session_id,
    started_at,
    ended_at,
    duration_seconds,
    team_size,
    monthly_volume,
    integration_needs,
    urgency,
    llm_tokens,
    avg_latency_ms,
    agent_name,
    agent_version,
    room_id,
    close_reason,
    caller_key,
    tool_calls,
    dt
FROM records_parquet
WHERE dt <= /*:watermark*/ '' AND dt NOT IN (/*:late*/ '')
UNION ALL
SELECT
    session_id,
    started_at,
    ended_at,
    duration_seconds,
    team_size,
    monthly_volume,
    integration_needs,
    urgency,
    llm_tokens,
    avg_latency_ms,
    agent_name,
    agent_version,
    room_id,
    close_reason,
    caller_key,
    tool_calls,
    dt
FROM records_raw
WHERE dt > /*:watermark*/ '' OR dt IN (/*:late*/ '');

-- What happens after a failed call.
-- Grain: one row a tool with a failure.
-- Columns: tool; failures; retried, recovered: followed in the session by a call of the same tool, by one that went
--   well; last_calls: followed by no call at all.
WITH by_tool AS (
    SELECT
        dt,
        session_id,
        ended_at,
        tool,
        MAX(call_index) AS last_of_tool,
        MAX(call_index) FILTER (WHERE outcome = 'ok') AS last_ok,
        ARRAY_AGG(call_index) FILTER (WHERE outcome IN ('error', 'empty')) AS failed
    FROM tool_calls
    WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
    GROUP BY dt, session_id, ended_at, tool
),

by_session AS (
    SELECT
        tool,
        last_of_tool,
        last_ok,
        failed,
        MAX(last_of_tool) OVER (PARTITION BY dt, session_id, ended_at) AS last_of_session
    FROM by_tool
)

SELECT
    by_session.tool,
    COUNT(*) AS failures,
    COUNT(*) FILTER (WHERE call.position < by_session.last_of_tool) AS retried,
    COUNT(*) FILTER (WHERE call.position < by_session.last_ok) AS recovered,
    COUNT(*) FILTER (WHERE call.position = by_session.last_of_session) AS last_calls
FROM by_session
CROSS JOIN UNNEST(by_session.failed) AS call (position)
GROUP BY by_session.tool
ORDER BY failures DESC, tool;

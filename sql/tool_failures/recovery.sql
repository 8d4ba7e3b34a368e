-- What happens after a failed call.
-- Grain: one row a tool with a failure.
-- Columns: tool; failures; retried, recovered: followed in the session by a call of the same tool, by one that went
--   well; last_calls: followed by no call at all.
WITH followed AS (
    SELECT
        tool,
        outcome,
        COUNT(*) OVER same_tool AS calls_of_tool_after,
        COUNT(CASE WHEN outcome = 'ok' THEN 1 END) OVER same_tool AS ok_of_tool_after,
        COUNT(*) OVER any_tool AS calls_after
    FROM tool_calls
    WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
    WINDOW
        same_tool AS (
            PARTITION BY dt, session_id, ended_at, tool ORDER BY call_index
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ),
        any_tool AS (
            PARTITION BY dt, session_id, ended_at ORDER BY call_index
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        )
)

SELECT
    tool,
    COUNT(*) AS failures,
    COUNT(*) FILTER (WHERE calls_of_tool_after > 0) AS retried,
    COUNT(*) FILTER (WHERE ok_of_tool_after > 0) AS recovered,
    COUNT(*) FILTER (WHERE calls_after = 0) AS last_calls
FROM followed
WHERE outcome IN ('error', 'empty')
GROUP BY tool
ORDER BY failures DESC, tool;

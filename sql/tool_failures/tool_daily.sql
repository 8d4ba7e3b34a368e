-- On which days a tool fails.
-- Grain: one row a day and tool with calls.
-- Columns: dt; tool; calls; failures: calls whose outcome is error or empty.
SELECT
    dt,
    tool,
    COUNT(*) AS calls,
    COUNT(*) FILTER (WHERE outcome IN ('error', 'empty')) AS failures
FROM tool_calls
WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
GROUP BY dt, tool
ORDER BY dt, tool;

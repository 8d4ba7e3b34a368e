-- How many calls fail each day.
-- Grain: one row a day with calls.
-- Columns: dt; calls; failures: calls whose outcome is error or empty.
SELECT
    dt,
    COUNT(*) AS calls,
    COUNT(*) FILTER (WHERE outcome IN ('error', 'empty')) AS failures
FROM tool_calls
WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
GROUP BY dt
ORDER BY dt;

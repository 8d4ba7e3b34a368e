-- Which tools fail, how often, and how long they take.
-- Grain: one row a tool.
-- Columns: tool; calls; empty, errors, cancelled: calls by outcome; failures: empty and errors;
--   sessions_affected: sessions in which it failed; timed_calls; p50_, p95_duration_ms.
WITH timed AS (
    SELECT
        dt,
        session_id,
        ended_at,
        tool,
        outcome,
        duration_ms,
        ROW_NUMBER() OVER (PARTITION BY tool ORDER BY duration_ms) AS position,
        COUNT(duration_ms) OVER (PARTITION BY tool) AS known
    FROM tool_calls
    WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
)

SELECT
    tool,
    COUNT(*) AS calls,
    COUNT(*) FILTER (WHERE outcome = 'empty') AS empty,
    COUNT(*) FILTER (WHERE outcome = 'error') AS errors,
    COUNT(*) FILTER (WHERE outcome = 'cancelled') AS cancelled,
    COUNT(*) FILTER (WHERE outcome IN ('error', 'empty')) AS failures,
    COUNT(DISTINCT (dt, session_id, ended_at)) FILTER (WHERE outcome IN ('error', 'empty')) AS sessions_affected,
    COUNT(duration_ms) AS timed_calls,
    SUM(duration_ms * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.5E0 - (position - 1)))) AS p50_duration_ms,
    SUM(duration_ms * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.95E0 - (position - 1)))) AS p95_duration_ms
FROM timed
GROUP BY tool
ORDER BY failures DESC, tool;

-- Why sessions ended.
-- Grain: one row a close reason; null where it is unknown.
-- Columns: close_reason; sessions; p50_duration in seconds.
WITH ranked AS (
    SELECT
        close_reason,
        duration_seconds,
        ROW_NUMBER() OVER (PARTITION BY close_reason ORDER BY duration_seconds) AS position,
        COUNT(duration_seconds) OVER (PARTITION BY close_reason) AS known
    FROM sessions
    WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
)

SELECT
    close_reason,
    COUNT(*) AS sessions,
    SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.5E0 - (position - 1)))) AS p50_duration
FROM ranked
GROUP BY close_reason
ORDER BY sessions DESC, close_reason NULLS LAST;

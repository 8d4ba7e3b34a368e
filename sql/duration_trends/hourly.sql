-- At which hours people call, and how long they stay.
-- Grain: one row an hour (0 to 23, UTC) in which a timed session began.
-- Columns: hour; sessions; p50_duration in seconds.
WITH started AS (
    SELECT
        duration_seconds,
        EXTRACT(HOUR FROM started_at) AS hour
    FROM sessions
    WHERE
        dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
        AND duration_seconds IS NOT NULL
),

ranked AS (
    SELECT
        hour,
        duration_seconds,
        ROW_NUMBER() OVER (PARTITION BY hour ORDER BY duration_seconds) AS position,
        COUNT(*) OVER (PARTITION BY hour) AS known
    FROM started
)

SELECT
    hour,
    COUNT(*) AS sessions,
    SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.5E0 - (position - 1)))) AS p50_duration
FROM ranked
GROUP BY hour
ORDER BY hour;

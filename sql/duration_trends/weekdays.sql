-- On which days of the week people call, and how long they stay.
-- Grain: one row a weekday (1 Monday to 7 Sunday, UTC) on which a timed session began; 1969-12-29 was a Monday.
-- Columns: weekday; sessions; p50_duration in seconds.
WITH started AS (
    SELECT
        duration_seconds,
        DATE_DIFF('day', DATE '1969-12-29', CAST(started_at AS DATE)) % 7 + 1 AS weekday
    FROM sessions
    WHERE
        dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
        AND duration_seconds IS NOT NULL
),

ranked AS (
    SELECT
        weekday,
        duration_seconds,
        ROW_NUMBER() OVER (PARTITION BY weekday ORDER BY duration_seconds) AS position,
        COUNT(*) OVER (PARTITION BY weekday) AS known
    FROM started
)

SELECT
    weekday,
    COUNT(*) AS sessions,
    SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.5E0 - (position - 1)))) AS p50_duration
FROM ranked
GROUP BY weekday
ORDER BY weekday;

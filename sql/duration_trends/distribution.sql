-- How the sessions spread over lengths.
-- Grain: one row an interval that holds a session.
-- Columns: from_seconds, the lower edge, which belongs to the interval; sessions.
SELECT
    CASE
        WHEN duration_seconds < 10 THEN 0E0
        WHEN duration_seconds < 30 THEN 10E0
        WHEN duration_seconds < 60 THEN 30E0
        WHEN duration_seconds < 120 THEN 60E0
        WHEN duration_seconds < 300 THEN 120E0
        WHEN duration_seconds < 600 THEN 300E0
        WHEN duration_seconds < 1200 THEN 600E0
        WHEN duration_seconds < 1800 THEN 1200E0
        WHEN duration_seconds < 3600 THEN 1800E0
        ELSE 3600E0
    END AS from_seconds,
    COUNT(*) AS sessions
FROM sessions
WHERE
    dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
    AND duration_seconds IS NOT NULL
GROUP BY 1
ORDER BY 1;

-- Whether better leads talk longer.
-- Grain: one row a stage, each session under the furthest that it reached.
-- Columns: stage; sessions; avg_duration, p50_duration, p90_duration in seconds.
WITH staged AS (
    SELECT
        duration_seconds,
        CASE
            WHEN team_size IS NULL AND monthly_volume IS NULL AND urgency IS NULL AND CARDINALITY(integration_needs) = 0
                THEN 'session'
            WHEN
                COALESCE(team_size < /*:min_team_size*/ 5, TRUE)
                AND COALESCE(monthly_volume < /*:min_monthly_volume*/ 100, TRUE)
                THEN 'signals'
            WHEN urgency = 'high' THEN 'hot'
            ELSE 'qualified'
        END AS stage
    FROM sessions
    WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
),

ranked AS (
    SELECT
        stage,
        duration_seconds,
        ROW_NUMBER() OVER (PARTITION BY stage ORDER BY duration_seconds) AS position,
        COUNT(duration_seconds) OVER (PARTITION BY stage) AS known
    FROM staged
)

SELECT
    stage,
    COUNT(*) AS sessions,
    AVG(duration_seconds) AS avg_duration,
    SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.5E0 - (position - 1)))) AS p50_duration,
    SUM(duration_seconds * GREATEST(0E0, 1E0 - ABS((known - 1) * 0.9E0 - (position - 1)))) AS p90_duration
FROM ranked
GROUP BY stage
ORDER BY stage;

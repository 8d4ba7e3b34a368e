-- How far the sessions of each day came, and what the agent learned in them.
-- Grain: one row a day with sessions; summed up, the tables `stages` and `coverage`.
-- Columns: dt; sessions; signals, qualified, hot: the sessions among them that reached the stage; team_size_known,
--   monthly_volume_known, urgency_known, integration_needs_known: those in which the signal is known.
WITH staged AS (
    SELECT
        dt,
        team_size,
        monthly_volume,
        urgency,
        integration_needs,
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
)

SELECT
    dt,
    COUNT(*) AS sessions,
    COUNT(*) FILTER (WHERE stage <> 'session') AS signals,
    COUNT(*) FILTER (WHERE stage IN ('qualified', 'hot')) AS qualified,
    COUNT(*) FILTER (WHERE stage = 'hot') AS hot,
    COUNT(team_size) AS team_size_known,
    COUNT(monthly_volume) AS monthly_volume_known,
    COUNT(urgency) AS urgency_known,
    COUNT(*) FILTER (WHERE CARDINALITY(integration_needs) > 0) AS integration_needs_known
FROM staged
GROUP BY dt
ORDER BY dt;

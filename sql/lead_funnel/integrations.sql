-- What the leads want connected.
-- Grain: one row an integration, in lower case.
-- Columns: integration; sessions that named it, once each; qualified: those among them that reached the stage.
WITH staged AS (
    SELECT
        dt,
        session_id,
        ended_at,
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
),

wanted AS (
    SELECT DISTINCT
        staged.dt,
        staged.session_id,
        staged.ended_at,
        staged.stage,
        LOWER(needs.need) AS integration
    FROM staged
    CROSS JOIN UNNEST(staged.integration_needs) AS needs (need)
)

SELECT
    integration,
    COUNT(*) AS sessions,
    COUNT(*) FILTER (WHERE stage IN ('qualified', 'hot')) AS qualified
FROM wanted
GROUP BY integration
ORDER BY sessions DESC, integration;

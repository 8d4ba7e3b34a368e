-- Whom to call: every session that reached `qualified` or `hot`.
-- Grain: one row a session; hot first, then newest first.
-- Columns: as in the view `sessions`; stage: the furthest that it reached; integration_needs: as a JSON array.
WITH staged AS (
    SELECT
        dt,
        session_id,
        ended_at,
        team_size,
        monthly_volume,
        urgency,
        integration_needs,
        duration_seconds,
        agent_name,
        room_id,
        caller_key,
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
    session_id,
    ended_at,
    stage,
    team_size,
    monthly_volume,
    urgency,
    JSON_FORMAT(CAST(integration_needs AS JSON)) AS integration_needs,
    duration_seconds,
    agent_name,
    room_id,
    caller_key
FROM staged
WHERE stage IN ('qualified', 'hot')
ORDER BY stage, ended_at DESC, session_id, dt;

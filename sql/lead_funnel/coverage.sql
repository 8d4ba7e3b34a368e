-- In how many sessions the agent learned each signal.
-- Grain: one row for the period.
-- Columns: sessions; team_size, monthly_volume, urgency, integration_needs: the sessions in which it is known.
SELECT
    COUNT(*) AS sessions,
    COUNT(team_size) AS team_size,
    COUNT(monthly_volume) AS monthly_volume,
    COUNT(urgency) AS urgency,
    COUNT(*) FILTER (WHERE CARDINALITY(integration_needs) > 0) AS integration_needs
FROM sessions
WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30';

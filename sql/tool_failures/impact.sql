-- Whether failed calls cost leads. Busy sessions have more of both, so sessions are compared by number of calls.
-- Grain: one row a number of calls (1, 2-3, 4+) and whether one of them failed; sessions with at least one call.
-- Columns: calls; had_failure; sessions; qualified: those among them that reached the stage.
WITH staged AS (
    SELECT
        tool_call_count,
        failed_tool_call_count,
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
    CASE
        WHEN tool_call_count = 1 THEN '1'
        WHEN tool_call_count <= 3 THEN '2-3'
        ELSE '4+'
    END AS calls,
    failed_tool_call_count > 0 AS had_failure,
    COUNT(*) AS sessions,
    COUNT(*) FILTER (WHERE stage IN ('qualified', 'hot')) AS qualified
FROM staged
WHERE tool_call_count > 0
GROUP BY 1, 2
ORDER BY calls, had_failure DESC;

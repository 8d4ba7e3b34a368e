-- What people ask for and do not get.
-- Grain: one row a tool and query with a failure; query in lower case, each run of blanks folded to one space.
-- Columns: tool; query; calls, all of them; failures, empty, errors; sessions: those in which it failed;
--   last_at: when the latest of them ended (UTC).
WITH asked AS (
    SELECT
        dt,
        session_id,
        ended_at,
        tool,
        outcome,
        LOWER(
            CASE -- the expression is slow, and few texts have anything to fold
                WHEN STRPOS(query, '  ') + STRPOS(query, CHR(9)) + STRPOS(query, CHR(10)) + STRPOS(query, CHR(13)) = 0
                    THEN query
                ELSE REGEXP_REPLACE(query, '[ \t\n\r]+', ' ')
            END
        ) AS query
    FROM tool_calls
    WHERE
        dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
        AND query IS NOT NULL
)

SELECT
    tool,
    query,
    COUNT(*) AS calls,
    COUNT(*) FILTER (WHERE outcome IN ('error', 'empty')) AS failures,
    COUNT(*) FILTER (WHERE outcome = 'empty') AS empty,
    COUNT(*) FILTER (WHERE outcome = 'error') AS errors,
    COUNT(DISTINCT (dt, session_id, ended_at)) FILTER (WHERE outcome IN ('error', 'empty')) AS sessions,
    MAX(ended_at) FILTER (WHERE outcome IN ('error', 'empty')) AS last_at
FROM asked
GROUP BY tool, query
HAVING COUNT(*) FILTER (WHERE outcome IN ('error', 'empty')) > 0
ORDER BY failures DESC, tool, query;

-- What goes wrong in the tools' own words.
-- Grain: one row a tool and error text, each run of blanks folded to one space.
-- Columns: tool; error; failures; sessions; last_at: when the latest session with it ended (UTC).
WITH failed AS (
    SELECT
        dt,
        session_id,
        ended_at,
        tool,
        REGEXP_REPLACE(error, '[ \t\n\r]+', ' ') AS error
    FROM tool_calls
    WHERE
        dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
        AND outcome = 'error'
)

SELECT
    tool,
    error,
    COUNT(*) AS failures,
    COUNT(DISTINCT (dt, session_id, ended_at)) AS sessions,
    MAX(ended_at) AS last_at
FROM failed
GROUP BY tool, error
ORDER BY failures DESC, tool, error;

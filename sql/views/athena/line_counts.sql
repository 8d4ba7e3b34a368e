-- line_counts: one row a day that has lines: what the raw lines of its folder hold.
-- Generated from analytics_lib/schema.py by `make generate`; do not edit.
-- Columns:
--   dt                     VARCHAR    the day of the folder, `YYYY-MM-DD`
--   records                BIGINT     session records after copies were folded
--   duplicates             BIGINT     copies that were folded away
--   rejected               BIGINT     lines that are rejected
--   examples               VARCHAR    up to three objects with rejected lines: a JSON array of their paths
WITH raw_lines AS (
    -- One row a line of a file that readers take. The table gives NULL for a line \N.
    SELECT
        dt,
        file,
        IF(starts_with(line, chr(65279)), substr(line, 2), COALESCE(line, '\N')) AS line
    FROM (
        SELECT
            dt,
            line,
            'sessions/dt=' || element_at(split("$path", '/sessions/dt=', 2), 2) AS file
        FROM lines
        WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'
    ) AS located_lines
    WHERE regexp_like(file, '\Asessions/dt=[^/]+/[^/_.][^/]*\.(json|jsonl|ndjson)(\.gz)?\z')
),

json_lines AS (
    -- One row a line that is not blank. Trino takes invalid UTF-8 and halves of surrogate pairs for JSON: NULL here.
    SELECT
        dt,
        file,
        line,
        IF(
            line = from_utf8(to_utf8(line))
            AND (
                strpos(line, '\u') = 0
                OR NOT regexp_like(
                    regexp_replace(replace(line, '\\', ' '), '(?i)\\ud[89ab]..\\ud[c-f]', ' '), '(?i)\\ud[89a-f]'
                )
            ),
            line
        ) AS json_line
    FROM raw_lines
    WHERE regexp_like(from_utf8(to_utf8(line)), '[^ \t\n\r]')
),

documents AS (
    -- One row a line: the values of its object by their keys, NULL where it is none. Trino reads a number beyond any
    -- double as the string "Infinity": where there is such a string, those numbers are written smaller first.
    SELECT
        json_lines.dt,
        json_lines.file,
        json_lines.line,
        TRY_CAST(parsed.document AS MAP(VARCHAR, JSON)) AS fields
    FROM json_lines
    CROSS JOIN UNNEST(
        transform(
            ARRAY[TRY(json_parse(json_lines.json_line))],
            document -> IF(
                strpos(json_format(document), 'Infinity"') > 0,
                json_parse(regexp_replace(
                    json_lines.json_line,
                    '("[^"\\]*+(?:\\.[^"\\]*+)*+")|(-?[0-9][0-9.eE+-]*)',
                    token -> IF(is_infinite(TRY_CAST(token[2] AS DOUBLE)), '1e99', COALESCE(token[1], token[2]))
                )),
                document
            )
        )
    ) AS parsed (document)
),

identified_lines AS (
    -- One row a line, with what names a record.
    SELECT
        dt,
        file,
        line,
        fields,
        regexp_extract(
            IF(
                starts_with(json_format(element_at(fields, '_event_type')), '"'),
                CAST(element_at(fields, '_event_type') AS VARCHAR)
            ),
            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
        ) AS event_type,
        regexp_extract(
            IF(
                starts_with(json_format(element_at(fields, '_session_id')), '"'),
                CAST(element_at(fields, '_session_id') AS VARCHAR)
            ),
            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
        ) AS session_id,
        element_at(filter(ARRAY[CAST(regexp_extract(
            json_format(element_at(fields, '_timestamp')),
            '\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z',
            1
        ) AS DOUBLE)], number -> abs(number) <= 1E15), 1) AS seconds
    FROM documents
),

verdicts AS (
    -- One row a line: a `record`, `rejected`, or `skipped` as the record of something else.
    SELECT
        dt,
        file,
        line,
        fields,
        session_id,
        CAST(floor(seconds * 1E3 + 5E-1) AS BIGINT) AS ended_ms,
        CASE
            WHEN event_type NOT IN ('analytics', 'session_analytics') THEN 'skipped'
            WHEN event_type IS NOT NULL AND session_id IS NOT NULL AND seconds >= 0E0 AND seconds < 253402300799E0
                THEN 'record'
            ELSE 'rejected'
        END AS verdict
    FROM identified_lines
),

counted_days AS (
    -- One row a day.
    SELECT
        dt,
        COUNT(*) FILTER (WHERE verdict = 'record') AS copies,
        COUNT(DISTINCT (session_id, ended_ms)) FILTER (WHERE verdict = 'record') AS records,
        COUNT(*) FILTER (WHERE verdict = 'rejected') AS rejected,
        array_agg(DISTINCT file) FILTER (WHERE verdict = 'rejected') AS rejected_files
    FROM verdicts
    GROUP BY dt
)

SELECT
    dt,
    records,
    copies - records AS duplicates,
    rejected,
    json_format(CAST(COALESCE(slice(array_sort(rejected_files), 1, 3), ARRAY[]) AS JSON)) AS examples
FROM counted_days
ORDER BY dt;

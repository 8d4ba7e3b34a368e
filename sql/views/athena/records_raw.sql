-- records_raw: one row a session record, read from the raw lines; copies are folded into one.
-- Generated from analytics_lib/schema.py by `make generate`; do not edit.
-- Columns:
--   session_id             VARCHAR        the agent's id for the session, e.g. the room name
--   started_at             TIMESTAMP(3)   when the session began; null without a duration (UTC, to the millisecond)
--   ended_at               TIMESTAMP(3)   when the session ended and was logged (UTC, to the millisecond)
--   duration_seconds       DOUBLE         length of the session (seconds)
--   team_size              BIGINT         people in the lead's team
--   monthly_volume         DOUBLE         documents (or whatever the product counts) a month
--   integration_needs      ARRAY(VARCHAR) products the lead wants connected
--   urgency                VARCHAR        how soon the lead wants it: `low`, `medium`, `high`
--   llm_tokens             BIGINT         tokens used by the session (tokens)
--   avg_latency_ms         DOUBLE         mean response latency (milliseconds)
--   agent_name             VARCHAR        which agent ran the session
--   agent_version          VARCHAR        which version of it
--   room_id                VARCHAR        LiveKit's id of the room: the way back to transcript and recording
--   close_reason           VARCHAR        why the session ended, in LiveKit's words
--   caller_key             VARCHAR        salted hash that recognises a returning caller and names nobody
--   tool_calls             ARRAY(ROW)     every tool call of the session, in order; NULL where an entry is no call
--   dt                     VARCHAR        the UTC date of the folder that holds the record, `YYYY-MM-DD`
CREATE OR REPLACE VIEW records_raw AS
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

numbered_copies AS (
    -- One row a record as often as it was delivered; of copies that differ the line that sorts first counts.
    SELECT
        dt,
        session_id,
        ended_ms,
        fields,
        ROW_NUMBER() OVER (PARTITION BY dt, session_id, ended_ms ORDER BY line) AS copy
    FROM verdicts
    WHERE verdict = 'record'
),

opened_records AS (
    -- One row a record, its groups of fields opened.
    SELECT
        dt,
        session_id,
        ended_ms,
        fields,
        TRY_CAST(element_at(fields, 'discovered_signals') AS MAP(VARCHAR, JSON)) AS discovered_signals,
        CAST(CAST(transform(
            TRY_CAST(element_at(fields, 'tool_calls') AS ARRAY(JSON)),
            entry -> IF(starts_with(json_format(entry), '{'), entry)
        ) AS JSON) AS ARRAY(MAP(VARCHAR, JSON))) AS tool_calls,
        TRY_CAST(element_at(fields, 'metrics_summary') AS MAP(VARCHAR, JSON)) AS metrics_summary
    FROM numbered_copies
    WHERE copy = 1
),

read_records AS (
    -- One row a record, every value read; what is mistyped is NULL.
    SELECT
        dt,
        session_id,
        ended_ms,
        element_at(filter(ARRAY[CAST(regexp_extract(
            json_format(element_at(fields, 'duration_seconds')),
            '\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z',
            1
        ) AS DOUBLE)], number -> number BETWEEN 0E0 AND 1E15 AND number * 1E3 <= ended_ms), 1) AS duration_seconds,
        CAST(NULLIF(element_at(filter(ARRAY[CAST(regexp_extract(
            json_format(element_at(discovered_signals, 'team_size')),
            '\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z',
            1
        ) AS DOUBLE)], number -> abs(number) <= 1E15 AND number = floor(number)), 1), 0E0) AS BIGINT) AS team_size,
        NULLIF(element_at(filter(ARRAY[CAST(regexp_extract(
            json_format(element_at(discovered_signals, 'monthly_volume')),
            '\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z',
            1
        ) AS DOUBLE)], number -> abs(number) <= 1E15), 1), 0E0) AS monthly_volume,
        COALESCE(filter(
            transform(
                TRY_CAST(element_at(discovered_signals, 'integration_needs') AS ARRAY(JSON)),
                item -> regexp_extract(
                    IF(
                        starts_with(json_format(item), '"'),
                        CAST(item AS VARCHAR)
                    ),
                    '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
                )
            ),
            item -> item IS NOT NULL
        ), ARRAY[]) AS integration_needs,
        lower(regexp_extract(
            IF(
                starts_with(json_format(element_at(discovered_signals, 'urgency')), '"'),
                CAST(element_at(discovered_signals, 'urgency') AS VARCHAR)
            ),
            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
        )) AS urgency,
        transform(
            tool_calls,
            entry -> CAST(
                ROW(
                    regexp_extract(
                        IF(
                            starts_with(json_format(element_at(entry, 'tool')), '"'),
                            CAST(element_at(entry, 'tool') AS VARCHAR)
                        ),
                        '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
                    ),
                    regexp_extract(
                        IF(
                            starts_with(json_format(element_at(entry, 'query')), '"'),
                            CAST(element_at(entry, 'query') AS VARCHAR)
                        ),
                        '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
                    ),
                    regexp_extract(
                        lower(json_format(element_at(entry, 'results_found'))),
                        '\A"?(?: |\\[tnr])*(true|false)(?: |\\[tnr])*"?\z',
                        1
                    ) = 'true',
                    COALESCE(
                        regexp_extract(
                            IF(
                                starts_with(json_format(element_at(entry, 'error')), '"'),
                                CAST(element_at(entry, 'error') AS VARCHAR)
                            ),
                            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
                        ),
                        regexp_extract(
                            IF(
                                starts_with(json_format(json_extract(element_at(entry, 'error'), '$.message')), '"'),
                                CAST(json_extract(element_at(entry, 'error'), '$.message') AS VARCHAR)
                            ),
                            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
                        ),
                        IF(
                            NOT regexp_like(json_format(element_at(entry, 'error')), '\A("|(null|false|\[\]|\{\})\z)'),
                            '(no text)'
                        )
                    ),
                    regexp_extract(
                        lower(json_format(element_at(entry, 'cancelled'))),
                        '\A"?(?: |\\[tnr])*(true|false)(?: |\\[tnr])*"?\z',
                        1
                    ) = 'true',
                    element_at(filter(ARRAY[CAST(regexp_extract(
                        json_format(element_at(entry, 'duration_ms')),
                        '\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z',
                        1
                    ) AS DOUBLE)], number -> number BETWEEN 0E0 AND 1E15), 1),
                    element_at(filter(ARRAY[CAST(regexp_extract(
                        json_format(element_at(entry, 'offset_seconds')),
                        '\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z',
                        1
                    ) AS DOUBLE)], number -> number BETWEEN 0E0 AND 1E15), 1)
                ) AS ROW(
                    tool VARCHAR,
                    query VARCHAR,
                    results_found BOOLEAN,
                    error VARCHAR,
                    cancelled BOOLEAN,
                    duration_ms DOUBLE,
                    offset_seconds DOUBLE
                )
            )
        ) AS tool_calls,
        CAST(element_at(filter(ARRAY[CAST(regexp_extract(
            json_format(element_at(metrics_summary, 'llm_tokens')),
            '\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z',
            1
        ) AS DOUBLE)], number -> abs(number) <= 1E15 AND number = floor(number)), 1) AS BIGINT) AS llm_tokens,
        element_at(filter(ARRAY[CAST(regexp_extract(
            json_format(element_at(metrics_summary, 'avg_latency_ms')),
            '\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z',
            1
        ) AS DOUBLE)], number -> abs(number) <= 1E15), 1) AS avg_latency_ms,
        regexp_extract(
            IF(
                starts_with(json_format(element_at(fields, 'agent_name')), '"'),
                CAST(element_at(fields, 'agent_name') AS VARCHAR)
            ),
            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
        ) AS agent_name,
        regexp_extract(
            IF(
                starts_with(json_format(element_at(fields, 'agent_version')), '"'),
                CAST(element_at(fields, 'agent_version') AS VARCHAR)
            ),
            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
        ) AS agent_version,
        regexp_extract(
            IF(
                starts_with(json_format(element_at(fields, 'room_id')), '"'),
                CAST(element_at(fields, 'room_id') AS VARCHAR)
            ),
            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
        ) AS room_id,
        regexp_extract(
            IF(
                starts_with(json_format(element_at(fields, 'close_reason')), '"'),
                CAST(element_at(fields, 'close_reason') AS VARCHAR)
            ),
            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
        ) AS close_reason,
        regexp_extract(
            IF(
                starts_with(json_format(element_at(fields, 'caller_key')), '"'),
                CAST(element_at(fields, 'caller_key') AS VARCHAR)
            ),
            '(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'
        ) AS caller_key
    FROM opened_records
)

SELECT
    session_id,
    TIMESTAMP '1970-01-01 00:00:00.000'
    + CAST(floor(ended_ms - duration_seconds * 1E3 + 5E-1) AS BIGINT) * INTERVAL '0.001' SECOND AS started_at,
    TIMESTAMP '1970-01-01 00:00:00.000'
    + ended_ms * INTERVAL '0.001' SECOND AS ended_at,
    duration_seconds,
    team_size,
    monthly_volume,
    integration_needs,
    urgency,
    llm_tokens,
    avg_latency_ms,
    agent_name,
    agent_version,
    room_id,
    close_reason,
    caller_key,
    transform(tool_calls, call -> IF(call.tool IS NOT NULL, call)) AS tool_calls,
    dt
FROM read_records;

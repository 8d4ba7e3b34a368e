"""The raw lines on Athena: the view `records_raw`, and the count of what becomes of the lines, from the same pieces."""

from collections.abc import Iterator

from analytics_lib.record import SESSION_EVENTS
from analytics_lib.schema import IDENTITY, RECORD, Column, Group, record_columns
from tools import athena_values as values
from tools.athena_views import head, listed, view

_PERIOD = "WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30'"

_DOCUMENTS = r"""WITH raw_lines AS (
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
)"""


def _verdicts() -> str:
    event_type, timestamp, session_id = IDENTITY
    events = ", ".join(f"'{each}'" for each in SESSION_EVENTS)
    identity = ((event_type, "event_type"), (session_id, "session_id"), (timestamp, "seconds"))
    return f"""{_DOCUMENTS},

identified_lines AS (
    -- One row a line, with what names a record.
    SELECT
        dt,
        file,
        line,
        fields,
{listed((f"{values.read(field, 'fields')} AS {name}" for field, name in identity), 2)}
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
            WHEN event_type NOT IN ({events}) THEN 'skipped'
            WHEN event_type IS NOT NULL AND session_id IS NOT NULL AND seconds >= 0E0 AND seconds < 253402300799E0
                THEN 'record'
            ELSE 'rejected'
        END AS verdict
    FROM identified_lines
)"""


def records_raw() -> str:
    """The view `records_raw`."""
    groups = [part for part in RECORD if isinstance(part, Group)]
    query = f"""{_verdicts()},

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
{listed((f"{values.opened(group)} AS {group.name}" for group in groups), 2)}
    FROM numbered_copies
    WHERE copy = 1
),

read_records AS (
    -- One row a record, every value read; what is mistyped is NULL.
    SELECT
        dt,
        session_id,
        ended_ms,
{listed(_values(), 2)}
    FROM opened_records
)

SELECT
{listed(map(_shown, record_columns()))}
FROM read_records"""
    grain = "one row a session record, read from the raw lines; copies are folded into one"
    return view("records_raw", grain, record_columns(), query)


def _values() -> Iterator[str]:
    for part in RECORD:
        if isinstance(part, Group) and part.repeated:
            yield f"{values.rows(part)} AS {part.name}"
        elif isinstance(part, Group):
            yield from (f"{values.read(field, part.name)} AS {field.name}" for field in part.fields)
        elif part not in IDENTITY:
            yield f"{values.read(part, 'fields')} AS {part.name}"


def _shown(column: Column | Group) -> str:
    if isinstance(column, Group):
        return f"{values.complete(column)} AS {column.name}"
    milliseconds = {
        "started_at": "CAST(floor(ended_ms - duration_seconds * 1E3 + 5E-1) AS BIGINT)",
        "ended_at": "ended_ms",
    }
    if column.name not in milliseconds:
        return column.name
    since = f"{milliseconds[column.name]} * INTERVAL '0.001' SECOND"  # date_add takes 32 bits only
    return f"TIMESTAMP '1970-01-01 00:00:00.000'\n+ {since} AS {column.name}"


def line_counts() -> str:
    """The query that counts what becomes of the raw lines; no view."""
    columns = (
        ("dt", "VARCHAR", "the day of the folder, `YYYY-MM-DD`"),
        ("records", "BIGINT", "session records after copies were folded"),
        ("duplicates", "BIGINT", "copies that were folded away"),
        ("rejected", "BIGINT", "lines that are rejected"),
        ("examples", "VARCHAR", "up to three objects with rejected lines: a JSON array of their paths"),
    )
    of_the_period = _verdicts().replace("        FROM lines\n", f"        FROM lines\n        {_PERIOD}\n")
    return f"""{head("line_counts: one row a day that has lines: what the raw lines of its folder hold.", columns)}\
{of_the_period},

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
"""

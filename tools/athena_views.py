"""The views over the records on Athena, in Trino's words: `records`, and the two that reports read.

Also what every generated SQL file looks like: the comment at the top, lists, the statement that makes a view.
"""

from collections.abc import Iterable, Sequence
from textwrap import indent

from analytics_lib.schema import TOOL_CALLS, Column, Group, call_columns, record_columns, session_columns

NOTICE = "Generated from analytics_lib/schema.py by `make generate`; do not edit."

_OUTCOME = """CASE
    WHEN call.error IS NOT NULL THEN 'error'
    WHEN call.cancelled THEN 'cancelled'
    WHEN NOT call.results_found THEN 'empty'
    ELSE 'ok'
END"""
_COUNTED = {
    "tool_call_count": "call.tool IS NOT NULL",
    "failed_tool_call_count": f"{_OUTCOME} IN ('error', 'empty')",
}


def head(purpose: str, columns: Sequence[tuple[str, str, str]]) -> str:
    """The comment at the top; a column is its name, type and meaning."""
    width = max(10, *(len(kind) for _, kind, _ in columns))
    listed = "".join(f"--   {name:<22} {kind:<{width}} {meaning}\n" for name, kind, meaning in columns)
    return f"-- {purpose}\n-- {NOTICE}\n-- Columns:\n{listed}"


def described(column: Column) -> str:
    """What a column holds, in words."""
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning


def view(name: str, grain: str, columns: Sequence[Column | Group], query: str) -> str:
    """The file of a view on Athena."""
    shown = [
        (column.name, column.trino_type.upper(), described(column))
        if isinstance(column, Column)
        else (column.name, "ARRAY(ROW)", f"{column.meaning}; NULL where an entry is no call")
        for column in columns
    ]
    return f"{head(f'{name}: {grain}.', shown)}CREATE OR REPLACE VIEW {name} AS\n{query};\n"


def listed(items: Iterable[str], depth: int = 1) -> str:
    """The items, one to a line, indented by `depth` times four blanks."""
    return indent(",\n".join(items), "    " * depth)


def records() -> str:
    """The view `records`: compacted days from Parquet, the others from the raw lines."""
    columns = listed(column.name for column in record_columns())
    query = f"""SELECT
{columns}
FROM records_parquet
WHERE dt <= /*:watermark*/ '' AND dt NOT IN (/*:late*/ '')
UNION ALL
SELECT
{columns}
FROM records_raw
WHERE dt > /*:watermark*/ '' OR dt IN (/*:late*/ '')"""
    grain = "one row a session record: of compacted days from Parquet, of all others from the raw lines"
    return view("records", grain, record_columns(), query)


def sessions() -> str:
    """The view `sessions`."""
    shown = (
        f"COALESCE(cardinality(filter(tool_calls, call -> {_COUNTED[column.name]})), 0) AS {column.name}"
        if column.name in _COUNTED
        else column.name
        for column in session_columns()
    )
    return view("sessions", "one row a session record", session_columns(), f"SELECT\n{listed(shown)}\nFROM records")


def tool_calls() -> str:
    """The view `tool_calls`."""
    of_a_call = [*(field.name for field in TOOL_CALLS.fields), "call_index"]
    shown = (
        f"{_OUTCOME} AS outcome" if name == "outcome" else f"call.{name}" if name in of_a_call else f"records.{name}"
        for name in (column.name for column in call_columns())
    )
    query = f"""SELECT
{listed(shown)}
FROM records
CROSS JOIN
    UNNEST(records.{TOOL_CALLS.name}) WITH ORDINALITY
        AS call (
{listed(of_a_call, 3)}
        )
WHERE call.tool IS NOT NULL"""
    return view("tool_calls", "one row a tool call", call_columns(), query)

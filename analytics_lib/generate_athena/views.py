"""The views over the records on Athena: `records`, and the two that reports read."""

from analytics_lib.generate_athena.layout import listed, view
from analytics_lib.schema import TOOL_CALLS, call_columns, record_columns, session_columns

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

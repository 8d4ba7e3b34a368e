"""The SQL of the views on Athena, spelled out from the schema in Trino's words."""

from analytics_lib.generate_athena import raw_lines, views


def texts() -> dict[str, str]:
    """Path in the checkout -> text of every generated SQL file for Athena."""
    files = (raw_lines.records_raw, raw_lines.line_counts, views.records, views.sessions, views.tool_calls)
    return {f"sql/views/athena/{file.__name__}.sql": file() for file in files}

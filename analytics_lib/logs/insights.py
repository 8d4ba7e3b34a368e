"""Logs Insights: the queries of sql/insights/, run over a log group and a period."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from analytics_lib import aws, resources
from analytics_lib.errors import AwsError, QueryError, SqlFileError, UsageError
from analytics_lib.logs.group import asking, span_ms
from analytics_lib.period import Period
from analytics_lib.record import Mistyped, read_number

MOST_ROWS = 10_000  # Insights gives no more of one query
_POLL_SECONDS = 0.5
_UNDER_WAY = ("Scheduled", "Running", "Unknown")
_COLUMN = re.compile(r"(?P<name>[@\w]+)(?: \((?P<kind>number|time|date)\))?")
Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's rows: numbers as numbers, instants as ISO 8601 ending in Z, days as YYYY-MM-DD, None for unknown.

    `rows` ends at MOST_ROWS, where `complete` may be false. `bytes_scanned` is what AWS bills.
    """

    columns: tuple[str, ...]
    rows: list[dict[str, Value]]
    bytes_scanned: int

    @property
    def complete(self) -> bool:
        """False where Insights may have more rows than it gives."""
        return len(self.rows) < MOST_ROWS


def names() -> list[str]:
    """The queries that there are."""
    return sorted(file.stem for file in resources.path("sql", "insights").glob("*.sql"))


def text(name: str) -> str:
    """The query's text, as it can be pasted into the console. Raises UsageError for a name that is none."""
    if name not in names():
        raise UsageError(f"there is no Insights query {name!r}; there are {', '.join(names())}")
    return resources.path("sql", "insights", f"{name}.sql").read_text(encoding="utf-8")


def columns(query: str) -> dict[str, str]:
    """The columns that the query's header declares, with their kinds: text, number, time, date."""
    header = re.search(r"^# Columns: (.+)$", query, re.MULTILINE)
    found = [_COLUMN.fullmatch(column) for column in header[1].split(", ")] if header else []
    if not found or None in found:
        raise SqlFileError("an Insights query begins with `# Columns: name, name (number), ...`")
    return {column["name"]: column["kind"] or "text" for column in found if column}


def run(
    name: str,
    group: str,
    period: Period,
    *,
    timeout_seconds: float = 900,
    progress: Callable[[int, int], None] = lambda matched, scanned: None,
) -> Answer:
    """The query's answer over the log events of the period; `progress` in records, those that matched of the scanned.

    Raises UsageError for a name that is none, QueryError where the query failed, was cancelled or takes longer than
    `timeout_seconds`, and AwsError. Whatever ends the wait, such as Ctrl-C, cancels the query.
    """
    query = text(name)
    first, last = span_ms(period)
    logs = aws.client("logs")
    with asking(group, f"starting the Insights query {name} over"):
        asked = {"logGroupName": group, "startTime": first // 1000, "endTime": last // 1000, "limit": MOST_ROWS}
        query_id = logs.start_query(queryString=query, **asked)["queryId"]
    try:
        found = _ended(logs, name, group, query_id, time.monotonic() + timeout_seconds, progress)
    except BaseException:
        with suppress(AwsError), asking(group, "cancelling a query over"):
            logs.stop_query(queryId=query_id)
        raise
    if found["status"] != "Complete":
        raise QueryError(
            f"the Insights query {name} over {group}, {period}, ended as {found['status']} (query {query_id}); "
            "repeat it over fewer days, or look at it in the console under Logs Insights, History"
        )
    kinds = columns(query)
    rows = [{field["field"]: field["value"] for field in row} for row in found["results"]]
    typed = [{column: _value(row.get(column), kind) for column, kind in kinds.items()} for row in rows]
    return Answer(tuple(kinds), typed, int(found.get("statistics", {}).get("bytesScanned", 0)))


def _ended(
    logs: Any, name: str, group: str, query_id: str, until: float, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """What Insights says of the query once it is no longer under way."""
    while True:
        with asking(group, f"waiting for the Insights query {name} over"):
            found: dict[str, Any] = logs.get_query_results(queryId=query_id)
        counted = found.get("statistics", {})
        progress(int(counted.get("recordsMatched", 0)), int(counted.get("recordsScanned", 0)))
        if found["status"] not in _UNDER_WAY:
            return found
        if time.monotonic() > until:
            raise QueryError(
                f"the Insights query {name} over {group} was cancelled, as it took longer than --timeout allows "
                f"(query {query_id}); allow more, or ask for fewer days"
            )
        time.sleep(_POLL_SECONDS)


def _value(written: str | None, kind: str) -> Value:
    """What Insights writes, as JSON has it; None for what is not of that kind."""
    if written is None or written == "" or kind == "text":
        return written or None
    if kind == "number":
        try:
            number = read_number(written)
        except Mistyped:
            return None
        return int(number) if number is not None and written.lstrip("-").isdigit() else number
    return written[:10] if kind == "date" else f"{written.replace(' ', 'T')}Z"

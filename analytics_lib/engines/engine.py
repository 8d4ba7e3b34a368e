"""What an engine is: it runs SQL over the two views, and says what that took."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from analytics_lib.period import Period

if TYPE_CHECKING:
    import pandas as pd

    from analytics_lib.engines.cost import Estimate


@dataclass(frozen=True, slots=True)
class Result:
    """One query's frame and what it took.

    The rest is a service's: `query_id`, the cost in USD as billed and as predicted, whether it was an earlier, equal
    query's result, which columns are `nested` and not yet read, and the list of the files that UNLOAD wrote.
    """

    frame: "pd.DataFrame"
    seconds: float
    bytes_scanned: int = 0
    query_id: str | None = None
    cost_usd: float = 0.0
    predicted_usd: float = 0.0
    reused: bool = False
    nested: tuple[bool, ...] = ()
    manifest: str | None = None

    def facts(self) -> dict[str, Any]:
        """What people are told of a query that a service ran."""
        return {
            "query_id": self.query_id,
            "bytes_scanned": self.bytes_scanned,
            "seconds": self.seconds,
            "cost_usd": self.cost_usd,
            "predicted_usd": self.predicted_usd,
            "reused": self.reused,
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """A count of a period's raw lines: records after copies are folded, copies folded away, lines rejected.

    `examples` names the first few rejected lines for messages; `bytes_scanned` is what reading the period took, or
    `query` the query that counted. `mistyped` counts mistyped values by their field; None where that was not counted.
    """

    records: int
    duplicates: int
    rejected: int
    examples: tuple[str, ...]
    bytes_scanned: int = 0
    query: Result | None = None
    mistyped: Mapping[str, int] | None = None


class Engine(Protocol):
    """Runs SQL over the views `sessions` and `tool_calls`."""

    name: str

    def newest_day(self, until: date = date.max) -> date | None:
        """The last day up to `until` that has a file to read; None where there is none."""

    def counts(self, period: Period) -> Counts:
        """What the raw lines of the period's folders hold."""

    def queries(self, statements: Mapping[str, str], period: Period) -> dict[str, Result]:
        """Run each statement (origin -> SQL) over views that show only the days of `period`.

        Raises QueryError, naming the origin; then none of them is left running.
        """

    def save(self, sql: str, period: Period, origin: str, path: Path) -> Result:
        """Write one statement's rows to a Parquet file; the result's frame is empty. Raises as `queries`."""

    def estimate(self, period: Period, queries: int) -> "Estimate":
        """What that many queries over the period will cost. Raises UsageError where queries cost nothing."""

"""What an engine is: it runs SQL over the two views, and says what that took."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

from analytics_lib.period import Period

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Counts:
    """A count of a period's raw lines: records after copies are folded, copies folded away, lines rejected.

    `examples` names the first few rejected lines for messages; `bytes_scanned` is what reading the period took.
    """

    records: int
    duplicates: int
    rejected: int
    examples: tuple[str, ...]
    bytes_scanned: int


@dataclass(frozen=True, slots=True)
class Result:
    """One query's frame and what it took. `query_id` and `cost_usd` are those of a service, where there is one."""

    frame: "pd.DataFrame"
    seconds: float
    bytes_scanned: int = 0
    query_id: str | None = None
    cost_usd: float = 0.0


class Engine(Protocol):
    """Runs SQL over the views `sessions` and `tool_calls`."""

    name: str

    def newest_day(self, until: date = date.max) -> date | None:
        """The last day up to `until` that has a file to read; None where there is none."""

    def counts(self, period: Period) -> Counts:
        """What the raw lines of the period's folders hold."""

    def query(self, sql: str, period: Period, origin: str) -> Result:
        """Run one statement over views that show only the days of `period`. Raises QueryError, naming `origin`."""

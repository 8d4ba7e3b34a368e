"""What `analytics_lib.open()` gives: a lake and an engine, and from them reports and ad-hoc SQL."""

import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics_lib import period as periods
from analytics_lib import settings, sqlfile
from analytics_lib.errors import ParameterError, SettingsError, SqlFileError, UsageError
from analytics_lib.period import Period
from analytics_lib.reports import catalogue
from analytics_lib.reports.found import Found
from analytics_lib.reports.report import Report, Request

if TYPE_CHECKING:
    import pandas as pd

    from analytics_lib.engines.engine import Engine, Result

Day = str | date | None
Progress = Callable[[int, int], None]  # days read, days to read


class Lake:
    """Session records at one place, and an engine that reads them.

    A lake is as fresh as its folders: a day is read again when a file was added to it or replaced in it.
    """

    def __init__(self, root: str, engine: "Engine") -> None:
        self.root = root
        self.engine = engine

    def __repr__(self) -> str:
        return f"<Lake {self.root} on {self.engine.name}>"

    @property
    def newest_day(self) -> date | None:
        """The last UTC day that has a file to read; None in an empty lake."""
        return self.engine.newest_day()

    def period(self, start: Day = None, end: Day = None, last: int | None = None) -> Period:
        """The period that these arguments of `report` and `sql` mean. Raises PeriodError."""
        newest = self.newest_day if start is None and end is None and last is None else None
        return periods.choose(start, end, last, newest)

    def report(
        self, name: str, *, start: Day = None, end: Day = None, last: int | None = None, **parameters: object
    ) -> Found:
        """The finished tables of a report, and the facts of the run.

        `start` and `end` are UTC dates, both inclusive; `last` N means the N days that end yesterday; without any,
        the 30 days that end with the newest day. Further arguments are the report's parameters.
        Raises UsageError for a name, date or parameter that makes no sense, QueryError where the engine fails.
        """
        report = catalogue.get(name)
        return self._run(report, report.request(self.period(start, end, last), parameters))

    def _run(self, report: Report, request: Request) -> Found:
        started = time.perf_counter()
        read = request.period.widened(report.lookback_days)
        days = {"start": request.period.start, "end": request.period.end, "window_start": read.start}
        statements = {
            origin: sqlfile.bind(sqlfile.read(origin.removeprefix("sql/")), {**days, **request.parameters}, origin)
            for origin in report.sql_files()
        }
        results = self.engine.queries(statements, read)
        tables = {
            table.name: table.conform(table.finish(results[report.sql_file(table)].frame, request))
            for table in report.tables
        }
        return Found(report, request, tables, self._facts(request.period, results, started))

    def estimate(
        self, name: str | None = None, *, scans: int = 1, start: Day = None, end: Day = None, last: int | None = None
    ) -> Any:
        """What a report, or without a name a query that reads so many views, would cost on Athena: an `Estimate`.

        Raises UsageError on an engine that nobody bills.
        """
        period = self.period(start, end, last)
        if name is None:
            return self.engine.estimate(period, scans)
        report = catalogue.get(name)
        return self.engine.estimate(period.widened(report.lookback_days), len(report.sql_files()))

    def _facts(self, period: Period, results: "dict[str, Result]", started: float) -> dict[str, Any]:
        counts = self.engine.counts(period)
        if counts.query:
            results = {**results, "count of raw lines": counts.query}
        return {
            "engine": self.engine.name,
            "data": self.root + self._remark(),
            "newest_day": self.engine.newest_day(max(period.end, periods.today())),  # not a folder of the future
            "records": counts.records,
            "rejected": counts.rejected,
            "rejected_examples": list(counts.examples),
            "duplicates": counts.duplicates,
            "mistyped": counts.mistyped and dict(counts.mistyped),
            "bytes_scanned": counts.bytes_scanned + sum(result.bytes_scanned for result in results.values()),
            "seconds": time.perf_counter() - started,
            "query_ids": [result.query_id for result in results.values() if result.query_id],
            "cost_usd": sum(result.cost_usd for result in results.values()),
            "predicted_usd": sum(result.predicted_usd for result in results.values()),
            "queries": [{"name": name, **result.facts()} for name, result in results.items() if result.query_id],
        }

    def _remark(self) -> str:
        """What whoever reads figures from these data has to know."""
        if self.root == str(settings.samples()):
            return " (made-up samples)"
        from analytics_lib.remote import copies

        return copies.part(Path(self.root))

    def sql(
        self,
        query: str,
        *,
        start: Day = None,
        end: Day = None,
        last: int | None = None,
        origin: str = "the query",
        **parameters: sqlfile.Value,
    ) -> "pd.DataFrame":
        """The rows of one reading statement over the views `sessions` and `tool_calls`, which show only these days.

        Two-way parameters are filled in: `/*:start*/`, `/*:end*/`, and those given as further arguments. Instants
        come back as UTC timestamps; `frame.attrs` holds the facts of the run. Raises StatementError for a statement
        that does more than read, QueryError with the place for one that fails.
        """
        started = time.perf_counter()
        period = self.period(start, end, last)
        result = self.engine.queries({origin: _bound(query, period, parameters, origin)}, period)[origin]
        result.frame.attrs.update(self._facts(period, {origin: result}, started))
        return result.frame

    def save(
        self,
        query: str,
        path: str | Path,
        *,
        start: Day = None,
        end: Day = None,
        last: int | None = None,
        origin: str = "the query",
        **parameters: sqlfile.Value,
    ) -> dict[str, Any]:
        """Write a query's rows to a Parquet file, without holding all of them here; returns the facts of the run.

        As `sql` otherwise; on Athena the rows come in no order.
        """
        started = time.perf_counter()
        period = self.period(start, end, last)
        result = self.engine.save(_bound(query, period, parameters, origin), period, origin, Path(path))
        return self._facts(period, {origin: result}, started)


def _bound(query: str, period: Period, parameters: Mapping[str, sqlfile.Value], origin: str) -> str:
    used = sqlfile.parameters(query)
    for name in parameters:
        if name not in used:
            raise ParameterError(f"{origin} uses no parameter {name!r}; it uses {', '.join(sorted(used)) or 'none'}")
    days = {"start": period.start, "end": period.end, "window_start": period.start}
    try:
        return sqlfile.bind(query, {**days, **parameters}, origin)
    except SqlFileError as error:  # here whoever asks gives the values, and wrong ones are wrong usage
        raise ParameterError(f"{error} (on the command line: --param NAME=VALUE)") from None


def open_lake(
    data: str | Path | None = None,
    engine: str | None = None,
    athena: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Lake:
    """The lake at `data` on that engine; what is not given comes from the settings. Raises LakeError, SettingsError."""
    chosen = settings.load(data, engine, athena)
    location = chosen.data
    if isinstance(location, Path):
        return _local(location, chosen.engine, progress)
    if chosen.engine == "duckdb":
        from analytics_lib.engines.s3duckdb import SyncedEngine

        return Lake(str(location), SyncedEngine(location, progress))
    try:
        from analytics_lib.engines.athena import AthenaEngine
    except ImportError:
        raise SettingsError(
            "Athena needs the extra `athena`; install it with: pip install 'analytics_lib[athena]'"
        ) from None
    return Lake(str(location), AthenaEngine(location, chosen.athena, progress))


def _local(root: Path, engine: str, progress: Progress | None) -> Lake:
    if engine == "athena":
        raise UsageError(f"Athena reads a lake on S3: add --data s3://BUCKET/PREFIX; {root} is a local folder")
    from analytics_lib.engines.duckdb import DuckDBEngine

    return Lake(str(root), DuckDBEngine(root, progress))

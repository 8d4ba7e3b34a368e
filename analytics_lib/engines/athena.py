"""The engine on AWS: Athena runs the SQL where the records lie, and bills by the bytes that it reads."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pyathena
from pyathena.cursor import Cursor
from pyathena.error import DatabaseError, OperationalError
from pyathena.util import RetryConfig

from analytics_lib import aws, prices, settings
from analytics_lib.engines import catalog, cost, line_counts, refusals, trino
from analytics_lib.engines.catalog import State
from analytics_lib.engines.engine import Counts, Result
from analytics_lib.errors import AwsError, LakeError, QueryError
from analytics_lib.location import Location
from analytics_lib.period import Period
from analytics_lib.remote import s3

SIDE_BY_SIDE = 8  # queries; an account may run 20 and more
_POLL_SECONDS = 0.1  # with 8 side by side 80 requests a second, below the 100 that AWS allows
_REUSE_MINUTES = 60
_EXAMPLES_KEPT = 3
_COUNTING = "the count of raw lines"
logging.getLogger("pyathena").addHandler(logging.NullHandler())  # it logs what it raises


class AthenaEngine:
    """Answers from a lake on S3, through the database that `analytics-lib athena setup` made for it."""

    name = "athena"

    def __init__(
        self, location: Location, athena: settings.Athena, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.location = location
        self._athena = athena
        self._progress = progress
        self._counted: tuple[Period, Mapping[str, Counts], Result | None] | None = None
        settled = aws.config()
        with aws.explained("connecting to Athena"):
            self._connection = pyathena.connect(
                s3_staging_dir=athena.output,
                work_group=athena.workgroup,
                schema_name=athena.database,
                catalog_name=athena.catalog,
                poll_interval=_POLL_SECONDS,
                result_reuse_enable=not athena.fresh,
                result_reuse_minutes=_REUSE_MINUTES,
                retry_config=RetryConfig(attempt=1),  # boto3 repeats by itself
                session=aws.session(),
                config=settled,
            )
        self._region = self._connection.client.meta.region_name
        self._prices = prices.load(self._region)

    def newest_day(self, until: date = date.max) -> date | None:
        """The last day up to `until` that has a file to read; None where there is none."""
        return s3.newest_day(self.location, until)

    def estimate(self, period: Period, queries: int) -> cost.Estimate:
        """What that many queries over the period will cost, with the count of its raw lines."""
        return self._planned(period, queries)[2]

    def _planned(self, period: Period, queries: int) -> tuple[State, dict[str, str], cost.Estimate]:
        """What is compacted, the count of raw lines where there are any, and what this and the queries will cost."""
        state = catalog.read_state(self._athena.database, self.location)
        there = [day for day in s3.days(self.location)[0] if day in period]
        if unseen := state.unseen(there):
            raise LakeError(
                f"Athena does not see sessions/dt={unseen[0]}/ and {len(unseen) - 1} more days of {period} that lie in "
                f"{self.location}: run analytics-lib athena setup again, or leave days after tomorrow out"
            )
        raw = [day for day in there if not state.is_compacted(day)]
        counting = {_COUNTING: line_counts.sql(raw)} if raw else {}
        listed = s3.list_days(self.location, raw)
        return state, counting, cost.estimate(listed, state, period, queries + len(counting), self._prices)

    def queries(self, statements: Mapping[str, str], period: Period) -> dict[str, Result]:
        """Run the statements side by side over views that show only the days of `period`, and count its raw lines.

        Raises StatementError for one that does more than read, CostError above the ceiling, QueryError, AwsError.
        """
        asked = {origin: trino.Statement(sql, origin) for origin, sql in statements.items()}
        state, counting, predicted = self._planned(period, sum(each.scans for each in asked.values()))
        predicted.require_below(self._athena.max_usd)
        shown = {origin: each.showing(period, self._athena.database) for origin, each in asked.items()}
        as_it_lies = f"\n-- lake {predicted.digest}"  # a result is reused only while nothing has changed there
        stamped = {origin: sql + as_it_lies for origin, sql in {**shown, **counting}.items()}
        share = predicted.expected.usd / len(stamped) if stamped else 0.0
        found = {origin: replace(result, predicted_usd=share) for origin, result in self._side_by_side(stamped).items()}
        self._remember_counts(period, state, found.pop(_COUNTING, None))
        for origin, statement in asked.items():
            if found[origin].nested:
                from analytics_lib.engines import results

                predicted.require_below(self._athena.max_usd, nested=True)
                again = trino.with_json(shown[origin], found[origin].nested, ordered=statement.ordered) + as_it_lies
                found[origin] = results.unnested(found[origin], self.execute(again, origin))
        return {origin: found[origin] for origin in asked}

    def execute(self, sql: str, origin: str) -> Result:
        """One statement exactly as it is. Raises QueryError, AwsError; then it is not left running."""
        return self._side_by_side({origin: sql})[origin]

    def save(self, sql: str, period: Period, origin: str, path: Path) -> Result:
        """Write one statement's rows to a Parquet file, in no order: Athena writes it in parts (UNLOAD)."""
        statement = trino.Statement(sql, origin)
        shown = statement.showing(period, self._athena.database)
        predicted = self._planned(period, statement.scans)[2]
        predicted.require_below(self._athena.max_usd)
        from analytics_lib.engines import unload

        result = unload.to_file(shown, self.location, path, lambda statement: self.execute(statement, origin))
        return replace(result, predicted_usd=statement.scans * predicted.expected.usd / predicted.queries)

    def counts(self, period: Period) -> Counts:
        """What the raw lines of the period's days hold: as counted when a day was compacted, else by a query."""
        if self._counted is None or not self._counted[0].covers(period):
            self.queries({}, period)
        assert self._counted is not None
        _, by_day, query = self._counted
        days = [counts for day, counts in sorted(by_day.items()) if day in period]
        return Counts(
            records=sum(day.records for day in days),
            duplicates=sum(day.duplicates for day in days),
            rejected=sum(day.rejected for day in days),
            examples=tuple(example for day in days for example in day.examples)[:_EXAMPLES_KEPT],
            query=query,
        )

    def _remember_counts(self, period: Period, state: State, query: Result | None) -> None:
        by_day = {
            day: Counts(each.records, each.duplicates, each.rejected, ())
            for day, each in state.days.items()
            if day in period and state.is_compacted(day)
        }
        for row in query.frame.itertuples() if query else ():
            counts = (int(row.records), int(row.duplicates), int(row.rejected))
            by_day[row.dt] = Counts(*counts, tuple(json.loads(row.examples or "[]")))
        self._counted = (period, by_day, query)

    def _side_by_side(self, statements: Mapping[str, str]) -> dict[str, Result]:
        """Run all, a bounded number at a time; whatever ends this early stops those that run, on the server."""
        running = _Running(self._connection.client)
        found: dict[str, Result] = {}
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            try:
                futures = {pool.submit(self._run, sql, origin, running): origin for origin, sql in statements.items()}
                from analytics_lib.engines import results  # pandas loads while the queries run

                for future in as_completed(futures):
                    found[futures[future]] = self._result(future.result(), results.frame_of)
                    if self._progress:
                        self._progress(len(found), len(statements))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                threading.Thread(target=running.stop).start()  # where no second signal interrupts it
                raise
        return found

    def _run(self, sql: str, origin: str, running: "_Running") -> "_Ended":
        started = time.perf_counter()
        cursor: Cursor = self._connection.cursor()
        try:
            cursor.execute(sql, on_start_query_execution=running.add)
            running.forget(cursor.query_id)
            nested = trino.nested(cursor.description or ())
            rows = [] if nested else cursor.fetchall()
        except DatabaseError as error:
            if isinstance(error, OperationalError) and error.__cause__ is None:  # the query itself failed
                running.forget(cursor.query_id)
                reason = trino.own_lines(str(error), sql)
                told = refusals.refusal(origin, reason, cursor.query_id, self._region, self.location)
                raise QueryError(told) from error
            raise self._explained(origin, error) from error
        return _Ended(cursor, nested, rows, time.perf_counter() - started)

    def _result(self, ended: "_Ended", frame_of: Callable[[list[Any], list[Any]], Any]) -> Result:
        cursor = ended.cursor
        scanned = cursor.data_scanned_in_bytes or 0
        return Result(
            frame_of(cursor.description or [], ended.rows),
            ended.seconds,
            bytes_scanned=scanned,
            query_id=cursor.query_id,
            cost_usd=self._prices.query_usd(scanned) if not cursor.reused_previous_result else 0.0,
            reused=bool(cursor.reused_previous_result),
            nested=ended.nested,
            manifest=cursor.data_manifest_location,
        )

    def _explained(self, origin: str, error: DatabaseError) -> AwsError:
        try:
            with aws.explained(f"{origin}, sent to Athena in workgroup {self._athena.workgroup},"):
                raise error.__cause__ or error
        except AwsError as explained:
            hint = refusals.hint(str(explained), self.location) if explained.code == "InvalidRequestException" else ""
            return AwsError(f"{explained}; {hint}", explained.code) if hint else explained


class _Ended(NamedTuple):
    """A query that has ended well; `rows` is empty where a column is `nested`, which cannot be trusted as it comes."""

    cursor: Cursor
    nested: tuple[bool, ...]
    rows: list[Any]
    seconds: float


class _Running:
    """The queries that run on the server, so that none is left running."""

    def __init__(self, client: object) -> None:
        self._client = client
        self._ids: set[str] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def add(self, query_id: str) -> None:
        with self._lock:
            self._ids.add(query_id)
            stopped = self._stopped
        if stopped:
            self._stop(query_id)

    def forget(self, query_id: str | None) -> None:
        with self._lock:
            self._ids.discard(query_id or "")

    def stop(self) -> None:
        with self._lock:
            self._stopped, running = True, set(self._ids)
        for query_id in running:
            threading.Thread(target=self._stop, args=(query_id,)).start()

    def _stop(self, query_id: str) -> None:
        with suppress(Exception):  # whatever went wrong first is what is told
            self._client.stop_query_execution(QueryExecutionId=query_id)  # type: ignore[attr-defined]

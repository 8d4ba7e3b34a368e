"""The local engine: days of a lake on disk, read once into DuckDB's memory, and SQL over them."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

import duckdb
import pyarrow as pa
from pyarrow import parquet

from analytics_lib import frames, sqlfile
from analytics_lib.engines.engine import Counts, Result
from analytics_lib.errors import QueryError, StatementError, UsageError
from analytics_lib.lake import files, reading
from analytics_lib.lake.reader import DayCounts
from analytics_lib.lake.reading import Batch
from analytics_lib.lake.tables import CALL_COLUMNS, SESSION_COLUMNS
from analytics_lib.period import Period
from analytics_lib.scratch import Scratch

T = TypeVar("T")
_TABLES = {"sessions": SESSION_COLUMNS, "tool_calls": CALL_COLUMNS}
# Arithmetic as on Athena, and no reach beyond the connection.
_SETUP = """
SET TimeZone = 'UTC';
SET integer_division = true;
SET ieee_floating_point_ops = false;
SET autoinstall_known_extensions = false;
SET autoload_known_extensions = false;
SET python_enable_replacements = false;
CREATE SCHEMA stored;
"""
_MEMORY_MB_PER_THREAD = 72  # beyond it DuckDB spills to disk; a year of 1,000 sessions a day takes little longer for it
_LOT_SESSIONS = 100_000  # about a row group; one that is filled bit by bit is compressed anew each time
# From here on SQL can reach neither files nor the network, and cannot undo this.
_LOCK = """
SET enable_external_access = false;
SET allowed_configs = ['memory_limit'];
SET lock_configuration = true;
"""


class DuckDBEngine:
    """Answers from a lake on disk.

    A day is read when a query first needs it and kept; it is read again when its folder has changed since.
    """

    name = "duckdb"

    def __init__(self, root: Path, progress: Callable[[int, int], None] | None = None) -> None:
        files.sessions_folder(root)
        self.root = root
        self._progress = progress
        self._lock = threading.RLock()
        self._days: dict[str, tuple[int, DayCounts]] = {}  # day -> state of its folder, what was read of it
        self._shown: Period | None = None
        self._connection = duckdb.connect()
        with suppress(duckdb.InvalidInputException):  # in Jupyter without ipywidgets, where there is no bar
            self._connection.execute("SET enable_progress_bar = false")  # it goes to standard output
        self._connection.execute(_SETUP)
        self._connection.execute(sqlfile.read("views/duckdb/macros.sql"))
        self._spill = Scratch()  # the default is the working folder
        self._connection.execute("SET temp_directory = ?", [str(self._spill.path)])
        self._limit_memory()
        for name, columns in _TABLES.items():
            typed = ", ".join(f'"{column.name}" {column.kind.sql_type}' for column in columns)
            self._connection.execute(f"CREATE TABLE stored.{name} ({typed})")
        self._connection.execute(_LOCK)

    def _limit_memory(self) -> None:
        (threads,) = self._connection.execute("SELECT current_setting('threads')").fetchall()[0]
        self._connection.execute("SET memory_limit = ?", [f"{max(2, threads) * _MEMORY_MB_PER_THREAD}MB"])

    def newest_day(self, until: date = date.max) -> date | None:
        """The last day up to `until` that has a file to read; None where there is none."""
        return files.newest_day(self.root, until)

    def counts(self, period: Period) -> Counts:
        """What the raw lines of the period's folders hold."""
        with self._lock:
            self._load(period)
            days = [counts for day, (_, counts) in sorted(self._days.items()) if day in period]
        return Counts(
            records=sum(day.records for day in days),
            duplicates=sum(day.duplicates for day in days),
            rejected=sum(day.rejected for day in days),
            examples=tuple(example for day in days for example in day.examples)[:3],
            bytes_scanned=sum(day.bytes for day in days),
            mistyped=dict(sum((Counter(day.mistyped) for day in days), Counter())),
        )

    def queries(self, statements: Mapping[str, str], period: Period) -> dict[str, Result]:
        """Run each statement (origin -> SQL) over views that show only the days of `period`. Raises QueryError."""
        return {origin: self.query(sql, period, origin) for origin, sql in statements.items()}

    def query(self, sql: str, period: Period, origin: str) -> Result:
        """Run one statement over views that show only the days of `period`. Raises QueryError, naming `origin`."""
        started = time.perf_counter()
        return Result(frames.from_arrow(self._table(sql, period, origin)), time.perf_counter() - started)

    def save(self, sql: str, period: Period, origin: str, path: Path) -> Result:
        """Write one statement's rows to a Parquet file; the result's frame is empty. Raises as `query`."""
        started = time.perf_counter()
        table = self._table(sql, period, origin)
        parquet.write_table(table, path, compression="zstd")
        return Result(frames.from_arrow(table.slice(0, 0)), time.perf_counter() - started)

    def estimate(self, period: Period, queries: int) -> NoReturn:
        """Raises UsageError: nothing is billed here."""
        raise UsageError(
            "an estimate is about Athena, which bills its queries: add --engine athena and --data s3://BUCKET/PREFIX"
        )

    def _table(self, sql: str, period: Period, origin: str) -> pa.Table:
        with self._lock:
            self._load(period)
            self._show(period)
            statement = self._only_reading(sql, origin)
            try:
                return self._with_enough_memory(lambda: self._run(statement))
            except duckdb.Error as error:
                raise QueryError(f"{origin} failed on DuckDB: {self._with_place(error, statement)}") from error

    def _with_enough_memory(self, step: Callable[[], T]) -> T:
        """What the step gives; where the limit is too low for it, since not everything can spill, without a limit."""
        try:
            return step()
        except duckdb.OutOfMemoryException:
            self._connection.execute("RESET memory_limit")
            return step()

    def _run(self, statement: str) -> pa.Table:
        """The statement's rows, read-only; in a thread of its own, so that Ctrl-C reaches this one and stops it."""

        def run() -> pa.Table:
            self._connection.execute("BEGIN TRANSACTION READ ONLY")
            try:
                return self._connection.sql(statement).to_arrow_table()
            finally:
                self._connection.execute("ROLLBACK")

        with ThreadPoolExecutor(1) as executor:
            running = executor.submit(run)
            try:
                return running.result()
            finally:
                if not running.done():
                    self._connection.interrupt()

    def _with_place(self, error: duckdb.Error, statement: str) -> duckdb.Error:
        """The error with the line where it is, which only `execute` tells."""
        if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
            self._connection.execute("BEGIN TRANSACTION READ ONLY")
            try:
                self._connection.execute(statement)
            except duckdb.Error as placed:
                return placed
            finally:
                self._connection.execute("ROLLBACK")
        return error

    def _only_reading(self, sql: str, origin: str) -> str:
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise QueryError(f"{origin} is no SQL that DuckDB understands: {error}") from error
        kinds = [statement.type.name for statement in statements]
        if kinds != ["SELECT"]:
            found = f"{len(kinds)} statements" if len(kinds) > 1 else (kinds or ["no statement"])[0]
            raise StatementError(
                f"{origin} holds {found}; only one reading statement is run: SELECT, WITH, VALUES, DESCRIBE or SHOW"
            )
        return statements[0].query

    def _show(self, period: Period) -> None:
        if period == self._shown:
            return
        days = {"start": period.start, "end": period.end}
        for name in _TABLES:
            path = f"views/duckdb/{name}.sql"
            self._connection.execute(sqlfile.bind(sqlfile.read(path), days, path))
        self._shown = period

    def _load(self, period: Period) -> None:
        """Read the days of the period that are new or have changed; forget those that are gone."""
        now = {day: self._folder_state(day) for day in files.days_within(self.root, period)}
        gone = [day for day in self._days if day in period and day not in now]
        stale = [day for day, state in now.items() if day not in self._days or self._days[day][0] != state]
        if gone:
            self._replace(gone, {})
        if not stale:
            return
        for lot in _lots(reading.read(self.root, stale, self._progress)):
            tables = {"sessions": [batch.sessions for batch in lot], "tool_calls": [batch.calls for batch in lot]}
            counts = {day: counts for batch in lot for day, counts in batch.counts.items()}
            arrived = {name: pa.concat_tables(parts) for name, parts in tables.items()}
            self._with_enough_memory(partial(self._replace, list(counts), arrived))
            self._days.update({day: (now[day], found) for day, found in counts.items()})

    def _folder_state(self, day: str) -> int:
        try:
            return os.stat(self.root / "sessions" / f"dt={day}").st_mtime_ns
        except OSError:
            return 0

    def _replace(self, days: list[str], arrived: dict[str, pa.Table]) -> None:
        """Put what arrived in the place of what was stored of these days, all or nothing."""
        for day in days:
            self._days.pop(day, None)
        self._connection.execute("BEGIN")
        try:
            for name in _TABLES:
                self._connection.execute(f"DELETE FROM stored.{name} WHERE dt IN (SELECT unnest(?))", [days])
                if name in arrived:
                    self._connection.register("arriving", arrived[name])
                    self._connection.execute(f"INSERT INTO stored.{name} FROM arriving")
                    self._connection.unregister("arriving")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise


def _lots(batches: Iterator[Batch]) -> Iterator[list[Batch]]:
    lot: list[Batch] = []
    for batch in batches:
        lot.append(batch)
        if sum(each.sessions.num_rows for each in lot) >= _LOT_SESSIONS:
            yield lot
            lot = []
    if lot:
        yield lot

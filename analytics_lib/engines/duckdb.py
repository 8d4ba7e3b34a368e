"""The local engine: days of a lake on disk, read once into DuckDB's memory, and SQL over them."""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from analytics_lib.engines import frames, sqlfile
from analytics_lib.engines.engine import Counts, Result
from analytics_lib.errors import QueryError, StatementError
from analytics_lib.lake import files, reading
from analytics_lib.lake.reader import DayCounts
from analytics_lib.lake.tables import CALL_COLUMNS, SESSION_COLUMNS
from analytics_lib.period import Period

_TABLES = {"sessions": SESSION_COLUMNS, "tool_calls": CALL_COLUMNS}
# Arithmetic as on Athena, and the two functions that DuckDB spells differently.
_SETUP = """
SET TimeZone = 'UTC';
SET integer_division = true;
SET ieee_floating_point_ops = false;
SET autoinstall_known_extensions = false;
SET autoload_known_extensions = false;
SET python_enable_replacements = false;
CREATE MACRO json_format(document) AS CAST(document AS VARCHAR);
CREATE MACRO regexp_replace(text, pattern, replacement) AS
    system.main.regexp_replace(text, pattern, replacement, 'g');
CREATE SCHEMA stored;
"""
# From here on SQL can reach neither files nor the network, and cannot undo this.
_LOCK = "SET enable_external_access = false; SET lock_configuration = true;"


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
        self._connection = duckdb.connect()
        self._connection.execute(_SETUP)
        spill = os.path.join(tempfile.gettempdir(), "analytics-lib-spill")  # the default is the working folder
        self._connection.execute("SET temp_directory = ?", [spill])
        for name, columns in _TABLES.items():
            typed = ", ".join(f'"{column.name}" {column.kind.sql_type}' for column in columns)
            self._connection.execute(f"CREATE TABLE stored.{name} ({typed})")
        self._connection.execute(_LOCK)

    def newest_day(self) -> date | None:
        """The last day that has a file to read, whatever the period; None in an empty lake."""
        return files.newest_day(self.root)

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
        )

    def query(self, sql: str, period: Period, origin: str) -> Result:
        """Run one statement over views that show only the days of `period`. Raises QueryError, naming `origin`."""
        started = time.perf_counter()
        with self._lock:
            self._load(period)
            self._show(period)
            statement = self._only_reading(sql, origin)
            try:
                table = self._connection.sql(statement).to_arrow_table()
            except duckdb.Error as error:
                raise QueryError(f"{origin} failed on DuckDB: {error}") from error
        return Result(frames.from_arrow(table), time.perf_counter() - started)

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
        days = {"start": period.start, "end": period.end}
        for name in _TABLES:
            path = f"views/duckdb/{name}.sql"
            self._connection.execute(sqlfile.bind(sqlfile.read(path), days, path))

    def _load(self, period: Period) -> None:
        """Read the days of the period that are new or have changed; forget those that are gone."""
        now = {day: self._folder_state(day) for day in files.days_within(self.root, period)}
        gone = [day for day in self._days if day in period and day not in now]
        stale = [day for day, state in now.items() if day not in self._days or self._days[day][0] != state]
        if gone:
            self._replace(gone, {})
        if not stale:
            return
        for batch in reading.read(self.root, stale, self._progress):
            self._replace(list(batch.counts), {"sessions": batch.sessions, "tool_calls": batch.calls})
            self._days.update({day: (now[day], counts) for day, counts in batch.counts.items()})

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

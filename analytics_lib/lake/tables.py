"""The two flat tables, gathered record by record and handed on as Arrow."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_lib import record
from analytics_lib.schema import Column, Kind, call_columns, session_columns

_BATCH_RECORDS = 10_000
_ARROW_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.INSTANT: pa.timestamp("ms"),
}
SESSION_COLUMNS = session_columns()
CALL_COLUMNS = call_columns()


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of a view's columns."""
    return pa.schema([(column.name, _ARROW_TYPES[column.kind]) for column in columns])


SESSIONS_SCHEMA = arrow_schema(SESSION_COLUMNS)
CALLS_SCHEMA = arrow_schema(CALL_COLUMNS)
_NO_GROUP = SimpleNamespace(**dict.fromkeys((column.path[-1] for column in SESSION_COLUMNS if column.path), None))


class Tables:
    """Collects records that were decoded clean, and gives the two flat tables without the rows that were dropped."""

    def __init__(self) -> None:
        self._records: list[Any] = []  # waiting to be flattened
        self._keys: list[tuple[str, str, int]] = []  # their (dt, session_id, ended_ms)
        self.rows = 0  # records added so far
        self._dropped: set[int] = set()
        self._sessions: list[pa.RecordBatch] = []
        self._calls: list[tuple[pa.RecordBatch, list[int]]] = []  # with each call's session row

    def add(self, day: str, found: Any) -> tuple[str, int]:
        """Add one record of that day's folder as the next row; its identity within the day."""
        identity = (found._session_id.strip(record.BLANKS), record.ended_ms(found._timestamp))
        if len(self._records) >= _BATCH_RECORDS:
            self._flatten()
        self._records.append(found)
        self._keys.append((day, *identity))
        self.rows += 1
        return identity

    def drop(self, rows: Iterable[int]) -> None:
        """Leave these rows, and their calls, out of the tables."""
        self._dropped.update(rows)

    def finish(self) -> tuple[pa.Table, pa.Table]:
        """The flat tables `sessions` and `tool_calls`."""
        self._flatten()
        sessions = pa.Table.from_batches(self._sessions, SESSIONS_SCHEMA)
        calls = pa.Table.from_batches([batch for batch, _ in self._calls], CALLS_SCHEMA)
        if self._dropped:
            sessions = sessions.filter(self._kept(range(sessions.num_rows)))
            calls = calls.filter(self._kept(chain.from_iterable(rows for _, rows in self._calls)))
        return sessions, calls

    def _kept(self, rows: Iterable[int]) -> pa.Array:
        return pa.array([row not in self._dropped for row in rows], pa.bool_())

    def _flatten(self) -> None:
        if not self._records:
            return
        records, keys, first_row = self._records, self._keys, self.rows - len(self._records)
        self._records, self._keys = [], []
        called = list(_calls(records))
        parents = np.fromiter((parent for parent, _, _ in called), np.int64, len(called))
        sessions = _identity(keys)
        calls = {name: column.take(pa.array(parents)) for name, column in sessions.items()}
        calls["call_index"] = pa.array([position for _, position, _ in called], pa.int64())
        calls |= _fields(CALL_COLUMNS, {("tool_calls",): [call for _, _, call in called]})
        calls["outcome"] = _outcome(calls)
        sessions |= _fields(SESSION_COLUMNS, {(): records})
        sessions["started_at"] = _started_at(sessions)
        sessions |= _counts(len(records), parents, calls["outcome"])
        self._sessions.append(_batch(SESSIONS_SCHEMA, sessions))
        self._calls.append((_batch(CALLS_SCHEMA, calls), (parents + first_row).tolist()))


# What can be done for a whole column is done in Arrow and numpy: row by row it took as long as reading the files.


def _batch(schema: pa.Schema, arrays: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.record_batch([arrays[field.name] for field in schema], schema=schema)


def _identity(keys: list[tuple[str, str, int]]) -> dict[str, pa.Array]:
    days, ids, ended = zip(*keys, strict=True)
    return {
        "dt": pa.array(days, pa.string()),
        "session_id": pa.array(ids, pa.string()),
        "ended_at": pa.array(ended, pa.timestamp("ms")),
    }


def _calls(records: list[Any]) -> Iterator[tuple[int, int, Any]]:
    """(session's place in `records`, position from 1, call) of every entry that names a tool."""
    for parent, found in enumerate(records):
        if found.tool_calls:
            for position, call in enumerate(found.tool_calls, 1):
                if call is not None and call.tool.strip(record.BLANKS):
                    yield parent, position, call


def _fields(columns: Sequence[Column], objects: dict[tuple[str, ...], list[Any]]) -> dict[str, pa.Array]:
    """The columns that show a field; `objects` are the records, or the calls, by the path that leads to them."""
    arrays = {}
    for column in columns:
        if not column.path:
            continue
        *parents, name = column.path
        place = tuple(parents)
        if place not in objects:
            objects[place] = [group or _NO_GROUP for group in map(attrgetter(*parents), objects[()])]
        arrays[column.name] = _clean(column, list(map(attrgetter(name), objects[place])))
    return arrays


def _clean(column: Column, values: list[Any]) -> pa.Array:
    """Texts without blanks around them, blank ones as null, and so a 0 that stands for unknown; all else is clean."""
    if column.kind is Kind.TEXTS:
        values = [
            [text for item in found if item and (text := item.strip(record.BLANKS))] if found else []
            for found in values
        ]
    if column.zero_is_unknown:
        numbers = pa.array(values, _ARROW_TYPES[column.kind])
        return pc.if_else(pc.equal(numbers, 0), pa.scalar(None, numbers.type), numbers)
    if column.kind is not Kind.TEXT:
        return pa.array(values, _ARROW_TYPES[column.kind])
    if column.lower_case:
        values = [text and record.lower_case(text) for text in values]
    texts = pc.ascii_trim(pa.array(values, pa.string()), record.BLANKS)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _outcome(calls: dict[str, pa.Array]) -> pa.Array:
    empty = pc.equal(calls["results_found"], False)
    ok_or_empty = pc.if_else(pc.fill_null(empty, False), "empty", "ok")
    done = pc.if_else(pc.fill_null(calls["cancelled"], False), "cancelled", ok_or_empty)
    return pc.if_else(pc.is_valid(calls["error"]), "error", done)


def _started_at(sessions: dict[str, pa.Array]) -> pa.Array:
    ended = sessions["ended_at"].cast(pa.int64()).cast(pa.float64())
    started = pc.floor(pc.add(pc.subtract(ended, pc.multiply(sessions["duration_seconds"], 1000.0)), 0.5))
    return started.cast(pa.int64()).cast(pa.timestamp("ms"))


def _counts(sessions: int, parents: np.typing.NDArray[np.int64], outcomes: pa.Array) -> dict[str, pa.Array]:
    failed = pc.is_in(outcomes, pa.array(["error", "empty"])).to_numpy(zero_copy_only=False)
    return {
        "tool_call_count": pa.array(np.bincount(parents, minlength=sessions)),
        "failed_tool_call_count": pa.array(np.bincount(parents[failed], minlength=sessions)),
    }

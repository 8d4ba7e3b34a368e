"""The two flat tables, gathered record by record and handed on as Arrow."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import floor
from operator import attrgetter
from typing import Any

import pyarrow as pa

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
        parents = [parent for parent, _, _ in called]
        calls = _call_values(keys, called)
        counts = _counts(len(records), parents, calls["outcome"])
        self._sessions.append(_batch(SESSIONS_SCHEMA, _session_values(records, keys) | counts))
        self._calls.append((_batch(CALLS_SCHEMA, calls), [first_row + parent for parent in parents]))


def _batch(schema: pa.Schema, values: dict[str, list[Any]]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values[field.name], field.type) for field in schema], schema=schema)


def _session_values(records: list[Any], keys: list[tuple[str, str, int]]) -> dict[str, list[Any]]:
    days, ids, ended = (list(part) for part in zip(*keys, strict=True))
    found: dict[str, list[Any]] = {"dt": days, "session_id": ids, "ended_at": ended}
    for column in SESSION_COLUMNS:
        if column.path:
            found[column.name] = _clean(column, _at(records, column.path))
    found["started_at"] = [
        None if duration is None else floor(end - duration * 1000 + 0.5)
        for end, duration in zip(ended, found["duration_seconds"], strict=True)
    ]
    return found


def _calls(records: list[Any]) -> Iterator[tuple[int, int, Any]]:
    """(session's place in `records`, position from 1, call) of every entry that names a tool."""
    for parent, found in enumerate(records):
        for position, call in enumerate(found.tool_calls or (), 1):
            if call is not None and call.tool.strip(record.BLANKS):
                yield parent, position, call


def _call_values(keys: list[tuple[str, str, int]], called: list[tuple[int, int, Any]]) -> dict[str, list[Any]]:
    calls = [call for _, _, call in called]
    found: dict[str, list[Any]] = {
        "dt": [keys[parent][0] for parent, _, _ in called],
        "session_id": [keys[parent][1] for parent, _, _ in called],
        "ended_at": [keys[parent][2] for parent, _, _ in called],
        "call_index": [position for _, position, _ in called],
    }
    for column in CALL_COLUMNS:
        if column.path:
            found[column.name] = _clean(column, _at(calls, column.path[1:]))
    outcomes = zip(found["error"], found["cancelled"], found["results_found"], strict=True)
    found["outcome"] = [
        "error" if error is not None else "cancelled" if cancelled else "empty" if results is False else "ok"
        for error, cancelled, results in outcomes
    ]
    return found


def _counts(sessions: int, parents: list[int], outcomes: list[str]) -> dict[str, list[int]]:
    calls, failed = [0] * sessions, [0] * sessions
    for parent, outcome in zip(parents, outcomes, strict=True):
        calls[parent] += 1
        failed[parent] += outcome in ("error", "empty")
    return {"tool_call_count": calls, "failed_tool_call_count": failed}


def _at(objects: list[Any], path: tuple[str, ...]) -> list[Any]:
    """The value at `path` of every object; None where a parent on the way is None."""
    *parents, name = path
    for parent in parents:
        objects = list(map(attrgetter(parent), objects))
    value = attrgetter(name)
    return [None if found is None else value(found) for found in objects] if parents else list(map(value, objects))


def _clean(column: Column, values: list[Any]) -> list[Any]:
    """Texts without blanks around them, blank ones as null; everything else is clean already."""
    if column.kind is Kind.TEXTS:
        return [
            [text for item in found if item and (text := item.strip(record.BLANKS))] if found else []
            for found in values
        ]
    if column.kind is not Kind.TEXT:
        return values
    texts = [(found.strip(record.BLANKS) or None) if found else None for found in values]
    return [text and record.lower_case(text) for text in texts] if column.lower_case else texts

"""Compares what the library finds with the plain reading of the contract."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import analytics_lib
from analytics_lib import frames
from analytics_lib.schema import RECORD, Field, Group
from analytics_lib.workspace import Lake
from tests.support import reference

REPORTS = ("lead_funnel", "duration_trends", "tool_failures")


def declared(record: tuple[Field | Group, ...] = RECORD) -> dict[str, list[str]]:
    """The names that the schema declares, in its order, by the prefix of the object that holds them."""
    groups = {f"{part.name}.": [each.name for each in part.fields] for part in record if isinstance(part, Group)}
    return {"": [part.name for part in record], **groups}


# What a team added to the schema ("Add a field" in README.md): paths the contract does not know, and their columns.
# Empty as shipped. Only what is declared is taken out, so any other surplus field or column is still a difference.
ADDED = {
    prefix + name
    for prefix, names in declared().items()
    for name in names
    if name not in reference.KNOWN_FIELDS.get(prefix, ())
}
ADDED_COLUMNS = {path.rpartition(".")[2] for path in ADDED} - {*reference.SESSION_COLUMNS, *reference.CALL_COLUMNS}


def contract_fields(value: Any, prefix: str = "") -> Any:
    """A record, or a part of it, without the fields that were added to the schema."""
    if isinstance(value, list):
        return [contract_fields(each, prefix) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: contract_fields(each, f"{prefix}{name}.") for name, each in value.items() if prefix + name not in ADDED
    }


def contract_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """A view's row without the columns of fields that were added to the schema."""
    return {name: value for name, value in row.items() if name not in ADDED_COLUMNS}


def contract_paths(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by a field's path, without those of fields that were added to the schema and of what lies in them."""
    return {
        path: count
        for path, count in counts.items()
        if not any(path == added or path.startswith(f"{added}.") for added in ADDED)
    }


def assert_same_reports(root: Path, start: str, end: str, lake: Lake | None = None, **parameters: float) -> None:
    """Every table of every report equals the reference's, and so do the counts of the run.

    `lake` is the same lake on another engine than DuckDB.
    """
    lake = lake or analytics_lib.open(root, engine="duckdb")
    read = reference.read(root, start, end)
    for name in REPORTS:
        document = lake.report(name, start=start, end=end, **parameters).document()
        for table, expected in reference.report(name, root, start, end, **parameters).items():
            assert_same_rows(f"{name}.{table}", document["tables"][table], expected, reference.COLUMNS[name][table])
        counted = {key: document[key] for key in ("records", "duplicates", "rejected")}
        assert counted == {"records": read.records, "duplicates": read.duplicates, "rejected": len(read.rejected)}


def assert_same_views(root: Path, start: str, end: str, lake: Lake | None = None) -> None:
    """Every row of both views, asked for by ad-hoc SQL, equals the reference's."""
    lake, read = lake or analytics_lib.open(root, engine="duckdb"), reference.read(root, start, end)
    for view, expected, order, columns in (
        ("sessions", read.sessions, "dt, session_id, ended_at", reference.SESSION_COLUMNS),
        ("tool_calls", read.calls, "dt, session_id, ended_at, call_index", reference.CALL_COLUMNS),
    ):
        frame = lake.sql(f"SELECT * FROM {view} ORDER BY {order}", start=start, end=end)
        assert list(contract_columns(dict.fromkeys(frame.columns))) == list(columns), view
        assert_same_rows(view, [contract_columns(row) for row in frames.rows(frame)], expected, columns)


def assert_same_rows(
    subject: str, found: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> None:
    """The same rows in the same order, columns in order, numbers to 1e-9."""
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=False)):
        assert list(ours) == list(columns), subject
        for column in columns:
            assert same(ours[column], theirs[column]), (subject, number, column, ours, theirs)
    assert len(found) == len(expected), (subject, found[len(expected) :], expected[len(found) :])


def same(ours: Any, theirs: Any) -> bool:
    """Equal as JSON values, numbers to 1e-9 and never an integer for a fraction."""
    if isinstance(theirs, datetime):
        theirs = theirs.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    if isinstance(theirs, bool) or isinstance(ours, bool) or theirs is None or ours is None:
        return ours is theirs
    if isinstance(theirs, int | float) and isinstance(ours, int | float):
        return type(ours) is type(theirs) and math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return type(ours) is type(theirs) and bool(ours == theirs)

"""Frames as this workspace hands them out: nullable integers and booleans, UTC instants, days as datetime64."""

import itertools
import json
import math
from datetime import datetime, time
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

INSTANT = "datetime64[us, UTC]"
DAY = "datetime64[us]"
_LARGEST_INT64 = 2**63 - 1


def from_arrow(table: pa.Table) -> pd.DataFrame:
    """The table's rows; nested values become Python lists and dicts."""
    frame = pd.DataFrame({place: _series(table.column(place)) for place in range(table.num_columns)})
    frame.columns = pd.Index(_different(table.column_names))
    return frame


def _different(names: list[str]) -> list[str]:
    """The names, `_2` and so on behind those that were taken: no column hides another."""
    taken: dict[str, None] = {}
    for name in names:
        candidates = (name if number == 1 else f"{name}_{number}" for number in itertools.count(1))
        taken[next(candidate for candidate in candidates if candidate not in taken)] = None
    return list(taken)


def _series(column: "pa.ChunkedArray") -> "pd.Series[Any]":
    kind = column.type
    if pa.types.is_decimal(kind):  # among them every sum of integers
        return _from_decimals(column.to_pylist(), whole=kind.scale == 0)
    if pa.types.is_integer(kind):
        dtype = "UInt64" if kind == pa.uint64() else "Int64"
        return pd.Series(column.to_pandas(integer_object_nulls=True), dtype=dtype)
    if pa.types.is_boolean(kind):
        return pd.Series(column.to_pandas(), dtype="boolean")
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us")).to_pandas()
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", tz="UTC")).to_pandas()
    return column.to_pandas()


def _from_decimals(values: list[Any], *, whole: bool) -> "pd.Series[Any]":
    if whole and all(value is None or abs(value) <= _LARGEST_INT64 for value in values):
        return pd.Series([None if value is None else int(value) for value in values], dtype="Int64")
    return pd.Series([None if value is None else float(value) for value in values], dtype="float64")


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON has them: days as YYYY-MM-DD, instants as ISO 8601 ending in Z, missing values as None."""
    columns = [_json_values(frame.iloc[:, place]) for place in range(frame.shape[1])]
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _json_values(column: "pd.Series[Any]") -> list[Any]:
    instants = isinstance(column.dtype, pd.DatetimeTZDtype)
    return [_json_value(value, is_day=not instants) for value in column.astype(object)]


def _json_value(value: Any, *, is_day: bool = False) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, datetime):
        if is_day and value.time() == time():
            return value.date().isoformat()
        precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
        return value.replace(tzinfo=None).isoformat(timespec=precision) + "Z"
    if isinstance(value, list | tuple | np.ndarray):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, np.generic):
        return _json_value(value.item())
    return value if isinstance(value, bool | int | float | str) else str(value)


def csv_text(frame: pd.DataFrame) -> str:
    """The rows as CSV with a header, in the form of RFC 4180; arrays as JSON, missing values empty."""
    lines = [list(frame.columns), *(row.values() for row in rows(frame))]
    return "".join(",".join(map(_csv_value, line)) + "\n" for line in lines)


def _csv_value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else str(value)
    if value is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\r\n') else text

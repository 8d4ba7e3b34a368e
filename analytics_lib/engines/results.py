"""Rows that Athena's result API hands over, as frames."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from analytics_lib import frames
from analytics_lib.engines.engine import Result

_TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), pa.int64()),
    **dict.fromkeys(("real", "float", "double"), pa.float64()),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}


def frame_of(columns: list[tuple[Any, ...]], rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """The rows, their columns described as PEP 249 does: name, type, ..., precision, scale."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [_array(cells, column) for cells, column in zip(values, columns, strict=True)]
    return frames.from_arrow(pa.Table.from_arrays(arrays, names=[column[0] for column in columns]))


def _array(cells: tuple[Any, ...], column: tuple[Any, ...]) -> pa.Array:
    kind = column[1]
    if kind == "decimal":
        return pa.array(cells, pa.decimal128(38, column[5]))
    if kind in _TYPES:
        return pa.array(cells, _TYPES[kind])
    return pa.array([_text(cell) for cell in cells], pa.string())


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bytes):
        return cell.hex()
    return str(cell) if isinstance(cell, Decimal) else json.dumps(cell, default=str, ensure_ascii=False)


def unnested(first: Result, again: Result) -> Result:
    """The second run's rows, its JSON texts as Python lists and dicts, under the first run's names; costs of both."""
    frame = again.frame
    for place, is_nested in enumerate(first.nested):
        if is_nested:
            decoded = [json.loads(text) if isinstance(text, str) else None for text in frame.iloc[:, place]]
            frame.isetitem(place, pd.Series(decoded, index=frame.index, dtype="object"))
    frame.columns = first.frame.columns
    return replace(
        again,
        frame=frame,
        seconds=first.seconds + again.seconds,
        bytes_scanned=first.bytes_scanned + again.bytes_scanned,
        cost_usd=first.cost_usd + again.cost_usd,
        predicted_usd=first.predicted_usd,
    )

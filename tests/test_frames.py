"""Frames from Arrow, and their rows as JSON and CSV."""

import csv
import io
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from analytics_lib import frames

MOMENT = datetime(2026, 2, 1, 10, 2, 0, 123000)


@pytest.mark.parametrize(
    ("column", "dtype", "values"),
    [
        (pa.array([1, None], pa.int64()), "Int64", [1, None]),
        (pa.array([9007199254740993, None], pa.int64()), "Int64", [9007199254740993, None]),
        (pa.array([1, None], pa.int8()), "Int64", [1, None]),
        (pa.array([2**63 - 1], pa.uint64()), "UInt64", [2**63 - 1]),
        (pa.array([2**64 - 1, None], pa.uint64()), "UInt64", [2**64 - 1, None]),
        (pa.array([Decimal(9), None], pa.decimal128(38, 0)), "Int64", [9, None]),
        (pa.array([Decimal(2**64)], pa.decimal128(38, 0)), "float64", [float(2**64)]),
        (pa.array([Decimal("1.25"), None], pa.decimal128(9, 2)), "float64", [1.25, None]),
        (pa.array([1.5, None, math.nan, math.inf]), "float64", [1.5, None, None, None]),
        (pa.array([True, None]), "boolean", [True, None]),
        (pa.array(["a", None, ""]), "str", ["a", None, ""]),
        (pa.array([date(2026, 2, 1), None]), "datetime64[us]", ["2026-02-01", None]),
        (pa.array([MOMENT, None], pa.timestamp("ms")), "datetime64[us, UTC]", ["2026-02-01T10:02:00.123Z", None]),
        (
            pa.array([MOMENT], pa.timestamp("us", tz="Europe/Berlin")),
            "datetime64[us, UTC]",
            ["2026-02-01T10:02:00.123Z"],
        ),
        (pa.array([datetime(2026, 2, 1)], pa.timestamp("us")), "datetime64[us, UTC]", ["2026-02-01T00:00:00.000Z"]),
        (pa.array([datetime(2026, 2, 1, 0, 0, 0, 1)]), "datetime64[us, UTC]", ["2026-02-01T00:00:00.000001Z"]),
        (pa.array([["a", None], None, []]), "object", [["a", None], None, []]),
        (pa.array([{"a": 1, "b": [math.nan]}, None]), "object", [{"a": 1, "b": [None]}, None]),
        (pa.nulls(2), "object", [None, None]),
        (pa.array([], pa.int64()), "Int64", []),
        (pa.array([], pa.timestamp("us")), "datetime64[us, UTC]", []),
    ],
)
def test_a_column_has_its_dtype_and_its_json_values(column: pa.Array, dtype: str, values: list[object]) -> None:
    frame = frames.from_arrow(pa.table({"x": column}))
    assert str(frame["x"].dtype) == dtype
    found = [row["x"] for row in frames.rows(frame)]
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


def test_rows_are_json_whatever_they_hold() -> None:
    table = pa.table({"t": pa.array([datetime(1, 1, 1)], pa.timestamp("us")), "b": [b"\xff"], "f": [-math.inf]})
    found = json.dumps(frames.rows(frames.from_arrow(table)), allow_nan=False)
    assert found.startswith('[{"t": "0001-01-01T00:00:00.000Z", ')
    assert json.loads(found)[0]["f"] is None


def test_days_and_instants_of_a_finished_table_are_told_apart() -> None:
    frame = pd.DataFrame(
        {
            "dt": pd.Series(["2026-02-01"]).astype(frames.DAY),
            "at": pd.Series([pd.Timestamp(2026, 2, 1, tzinfo=UTC)], dtype=frames.INSTANT),
        }
    )
    assert frames.rows(frame) == [{"dt": "2026-02-01", "at": "2026-02-01T00:00:00.000Z"}]


def test_csv_has_a_header_arrays_as_json_and_missing_values_empty() -> None:
    table = pa.table(
        {
            "text": ['say "hi", twice', "line\nend", None, "ü😀"],
            "count": [1, None, 3, 4],
            "rate": [0.5, None, 1.0, 1e-9],
            "needs": [["a", "b, ü"], [], None, [""]],
            "flag": [True, False, None, True],
            "at": pa.array([MOMENT] * 4, pa.timestamp("ms")),
        }
    )
    assert frames.csv_text(frames.from_arrow(table)).splitlines(keepends=True) == [
        "text,count,rate,needs,flag,at\n",
        '"say ""hi"", twice",1,0.5,"[""a"", ""b, ü""]",true,2026-02-01T10:02:00.123Z\n',
        '"line\n',
        'end",,,[],false,2026-02-01T10:02:00.123Z\n',
        ",3,1.0,,,2026-02-01T10:02:00.123Z\n",
        'ü😀,4,1e-09,"[""""]",true,2026-02-01T10:02:00.123Z\n',
    ]


@pytest.mark.parametrize("text", ["a\rb", "\r", "a\r\nb", '"', ",", " a ", "\x00", "\u2028", "=1+1"])
def test_a_text_comes_back_from_csv_as_it_was(text: str) -> None:
    written = frames.csv_text(frames.from_arrow(pa.table({"text": [text, "next"], "n": [1, 2]})))
    assert list(csv.reader(io.StringIO(written, newline=""))) == [["text", "n"], [text, "1"], ["next", "2"]]


def test_an_empty_table_is_a_header() -> None:
    frame = frames.from_arrow(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}))
    assert (frames.rows(frame), frames.csv_text(frame)) == ([], "a,b\n")


def test_two_columns_of_one_name_both_stay() -> None:
    frame = frames.from_arrow(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))
    assert frames.csv_text(frame) == "a,a_2\n1,2\n"

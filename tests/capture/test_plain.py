"""Any value becomes plain JSON, and any record fits the line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_lib.capture.plain import CUT, LONGEST_RECORD, Plain, fitted

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.dates() | st.times() | st.datetimes()
    | st.text(st.characters(), max_size=400) | st.complex_numbers() | st.decimals(allow_nan=False) | st.uuids()
    | st.timedeltas()
)  # fmt: skip
KEYS = st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.tuples(st.integers())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.tuples(inner) | st.frozensets(LEAVES, max_size=9) | st.dictionaries(KEYS, inner),
    max_leaves=60,
)


def identity(**more: Any) -> dict[str, Any]:
    return {
        "_event_type": "analytics",
        "_timestamp": 1738000000.123,
        "_session_id": "s" * 500,
        "discovered_signals": {},
        "tool_calls": [],
    } | more


def size(record: dict[str, Any]) -> int:
    return len(json.dumps(record, ensure_ascii=False).encode("utf-8"))


@given(VALUES, st.lists(st.dictionaries(st.sampled_from(["tool", "query", "error"]), st.text(max_size=300))))
def test_any_value_is_kept_in_a_record_that_is_json_and_fits(value: Any, calls: list[dict[str, str]]) -> None:
    tools = [{"tool": "t", **{name: Plain()(text) for name, text in call.items()}} for call in calls]
    record = fitted(identity(discovered_signals={"value": Plain()(value)}, tool_calls=tools * 20))
    line = json.dumps(record, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert json.loads(line) == record
    assert len(line) <= LONGEST_RECORD
    assert record["_session_id"] == "s" * 500


@pytest.mark.parametrize("value", [[1, 2.5, "a", None, True], {"a": {"b": [1]}}, "ü😀"])
def test_plain_values_stay_as_they_are(value: Any) -> None:
    plain = Plain()
    assert (plain(value), plain.cut) == (value, False)


def test_a_container_that_cannot_be_walked_costs_no_other_value() -> None:
    class Broken(list[int]):
        def __iter__(self) -> Any:
            raise RuntimeError("no")

    assert Plain()({"a": Broken([1]), "b": [2, Broken()]}) == {"a": "[1]", "b": [2, "[]"]}


def test_numbers_that_json_cannot_write_become_texts() -> None:
    assert Plain()([float("nan"), float("-inf"), 1j, 2**70, 2**60]) == ["nan", "-inf", "1j", str(2**70), 2**60]


def test_a_record_that_fits_is_not_touched() -> None:
    record = identity(tool_calls=[{"tool": "search", "query": "x" * 5_000}])
    assert fitted(record) is record


def test_the_longest_texts_are_cut_first_and_marked() -> None:
    calls = [
        {"tool": "search", "query": letter * length} for letter, length in (("a", 9_000), ("b", 900), ("c", 8_000))
    ]
    record = fitted(identity(tool_calls=calls, room_id="RM_1"))
    queries = [call["query"] for call in record["tool_calls"]]
    assert record["_truncated"] is True
    assert (record["room_id"], queries[1]) == ("RM_1", "b" * 900)
    assert len(queries[0]) == len(queries[2]) > 6_000
    assert queries[0].endswith("a" + CUT)
    assert LONGEST_RECORD - 100 <= size(record) <= LONGEST_RECORD


def test_texts_are_measured_in_bytes() -> None:
    record = fitted(identity(tool_calls=[{"tool": "search", "query": "😀" * 5_000}]))
    assert LONGEST_RECORD - 100 <= size(record) <= LONGEST_RECORD


def test_texts_are_measured_escaped_where_standard_output_is_no_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr("sys.stdout", Ascii())
    record = fitted(identity(tool_calls=[{"tool": "search", "query": "ü" * 5_000}]))
    assert len(json.dumps(record)) <= LONGEST_RECORD


def test_where_short_texts_are_too_long_the_last_calls_are_left_out() -> None:
    calls = [{"tool": "search", "query": f"{number} " + "x" * 200, "duration_ms": 1.5} for number in range(1_000)]
    record = fitted(identity(tool_calls=calls))
    kept = [int(call["query"].split()[0]) for call in record["tool_calls"]]
    assert 100 < len(kept) < 1_000
    assert kept == list(range(len(kept)))
    assert LONGEST_RECORD - 100 <= size(record) <= LONGEST_RECORD


def test_signals_without_end_go_before_the_identity_does() -> None:
    record = fitted(identity(discovered_signals={f"signal {number}": "x" * 30 for number in range(1_000)}))
    assert record == identity(_truncated=True)

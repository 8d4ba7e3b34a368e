"""The subscription filter passes on what the function would keep, and little else."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_lib.delivery.lines import lake_object
from tests.support.filter_pattern import matches, terms
from tests.support.template import Stack

PATTERN = Stack().properties("Subscription")["FilterPattern"]
RECORD = {"_event_type": "analytics", "_timestamp": 1738000000.123, "_session_id": "room_abc123"}
ENVELOPE = {"message": "session analytics", "level": "INFO", "name": "analytics_lib.session", "room_id": "RM_8fKq"}
SHAPES = {
    "bare": RECORD,
    "bare, of an agent after the design document": RECORD | {"_event_type": "session_analytics"},
    "nested": ENVELOPE | {"analytics": RECORD},
    "nested without the event's type": ENVELOPE | {"analytics": {"session_id": "room_abc123"}},
    "the design document's": ENVELOPE | {"analytics_data": {"session_id": "room_abc123"}},
    "bare in a message": ENVELOPE | {"message": json.dumps(RECORD)},
    "nested in a message": ENVELOPE | {"message": json.dumps({"analytics": {"session_id": "room_abc123"}})},
    "the design document's in a message": {"message": json.dumps({"analytics_data": {"session_id": "room_abc123"}})},
}
ORDINARY = (
    "",
    "Traceback (most recent call last):",
    "INFO analytics: worker of analytics_lib started, 3 analytics events sent",
    json.dumps(ENVELOPE | {"message": "analytics of session_id room_abc123 at _timestamp 1738000000"}),
    json.dumps(ENVELOPE | {"event_type": "session", "analytic": {}}),
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("separators", [None, (",", ":")], ids=["wide", "compact"])
def test_a_line_of_any_shape_passes(shape: str, separators: tuple[str, str] | None) -> None:
    line = json.dumps(SHAPES[shape], separators=separators)
    found = lake_object(line, 1738000000123)
    assert found and not found.rejected
    assert matches(PATTERN, line)


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_log_line_does_not(line: str) -> None:
    assert not matches(PATTERN, line)


def test_a_line_that_only_looks_like_a_record_passes_and_the_function_skips_it() -> None:
    lines = [json.dumps(each) for each in ({"_event_type": "heartbeat"}, {"logger": "analytics"}, {"analytics": 3})]
    assert [matches(PATTERN, line) for line in lines] == [True, True, True]
    assert [lake_object(line, 1738000000123) for line in lines] == [None, None, None]


def test_a_torn_line_is_passed_on_exactly_where_the_function_would_keep_it() -> None:
    line = json.dumps(SHAPES["nested in a message"])
    torn = [line[cut:] for cut in range(1, len(line))] + [line[:cut] for cut in range(1, len(line))]
    assert {matches(PATTERN, part) for part in torn} == {True, False}
    assert [part for part in torn if matches(PATTERN, part) != bool(lake_object(part, 0))] == []


WORDS = st.sampled_from(
    ["_event_type", "analytics_data", "analytics", "message", "_session_id", "session_id", "_timestamp", "level", "x"]
)
PLAIN = st.recursive(
    st.none() | st.integers(0, 9) | WORDS,
    lambda inner: st.dictionaries(WORDS, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)
DOCUMENTS = PLAIN | PLAIN.map(lambda document: {"message": json.dumps(document)})


@given(DOCUMENTS, st.booleans(), st.integers(0, 40))
@example({"_event_type": 3}, False, 0)
@example({"message": '{"analytics": {}}'}, False, 0)
def test_no_line_is_held_back_that_the_function_would_keep(document: object, indented: bool, torn: int) -> None:
    line = json.dumps(document, indent=1 if indented else None)[torn:]
    assert matches(PATTERN, line) or lake_object(line, 1738000000123) is None


def test_a_pattern_of_terms_is_read_as_cloudwatch_reads_it() -> None:
    assert terms(r'?"a\\\"b" c -"d e"') == [("?", r"\"".join(["a", "b"])), ("", "c"), ("-", "d e")]
    assert [matches('?ab ?"c d"', line) for line in ("xaby", "c d", "AB", "c")] == [True, True, False, False]
    assert [matches("ab cd", line) for line in ("cd, ab", "ab")] == [True, False]
    assert [matches("ab -cd", line) for line in ("ab", "abcd")] == [True, False]
    assert matches("", "any line")


@pytest.mark.parametrize("pattern", ['"a', '{ $.a = "b" }', "%a%", "a-b", '?"a"b'])
def test_what_is_no_pattern_of_terms_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=re.escape("no term at ")):
        terms(pattern)

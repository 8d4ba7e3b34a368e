"""One record: how its values are read, what rejects a line, its identity and its key."""

import hashlib
import json
import math
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics_lib import record
from analytics_lib.record import Mistyped, Rejected
from tests.support import reference
from tests.support.compare import contract_fields
from tests.support.wild import NUMBERS, TEXTS, Raw, at, call, encode, session

BLANK = st.text(alphabet=record.BLANKS, max_size=3)
TEXT = st.text(max_size=12) | st.sampled_from([text for text in TEXTS if isinstance(text, str)])


def read(document: object) -> tuple[Any, list[str]]:
    """What a line with this document says, and the paths of its mistyped values."""
    mistyped: list[str] = []
    return record.read(record.parse_json(encode(document).encode()), mistyped.append), mistyped


def outcome(reader: Any, value: object) -> object:
    try:
        return reader(value)
    except Mistyped:
        return Mistyped


# Values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("high", "high"), (" high\r\n", "high"), ("a b", "a b"), ("\u00a0high", "\u00a0high"), ("\x0bx", "\x0bx"),
        ("", None), (" \t\r\n", None), (None, None), (5, Mistyped), (True, Mistyped), ([], Mistyped), ({}, Mistyped),
    ],
)  # fmt: skip
def test_texts_are_trimmed_of_blanks_and_nothing_else(value: object, expected: object) -> None:
    assert outcome(record.read_text, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (8.0, 8.0), (-2.5, -2.5), ("8", 8.0), (" -2.5e3\n", -2500.0), ("0", 0.0), ("1E+2", 100.0), ("5e-1", 0.5),
        ("1e-400", 0.0), (1e15, 1e15), (-1e15, -1e15), ("1000000000000000", 1e15), ("", None), ("\t", None),
        (None, None), (1.0000000000000002e15, Mistyped), ("1e400", Mistyped), (math.inf, Mistyped),
        ("9" * 400, Mistyped),
        ("+8", Mistyped), (".5", Mistyped), ("1.", Mistyped), ("007", Mistyped), ("1_000", Mistyped), ("1d", Mistyped),
        ("0x10", Mistyped), ("NaN", Mistyped), ("inf", Mistyped), ("8 8", Mistyped), ("8\u00a0", Mistyped),
        ("\u0661", Mistyped), ("8\x0b", Mistyped), (True, Mistyped), ([8], Mistyped), ({}, Mistyped),
    ],
)  # fmt: skip
def test_numbers_are_json_numbers_also_in_quotes(value: object, expected: object) -> None:
    assert outcome(record.read_number, value) == expected


@given(BLANK, TEXT | st.floats().map(str) | st.integers().map(str), BLANK)
def test_a_text_is_a_number_exactly_when_json_says_so(before: str, text: str, after: str) -> None:
    inside = text.strip(record.BLANKS)
    try:
        parsed = json.loads(inside, parse_int=float, parse_constant=str)
    except ValueError:
        parsed = None
    good = isinstance(parsed, float) and abs(parsed) <= 1e15
    expected = parsed if good else Mistyped if inside else None
    assert outcome(record.read_number, before + text + after) == expected


@given(st.floats(-1e15, 1e15) | st.integers(-(10**15), 10**15))
def test_a_number_means_the_same_with_and_without_quotes(number: float) -> None:
    assert record.read_number(repr(number)) == record.read_number(float(number)) == number


@pytest.mark.parametrize(
    ("value", "expected"),
    [(8.0, 8), ("8.0", 8), ("1e2", 100), (-0.0, 0), (1e15, 10**15), ("", None), (8.5, Mistyped), ("8.5", Mistyped),
     (1e16, Mistyped), ("eight", Mistyped), (False, Mistyped)],
)  # fmt: skip
def test_integers_are_numbers_without_fraction(value: object, expected: object) -> None:
    found = outcome(record.read_integer, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), ("true", True), (" tRuE\n", True), ("FALSE", False), ("", None), (None, None),
     (1.0, Mistyped), (0.0, Mistyped), ("1", Mistyped), ("t", Mistyped), ("yes", Mistyped), ("\u00a0true", Mistyped)],
)  # fmt: skip
def test_flags_are_true_and_false_in_any_case(value: object, expected: object) -> None:
    assert outcome(record.read_flag, value) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("HIGH", "high"), ("İ", "i"), ("ΑΣ", "ασ"), ("ẞ", "ß"), ("\u212a", "k"), ("ı", "ı")]
)
def test_lower_case_is_made_letter_by_letter(text: str, expected: str) -> None:
    assert record.lower_case(text) == expected


@given(TEXT, TEXT)
def test_lower_case_knows_no_context(left: str, right: str) -> None:
    assert record.lower_case(left + right) == record.lower_case(left) + record.lower_case(right)
    assert len(record.lower_case(left)) == len(left)


def test_a_clean_record_is_read_whole() -> None:
    found, mistyped = read(session())
    assert mistyped == []
    assert contract_fields(found) == {
        "_event_type": "analytics",
        "_timestamp": at("2026-02-01T10:02:00"),
        "_session_id": "room-1",
        "duration_seconds": 120.0,
        "discovered_signals": {"team_size": 3, "monthly_volume": 20.0, "integration_needs": [], "urgency": "low"},
        "tool_calls": [
            {
                "tool": "search",
                "query": "price",
                "results_found": True,
                "error": None,
                "cancelled": False,
                "duration_ms": 250.0,
                "offset_seconds": 4.5,
            }
        ],
        "metrics_summary": {"llm_tokens": 900, "avg_latency_ms": 640.0},
        "agent_name": "sales",
        "agent_version": "1.0.0",
        "room_id": "RM_1",
        "close_reason": "user_initiated",
        "caller_key": "c0ffee",
    }


def test_mistyped_values_are_null_each_and_named_by_path_and_never_lose_the_record() -> None:
    found, mistyped = read(
        session(
            agent_name=7,
            duration_seconds=-1,
            discovered_signals={"team_size": 8.5, "urgency": " HIGH ", "integration_needs": ["a", 1, None, " ", " b "]},
            tool_calls=[call(results_found="yes", duration_ms=-0.5), "search", None, call(7), call(" "), call("book")],
            metrics_summary=[1],
        )
    )
    assert sorted(mistyped) == [
        "agent_name",
        "discovered_signals.integration_needs",
        "discovered_signals.team_size",
        "duration_seconds",
        "metrics_summary",
        "tool_calls",
        "tool_calls.duration_ms",
        "tool_calls.results_found",
        "tool_calls.tool",
    ]
    signals = {"team_size": None, "monthly_volume": None, "integration_needs": ["a", "b"], "urgency": "high"}
    assert contract_fields(found)["discovered_signals"] == signals
    assert [entry and entry["tool"] for entry in found["tool_calls"]] == ["search", None, None, None, None, "book"]
    assert (found["agent_name"], found["duration_seconds"], found["metrics_summary"]) == (None, None, None)


@pytest.mark.parametrize("unknown", [None, "", " \t", ...])
def test_null_missing_and_blank_are_unknown_and_not_mistyped(unknown: object) -> None:
    names = ("duration_seconds", "agent_name", "discovered_signals", "tool_calls", "metrics_summary", "team_size")
    for name in names:
        found, mistyped = read(session(**{name: unknown}))
        assert mistyped == [], name
        holder = found["discovered_signals"] if name == "team_size" else found
        assert holder[name] is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"message": " timed out\n", "code": 7}, "timed out"), ({"message": " \t"}, "(no text)"),
        ({"message": 5}, "(no text)"), ({"message": {"message": "x"}}, "(no text)"), ({"code": 7}, "(no text)"),
        ([{"message": "x"}], "(no text)"), (["x"], "(no text)"), (0, "(no text)"), (500, "(no text)"),
        (True, "(no text)"), ({}, None), ([], None), (False, None),
    ],
)  # fmt: skip
def test_a_mistyped_error_still_is_one_and_counts_as_mistyped(error: object, told: str | None) -> None:
    found, mistyped = read(session(tool_calls=[call(error=error, query=error)]))
    assert (found["tool_calls"][0]["error"], found["tool_calls"][0]["query"]) == (told, None)
    assert sorted(mistyped) == ["tool_calls.error", "tool_calls.query"]


@pytest.mark.parametrize("zero", [0, 0.0, Raw("-0"), Raw("-0.0"), "0", " -0e3\t"])
def test_a_team_and_a_volume_of_0_are_unknown_and_not_mistyped(zero: object) -> None:
    found, mistyped = read(session(team_size=zero, monthly_volume=zero, llm_tokens=zero, avg_latency_ms=zero))
    assert mistyped == []
    signals, metrics = found["discovered_signals"], found["metrics_summary"]
    assert (signals["team_size"], signals["monthly_volume"]) == (None, None)
    assert (metrics["llm_tokens"], metrics["avg_latency_ms"]) == (0, 0)


def test_a_session_cannot_have_begun_before_the_epoch() -> None:
    assert read(session(_timestamp=100.0004, duration_seconds=100))[0]["duration_seconds"] == 100
    assert read(session(_timestamp=100.0004, duration_seconds=100.0001)) == (
        {**read(session(_timestamp=100.0004, duration_seconds=None))[0]},
        ["duration_seconds"],
    )


def test_another_kind_of_event_is_skipped_and_a_padded_name_is_the_same_kind() -> None:
    assert read(session(_event_type="metrics", _timestamp="nonsense")) == (None, [])
    assert read(session(_event_type=" analytics\n"))[0]["_event_type"] == "analytics"


@pytest.mark.parametrize("event_type", ["session_analytics", " session_analytics\t"])
def test_what_agents_log_as_session_analytics_is_a_session_record(event_type: str) -> None:
    assert read(session(_event_type=event_type)) == (
        {**read(session())[0], "_event_type": "session_analytics"},
        [],
    )
    assert read(session(_event_type="session analytics")) == (None, [])


def test_unknown_fields_are_named_once_for_each_time_at_any_depth() -> None:
    document = session(
        zz_transcript={"inner": 1},
        discovered_signals={"zz_added": 5, "team_size": 3},
        tool_calls=[call(zz_cost=1), call(zz_cost=2), "search"],
        metrics_summary={"": 0},
    )
    assert sorted(record.unknown_fields(document)) == [
        "discovered_signals.zz_added",
        "metrics_summary.",
        "tool_calls.zz_cost",
        "tool_calls.zz_cost",
        "zz_transcript",
    ]


# Lines ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "not JSON: Expecting value at character 1"),
        (b'{"a": 1,}', "not JSON: "),
        (b'{"a": 1} x', "not JSON: Extra data at character 10"),
        (b'{"a": NaN}', "not JSON: NaN is no number"),
        (b'{"a": -Infinity}', "not JSON: -Infinity is no number"),
        (b'{"a": "\\ud800"}', "not JSON: an unpaired surrogate escape"),
        (b'{"\\udc00": 1}', "not JSON: an unpaired surrogate escape"),
        (b'{"a": "\xff"}', "not valid UTF-8 at byte 8"),
        (b'{"a": "\xed\xa0\x80"}', "not valid UTF-8 at byte 8"),
        (b'{"a": "\t"}', "not JSON: Invalid control character at"),
        (b'{"a": 007}', "not JSON: "),
        (b"\xef\xbb\xbf{}", "not JSON: Unexpected UTF-8 BOM"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"42", "not a JSON object"),
        (b"{}", "`_event_type` is missing"),
        (b'{"_event_type": null}', "`_event_type` is missing"),
        (b'{"_event_type": " "}', "`_event_type` is blank"),
        (b'{"_event_type": 7}', "`_event_type` is not a string"),
        (b"[" * 100_000, "not readable: nested too deeply"),
    ],
)
def test_a_line_that_is_no_record_is_rejected_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as rejected:
        record.read(record.parse_json(line))
    assert str(rejected.value).startswith(reason)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"_session_id": ...}, "`_session_id` is missing"),
        ({"_session_id": "\t "}, "`_session_id` is blank"),
        ({"_session_id": 7}, "`_session_id` is not a string"),
        ({"_timestamp": ...}, "`_timestamp` is missing"),
        ({"_timestamp": ""}, "`_timestamp` is blank"),
        ({"_timestamp": True}, "`_timestamp` is not a number"),
        ({"_timestamp": "2026-02-01"}, "`_timestamp` is not a number"),
        ({"_timestamp": -0.001}, "`_timestamp` is -0.001, not in seconds since 1970"),
        ({"_timestamp": 1769904000500}, "`_timestamp` is 1769904000500, not in seconds since 1970; milliseconds?"),
        ({"_timestamp": 253402300799}, "`_timestamp` is 253402300799, not in seconds since 1970"),
        ({"_timestamp": Raw("1e400")}, "`_timestamp` is beyond"),
    ],
)
def test_a_record_without_identity_is_rejected_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(Rejected) as rejected:
        read(session(**fields))
    assert str(rejected.value).startswith(reason)


def test_a_paired_surrogate_escape_and_an_escaped_backslash_are_json() -> None:
    assert record.parse_json(b'{"a": "\\ud83d\\ude00", "b": "\\\\ud800"}') == {"a": "😀", "b": "\\ud800"}


def test_numbers_with_thousands_of_digits_are_read() -> None:
    assert record.parse_json(b"[" + b"7" * 5000 + b", 0." + b"3" * 5000 + b"]") == [math.inf, 1 / 3]


@pytest.mark.parametrize(
    ("line", "content"),
    [(b"\xef\xbb\xbf{}", b"{}"), (b"\xef\xbb\xbf\xef\xbb\xbf", b"\xef\xbb\xbf"), (b"\xef\xbb\xbf \t", b""), (b" ", b""),
     (b"", b""), (b" {} ", b" {} "), (b"\xc2\xa0", b"\xc2\xa0"), (b" \xef\xbb\xbf{}", b" \xef\xbb\xbf{}")],
)  # fmt: skip
def test_a_byte_order_mark_is_dropped_and_blanks_are_no_line(line: bytes, content: bytes) -> None:
    assert record.content(line) == content


# Identity ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestamp", "milliseconds", "day"),
    [
        (0, 0, "1970-01-01"),
        (0.0004, 0, "1970-01-01"),
        (0.0005, 1, "1970-01-01"),
        (at("2026-01-31") + 86399.999, 1769903999999, "2026-01-31"),
        (at("2026-01-31") + 86399.9994, 1769903999999, "2026-01-31"),
        (at("2026-01-31") + 86399.9996, 1769904000000, "2026-02-01"),
        (at("2026-02-01"), 1769904000000, "2026-02-01"),
        (253402300798.999, 253402300798999, "9999-12-31"),
    ],
)
def test_a_session_ends_at_the_nearest_millisecond_and_belongs_to_that_day(
    timestamp: float, milliseconds: int, day: str
) -> None:
    assert (record.ended_ms(timestamp), record.day_of(record.ended_ms(timestamp))) == (milliseconds, day)


DIGEST = hashlib.sha256(b"x" * 2000).hexdigest()[:32]


@pytest.mark.parametrize(
    ("session_id", "name"),
    [
        ("room-1_a.b~c", "room-1_a.b~c"),
        ("a/b c", "a%2Fb%20c"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("..", "%2E."),
        ("_x", "%5Fx"),
        (".x", "%2Ex"),
        ("😀", "%F0%9F%98%80"),
        ("%2F", "%252F"),
        ("a\x00b", "a%00b"),
        ("x" * 200, "x" * 200),
        ("_" + "x" * 197, "%5F" + "x" * 197),
        ("x" * 2000, "x" * 160 + "~" + DIGEST),
        ("_" + "x" * 198, "%5F" + "x" * 157 + "~" + hashlib.sha256(b"_" + b"x" * 198).hexdigest()[:32]),
        ("😀" * 17, ("%F0%9F%98%80" * 14)[:160] + "~" + hashlib.sha256("😀".encode() * 17).hexdigest()[:32]),
    ],
)
def test_a_key_is_safe_whatever_the_session_is_called(session_id: str, name: str) -> None:
    assert record.object_key(session_id, 1738000000) == f"sessions/dt=2025-01-27/{name}-1738000000.json"


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [(0, "0"), (0.001, "0.001"), (100, "100"), (1738000000.0, "1738000000"), (1738000000.12, "1738000000.12"),
     (1738000000.1234, "1738000000.123"), (1738000000.9996, "1738000001"), (253402300798.5, "253402300798.5")],
)  # fmt: skip
def test_a_key_has_the_seconds_in_their_shortest_form(timestamp: float, seconds: str) -> None:
    assert record.object_key("r", timestamp).rpartition("/r-")[2] == f"{seconds}.json"


SESSION_IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
TIMESTAMPS = st.floats(0, 253402300798.999) | st.integers(0, 253402300798)


@given(SESSION_IDS | SESSION_IDS.map(lambda part: (part * 300)[:2000]), TIMESTAMPS)
def test_a_key_is_one_visible_file_in_one_folder_and_the_contract_s(session_id: str, timestamp: float) -> None:
    assume(session_id.strip(record.BLANKS) == session_id)
    key = record.object_key(session_id, timestamp)
    assert re.fullmatch(r"sessions/dt=\d{4}-\d\d-\d\d/[^._/][A-Za-z0-9._~%-]*-\d+(\.\d{1,3})?\.json", key, re.ASCII)
    assert len(key.rpartition("/")[2]) <= 255
    assert key == reference.key_of(session_id, record.ended_ms(timestamp))


@given(SESSION_IDS, SESSION_IDS, TIMESTAMPS, TIMESTAMPS)
def test_two_records_share_a_key_only_when_they_share_their_identity(a: str, b: str, early: float, late: float) -> None:
    same = (a, record.ended_ms(early)) == (b, record.ended_ms(late))
    assert (record.object_key(a, early) == record.object_key(b, late)) == same


@given(st.sampled_from(NUMBERS + TEXTS), st.sampled_from(["_timestamp", "duration_seconds", "team_size", "urgency"]))
def test_reading_a_record_never_fails_in_another_way_than_rejecting_it(value: object, name: str) -> None:
    document = encode(session(**{name: value})).encode()
    try:
        expected = reference.record_of_line(document, "2026-02-01").session
    except reference.RejectedError:
        expected = None
    try:
        found = record.read(record.parse_json(document))
    except Rejected:
        found = None
    assert (found is None) == (expected is None)
    if found and expected:
        assert found["duration_seconds"] == expected["duration_seconds"]
        assert found["discovered_signals"]["team_size"] == expected["team_size"]
        assert found["discovered_signals"]["urgency"] == expected["urgency"]

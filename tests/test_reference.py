"""The oracle itself, on cases small enough to be computed by hand."""

from __future__ import annotations

import gzip
import json
import os
import socket
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support import reference
from tests.support.reference import Number, read, report
from tests.support.wild import END, START, at, call, encode, key, lake_of, lakes, session, write

DAY = "2026-02-01"
FOLDER = f"sessions/dt={DAY}"
BOM = b"\xef\xbb\xbf"


def line(**overrides: Any) -> bytes:
    """A record as a line, without its end."""
    return encode(session(**overrides)).encode()


def read_lines(root: Path, content: bytes, name: str = "a.json") -> reference.Reading:
    """What one file of the day holds."""
    return read(write(root, {f"{FOLDER}/{name}": content}), DAY, DAY)


def only_session(root: Path, **overrides: Any) -> dict[str, Any]:
    """The one row of `sessions` of a lake with that one record."""
    (row,) = read(lake_of(root, session(**overrides)), DAY, DAY).sessions
    return row


def values(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of a table, as tuples."""
    return [tuple(row[column] for column in columns) for row in rows]


# Statistics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),
        (1, 2, 0.0945312, 0.9054688),
        (0, 10, 0.0, 0.2775328),
        (1, 1, 0.2065493, 1.0),
    ],
)
def test_wilson_intervals_equal_published_ones(part: int, whole: int, low: float, high: float) -> None:
    assert reference.wilson(part, whole) == pytest.approx((low, high), abs=1e-7)
    assert reference.wilson(0, 0) == (None, None)


def test_percentiles_lie_on_the_line_between_two_values() -> None:
    assert reference.percentile([40, 10, 30, 20], 0.5) == 25
    assert reference.percentile([10, 20, 30, 40], 0.9) == pytest.approx(37)
    assert reference.percentile([7], 0.95) == 7
    assert reference.percentile([], 0.5) is None


# Values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Number("8"), 8.0), ("8", 8.0), (" 8\t", 8.0), ("-2.5e3", -2500.0), (Number("1e-400"), 0.0), ("-0",
        0.0),
        (Number("1000000000000000"), 1e15), (Number("0." + "3" * 5000), 1 / 3), (None, None), ("", None),
        (" \r\n", None),
    ],
)  # fmt: skip
def test_numbers(value: object, number: float | None) -> None:
    assert reference.as_number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "+8", ".5", "1.", "007", "1_000", "1d", "0x10", "NaN", "Infinity", "8\u00a0", "\u0668", "8 8", True,
        [], {},
        Number("1e400"), Number("1000000000000001"), Number("-1000000000000001"), Number("7" * 5000),
        "\u2003",
    ],
)  # fmt: skip
def test_what_is_no_number_is_mistyped(value: object) -> None:
    with pytest.raises(reference.MistypedError):
        reference.as_number(value)


def test_integers_have_no_fraction() -> None:
    assert [reference.as_integer(Number(written)) for written in ("8.0", "1e2", "-0", "12")] == [
        8,
        100,
        0,
        12,
    ]
    for written in ("8.5", "1e-1"):
        with pytest.raises(reference.MistypedError):
            reference.as_integer(Number(written))


def test_booleans() -> None:
    assert [reference.as_boolean(value) for value in (True, " tRuE\n", "FALSE", False)] == [
        True,
        True,
        False,
        False,
    ]
    assert [reference.as_boolean(value) for value in (None, " ")] == [None, None]
    wrong: list[Any] = [Number("1"), "1", "t", "yes", "\u00a0true", []]
    for value in wrong:
        with pytest.raises(reference.MistypedError):
            reference.as_boolean(value)


def test_text_is_trimmed_of_four_blanks_only() -> None:
    assert reference.as_text(" \t\r\n a b \n") == "a b"
    assert reference.as_text("\u00a0a\u2003") == "\u00a0a\u2003"
    assert reference.as_text("\x0b") == "\x0b"


def test_lower_case_is_letter_by_letter() -> None:
    assert reference.lower_case("\u0130STANBUL \u039f\u03a3") == "istanbul \u03bf\u03c3"


# Records -------------------------------------------------------------------------------------------------


def test_a_full_record_becomes_one_whole_row_in_each_view(tmp_path: Path) -> None:
    found = read(lake_of(tmp_path, session()), DAY, DAY)
    ended_at = datetime(2026, 2, 1, 10, 2, tzinfo=UTC)
    assert found.sessions == [
        {
            "dt": "2026-02-01", "session_id": "room-1", "started_at": datetime(2026, 2, 1, 10, 0, tzinfo=UTC),
            "ended_at": ended_at, "duration_seconds": 120.0, "team_size": 3, "monthly_volume": 20,
            "integration_needs": [], "urgency": "low", "tool_call_count": 1, "failed_tool_call_count": 0,
            "llm_tokens": 900, "avg_latency_ms": 640.0, "agent_name": "sales", "agent_version": "1.0.0",
            "room_id": "RM_1", "close_reason": "user_initiated", "caller_key": "c0ffee",
        }
    ]  # fmt: skip
    assert found.calls == [
        {
            "dt": "2026-02-01", "session_id": "room-1", "ended_at": ended_at, "call_index": 1,
            "tool": "search",
            "query": "price", "results_found": True, "error": None, "cancelled": False, "duration_ms": 250.0,
            "offset_seconds": 4.5, "outcome": "ok",
        }
    ]  # fmt: skip
    assert (found.files, found.records, found.duplicates, found.rejected) == (1, 1, 0, [])
    assert (found.mistyped, found.misplaced, found.unknown_fields, found.ignored) == ({}, [], {}, [])


def test_mistyped_values_read_as_null_and_are_counted(tmp_path: Path) -> None:
    record = session(
        duration_seconds=-1,
        agent_name=5,
        team_size="many",
        monthly_volume="",
        integration_needs=[" CRM ", None, "", 7, [], "crm"],
        metrics_summary=[],
        tool_calls=[
            "x",
            None,
            {"tool": 5, "results_found": "no"},
            call(duration_ms=-1, cost=1, results_found="NO"),
        ],
        transcript={"deep": {"er": 1}},
    )
    found = read(lake_of(tmp_path, record), DAY, DAY)
    assert found.mistyped == {
        "duration_seconds": 1, "agent_name": 1, "discovered_signals.team_size": 1,
        "discovered_signals.integration_needs": 2, "metrics_summary": 1, "tool_calls": 1,
        "tool_calls.tool": 1,
        "tool_calls.results_found": 2, "tool_calls.duration_ms": 1,
    }  # fmt: skip
    assert found.unknown_fields == {"transcript": 1, "tool_calls.cost": 1}
    assert found.sessions[0]["integration_needs"] == ["CRM", "crm"]
    assert found.sessions[0]["started_at"] is None
    assert values(found.calls, "call_index", "outcome") == [(4, "ok")]


def test_a_duration_that_begins_before_the_epoch_is_mistyped(tmp_path: Path) -> None:
    records = [
        session(_timestamp=60, duration_seconds=60),
        session(_timestamp=60.001, duration_seconds=60.002),
    ]
    found = read(lake_of(tmp_path, *records), "1970-01-01", "1970-01-01")
    assert [row["duration_seconds"] for row in found.sessions] == [60.0, None]
    assert found.mistyped == {"duration_seconds": 1}


def test_outcomes_in_their_order_of_precedence(tmp_path: Path) -> None:
    calls = [
        call(error=" boom ", cancelled=True, results_found=False),
        call(error=" ", cancelled="true", results_found=False),
        call(error=None, results_found=False),
        call(),
    ]
    row = only_session(tmp_path, tool_calls=calls)
    assert (row["tool_call_count"], row["failed_tool_call_count"]) == (4, 2)
    found = read(tmp_path, DAY, DAY)
    assert [found_call["outcome"] for found_call in found.calls] == ["error", "cancelled", "empty", "ok"]


def test_a_timestamp_is_rounded_to_the_millisecond_and_may_fall_into_the_next_day(tmp_path: Path) -> None:
    late = session(_timestamp=at("2026-01-31T23:59:59") + 0.9995)
    assert key(late) == "sessions/dt=2026-02-01/room-1-1769904000.json"
    row = read(lake_of(tmp_path, late), DAY, DAY).sessions[0]
    assert row["ended_at"] == datetime(2026, 2, 1, tzinfo=UTC)


# Lines ---------------------------------------------------------------------------------------------------


def test_bad_lines_are_rejected_with_their_numbers_and_good_ones_count(tmp_path: Path) -> None:
    bad = [
        b"{", b"[]", b"null", b"\xff", line()[:-1] + b",}", line() + b" x", line()[:-1] + b', "x": NaN}',
        line()[:-1] + b', "x": {"\\ud800": 1}}', line()[:-1] + b', "x": ["\\udc00\\ud800"]}',
        BOM + BOM + line(),
        line(_timestamp=253402300799), line(_timestamp=-1), line(_timestamp=None), line(_timestamp="soon"),
        line(_session_id=" "), line(_session_id=7), line(_event_type=...), line(_event_type=" "),
        line(_event_type=True), b"[" * 100_000,
    ]  # fmt: skip
    good = [
        line(_session_id="a"),
        BOM + line(_session_id="b"),
        b" " + line(_session_id="c", x=[1e300]) + b"\t",
    ]
    skipped = [line(_event_type="metrics", _session_id=None), b'{"_event_type": "x"}', b"", b" \t", BOM]
    found = read_lines(tmp_path, b"\n".join(bad + good + skipped))
    assert [row["session_id"] for row in found.sessions] == ["a", "b", "c"]
    assert [(row["file"], row["line"]) for row in found.rejected] == [
        (f"{FOLDER}/a.json", number) for number in range(1, len(bad) + 1)
    ]


def test_lines_end_with_lf_crlf_or_cr_and_blank_ones_have_numbers(tmp_path: Path) -> None:
    found = read_lines(tmp_path, b"\r\n\r".join([b"1", b"2"]) + b"\n\n3\r4")
    assert [row["line"] for row in found.rejected] == [1, 3, 5, 6]


def test_numbers_of_any_length_and_deep_unknown_fields_are_json(tmp_path: Path) -> None:
    found = read_lines(
        tmp_path, line()[:-1] + b', "x": [1e400, ' + b"7" * 9999 + b", " + b"[" * 490 + b"]" * 490 + b"]}"
    )
    assert (found.records, found.rejected, found.unknown_fields) == (1, [], {"x": 1})


def test_a_pair_of_surrogate_escapes_is_one_character(tmp_path: Path) -> None:
    found = read_lines(tmp_path, line().replace(b"room-1", b"\\ud83d\\ude00"))
    assert found.sessions[0]["session_id"] == "\U0001f600"


# Copies --------------------------------------------------------------------------------------------------


def test_of_copies_that_differ_the_line_that_sorts_first_by_its_bytes_counts(tmp_path: Path) -> None:
    first, second = line(agent_name="Z"), line(agent_name="a")
    files = {
        f"{FOLDER}/a.json": second + b"\r\n" + second,
        f"{FOLDER}/b.json": BOM + first,
        "sessions/dt=2026-02-02/a.json": second,
    }
    found = read(write(tmp_path, files), "2026-02-01", "2026-02-02")
    assert values(found.sessions, "dt", "agent_name") == [("2026-02-01", "Z"), ("2026-02-02", "a")]
    assert (found.records, found.duplicates, len(found.calls)) == (2, 2, 2)
    assert found.misplaced == [
        {"file": "sessions/dt=2026-02-02/a.json", "line": 1, "dt": "2026-02-02", "belongs_to": "2026-02-01"}
    ]


def test_times_in_the_same_millisecond_are_copies(tmp_path: Path) -> None:
    moment = at("2026-02-01T10:00:00")
    files = [line(_timestamp=moment), line(_timestamp=moment + 0.0004), line(_timestamp=moment + 0.001)]
    assert read_lines(tmp_path, b"\n".join(files)).records == 2


# Files ---------------------------------------------------------------------------------------------------


def test_which_files_count(tmp_path: Path) -> None:
    good = gzip.compress(line(_session_id="gz"))
    write(
        tmp_path,
        {
            f"{FOLDER}/a.json": line(_session_id="a"),
            f"{FOLDER}/b.jsonl": line(_session_id="b"),
            f"{FOLDER}/c.ndjson.gz": good + gzip.compress(b"\n" + line(_session_id="second member")),
            f"{FOLDER}/empty.json.gz": b"",
            f"{FOLDER}/padded.json.gz": good + b"\0",
            f"{FOLDER}/short.json.gz": good[:-1],
            f"{FOLDER}/plain.json.gz": line(),
            f"{FOLDER}/_a.json": line(),
            f"{FOLDER}/.a.json": line(),
            f"{FOLDER}/a.JSON": line(),
            f"{FOLDER}/x.json/a.json": line(),
            "sessions/stray.json": line(),
            "sessions/dt=2026-02-30/a.json": line(),
            "sessions/dt=2026-02-02/a.json": line(),
            "elsewhere": line(_session_id="linked"),
        },
    )
    folder = tmp_path / FOLDER
    (folder / "link.json").symlink_to(tmp_path / "elsewhere")
    (folder / "dangling.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "fifo.json")
    found = read(tmp_path, DAY, DAY)
    assert [row["session_id"] for row in found.sessions] == ["a", "b", "gz", "linked", "second member"]
    assert [(row["file"], row["line"]) for row in found.rejected] == [
        (f"{FOLDER}/{name}", 0) for name in ("dangling.json", "padded.json.gz", "plain.json.gz", "short.json.gz")
    ]
    assert [row["file"] for row in found.ignored] == [
        "sessions/dt=2026-02-30", "sessions/stray.json", f"{FOLDER}/.a.json", f"{FOLDER}/_a.json",
        f"{FOLDER}/a.JSON", f"{FOLDER}/fifo.json", f"{FOLDER}/x.json",
    ]  # fmt: skip
    assert found.files == 9


def test_a_socket_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {f"{FOLDER}/a.json": line()})
    monkeypatch.chdir(tmp_path / FOLDER)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.json")
        found = read(tmp_path, DAY, DAY)
    assert (found.files, [row["file"] for row in found.ignored]) == (1, [f"{FOLDER}/s.json"])


def test_keys_are_a_pure_function_of_identity() -> None:
    assert reference.key_of("_a/b \u00e4~", 1738000000123) == (
        "sessions/dt=2025-01-27/%5Fa%2Fb%20%C3%A4~-1738000000.123.json"
    )
    assert reference.key_of(".x", 1738000000120).endswith("/%2Ex-1738000000.12.json")
    assert reference.key_of("x", 0) == "sessions/dt=1970-01-01/x-0.json"
    assert reference.encoded_id("x" * 200) == "x" * 200
    assert reference.encoded_id("x" * 201) == "x" * 160 + "~84a0678c90937f5dcf9994d5866668da"


# Reports -------------------------------------------------------------------------------------------------


def funnel_lake(root: Path) -> Path:
    """One session that goes as far as each stage, and two hot ones, over two days."""
    nothing: dict[str, Any] = {
        "team_size": None,
        "monthly_volume": None,
        "integration_needs": None,
        "urgency": " ",
    }
    return lake_of(
        root,
        session(_session_id="nothing", **nothing),
        session(_session_id="signals", **{**nothing, "urgency": "HIGH"}),
        session(_session_id="qualified", **{**nothing, "team_size": "5", "integration_needs": ["Crm", "crm",
        "erp"]}),
        session(_session_id="hot", **{**nothing, "monthly_volume": 100, "urgency": " High "}),
        session(
            _session_id="newer", _timestamp=at("2026-02-02T00:00:00"), team_size=9, urgency="high",
            integration_needs=["ERP"],
        ),
    )  # fmt: skip


def test_the_lead_funnel_of_five_sessions(tmp_path: Path) -> None:
    tables = report("lead_funnel", funnel_lake(tmp_path), "2026-02-01", "2026-02-03")
    assert values(tables["stages"], "stage", "sessions", "share", "conversion") == [
        ("session", 5, 1.0, 1.0),
        ("signals", 4, 0.8, 0.8),
        ("qualified", 3, 0.6, 0.75),
        ("hot", 2, 0.4, 2 / 3),
    ]
    assert values(tables["stages"], "conversion_low")[0] == (None,)
    assert values(tables["daily"], "dt", "sessions", "signals", "qualified", "hot", "qualified_rate") == [
        ("2026-02-01", 4, 3, 2, 1, 0.5),
        ("2026-02-02", 1, 1, 1, 1, 1.0),
        ("2026-02-03", 0, 0, 0, 0, None),
    ]
    assert values(tables["coverage"], "signal", "known", "share") == [
        ("team_size", 2, 0.4), ("monthly_volume", 2, 0.4), ("urgency", 3, 0.6), ("integration_needs", 2, 0.4),
    ]  # fmt: skip
    assert values(tables["integrations"], "integration", "sessions", "qualified") == [
        ("erp", 2, 2),
        ("crm", 1, 1),
    ]
    assert values(tables["leads"], "session_id", "stage", "integration_needs") == [
        ("newer", "hot", ["ERP"]), ("hot", "hot", []), ("qualified", "qualified", ["Crm", "crm", "erp"]),
    ]  # fmt: skip


def test_minimums_may_have_a_fraction(tmp_path: Path) -> None:
    root = funnel_lake(tmp_path)
    stages = report("lead_funnel", root, DAY, DAY, min_team_size=5.1, min_monthly_volume=99.9)["stages"]
    assert [row["sessions"] for row in stages] == [4, 3, 1, 1]


def test_duration_trends_of_five_sessions(tmp_path: Path) -> None:
    root = lake_of(
        tmp_path,
        session(_timestamp=at("2026-01-26T10:00:00"), duration_seconds=1000),
        session(_timestamp=at("2026-01-25T10:00:00"), duration_seconds=5000),
        session(_timestamp=at("2026-02-01T00:00:05"), duration_seconds=10, close_reason="b"),
        session(_timestamp=at("2026-02-01T12:00:00"), duration_seconds=3600, close_reason="a", llm_tokens=...),
        session(_timestamp=at("2026-02-01T13:00:00"), duration_seconds="?", close_reason=None),
    )
    tables = report("duration_trends", root, DAY, "2026-02-02")
    expected = {
        "sessions": 3, "timed_sessions": 2, "avg_duration": 1805.0, "p50_duration": 1805.0,
        "p90_duration": pytest.approx(3241), "p95_duration": pytest.approx(3420.5), "total_duration": 3610.0,
        "total_tokens": 1800, "avg_latency_ms": 640.0,
    }  # fmt: skip
    assert tables["summary"] == [expected]
    empty: dict[str, Any] = {**dict.fromkeys(expected), "sessions": 0, "timed_sessions": 0}
    assert tables["daily"] == [
        {"dt": DAY, **expected, "p50_duration_7d": 1000.0},
        {"dt": "2026-02-02", **empty, "p50_duration_7d": 1805.0},
    ]
    assert [(row["hour"], row["sessions"]) for row in tables["hourly"] if row["sessions"]] == [
        (11, 1),
        (23, 1),
    ]
    assert values(tables["weekdays"], "weekday", "sessions")[5:] == [(6, 1), (7, 1)]
    assert (len(tables["hourly"]), len(tables["weekdays"])) == (24, 7)
    assert [row["sessions"] for row in tables["distribution"]] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert values(tables["distribution"], "from_seconds", "to_seconds")[-1] == (3600, None)
    assert values(tables["by_stage"], "stage", "sessions", "avg_duration") == [
        ("session", 0, None), ("signals", 3, 1805.0), ("qualified", 0, None), ("hot", 0, None),
    ]  # fmt: skip
    assert values(tables["close_reasons"], "close_reason", "sessions", "share", "p50_duration") == [
        ("a", 1, 1 / 3, 3600.0), ("b", 1, 1 / 3, 10.0), (None, 1, 1 / 3, None),
    ]  # fmt: skip


def test_tool_failures_of_three_sessions(tmp_path: Path) -> None:
    root = lake_of(
        tmp_path,
        session(
            _session_id="a",
            tool_calls=[
                call(query="PRICE  list", results_found=False, duration_ms=100),
                call("book", error=" time\n out "),
                call(query=" price list", duration_ms=300),
                None,
                call("book", error="time out"),
            ],
        ),
        session(_session_id="b", tool_calls=[call(query="price list", cancelled=True)], team_size=50),
        session(_session_id="c", tool_calls=[]),
    )
    tables = report("tool_failures", root, DAY, "2026-02-02")
    ended_at = datetime(2026, 2, 1, 10, 2, tzinfo=UTC)
    counts = (
        "tool",
        "calls",
        "empty",
        "errors",
        "cancelled",
        "failures",
        "failure_rate",
        "sessions_affected",
    )
    assert values(tables["by_tool"], *counts, "timed_calls", "p50_duration_ms") == [
        ("book", 2, 0, 2, 0, 2, 1.0, 1, 0, None),
        ("search", 3, 1, 0, 1, 1, 1 / 3, 1, 2, 200.0),
    ]
    assert tables["daily"] == [
        {"dt": DAY, "calls": 5, "failures": 3, "failure_rate": 0.6},
        {"dt": "2026-02-02", "calls": 0, "failures": 0, "failure_rate": None},
    ]
    assert values(tables["tool_daily"], "dt", "tool", "calls", "failures") == [
        (DAY, "book", 2, 2), (DAY, "search", 3, 1), ("2026-02-02", "book", 0, 0), ("2026-02-02", "search",
        0, 0),
    ]  # fmt: skip
    assert tables["errors"] == [
        {"tool": "book", "error": "time out", "failures": 2, "sessions": 1, "last_at": ended_at}
    ]
    assert tables["failing_queries"] == [
        {
            "tool": "search", "query": "price list", "calls": 3, "failures": 1, "empty": 1, "errors": 0,
            "sessions": 1, "last_at": ended_at,
        }
    ]  # fmt: skip
    assert tables["recovery"] == [
        {"tool": "book", "failures": 2, "retried": 1, "recovered": 0, "last_calls": 1},
        {"tool": "search", "failures": 1, "retried": 1, "recovered": 1, "last_calls": 0},
    ]
    assert values(tables["impact"], "calls", "had_failure", "sessions", "qualified", "qualified_rate") == [
        ("1", True, 0, 0, None), ("1", False, 1, 1, 1.0), ("2-3", True, 0, 0, None), ("2-3", False, 0, 0,
        None),
        ("4+", True, 1, 0, 0.0), ("4+", False, 0, 0, None),
    ]  # fmt: skip


def test_an_empty_lake_has_every_table(tmp_path: Path) -> None:
    tables = {name: report(name, tmp_path, DAY, DAY) for name in reference.COLUMNS}
    rows = {table: len(found) for report_tables in tables.values() for table, found in report_tables.items()}
    assert sum(len(report_tables) for report_tables in tables.values()) == 19
    assert (rows["stages"], rows["hourly"], rows["distribution"], rows["impact"], rows["leads"]) == (
        4,
        24,
        10,
        6,
        0,
    )
    assert values(tables["lead_funnel"]["stages"], "share", "conversion") == [(None, None)] * 4


# Wild lakes ----------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lakes())
def test_any_wild_lake_can_be_read_and_its_counts_agree(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = write(tmp_path_factory.mktemp("lake"), files)
    found = read(root, START, END)
    assert found.records == len(found.sessions) == len({reference.identity(row) for row in found.sessions})
    calls = Counter(reference.identity(row) for row in found.calls)
    assert all(row["tool_call_count"] == calls[reference.identity(row)] for row in found.sessions)
    stages = report("lead_funnel", root, START, END)["stages"]
    assert stages[0]["sessions"] == found.records
    durations = report("duration_trends", root, START, END)
    assert sum(row["sessions"] for row in durations["by_stage"]) == found.records
    assert sum(row["sessions"] for row in durations["distribution"]) == durations["summary"][0]["timed_sessions"]
    failures = report("tool_failures", root, START, END)
    assert sum(row["calls"] for row in failures["by_tool"]) == len(found.calls)
    assert json.dumps([stages, durations, failures], default=str, allow_nan=False)

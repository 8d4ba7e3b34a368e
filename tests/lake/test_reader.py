"""Reading days into the two flat tables: broken files, copies, processes that help."""

import gzip
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics_lib.errors import LakeError
from analytics_lib.lake import reader, reading
from analytics_lib.lake.tables import Tables
from tests.support.compare import contract_columns
from tests.support.wild import Raw, at, call, encode, key, lake_of, session, write

DAY = "2026-02-01"
FOLDER = f"sessions/dt={DAY}"
GOOD = encode(session()).encode()


def read(root: Path, *days: str) -> tuple[dict[str, reader.DayCounts], list[dict[str, Any]], list[dict[str, Any]]]:
    """What was counted of each day, the rows of `sessions` and those of `tool_calls`."""
    batches = list(reading.read(root, days or (DAY,)))
    counts = {day: found for batch in batches for day, found in batch.counts.items()}
    sessions, calls = (
        pa.concat_tables(getattr(batch, name) for batch in batches).to_pylist() for name in ("sessions", "calls")
    )
    order = ("dt", "session_id", "ended_at")
    sessions.sort(key=lambda row: [row[name] for name in order])
    calls.sort(key=lambda row: [row[name] for name in (*order, "call_index")])
    return counts, sessions, calls


def within_seconds(seconds: float, work: Callable[[], Any]) -> Any:
    """What the work gives; a failure, not a wait for ever, where it hangs."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"nothing came back within {seconds} s"
    return found[0]


def test_a_record_is_a_row_and_each_of_its_calls_another(tmp_path: Path) -> None:
    lake_of(tmp_path, session(tool_calls=[call(error=" timed out ", duration_ms=1), 7, call("book", cancelled=True)]))
    counts, sessions, calls = read(tmp_path)
    assert [contract_columns(row) for row in sessions] == [
        {
            "dt": DAY,
            "session_id": "room-1",
            "started_at": at_ms("2026-02-01T10:00:00"),
            "ended_at": at_ms("2026-02-01T10:02:00"),
            "duration_seconds": 120.0,
            "team_size": 3,
            "monthly_volume": 20.0,
            "integration_needs": [],
            "urgency": "low",
            "tool_call_count": 2,
            "failed_tool_call_count": 1,
            "llm_tokens": 900,
            "avg_latency_ms": 640.0,
            "agent_name": "sales",
            "agent_version": "1.0.0",
            "room_id": "RM_1",
            "close_reason": "user_initiated",
            "caller_key": "c0ffee",
        }
    ]
    same = {"dt": DAY, "session_id": "room-1", "ended_at": at_ms("2026-02-01T10:02:00")}
    nothing = {"query": None, "results_found": None, "offset_seconds": None}
    first = {"call_index": 1, "tool": "search", "error": "timed out", "cancelled": None, "duration_ms": 1.0}
    third = {"call_index": 3, "tool": "book", "error": None, "cancelled": True, "duration_ms": None}
    assert [contract_columns(row) for row in calls] == [
        {**same, **nothing, **first, "outcome": "error"},
        {**same, **nothing, **third, "outcome": "cancelled"},
    ]
    assert (counts[DAY].files, counts[DAY].records, counts[DAY].rejected) == (1, 1, 0)
    assert counts[DAY].bytes == len(encode(session(tool_calls=[call(error=" timed out ", duration_ms=1), 7,
                                                               call("book", cancelled=True)])))  # fmt: skip


def at_ms(moment: str) -> Any:
    return pa.scalar(round(at(moment) * 1000), pa.timestamp("ms")).as_py()


def test_no_file_however_broken_loses_the_records_beside_it(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {
            f"{FOLDER}/a.json": b"\x00\xfe\xff binary \x1f\x8b",
            f"{FOLDER}/b.json.gz": gzip.compress(GOOD)[:-4],
            f"{FOLDER}/c.json": b"",
            f"{FOLDER}/d.json.gz": b"",
            f"{FOLDER}/e.json": b"{" * 3_000_000 + b"\n" + GOOD,
            f"{FOLDER}/f.json": b'{"_event_type": "analytics"}\r\n\xef\xbb\xbf \n{"_event_type": "metrics"}\n[]',
        },
    ) / FOLDER  # fmt: skip
    (folder / "g.json").symlink_to("nowhere")
    counts, sessions, _ = read(tmp_path)
    assert [row["session_id"] for row in sessions] == ["room-1"]
    assert (counts[DAY].files, counts[DAY].records, counts[DAY].rejected) == (7, 1, 6)
    assert counts[DAY].examples == [
        f"{FOLDER}/a.json line 1: not valid UTF-8 at byte 2",
        f"{FOLDER}/b.json.gz: damaged gzip: it ends in the middle",
        f"{FOLDER}/e.json line 1: not readable: nested too deeply",
    ] or counts[DAY].examples[2].startswith(f"{FOLDER}/e.json line 1: not ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_rejected_line(tmp_path: Path) -> None:
    write(tmp_path, {f"{FOLDER}/a.json": GOOD, f"{FOLDER}/b.json": GOOD})
    (tmp_path / FOLDER / "a.json").chmod(0)
    counts, sessions, _ = read(tmp_path)
    assert (len(sessions), counts[DAY].examples) == (1, [f"{FOLDER}/a.json: cannot be read: Permission denied"])


def test_a_pipe_that_is_named_like_a_file_does_not_hang(tmp_path: Path) -> None:
    folder = write(tmp_path, {f"{FOLDER}/a.json": GOOD}) / FOLDER
    os.mkfifo(folder / "x.json")
    (folder / "y.json").symlink_to("x.json")
    counts, sessions, _ = within_seconds(20, lambda: read(tmp_path))
    assert (counts[DAY].files, len(sessions), counts[DAY].rejected) == (1, 1, 0)


def test_a_file_that_vanishes_after_it_was_listed_is_a_rejected_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {f"{FOLDER}/a.json": GOOD, f"{FOLDER}/b.json": encode(session(_session_id="b")).encode()})
    listed = reader.files_of_day

    def list_and_remove(*where: Any) -> Any:
        found = listed(*where)
        (tmp_path / FOLDER / "a.json").unlink()
        return found

    monkeypatch.setattr(reader, "files_of_day", list_and_remove)
    counts, sessions, _ = read(tmp_path)
    assert [row["session_id"] for row in sessions] == ["b"]
    assert counts[DAY].examples == [f"{FOLDER}/a.json: cannot be read: No such file or directory"]


# Copies --------------------------------------------------------------------------------------------------


def test_copies_count_once_wherever_in_the_folder_they_lie(tmp_path: Path) -> None:
    again = GOOD + b"\r\n" + GOOD
    files = {"a.json": GOOD, "b.jsonl": again, "c.ndjson.gz": gzip.compress(again), "d.json": b"\xef\xbb\xbf" + GOOD}
    write(tmp_path, {f"{FOLDER}/{name}": content for name, content in files.items()})
    counts, sessions, calls = read(tmp_path)
    assert (counts[DAY].records, counts[DAY].duplicates, len(sessions), len(calls)) == (1, 5, 1, 1)


@pytest.mark.parametrize("names", [("a.json", "b.json"), ("b.json", "a.json")])
def test_of_copies_that_differ_the_line_that_sorts_first_by_its_bytes_counts(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    first, second = (encode(session(agent_name=name), ascii_only=False).encode() for name in ("Z", "a"))
    assert first < second
    write(tmp_path, {f"{FOLDER}/{name}": line for name, line in zip(names, (second, first), strict=True)})
    _, sessions, calls = read(tmp_path)
    assert [row["agent_name"] for row in sessions] == ["Z"]
    assert len(calls) == 1


def test_bytes_decide_not_code_units_nor_the_byte_order_mark(tmp_path: Path) -> None:
    bmp, beyond = (encode(session(agent_name=name), ascii_only=False).encode() for name in ("\uffff", "\U00010000"))
    assert bmp < beyond  # as UTF-16 they would sort the other way round
    write(tmp_path, {f"{FOLDER}/a.json": beyond + b"\n" + b"\xef\xbb\xbf" + bmp})
    assert [row["agent_name"] for row in read(tmp_path)[1]] == ["\uffff"]


def test_a_blank_before_the_line_counts_as_a_byte_of_it(tmp_path: Path) -> None:
    padded, plain = b" " + encode(session(agent_name="padded")).encode(), encode(session(agent_name="a")).encode()
    write(tmp_path, {f"{FOLDER}/a.json": plain, f"{FOLDER}/b.json": padded})
    assert [row["agent_name"] for row in read(tmp_path)[1]] == ["padded"]


def test_identity_is_folder_session_and_millisecond(tmp_path: Path) -> None:
    moment = at("2026-02-01T10:02:00")
    same = [session(_timestamp=moment + seconds) for seconds in (0, 0.0004)]
    other = [
        session(_timestamp=moment + 0.001),
        session(_session_id=" room-1\n", agent_name="b"),
        session(_session_id="r"),
    ]
    lines = b"\n".join(encode(record).encode() for record in (*same, *other))
    write(tmp_path, {f"{FOLDER}/a.json": lines, "sessions/dt=2026-02-02/a.json": lines})
    counts, sessions, _ = read(tmp_path, DAY, "2026-02-02")
    assert {day: (found.records, found.duplicates) for day, found in counts.items()} == {
        DAY: (3, 2),
        "2026-02-02": (3, 2),
    }
    assert [(row["dt"], row["session_id"], row["ended_at"].microsecond) for row in sessions] == [
        (day, *rest) for day in (DAY, "2026-02-02") for rest in (("r", 0), ("room-1", 0), ("room-1", 1000))
    ]


# Processes -----------------------------------------------------------------------------------------------


def large_lake(root: Path) -> list[str]:
    days = [f"2026-02-{day:02}" for day in range(1, 8)]
    for day in days:
        records = [session(_timestamp=at(f"{day}T12:00:00") + number, _session_id=f"r{number}") for number in range(9)]
        lake_of(root, *records)
        write(root, {f"sessions/dt={day}/copies.json": encode(records[0]).encode() + b"\nbroken"})
    return days


@pytest.fixture
def many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_FILES_WORTH_A_WORKER", 3)
    monkeypatch.setattr(reading, "_processors", lambda: 2)


def test_processes_that_help_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = large_lake(tmp_path)
    alone = read(tmp_path, *days)
    seen: list[tuple[int, int]] = []
    started = []
    start = reading._start
    monkeypatch.setattr(reading, "_start", lambda *job: started.append(job) or start(*job))
    monkeypatch.setattr(reading, "_FILES_WORTH_A_WORKER", 3)
    monkeypatch.setattr(reading, "_processors", lambda: 2)
    assert read(tmp_path, *days) == alone
    assert len(started) == 2
    assert list(reading.read(tmp_path, days, lambda *state: seen.append(state)))
    assert seen[-1] == (7, 7)
    assert (alone[0][days[0]].records, alone[0][days[0]].duplicates, alone[0][days[0]].rejected) == (9, 1, 1)


@pytest.mark.usefixtures("many_processes")
def test_a_process_that_dies_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = large_lake(tmp_path)
    dying = tmp_path / "dying"
    dying.write_text("#!/bin/sh\ncat >/dev/null\nexit 3\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    with pytest.raises(LakeError, match="a reading process ended early, with 7 of 7 days unread"):
        within_seconds(20, lambda: caught(lambda: read(tmp_path, *days)))()


@pytest.mark.usefixtures("many_processes")
def test_a_process_that_dies_before_it_was_told_its_days_is_an_error_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = large_lake(tmp_path)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    many = [*days, *["2026-02-07"] * 20_000]  # more than a pipe takes: writing waits for a reader
    with pytest.raises(LakeError, match="a reading process ended early"):
        within_seconds(20, lambda: caught(lambda: read(tmp_path, *many)))()


def caught(work: Callable[[], Any]) -> Callable[[], Any]:
    """The work's outcome, to be called in another thread: a value, or an error that is raised there."""
    try:
        value = work()
    except BaseException as error:
        failure = error

        def fail() -> Any:
            raise failure

        return fail
    return lambda: value


def test_the_tables_of_an_empty_day_have_the_columns_of_the_views(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (batch,) = reading.read(tmp_path, [DAY])
    assert (batch.sessions.num_rows, batch.calls.num_rows) == (0, 0)
    assert batch.sessions.column_names[:3] == ["dt", "session_id", "started_at"]
    assert batch.calls.column_names[-1] == "outcome"
    assert batch.counts == {DAY: reader.DayCounts()}


def test_days_come_in_batches_of_whole_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BATCH_ROWS", 11)
    found = [(list(batch.counts), batch.sessions.num_rows) for batch in reading.read(tmp_path, large_lake(tmp_path))]
    assert found == [
        (["2026-02-01", "2026-02-02"], 18),
        (["2026-02-03", "2026-02-04"], 18),
        (["2026-02-05", "2026-02-06"], 18),
        (["2026-02-07"], 9),
    ]


def test_the_builder_s_key_is_where_the_reader_looks(tmp_path: Path) -> None:
    assert key(session(_session_id="a/b")) == f"{FOLDER}/a%2Fb-1769940120.json"
    assert read(lake_of(tmp_path, session(_session_id="a/b")))[1][0]["session_id"] == "a/b"


def test_a_folder_that_vanished_or_cannot_be_listed_is_one_rejected_line(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    counts = reader.read_day(tmp_path, "2026-02-01", Tables())
    assert (counts.records, counts.rejected) == (0, 1)
    assert counts.examples[0].startswith("sessions/dt=2026-02-01: the folder")


def test_both_ways_of_reading_agree_on_a_duration_as_long_as_the_time_since_1970(tmp_path: Path) -> None:
    for number, (seconds, duration) in enumerate([(1738000000.1234, 1738000000.1232), (1738000000.5, 1738000000.5)]):
        for form in (float, str):
            lake_of(
                tmp_path,
                session(_session_id=f"{number}{form.__name__}", _timestamp=seconds, duration_seconds=form(duration)),
            )
    rows = [row for batch in reading.batches(tmp_path, ["2025-01-27"]) for row in batch.sessions.to_pylist()]
    found = {row["session_id"]: row["duration_seconds"] for row in rows}
    assert found["0float"] == found["0str"]
    assert found["1float"] == found["1str"] == 1738000000.5


def test_both_ways_of_reading_take_a_0_for_unknown_where_the_schema_says_so(tmp_path: Path) -> None:
    for number, zero in enumerate([0, 0.0, Raw("-0"), Raw("-0.0"), Raw("0e0"), "0", "-0.0"]):
        lake_of(tmp_path, session(_session_id=str(number), team_size=zero, monthly_volume=zero, llm_tokens=0))
    _, sessions, _ = read(tmp_path)
    found = [(row["team_size"], row["monthly_volume"], row["llm_tokens"]) for row in sessions]
    assert found == [(None, None, 0)] * 7


def test_a_mistyped_error_makes_its_call_a_failure(tmp_path: Path) -> None:
    errors = [{"message": " timed out "}, 500, {}]
    lake_of(tmp_path, session(tool_calls=[call(error=error) for error in errors]))
    counts, sessions, calls = read(tmp_path)
    assert counts[DAY].mistyped == {"tool_calls.error": 3}
    assert [(row["error"], row["outcome"]) for row in calls] == [
        ("timed out", "error"),
        ("(no text)", "error"),
        (None, "ok"),
    ]
    assert sessions[0]["failed_tool_call_count"] == 2


def test_a_module_in_the_working_folder_is_not_taken_for_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lake_of(tmp_path, *(session(_timestamp=at(f"2026-02-0{day}T10:00:00")) for day in (1, 2)))
    (tmp_path / "numpy.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, "_FILES_WORTH_A_WORKER", 0)
    monkeypatch.setattr(reading, "_processors", lambda: 2)
    read = list(reading.read(root, ["2026-02-01", "2026-02-02"]))
    assert sum(batch.sessions.num_rows for batch in read) == 2

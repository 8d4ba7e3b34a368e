"""The data-quality check: every kind of finding, whole."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from analytics_lib.errors import LakeError
from analytics_lib.lake.quality import check
from analytics_lib.period import Period
from tests.support.wild import at, call, encode, lake_of, session, write

PERIOD = Period(date(2026, 1, 31), date(2026, 2, 2))
DAY = "sessions/dt=2026-02-01"


def line(**fields: object) -> bytes:
    return encode(session(**fields)).encode() + b"\n"


def test_everything_that_is_wrong_with_a_lake_is_said_once(tmp_path: Path) -> None:
    late = at("2026-02-01") - 0.001  # the last millisecond of January
    write(
        tmp_path,
        {
            f"{DAY}/a.json": b"\n" + line() + line() + b"not json\n" + line(_session_id="x", _timestamp=late),
            f"{DAY}/b.json.gz": gzip.compress(line(_session_id="b"))[:-1],
            f"{DAY}/c.jsonl": line(_session_id="c", team_size="8.5", duration_seconds=-1, budget=1)
            + line(_session_id="d", tool_calls=[call(results_found="no", cost=1), call(cost=2), 5], metrics_summary=[])
            + b'{"_event_type": "metrics", "unknown": 1}\r\n'
            + line(_session_id=" "),
            f"{DAY}/_tmp.json": b"",
            f"{DAY}/notes.txt": b"",
            f"{DAY}/sub.json/inner.json": line(),
            "sessions/dt=2026-02-02/empty.json": b"",
            "sessions/dt=2026-02-03/outside.json": b"not of this period",
            "sessions/dt=2026-02-30/a.json": line(),
            "sessions/room-1/1769904000.json": line(),
        },
    )
    assert check(tmp_path, PERIOD).document(PERIOD) == {
        "start": "2026-01-31",
        "end": "2026-02-02",
        "files": 4,
        "records": 4,
        "duplicates": 1,
        "rejected": [
            {"file": f"{DAY}/a.json", "line": 4, "reason": "not JSON: Expecting value at character 1"},
            {"file": f"{DAY}/b.json.gz", "line": 0, "reason": "damaged gzip: it ends in the middle"},
            {"file": f"{DAY}/c.jsonl", "line": 4, "reason": "`_session_id` is blank"},
        ],
        "mistyped": {
            "discovered_signals.team_size": 1,
            "duration_seconds": 1,
            "metrics_summary": 1,
            "tool_calls": 1,
            "tool_calls.results_found": 1,
        },
        "misplaced": [{"file": f"{DAY}/a.json", "line": 5, "dt": "2026-02-01", "belongs_to": "2026-01-31"}],
        "unknown_fields": {"budget": 1, "tool_calls.cost": 2},
        "ignored": [
            {"file": "sessions/dt=2026-02-30", "reason": "its name holds no date"},
            {"file": "sessions/room-1", "reason": "not a folder named dt=YYYY-MM-DD"},
            {"file": f"{DAY}/_tmp.json", "reason": "its name begins with _ or ."},
            {"file": f"{DAY}/notes.txt", "reason": "its name ends in none of .json .jsonl .ndjson, nor these with .gz"},
            {"file": f"{DAY}/sub.json", "reason": "a sub-folder"},
        ],
    }


def test_a_clean_lake_has_nothing_to_say(tmp_path: Path) -> None:
    found = check(lake_of(tmp_path, session(), session(_session_id="b")), PERIOD).document(PERIOD)
    assert found == {
        "start": "2026-01-31", "end": "2026-02-02", "files": 2, "records": 2, "duplicates": 0, "rejected": [],
        "mistyped": {}, "misplaced": [], "unknown_fields": {}, "ignored": [],
    }  # fmt: skip


def test_progress_is_told_by_day(tmp_path: Path) -> None:
    lake_of(tmp_path, session(), session(_timestamp=at("2026-02-02")))
    seen: list[tuple[int, int]] = []
    check(tmp_path, PERIOD, lambda *state: seen.append(state))
    assert seen == [(1, 2), (2, 2)]


def test_a_copy_in_another_day_s_folder_is_another_record_and_is_named(tmp_path: Path) -> None:
    write(tmp_path, {f"{DAY}/a.json": line(), "sessions/dt=2026-02-02/a.json": line()})
    found = check(tmp_path, PERIOD)
    assert (found.records, found.duplicates) == (2, 0)
    assert found.misplaced == [
        {"file": "sessions/dt=2026-02-02/a.json", "line": 1, "dt": "2026-02-02", "belongs_to": "2026-02-01"}
    ]


def test_no_lake_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="is no lake"):
        check(tmp_path, PERIOD)

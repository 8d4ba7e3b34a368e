"""Which files of a lake are read, and what is said about the others."""

import os
import socket
from datetime import date
from pathlib import Path

import pytest

from analytics_lib.errors import LakeError
from analytics_lib.lake import files
from analytics_lib.period import Period
from tests.support.wild import write

DAY = "sessions/dt=2026-02-01"


def test_the_days_are_the_folders_with_a_date_and_everything_else_is_named_with_the_reason(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"{DAY}/a.json": b"",
            "sessions/dt=2024-02-29/a.json": b"",
            "sessions/dt=2026-02-29/a.json": b"",
            "sessions/dt=2026-2-1/a.json": b"",
            "sessions/DT=2026-02-01/a.json": b"",
            "sessions/room-1/1769904000.json": b"",
            "sessions/dt=2026-02-02": b"a file",
            "sessions/README": b"",
        },
    )
    days, ignored = files.day_folders(tmp_path)
    assert days == ["2024-02-29", "2026-02-01"]
    assert [(found.file, found.reason) for found in ignored] == [
        ("sessions/DT=2026-02-01", "not a folder named dt=YYYY-MM-DD"),
        ("sessions/README", "not a folder named dt=YYYY-MM-DD"),
        ("sessions/dt=2026-02-02", "not a folder"),
        ("sessions/dt=2026-02-29", "its name holds no date"),
        ("sessions/dt=2026-2-1", "its name holds no date"),
        ("sessions/room-1", "not a folder named dt=YYYY-MM-DD"),
    ]


def test_only_the_days_of_the_period_are_listed_in_order(tmp_path: Path) -> None:
    for day in ("2026-02-03", "2026-01-31", "2026-02-01", "2026-01-30", "2026-02-02"):
        (tmp_path / "sessions" / f"dt={day}").mkdir(parents=True)
    period = Period(date(2026, 1, 31), date(2026, 2, 2))
    assert files.days_within(tmp_path, period) == ["2026-01-31", "2026-02-01", "2026-02-02"]


def test_files_are_read_by_their_names(tmp_path: Path) -> None:
    read = [" lead.json", "-dash.json", "a.json", "b.jsonl", "c.ndjson", "d.json.gz", "e.jsonl.gz", "f.ndjson.gz",
            "new\nline.json", "sp ace.json", "x.gz.json", "\U0001f600.json"]  # fmt: skip
    skipped = {
        ".dot.json": "its name begins with _ or .",
        ".json": "its name begins with _ or .",
        "_hidden.json": "its name begins with _ or .",
        "a.JSON": "its name ends in none of .json .jsonl .ndjson, nor these with .gz",
        "a.json.bak": "its name ends in none of .json .jsonl .ndjson, nor these with .gz",
        "data.gz": "its name ends in none of .json .jsonl .ndjson, nor these with .gz",
        "json": "its name ends in none of .json .jsonl .ndjson, nor these with .gz",
    }
    write(tmp_path, {f"{DAY}/{name}": b"" for name in (*read, *skipped)})
    names, ignored = files.files_of_day(tmp_path, "2026-02-01")
    assert names == read
    assert {found.file.removeprefix(f"{DAY}/"): found.reason for found in ignored} == skipped
    assert [found.file for found in ignored] == sorted(found.file for found in ignored)


def test_what_is_no_file_is_not_read_and_what_a_link_leads_to_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = (
        write(tmp_path, {f"{DAY}/sub.json/inner.json": b"", f"{DAY}/hour=11/x.json": b"", "elsewhere.txt": b""}) / DAY
    )
    os.mkfifo(folder / "pipe.json")
    (folder / "to-pipe.json").symlink_to("pipe.json")
    (folder / "to-folder.json").symlink_to("sub.json")
    (folder / "to-file.json").symlink_to(tmp_path / "elsewhere.txt")
    (folder / "to-nothing.json").symlink_to("nothing")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(folder)  # the path of a socket is short
        listening.bind("socket.json")
    names, ignored = files.files_of_day(tmp_path, "2026-02-01")
    assert names == ["to-file.json", "to-nothing.json"]
    assert {found.file.removeprefix(f"{DAY}/"): found.reason for found in ignored} == {
        "hour=11": "a sub-folder",
        "pipe.json": "not a regular file",
        "socket.json": "not a regular file",
        "sub.json": "a sub-folder",
        "to-folder.json": "a sub-folder",
        "to-pipe.json": "not a regular file",
    }


def test_the_newest_day_is_the_last_one_with_a_file_to_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sessions/dt=2026-02-01/broken.json": b"\x00",
            "sessions/dt=2026-02-02/_unfinished.json": b"",
            "sessions/dt=2026-02-03/notes.txt": b"",
            "sessions/dt=2026-02-30/a.json": b"",
        },
    )
    assert files.newest_day(tmp_path) == date(2026, 2, 1)


def test_an_empty_lake_has_no_days(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    assert files.day_folders(tmp_path) == ([], [])
    assert files.newest_day(tmp_path) is None


def test_a_folder_that_is_no_lake_is_told_from_a_missing_one_and_from_the_days_themselves(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(LakeError, match=r"there is no data folder .*analytics-lib samples --output"):
        files.sessions_folder(missing)
    with pytest.raises(LakeError, match="is no lake: it holds no folder sessions/"):
        files.sessions_folder(tmp_path)
    days = write(tmp_path, {f"{DAY}/a.json": b""}) / "sessions"
    with pytest.raises(LakeError, match=f"holds the days themselves; give the folder above: --data {tmp_path}"):
        files.sessions_folder(days)
    with pytest.raises(LakeError, match="is no lake"):
        files.sessions_folder(write(tmp_path, {"a-file": b""}) / "a-file")


def test_a_day_that_vanished_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"dt=2026-02-01 cannot be listed: No such file or directory"):
        files.files_of_day(tmp_path, "2026-02-01")

"""`analytics-lib adopt` and `analytics-lib erase`: what they say, and with which status they exit."""

import json
from pathlib import Path
from typing import Any

import pytest

from analytics_lib.location import Location
from analytics_lib.remote.stores import Bucket
from tests.support.wild import encode, lake_of, session, write


def test_adopt_counts_names_what_it_cannot_read_and_makes_a_lake(cli: Any, tmp_path: Path) -> None:
    pretty = json.dumps(session(_session_id=...), indent=2).encode()
    old = write(tmp_path / "old", {"sessions/room-1/1769940120.json": pretty, "sessions/b\x1b/5.json": b"no"})
    layout = "taken for the layout sessions/<id>/<timestamp>.json: 2 files\n"
    reason = "sessions/b\N{REPLACEMENT CHARACTER}/5.json line 1: not JSON: Expecting value at character 1\n"
    shown = (
        "sessions/room-1/1769940120.json line 1 -> sessions/dt=2026-02-01/room-1-1769940120.json\n"
        "    _session_id <- folder\n"
    )
    for words, first, said in ((["--dry-run"], shown, "would adopt 1 records"), ([], "", "adopted 1 records")):
        done = cli("adopt", old, tmp_path / "lake", *words)
        assert (done.status, done.err) == (1, "")
        assert done.out == f"{first}{layout}not adopted: {reason}{said} of 2 files, 1 not adopted\n"
        assert (tmp_path / "lake").exists() is not bool(words)
    report = cli("report", "lead_funnel", "--data", tmp_path / "lake", "--format", "json")
    assert json.loads(report.out)["records"] == 1


MISSPELT = ("S3://bucket/a", "s3:/bucket/a", "https://bucket.s3.amazonaws.com/a")


@pytest.mark.parametrize("place", MISSPELT)
@pytest.mark.parametrize(
    "words",
    ["adopt old PLACE", "adopt PLACE new", "samples --output PLACE", "sync s3://bucket PLACE", "check --data PLACE",
     "erase room-1 --data PLACE", "doctor --data PLACE", "backfill --log-group g --data PLACE", "compact PLACE"],
)  # fmt: skip
def test_no_command_takes_a_misspelt_place_on_s3_for_a_folder(cli: Any, words: str, place: str) -> None:
    Path("old").mkdir()
    done = cli(*words.replace("PLACE", place).split())
    said = f"analytics-lib: {place!r} is no data folder; a place on S3 is written as s3://BUCKET/PREFIX\n"
    assert (done.status, done.err) == (2, said)
    assert [each.name for each in Path().iterdir()] == ["old"]


@pytest.mark.parametrize("words", ["samples --output PLACE", "sync s3://bucket PLACE"])
def test_what_writes_a_folder_takes_no_place_on_s3_for_one(cli: Any, words: str) -> None:
    done = cli(*words.replace("PLACE", "s3://bucket/a").split())
    assert (done.status, done.err) == (2, "analytics-lib: 's3://bucket/a' lies on S3; name a folder here, e.g. lake\n")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("most", "status"), [([], 1), (["--max-left-out", "2"], 3), (["--max-left-out", "3"], 0)])
def test_adopt_says_each_reason_once_lists_every_file_and_fails_by_how_many(
    cli: Any, tmp_path: Path, most: list[str], status: int
) -> None:
    old = write(tmp_path / "old", {f"sessions/{n}.json": b"no" for n in range(3)})
    done = cli("adopt", old, tmp_path / "lake", "--report", tmp_path / "left.csv", *most)
    reason = "not JSON: Expecting value at character 1"
    assert (done.status, done.err) == (status, "")
    assert done.out.splitlines()[1:] == [
        f"not adopted: 3 times, first in sessions/0.json line 1: {reason}",
        "adopted 0 records of 3 files, 3 not adopted",
    ]
    listed = [f"sessions/{n}.json,1,{reason}" for n in range(3)]
    assert sorted((tmp_path / "left.csv").read_text().splitlines()) == ["file,line,reason", *listed]


def test_adopt_refuses_a_map_with_an_unknown_field_and_says_what_two_fields_share(cli: Any, tmp_path: Path) -> None:
    root = write(tmp_path, {"map.toml": b"[map]\nteam = ['x']", "room.toml": b"[map]\nroom_id = ['room']",
                            "old/a.json": encode(session()).encode()})  # fmt: skip
    done = cli("adopt", root / "old", root / "lake", "--map", root / "map.toml")
    assert (done.status, "`team`, which is no field; allowed are: " in done.err) == (2, True)
    done = cli("adopt", root / "old", root / "lake", "--map", root / "room.toml")
    assert (done.status, done.err) == (0, "note: _session_id and room_id both come from `room`\n")
    assert cli("adopt", root / "old", root / "lake", "--timezone", "Mars").status == 2


def test_erase_thorough_opens_every_object(cli: Any, bucket: str) -> None:
    place = Bucket(Location(bucket, ""))
    place.write("sessions/dt=2026-02-01/export-1769940120.json", encode(session()).encode())
    done = cli("erase", "room-1", "--data", f"s3://{bucket}")
    assert (done.out, done.err) == (
        "nothing was found\n",
        "1 objects at the keys of other sessions were not opened; --thorough opens them\n",
    )
    done = cli("erase", "room-1", "--data", f"s3://{bucket}", "--thorough")
    assert (done.out.splitlines()[-1], done.err) == ("removed 1 line; files concerned: 1", "")


def test_erase_shows_first_then_removes_then_finds_nothing(cli: Any, tmp_path: Path) -> None:
    root = lake_of(tmp_path / "lake", session(), session(_session_id="room-2"))
    done = cli("erase", "room-1", "--data", root, "--dry-run")
    file = "delete   sessions/dt=2026-02-01/room-1-1769940120.json  (1 line)\n"
    assert (done.status, done.out) == (0, f"{file}would remove 1 line; files concerned: 1\n")
    done = cli("erase", "room-1", "--data", root)
    assert (done.status, done.out, done.err) == (0, f"{file}removed 1 line; files concerned: 1\n", "")
    done = cli("erase", "room-1", "--data", root)
    assert (done.status, done.out) == (0, "nothing was found\n")
    assert cli("erase", "--caller", "c0ffee", "--data", root).out.endswith("removed 1 line; files concerned: 1\n")


def test_files_that_cannot_be_read_are_named_and_fail_the_command(cli: Any, tmp_path: Path) -> None:
    root = write(tmp_path / "lake", {"sessions/dt=2026-02-01/a.json": encode(session()).encode(),
                                     "sessions/dt=2026-02-01/b.json.gz": b"no"})  # fmt: skip
    done = cli("erase", "room-1", "--data", root)
    assert done.status == 1
    assert done.out.endswith("removed 1 line; files concerned: 1\n")
    assert done.err == (
        "analytics-lib: 1 files could not be looked into:\n"
        "sessions/dt=2026-02-01/b.json.gz: damaged gzip: Error -3 while decompressing data: incorrect header check\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["erase", "room-1"], "say where to erase: --data ROOT"),
        (["erase", "--data", "x"], "name one session, or one caller"),
        (["erase", "a", "--caller", "b", "--data", "x"], "name one session, or one caller"),
        (["erase", "a", "--data", "s3://"], "on S3; write it as s3:"),
        (["adopt", "x"], "Missing argument 'ROOT'"),
        (["adopt", "", "x"], "an empty text names no folder"),
        (["adopt", "s3://Bad_", "x"], "the bucket's name 'Bad_' is not"),
    ],
)
def test_wrong_usage_exits_2(cli: Any, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str) -> None:
    monkeypatch.setenv("ANALYTICS_DATA", "elsewhere")  # no setting says where to erase
    done = cli(*words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


def test_what_is_not_there_exits_1(cli: Any) -> None:
    assert cli("erase", "room-1", "--data", "none").status == 1
    assert cli("adopt", "none", "lake").err == "analytics-lib: there is no folder none\n"

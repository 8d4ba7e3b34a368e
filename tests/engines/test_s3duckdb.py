"""DuckDB over a lake on S3 reads copies in the user's cache, and keeps them current."""

import os
from datetime import date
from pathlib import Path

import pytest

from analytics_lib.engines import s3duckdb
from analytics_lib.engines.s3duckdb import SyncedEngine, cache_folder
from analytics_lib.errors import LakeError, OutputError
from analytics_lib.location import Location
from analytics_lib.period import Period
from analytics_lib.remote import sync
from analytics_lib.workspace import Lake, open_lake
from tests.support.slow_s3 import SlowS3
from tests.support.wild import encode, key, session, write

DAY = date(2026, 2, 1)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def put(store: SlowS3, prefix: str, *rooms: str) -> None:
    for record in (session(_session_id=room) for room in rooms):
        store.objects[prefix + key(record)] = encode(record).encode()


def rooms(lake: Lake) -> list[str]:
    found = lake.sql("SELECT session_id FROM sessions ORDER BY session_id", start=DAY, end=DAY)
    return list(found["session_id"])


def test_a_report_is_that_of_the_same_lake_on_disk(slow_s3: SlowS3, tmp_path: Path) -> None:
    records = session(), session(_session_id="room-2", team_size=None)
    files = {key(record): encode(record).encode() for record in records}
    slow_s3.objects |= {f"agents/{path}": content for path, content in files.items()}
    found, local = (
        open_lake(place, "duckdb").report("lead_funnel", start=DAY, end=DAY)
        for place in ("s3://bucket/agents", write(tmp_path / "lake", files))
    )
    assert found.document()["tables"] == local.document()["tables"]
    facts = [found.facts[name] for name in ("engine", "data", "newest_day", "records", "rejected")]
    assert facts == ["duckdb", "s3://bucket/agents", DAY, 2, 0]


def test_a_report_lists_its_days_once(slow_s3: SlowS3) -> None:
    put(slow_s3, "agents/", "room-1")
    lake = open_lake("s3://bucket/agents", "duckdb")
    lake.report("duration_trends", start=DAY, end=DAY)
    assert slow_s3.asked[""] == 4  # the days, the one day; and for the newest day these two again
    assert all(number == 1 for key, number in slow_s3.asked.items() if key)


def test_what_has_changed_on_s3_is_seen_after_a_minute(slow_s3: SlowS3, monkeypatch: pytest.MonkeyPatch) -> None:
    put(slow_s3, "agents/", "room-1", "room-2")
    lake = open_lake("s3://bucket/agents", "duckdb")
    assert rooms(lake) == ["room-1", "room-2"]
    slow_s3.objects.clear()
    put(slow_s3, "agents/", "room-2", "room-3")
    assert rooms(lake) == ["room-1", "room-2"]
    monkeypatch.setattr(s3duckdb, "_FRESH_SECONDS", 0)
    assert rooms(lake) == ["room-2", "room-3"]


def test_the_cache_outlives_the_process_and_only_the_days_of_the_period_are_fetched(slow_s3: SlowS3) -> None:
    put(slow_s3, "agents/", "room-1")
    slow_s3.objects["agents/sessions/dt=2026-02-02/a.json"] = b"{}"
    assert rooms(open_lake("s3://bucket/agents", "duckdb")) == ["room-1"]
    assert rooms(open_lake("s3://bucket/agents", "duckdb")) == ["room-1"]
    assert sorted(slow_s3.asked.values()) == [1, 8]  # each asks for the days, the day, and the newest day


@pytest.mark.parametrize("damaged", [None, "", "[]", '{"room-1'])
def test_days_whose_memory_was_lost_are_fetched_again(slow_s3: SlowS3, damaged: str | None) -> None:
    put(slow_s3, "agents/", "room-1", "room-2")
    slow_s3.objects["agents/sessions/dt=2026-02-02/a.json"] = b"{}"
    engine = SyncedEngine(Location("bucket", "agents"))
    engine.counts(Period(DAY, date(2026, 2, 2)))
    for path in (".sync/source.json", ".sync/days/2026-02-01.json", ".sync/days/2026-02-02.json"):
        file = engine.root / path
        file.unlink() if damaged is None else file.write_text(damaged)
    kept, gone = (key(session(_session_id=room)) for room in ("room-1", "room-2"))
    (engine.root / kept).write_bytes(b"x" * len(slow_s3.objects[f"agents/{kept}"]))
    del slow_s3.objects[f"agents/{gone}"], slow_s3.objects["agents/sessions/dt=2026-02-02/a.json"]
    put(slow_s3, "agents/", "room-3")

    again = SyncedEngine(Location("bucket", "agents"))
    assert again.counts(Period(DAY, date(2026, 2, 2))).records == 2
    held = {str(path.relative_to(engine.root)): path.read_bytes() for path in engine.root.glob("sessions/*/*")}
    assert {f"agents/{path}": content for path, content in held.items()} == slow_s3.objects
    slow_s3.asked.clear()
    assert rooms(open_lake("s3://bucket/agents", "duckdb")) == ["room-1", "room-3"]
    assert set(slow_s3.asked) == {""}


def test_lakes_of_every_place_and_endpoint_have_caches_of_their_own(
    slow_s3: SlowS3, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefixes = ["", "a", "a/b", "a%2Fb", "..", "ü" * 300]
    folders = {cache_folder(Location("bucket", prefix)) for prefix in prefixes}
    assert len(folders) == len(prefixes)
    assert {folder.parent for folder in folders} == {cache / "analytics_lib" / "s3" / "bucket"}
    for prefix in prefixes:
        put(slow_s3, f"{prefix}/" if prefix else "", f"room-{prefix[:3]}")
        assert rooms(Lake("", SyncedEngine(Location("bucket", prefix)))) == [f"room-{prefix[:3]}"]


def test_progress_tells_the_objects_that_are_fetched(slow_s3: SlowS3) -> None:
    put(slow_s3, "agents/", "room-1", "room-2")
    told: list[tuple[int, int]] = []
    engine = SyncedEngine(Location("bucket", "agents"), lambda done, total: told.append((done, total)))
    engine.counts(Period(DAY, DAY))
    assert (2, 2) in told


def test_only_who_is_shown_progress_is_told_of_another_sync(
    slow_s3: SlowS3, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(slow_s3, "agents/", "room-1")
    monkeypatch.setattr(sync, "_PATIENCE_SECONDS", 0.2)
    silent = SyncedEngine(location := Location("bucket", "agents"))
    with sync.held(silent.root):
        for engine in (silent, SyncedEngine(location, lambda done, total: None)):
            assert caplog.messages == []  # what is run in a notebook is shown in its page
            with pytest.raises(LakeError, match="has not ended"):
                engine.counts(Period(DAY, DAY))
    assert caplog.messages == [f"waiting for another sync of {silent.root} (process {os.getpid()})"]


def test_a_prefix_that_is_no_lake_is_told(slow_s3: SlowS3) -> None:
    with pytest.raises(LakeError, match="s3://bucket/agents is no lake"):
        rooms(open_lake("s3://bucket/agents", "duckdb"))


def test_a_cache_that_cannot_be_made_is_told(slow_s3: SlowS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot be made in .*: Not a directory; set XDG_CACHE_HOME to a folder"):
        SyncedEngine(Location("bucket", "agents"))

"""Erasing all through a lake on moto's S3: raw objects, Parquet and the view, and the copy of DuckDB."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from analytics_lib import aws
from analytics_lib.engines.s3duckdb import SyncedEngine
from analytics_lib.errors import AwsError, LakeError
from analytics_lib.period import Period
from analytics_lib.remote.stores import Bucket
from analytics_lib.upkeep import erase as module
from analytics_lib.upkeep import setup
from analytics_lib.upkeep.erase import Erased, erase
from analytics_lib.upkeep.subject import Subject
from tests.support.wild import at, encode, key, session
from tests.upkeep import test_compaction
from tests.upkeep.test_compaction import FIRST, JANUARY, SECOND, THIRD

ROOM = Subject("_session_id", "one")


class Lake(test_compaction.Lake):
    """As there, with session records."""

    def put(self, day: str, name: str = "", content: str = "one") -> None:
        record = session(_session_id=content, _timestamp=at(f"{day}T10:00:00"))
        self.upload(f"sessions/dt={day}/{name}" if name else key(record), encode(record).encode())

    def lines(self, day: str) -> list[str]:
        return [json.loads(line)["_session_id"] for line in super().lines(day)]

    def erase(self, *, dry_run: bool = False) -> Erased:
        return erase(self.store, ROOM, dry_run=dry_run, progress=lambda done, total: None)


@pytest.fixture
def lake(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lake:
    """Three days, compacted; the session lies on the first and the last, with another one on each day."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lake = Lake(bucket)
    for day in (FIRST, THIRD):
        lake.put(day)
    for day in (FIRST, SECOND, THIRD):
        lake.put(day, content="two")
    lake.set_up().compact()
    return lake


ALL = {FIRST: ["one", "two"], SECOND: ["two"], THIRD: ["one", "two"]}
REST = {day: ["two"] for day in ALL}


def test_readers_never_see_it_again_and_the_next_compaction_writes_the_days_anew(lake: Lake) -> None:
    before = lake.keys("")
    planned = lake.erase(dry_run=True)
    assert (lake.keys(""), lake.seen()) == (before, ALL)
    assert lake.erase() == planned
    assert planned.lines == 2
    assert [path.split("/")[0] for _, path, _ in planned.places] == ["sessions", "sessions", "parquet", "parquet"]
    assert lake.seen() == lake.raw() == REST
    assert len(lake.keys("parquet/")) == 1
    assert lake.state().late == {FIRST, THIRD}
    assert lake.erase().places == []
    assert lake.compact().days == [FIRST, THIRD]
    assert lake.seen() == REST
    assert lake.state().late == set()


def test_old_parquet_that_no_partition_names_goes_too(lake: Lake) -> None:
    lake.put(FIRST, content="three")
    lake.compact()
    assert len(lake.keys("parquet/")) == 4
    lake.erase()
    assert [key.split("/")[3] for key in lake.keys("parquet/")] == [f"dt={SECOND}"]


@pytest.mark.parametrize("step", ["_read_as_json", "raw"])
def test_a_run_stopped_halfway_is_completed_by_the_next(lake: Lake, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(*((module, step) if step != "raw" else (Bucket, "replace")), stop)
        lake.erase()
    lake.erase()
    assert lake.seen() == lake.raw() == REST
    assert len(lake.keys("parquet/")) == 1


def test_objects_of_other_names_are_found_by_the_day_of_their_parquet(lake: Lake) -> None:
    name = f"export-{at(f'{SECOND}T10:00:00'):.0f}.json"
    lake.put(SECOND, name=name)
    lake.compact()
    assert ("delete", f"sessions/dt={SECOND}/{name}", 1) in lake.erase().places
    assert lake.raw() == REST


def test_a_compaction_that_listed_the_days_before_does_not_switch_them_back(lake: Lake) -> None:
    lake.put(JANUARY[3], content="two")
    lake.meanwhile = lake.erase
    lake.compact()
    assert lake.seen() == {**REST, JANUARY[3]: ["two"]}


def test_every_database_that_shows_the_lake_is_switched(lake: Lake) -> None:
    first, lake.athena = lake.athena, type(lake.athena)(f"{lake.athena.database}_2", output=lake.athena.output)
    lake.set_up().compact()
    lake.erase()
    assert lake.seen() == REST
    lake.athena = first
    assert lake.seen() == REST


def test_without_the_database_of_the_parquet_nothing_is_removed(lake: Lake) -> None:
    setup.teardown(lake.location, lake.athena)
    before = lake.keys("")
    with pytest.raises(LakeError, match=f"{lake.athena.database} lacks .*athena setup --data"):
        lake.erase()
    assert lake.keys("") == before


def test_the_copy_that_duckdb_reads_is_erased_too(lake: Lake, tmp_path: Path) -> None:
    engine = SyncedEngine(lake.location)
    engine.counts(Period(date(2026, 1, 1), date(2026, 1, 31)))
    assert len(list(tmp_path.rglob("one-*.json"))) == 2
    assert sum(path.startswith(str(tmp_path)) for _, path, _ in lake.erase().places) == 2
    assert not list(tmp_path.rglob("one-*.json"))


def test_a_refused_permission_is_named_and_the_view_is_as_it_was(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteObject")

    monkeypatch.setattr(aws.client("s3"), "delete_object", refuse)
    with pytest.raises(
        AwsError, match=r"removing s3://.* failed: AccessDenied: no \(action s3:DeleteObject\); ask for"
    ):
        lake.erase()
    assert lake.seen() == ALL

"""Compaction against moto's S3 and Glue: Athena is a few lines of Python here, and so is the reader of its view.

`test_compaction_on_athena.py` runs the same on SQL.
"""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import botocore.client
import botocore.exceptions
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_lib import aws, period
from analytics_lib.engines import catalog, glue_tables
from analytics_lib.engines.catalog import State
from analytics_lib.engines.engine import Result
from analytics_lib.engines.glue_tables import Compacted
from analytics_lib.errors import AwsError, CostError, LakeError, PeriodError, QueryError
from analytics_lib.location import Location
from analytics_lib.remote.stores import Bucket
from analytics_lib.settings import Athena
from analytics_lib.upkeep import compaction, generations, setup
from analytics_lib.upkeep.compaction import Raw, batches, compact, view_of
from analytics_lib.upkeep.generations import clean, orphans

Seen = dict[str, list[str]]
JANUARY = [f"2026-01-{day:02}" for day in range(1, 32)]
FIRST, SECOND, THIRD, FOURTH = JANUARY[:4]
NO_OBJECTS = Raw("", 0, 0)


class Lake:
    """A lake whose lines are session ids, its database, and an Athena that writes them as Parquet with that column."""

    def __init__(self, bucket: str) -> None:
        self.location = Location(bucket, "lake")
        self.store = Bucket(self.location)
        self.athena = Athena(database=f"db_{bucket[-8:]}", output=f"s3://{bucket}/results/")
        self.queries: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None  # what happens while Athena writes

    def put(self, day: str, name: str = "a.json", content: str = "one\ntwo\n") -> None:
        self.upload(f"sessions/dt={day}/{name}", content.encode())

    def remove(self, day: str, name: str = "a.json") -> None:
        self.store.replace(f"sessions/dt={day}/{name}", b"")

    def upload(self, key: str, content: bytes) -> None:
        self.store.write(key, content)

    def keys(self, below: str) -> list[str]:
        return [path for path, _ in self.store.found(below)]

    def set_up(self) -> "Lake":
        setup.setup(self.location, self.athena)
        return self

    def compact(self, **options: Any) -> compaction.Compaction:
        return compact(self.location, self.athena, self.execute, **options)

    def state(self) -> State:
        return catalog.read_state(self.athena.database)

    def days(self) -> list[str]:
        return sorted({key.split("/")[1].removeprefix("dt=") for key in self.keys("sessions/")})

    def lines(self, day: str) -> list[str]:
        return [line for key in self.keys(f"sessions/dt={day}/") for line in self.store.read(key).decode().splitlines()]

    def records(self, day: str) -> list[str]:
        return sorted(set(self.lines(day)) - {"broken"})

    def raw(self) -> Seen:
        """What lies in the lake."""
        return {day: records for day in self.days() if (records := self.records(day))}

    def seen(self) -> Seen:
        """What a query over the view `records` gives."""
        table = aws.client("glue").get_table(DatabaseName=self.athena.database, Name="records")["Table"]
        watermark, late = (table["Parameters"][f"analytics_lib.{name}"] for name in ("watermark", "late"))
        rows: Seen = {}
        for day, place in self.partitions().items():
            if day <= watermark and day not in late.split(","):
                files = [io.BytesIO(self.store.read(key)) for key in self.keys(place.removeprefix(f"{self.location}/"))]
                rows[day] = sorted(row for file in files for row in pq.read_table(file)["session_id"].to_pylist())
        for day, records in self.raw().items():
            if day > watermark or day in late.split(","):
                rows[day] = sorted(rows.get(day, []) + records)
        return {day: rows[day] for day in sorted(rows) if rows[day]}

    def partitions(self) -> dict[str, str]:
        """Day -> place of its Parquet."""
        table = {"DatabaseName": self.athena.database, "TableName": glue_tables.PARQUET}
        listed = aws.client("glue").get_partitions(**table)["Partitions"]
        return {each["Values"][0]: each["StorageDescriptor"]["Location"] for each in listed}

    def execute(self, sql: str, origin: str) -> Result:
        self.queries.append(sql)
        start, end = re.findall(r"'(\d{4}-\d\d-\d\d)'", sql)[:2]
        days = [day for day in self.days() if start <= day <= end]
        if sql.startswith("UNLOAD"):
            result = self.unload(re.search("TO 's3://[^/]+/lake/([^']+)'", sql)[1], days)  # type: ignore[index]
            self.meanwhile()
            return result
        counts = [Counter(self.lines(day)) for day in days]
        rows = [
            {
                "dt": day,
                "records": len(lines.keys() - {"broken"}),
                "rejected": lines["broken"],
                "duplicates": sum(lines.values()) - lines["broken"] - len(lines.keys() - {"broken"}),
            }
            for day, lines in zip(days, counts, strict=True)
        ]
        return Result(pd.DataFrame(rows), 0.0, cost_usd=0.001)

    def unload(self, place: str, days: list[str]) -> Result:
        written = []
        for day in days:
            if records := self.records(day):
                file = io.BytesIO()
                pq.write_table(pa.table({"session_id": records}), file)
                written.append(f"{place}dt={day}/part")
                self.upload(written[-1], file.getvalue())
        self.upload("results/manifest.csv", "\n".join(map(self.location.url, written)).encode())
        return Result(pd.DataFrame(), 0.0, cost_usd=0.002, manifest=self.location.url("results/manifest.csv"))


@pytest.fixture
def lake(bucket: str) -> Lake:
    """Three days of two records each, set up; the second has a copy and a broken line as well."""
    lake = Lake(bucket)
    lake.put(FIRST)
    lake.put(SECOND, content="one\ntwo\ntwo\nbroken\n")
    lake.put(THIRD)
    return lake.set_up()


# What a run does -----------------------------------------------------------------------------------------


def test_finished_days_are_read_from_parquet_and_keep_their_counts(lake: Lake) -> None:
    steps: list[tuple[int, int]] = []
    done = lake.compact(until=date(2026, 1, 2), progress=lambda *step: steps.append(step))
    state = lake.state()
    assert (state.watermark, state.late, sorted(state.days)) == (SECOND, frozenset(), [FIRST, SECOND])
    assert lake.seen() == lake.raw() == {FIRST: ["one", "two"], SECOND: ["one", "two"], THIRD: ["one", "two"]}
    second = state.days[SECOND]
    assert (second.records, second.duplicates, second.rejected) == (2, 1, 1)
    assert (second.raw_objects, second.raw_bytes, second.objects) == (1, 19, 1)
    assert second.bytes == len(lake.store.read(lake.keys(second.location.removeprefix(f"{lake.location}/"))[0]))
    assert (done.days, done.changed, done.records, done.raw_bytes) == ([FIRST, SECOND], [], 4, 27)
    assert steps == [(0, 2), (2, 2)]


def test_a_second_run_finds_nothing_to_do_and_asks_athena_nothing(lake: Lake) -> None:
    lake.compact()
    lake.queries.clear()
    assert lake.compact().text() == f"nothing to do: all days up to {period.today() - timedelta(days=1)} are compacted"
    assert lake.queries == []


def test_a_dry_run_says_what_it_would_do_and_does_nothing(lake: Lake) -> None:
    planned = lake.compact(dry_run=True)
    assert re.fullmatch(
        "would compact 3 days, 2026-01-01 to 2026-01-03: 0.0 kB of JSON, about 0.0002 USD", planned.text()
    )
    assert (lake.queries, lake.state().days, lake.state().watermark) == ([], {}, "")


def test_a_lake_without_records_yet_is_no_error(bucket: str) -> None:
    lake = Lake(bucket)
    lake.put(FIRST, "_ignored.json")
    assert lake.set_up().compact().days == []
    assert (lake.state().watermark, lake.queries) == ("", [])


def test_a_day_whose_objects_hold_no_record_gets_an_empty_place(lake: Lake) -> None:
    lake.put(FOURTH, content="broken\n")
    lake.compact()
    assert lake.state().days[FOURTH].objects == lake.state().days[FOURTH].records == 0
    assert lake.state().days[FOURTH].rejected == 1
    assert lake.keys(lake.partitions()[FOURTH].removeprefix(f"{lake.location}/")) == []
    assert lake.seen() == lake.raw()


def test_a_late_delivery_is_seen_from_the_beginning_of_the_next_run_and_then_compacted(lake: Lake) -> None:
    lake.compact()
    lake.put(SECOND, "late.json", "three\n")
    during: list[Seen] = []
    lake.meanwhile = lambda: during.append(lake.seen())
    assert lake.compact().days == [SECOND]
    assert during == [lake.raw()]
    assert (lake.state().late, lake.seen()) == (frozenset(), lake.raw())


def test_a_late_delivery_is_noticed_beyond_until_too_but_not_compacted(lake: Lake) -> None:
    lake.compact()
    lake.put(THIRD, "late.json", "three\n")
    assert lake.compact(until=date(2026, 1, 1)).days == []
    assert (lake.state().late, lake.seen()) == ({THIRD}, lake.raw())


def test_a_late_delivery_for_a_day_that_had_none_is_compacted_too(lake: Lake) -> None:
    lake.remove(SECOND)
    lake.compact()
    lake.put(SECOND)
    assert lake.compact().days == [SECOND]
    assert lake.seen() == lake.raw()


def test_a_record_that_was_erased_is_erased_from_what_readers_see(lake: Lake) -> None:
    lake.compact()
    lake.remove(SECOND)
    lake.put(THIRD, content="two\n")
    assert lake.compact().days == [SECOND, THIRD]
    assert lake.seen() == {FIRST: ["one", "two"], THIRD: ["two"]}


def test_the_same_delivered_again_is_no_change(lake: Lake) -> None:
    lake.compact()
    lake.put(FIRST)
    assert lake.compact().days == []


def test_days_of_another_schema_are_read_raw_and_compacted_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.compact()
    monkeypatch.setattr(glue_tables, "schema_version", lambda: "another")
    late: list[frozenset[str]] = []
    lake.meanwhile = lambda: late.append(lake.state().late)
    assert lake.compact().days == [FIRST, SECOND, THIRD]
    assert late == [frozenset([FIRST, SECOND, THIRD])]
    assert {day.schema for day in lake.state().days.values()} == {"another"}


def test_a_day_that_changes_meanwhile_stays_raw_until_the_next_run(lake: Lake) -> None:
    lake.meanwhile = lambda: lake.put(SECOND, "late.json", "three\n")
    done = lake.compact()
    assert (done.days, done.changed) == ([FIRST, THIRD], [SECOND])
    assert done.text().endswith("\nchanged meanwhile, stay raw until the next run: 2026-01-02")
    assert (lake.state().late, lake.seen()) == ({SECOND}, lake.raw())
    lake.meanwhile = lambda: None
    assert lake.compact().days == [SECOND]
    assert lake.seen() == lake.raw()


def test_a_day_that_appears_meanwhile_stays_raw(lake: Lake) -> None:
    lake.put(JANUARY[4])
    lake.meanwhile = lambda: lake.put(FOURTH)
    lake.compact()
    assert (lake.state().late, lake.seen()) == ({FOURTH}, lake.raw())


def test_many_days_are_taken_in_batches_and_each_is_switched_at_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "BATCH_DAYS", 2)
    watermarks: list[str] = []
    lake.meanwhile = lambda: watermarks.append(lake.state().watermark)
    lake.compact()
    assert (watermarks, lake.state().watermark) == (["", SECOND], THIRD)


def test_no_result_of_an_earlier_count_is_reused(lake: Lake) -> None:
    lake.compact()
    lake.put(FIRST, content="other\n")
    lake.compact(until=date(2026, 1, 1))
    lake.put(FIRST)
    lake.compact(until=date(2026, 1, 1))
    assert len(lake.queries) == len(set(lake.queries)) == 6


# What stops it -------------------------------------------------------------------------------------------


def test_parquet_with_other_counts_than_the_raw_lines_is_not_switched(lake: Lake) -> None:
    def execute(sql: str, origin: str) -> Result:
        result = lake.execute(sql, origin)
        return replace(result, frame=result.frame.assign(records=3)) if "records" in result.frame else result

    message = f"2026-01-01 has 3 records in its raw lines and 2 in the Parquet .* to s3://.*/dt={FIRST}/, so no day"
    with pytest.raises(QueryError, match=message):
        compact(lake.location, lake.athena, execute)
    assert (lake.state().days, lake.seen()) == ({}, lake.raw())


def test_files_that_athena_did_not_name_are_not_switched(lake: Lake) -> None:
    def add_a_file_to_each() -> None:
        for key in lake.keys("parquet/"):
            lake.upload(f"{key}-more", b"")

    lake.meanwhile = add_a_file_to_each
    with pytest.raises(QueryError, match=r"(?s)wrote 1 files to s3://.*; 2 lie there, 1 of them"):
        lake.compact()
    assert (lake.state().days, lake.seen()) == ({}, lake.raw())


def test_a_file_that_is_no_parquet_is_named(lake: Lake) -> None:
    def cut_each() -> None:
        for key in lake.keys("parquet/"):
            lake.upload(key, b"PAR1 cut short")

    lake.meanwhile = cut_each
    with pytest.raises(QueryError, match=f"(?s)s3://.*/dt={FIRST}/part, written by Athena, is no Parquet file"):
        lake.compact()


def test_a_day_that_is_not_over_is_refused(lake: Lake) -> None:
    with pytest.raises(PeriodError, match=f"{period.today()} is not over; days up to yesterday"):
        lake.compact(until=period.today())


def test_another_lake_than_the_databases_is_refused(lake: Lake) -> None:
    with pytest.raises(LakeError, match="--database"):
        compact(Location(lake.location.bucket, "other"), lake.athena, lake.execute)


def test_a_missing_database_names_the_command_that_makes_it(bucket: str) -> None:
    lake = Lake(bucket)
    lake.put(FIRST)
    with pytest.raises(LakeError, match=f"analytics-lib athena setup --data s3://{bucket}/lake"):
        lake.compact()


def test_a_prefix_without_sessions_is_named(lake: Lake) -> None:
    for day in (FIRST, SECOND, THIRD):
        lake.remove(day)
    with pytest.raises(LakeError, match="is no lake: nothing lies under"):
        lake.compact()


def test_views_of_another_version_are_refused(lake: Lake) -> None:
    other = glue_tables.view(lake.athena.database, "sessions") | {"Name": "records_raw"}
    lake.compact()
    lake.put(SECOND, "late.json", "three\n")
    before, queries = lake.state(), list(lake.queries)
    aws.client("glue").update_table(DatabaseName=lake.athena.database, TableInput=other)
    with pytest.raises(LakeError, match=r"records_raw is not as this version .* run: analytics-lib athena setup"):
        lake.compact()
    assert (lake.state(), lake.queries) == (before, queries)  # whoever reads goes on reading


def test_days_that_queries_do_not_see_are_refused(lake: Lake) -> None:
    lake.put("2025-12-31")
    with pytest.raises(LakeError, match=r"queries do not see 2025-12-31, older than .* analytics-lib athena setup"):
        lake.compact()


def test_above_the_ceiling_nothing_runs(lake: Lake) -> None:
    lake.athena = replace(lake.athena, max_usd=0.0001)
    with pytest.raises(CostError, match=r"compacting 3 days may cost 0\.0\d\d\d USD, above the ceiling of 0\.0001 USD"):
        lake.compact()
    assert lake.queries == []


# Stopped anywhere, at the same time, seen at any moment ----------------------------------------------------


WRITES = ("PutObject", "BatchCreatePartition", "BatchUpdatePartition", "UpdateTable")


@pytest.fixture
def before_writes(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Put a function in, and it is called before each call of AWS that changes something, but for its own calls."""
    happening: list[Callable[[], object]] = []
    plain = botocore.client.BaseClient._make_api_call

    def calling(client: Any, operation: str, arguments: Any) -> Any:
        if operation in WRITES and happening:
            happen = happening.pop()
            happen()
            happening.append(happen)
        return plain(client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", calling)
    return happening


class StoppedError(BaseException):
    """As a power cut, or Ctrl-C."""


def deliver(lake: Lake, number: int) -> None:
    """Days as they come: a late record, a new one, a day without any, one that is as it was."""
    lake.put(FIRST, "late.json", f"{number}\n")
    lake.put(SECOND, content=f"{number}\n" if number % 2 else "broken\n")
    lake.put(JANUARY[3 + number], content=f"{number}\n")


def happens_before(number: int, writes: list[Callable[[], object]], happening: Callable[[], object]) -> Iterator[None]:
    """Within it, that happens once: before the write of that number."""
    count = 0

    def counting() -> None:
        nonlocal count
        count += 1
        if count == number:
            happening()

    writes.append(counting)
    yield
    writes.clear()


def stop() -> None:
    raise StoppedError


def test_readers_see_every_day_whole_and_once_at_every_step(
    lake: Lake, before_writes: list[Callable[[], object]]
) -> None:
    def look() -> None:
        looks.append(lake.seen())

    looks: list[Seen] = []
    before_writes.append(look)
    lake.compact()
    before = lake.raw()
    assert len(looks) > 5
    assert all(look == before for look in looks)
    before_writes.clear()
    deliver(lake, 1)
    looks.clear()
    before_writes.append(look)
    lake.compact()
    assert len(looks) > 5
    assert looks[0] == before | {JANUARY[4]: ["1"]}  # the first write is to show the late days
    assert all(look == lake.raw() for look in looks[1:])


@pytest.mark.slow
def test_a_run_that_is_stopped_anywhere_leaves_all_rows_and_the_next_one_completes_it(
    lake: Lake, before_writes: list[Callable[[], object]]
) -> None:
    lake.compact()
    stopped = 0
    for number in range(1, 20):
        deliver(lake, number)
        old = lake.seen()
        with contextmanager(happens_before)(number, before_writes, stop):
            try:
                lake.compact()
                break
            except StoppedError:
                stopped += 1
        assert lake.seen() == (old if number == 1 else lake.raw())  # only the first write is to make them late
        lake.compact()
        assert (lake.seen(), lake.state().late) == (lake.raw(), frozenset())
    assert stopped >= 7


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 9))
def test_another_run_at_any_step_does_no_harm(
    lake: Lake, before_writes: list[Callable[[], object]], number: int
) -> None:
    def another() -> None:
        lake.put(SECOND, "later.json", "later\n")
        lake.compact()
        seen.append(lake.seen())

    seen: list[Seen] = []
    lake.compact()
    deliver(lake, 1)
    with contextmanager(happens_before)(number, before_writes, another):
        lake.compact()
    assert seen == [lake.raw()]
    assert lake.seen() == lake.raw()
    lake.compact()
    assert (lake.seen(), lake.state().late) == (lake.raw(), frozenset())


def test_the_view_is_derived_again_where_another_run_was_faster(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def update(client: Any, operation: str, arguments: Any) -> Any:
        if operation != "UpdateTable":
            return plain(client, operation, arguments)
        versions.append(arguments["VersionId"])
        if len(versions) == 1:
            plain(client, "UpdateTable", {name: value for name, value in arguments.items() if name != "VersionId"})
            told = {"Error": {"Code": "ConcurrentModificationException", "Message": "changed"}}
            raise botocore.exceptions.ClientError(told, operation)
        return plain(client, operation, arguments)

    versions: list[str] = []
    plain = botocore.client.BaseClient._make_api_call
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", update)
    lake.compact()
    assert len(versions) == 1  # the other run's view says the same
    assert lake.state().watermark == THIRD


# The pure parts -------------------------------------------------------------------------------------------


def parquet(day: str, digest: str = "", made: str = "20260101T000000Z") -> Compacted:
    """The partition of a day without objects."""
    place = f"s3://bucket/lake/parquet/{made}-{'0' * 32}/dt={day}/"
    return Compacted(day, place, digest, 0, 0, 0, 0, 0, 0, 0, glue_tables.schema_version())


def state_of(watermark: str, *compacted: Compacted, late: tuple[str, ...] = ()) -> State:
    return State(watermark, frozenset(late), {each.day: each for each in compacted})


OBJECTS = Raw("some", 9, 1)


@pytest.mark.parametrize(
    ("known", "state", "expected"),
    [
        pytest.param({}, state_of(""), ("", []), id="an empty lake"),
        pytest.param({FIRST: OBJECTS}, state_of(""), ("", []), id="nothing compacted"),
        pytest.param({FIRST: OBJECTS}, state_of("", parquet(FIRST, "some")), (FIRST, []), id="registered, to be shown"),
        pytest.param({FIRST: OBJECTS}, state_of(FIRST, parquet(FIRST, "old")), (FIRST, [FIRST]), id="changed since"),
        pytest.param({FIRST: NO_OBJECTS}, state_of(FIRST, parquet(FIRST, "old")), (FIRST, [FIRST]), id="gone since"),
        pytest.param(
            {FIRST: OBJECTS, SECOND: OBJECTS}, state_of("", parquet(SECOND, "some")), (SECOND, [FIRST]), id="a gap"
        ),
        pytest.param(
            {FIRST: NO_OBJECTS, SECOND: OBJECTS}, state_of("", parquet(SECOND, "some")), (SECOND, []), id="an empty day"
        ),
        pytest.param(
            {FIRST: OBJECTS},
            state_of(FIRST, parquet(FIRST, "some"), parquet(SECOND, "some")),
            (FIRST, []),
            id="another run is further, not yet shown",
        ),
        pytest.param(
            {FIRST: OBJECTS},
            state_of(THIRD, parquet(FIRST, "some"), parquet(SECOND, "old"), late=(SECOND,)),
            (THIRD, [SECOND]),
            id="another run is further, and knows of a late day",
        ),
    ],
)
def test_watermark_and_late_days_follow_from_listing_and_partitions(
    known: dict[str, Raw], state: State, expected: tuple[str, list[str]]
) -> None:
    watermark, late = view_of(known, known.keys(), [day for day, raw in known.items() if raw.objects], state)
    assert (watermark, sorted(late)) == expected


def test_a_day_that_was_not_listed_again_stays_late() -> None:
    state = state_of(SECOND, parquet(FIRST, "some"), parquet(SECOND, "some"), late=(FIRST, SECOND))
    assert view_of({FIRST: OBJECTS, SECOND: OBJECTS}, [SECOND], [FIRST, SECOND], state) == (SECOND, {FIRST})


def test_a_folder_that_was_never_listed_is_late_where_the_watermark_passes_it() -> None:
    state = state_of("", parquet(SECOND, "some"))
    assert view_of({SECOND: OBJECTS}, [SECOND], [FIRST, SECOND], state) == (SECOND, {FIRST})


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([0, 1, 2], [[0, 1], [2]], id="a batch is full"),
        pytest.param([0, 2, 4], [[0], [2], [4]], id="others between are not read"),
        pytest.param([3, 4, 5, 6, 7], [[3, 4], [5, 6], [7]], id="beyond the lake's days nothing is read"),
    ],
)
def test_batches_are_runs_of_days(
    monkeypatch: pytest.MonkeyPatch, waiting: list[int], expected: list[list[int]]
) -> None:
    monkeypatch.setattr(compaction, "BATCH_DAYS", 2)
    found = list(batches({JANUARY[number] for number in waiting}, JANUARY[:8]))
    assert found == [[JANUARY[number] for number in batch] for batch in expected]


# Old generations ------------------------------------------------------------------------------------------

NOW = datetime.now(UTC)
OLD, NEW = ((NOW - timedelta(hours=hours)).strftime("%Y%m%dT%H%M%SZ") for hours in (25, 23))


def key(made: str, day: str, name: str = "part", database: str = "analytics") -> str:
    return f"parquet/{database}/{made}-{'0' * 32}/dt={day}/{name}"


@pytest.mark.parametrize(
    ("keys", "in_use", "expected"),
    [
        pytest.param([key(OLD, FIRST)], [], [key(OLD, FIRST)], id="no partition ever named it"),
        pytest.param([key(NEW, FIRST)], [], [], id="it may still be registered"),
        pytest.param([key(OLD, FIRST)], [key(OLD, FIRST, "")], [], id="in use"),
        pytest.param([key(OLD, FIRST)], [key(NEW, FIRST, "")], [], id="replaced, but queries may still read it"),
        pytest.param([key(OLD, FIRST)], [key(NEW, SECOND, "")], [key(OLD, FIRST)], id="another day's was replaced"),
        pytest.param(["parquet/mine.parquet", "parquet/a/dt=2026-01-01/part"], [], [], id="somebody else's"),
    ],
)
def test_only_parquet_that_no_reader_can_need_is_an_orphan(
    keys: list[str], in_use: list[str], expected: list[str]
) -> None:
    assert orphans(keys, in_use, timedelta(days=1)) == expected


def test_cleaning_removes_replaced_parquet_after_a_day_and_nothing_that_is_read(lake: Lake) -> None:
    lake.compact()
    replaced = lake.partitions()[SECOND].removeprefix(f"{lake.location}/")
    lake.put(SECOND, "late.json", "three\n")
    lake.compact()
    lake.upload("parquet/mine/part", b"")
    assert clean(lake.location, lake.athena) == []
    in_a_moment = timedelta(seconds=-2)
    assert clean(lake.location, lake.athena, older_than=in_a_moment, dry_run=True) == [replaced]
    assert len(lake.keys("parquet/")) == 5
    assert clean(lake.location, lake.athena, older_than=in_a_moment) == [replaced]
    assert len(lake.keys("parquet/")) == 4
    assert lake.seen() == lake.raw()


def test_cleaning_for_one_database_leaves_the_parquet_of_another(lake: Lake) -> None:
    lake.compact()
    other = Lake(lake.location.bucket)
    other.athena = replace(lake.athena, database="other")
    other.set_up().compact()
    assert clean(other.location, other.athena, older_than=timedelta(seconds=-2)) == []
    assert (lake.seen(), other.seen()) == (lake.raw(), lake.raw())


def test_a_record_of_a_day_that_had_none_when_its_time_was_compacted_waits_for_the_next_run(lake: Lake) -> None:
    missing = "2026-01-02"
    for name in lake.keys(f"sessions/dt={missing}/"):
        lake.remove(missing, name.rpartition("/")[2])
    lake.compact()
    before = lake.seen()
    lake.put(missing)
    assert lake.seen() == before
    assert lake.state().is_compacted(missing)  # counts and costs look where the view looks
    lake.compact()
    assert lake.seen() == lake.raw()


def test_a_footer_longer_than_the_first_guess_is_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "_FOOTER_BYTES", 8)
    assert lake.compact().records == 6


def test_a_partition_that_glue_refuses_is_an_error(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"Errors": [{"PartitionValues": [FIRST], "ErrorDetail": {"ErrorCode": "X", "ErrorMessage": "no"}}]}
    monkeypatch.setattr(aws.client("glue"), "batch_create_partition", lambda **arguments: refused)
    with pytest.raises(AwsError, match="registering Parquet of 2026-01-01 to 2026-01-03 failed: X: no"):
        lake.compact()
    assert lake.seen() == lake.raw()

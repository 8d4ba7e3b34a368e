"""Compaction: Athena writes finished days as Parquet, and from then on the view `records` reads them there.

At no moment does a reader see a day twice, half or not at all: Parquet is written where nobody reads, counted against
the raw lines, registered as partitions behind the view's back, and switched in by one update of the view. A run that
ends at any step leaves orphans only. Two at once do the work twice and no harm: partitions are made and replaced,
never deleted, and of a day that a run has not listed itself it leaves the view as it found it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from analytics_lib import aws, prices, schema
from analytics_lib import period as calendar
from analytics_lib.engines import catalog, cost, generations, glue_tables, sqlfile
from analytics_lib.engines.catalog import State
from analytics_lib.engines.changes import call, differences
from analytics_lib.engines.engine import Result
from analytics_lib.engines.generations import Written
from analytics_lib.engines.glue_tables import Compacted
from analytics_lib.errors import AwsError, CostError, LakeError, PeriodError, QueryError
from analytics_lib.lake import s3
from analytics_lib.lake.s3 import Location
from analytics_lib.settings import Athena

Execute = Callable[[str, str], Result]  # one statement, exactly as it is, and what to call it in messages
BATCH_DAYS = 92  # Athena writes at most 100 partitions at a time, Glue takes 100
_COUNTING = "views/athena/line_counts.sql"
_SCANS = 2  # a day's raw lines are read to write them and to count them
_LISTINGS = 3


@dataclass(frozen=True, slots=True)
class Raw:
    """The objects of a day that readers open: digest of their names, ETags and sizes; bytes; how many."""

    digest: str
    bytes: int
    objects: int

    @property
    def lists(self) -> int:
        """The LIST requests that it takes to find them."""
        return s3.lists(self.objects)


@dataclass(slots=True)
class Compaction:
    """What a run over the days up to `until` did. `changed`: days that changed meanwhile, raw until the next run.

    `failed`: days that cannot be compacted as they are, and why; they stay raw.
    `cost_usd` is what Athena billed and what S3 asks for the requests of the two scans. Of a dry run, `days` are those
    that would be compacted, and `cost_usd` what that may cost.
    """

    until: str
    dry_run: bool = False
    days: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    records: int = 0
    raw_bytes: int = 0
    bytes: int = 0
    cost_usd: float = 0.0

    @property
    def tried(self) -> int:
        """How many days are done with."""
        return len(self.days) + len(self.changed) + len(self.failed)

    def text(self) -> str:
        """A sentence or two for people."""
        raw, many = f"{cost.size(self.raw_bytes)} of JSON", f"{len(self.days)} day{'s'[: len(self.days) != 1]}"
        if self.dry_run and self.days:
            return f"would compact {many}, {self.days[0]} to {self.days[-1]}: {raw}, about {self.cost_usd:.4f} USD"
        if not self.tried:
            return f"nothing to do: all days up to {self.until} are compacted"
        records = f"{self.records:,} record{'s'[: self.records != 1]}"
        became = f"{records}, {raw} became {cost.size(self.bytes)} of Parquet, {self.cost_usd:.4f} USD"
        waiting = f"\nchanged meanwhile, stay raw until the next run: {', '.join(self.changed)}" if self.changed else ""
        return f"compacted {many}: {became}{waiting}"


def compact(
    location: Location,
    athena: Athena,
    execute: Execute,
    *,
    until: date | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Compaction:
    """Compact the days up to `until` (yesterday, UTC) that are not, or that have changed since; `progress` in days.

    Raises PeriodError for a day that is not over, LakeError where lake or database cannot be used, CostError above
    `athena.max_usd`, QueryError where a query failed or Parquet and raw lines differ, and AwsError. What was switched
    before stays switched; whatever is repeated, continues.
    """
    last = _last_day(until)
    run = _Run(location, athena, execute)
    run.require_current_views()
    state = catalog.read_state(athena.database, location)
    known = run.listed(sorted({*run.folders(), *state.days}), until=max(last, state.watermark))
    if not dry_run:
        state = run.switch(known, fresh=known.keys())
    waiting = {day for day, raw in known.items() if day <= last and outdated(raw, state.days.get(day))}
    predicted_usd = run.check(waiting, known)
    if dry_run:
        raw_bytes = sum(known[day].bytes for day in waiting)
        return Compaction(last, True, sorted(waiting), raw_bytes=raw_bytes, cost_usd=predicted_usd)
    done = Compaction(last)
    for batch in batches(waiting, known):
        run.compact_or_divide(batch, known, done, lambda: progress(done.tried, len(waiting)))
    if done.failed:
        reasons = "\n".join(f"{day}: {reason}" for day, reason in done.failed.items())
        raise QueryError(f"{done.text()}\nnot compacted, and still read as JSON:\n{reasons}")
    return done


def outdated(raw: Raw, compacted: Compacted | None) -> bool:
    """True where the day has objects and no Parquet, or Parquet of other objects or of another schema."""
    if compacted is None:
        return raw.objects > 0
    return (compacted.digest, compacted.schema) != (raw.digest, glue_tables.schema_version())


def batches(waiting: Collection[str], known: Iterable[str]) -> Iterator[list[str]]:
    """The waiting days in runs that no other known day interrupts: between the ends of each nothing else is read."""
    batch: list[str] = []
    for day in sorted(known):
        if batch and (day not in waiting or len(batch) == BATCH_DAYS):
            yield batch
            batch = []
        if day in waiting:
            batch.append(day)
    if batch:
        yield batch


def view_of(
    known: Mapping[str, Raw], fresh: Collection[str], folders: Collection[str], state: State
) -> tuple[str, frozenset[str]]:
    """The watermark and the late days that show each day once.

    `known`: the days this run has listed, `fresh` those of them it has just listed; `folders`: the days that have a
    folder now. The watermark never goes back and passes no day that this run does not know. A day is taken off the
    late list on a fresh listing only: another run may know better than an old one.
    """
    watermark = max([state.watermark, *(day for day in state.days if day in known)])

    def is_late(day: str) -> bool:
        stale = outdated(known[day], state.days.get(day)) if day in known else day > state.watermark
        return stale or (day not in fresh and day in state.late)

    days = {*known, *folders, *state.late}
    return watermark, frozenset(day for day in days if day <= watermark and is_late(day))


class _Run:
    """The steps, over one lake."""

    def __init__(self, location: Location, athena: Athena, execute: Execute) -> None:
        self.location = location
        self._athena = athena
        self._execute = execute
        self._prices = prices.load(aws.client("athena").meta.region_name)

    def folders(self) -> list[str]:
        return s3.days(self.location)[0]

    def listed(self, days: Iterable[str], until: str) -> dict[str, Raw]:
        """What lies in each of the days up to `until`; one is in memory at a time."""
        found = s3.list_days(self.location, [day for day in days if day <= until])
        return {day.day: Raw(day.digest, day.bytes, len(day.objects)) for day in found}

    def require_current_views(self) -> None:
        """Raise LakeError where another version made what `records` is switched between: its readers would fail."""
        database = self._athena.database
        catalog.read_state(database, self.location)
        views = (glue_tables.view(database, name) for name in ("records_raw", "sessions", "tool_calls"))
        for wanted in (*views, glue_tables.parquet(self.location)):
            name = f"{database}.{wanted['Name']}"
            found = call(f"reading {name}", "glue", "get_table", DatabaseName=database, Name=wanted["Name"])["Table"]
            if any(differences(wanted, found)):
                raise LakeError(f"{name} is not as this version of analytics-lib makes it; {self._again}")

    @property
    def _again(self) -> str:
        return f"run: analytics-lib athena setup --data {self.location}"

    def check(self, waiting: Collection[str], known: Mapping[str, Raw]) -> float:
        """What compacting these days may cost, in USD. Raises what speaks against it."""
        if unseen := catalog.days_outside(sorted(waiting), self._athena.database):
            raise LakeError(f"queries do not see {', '.join(unseen[:3])}, older than the days at set-up; {self._again}")
        usd = sum(self._predicted_usd(batch, known) for batch in batches(waiting, known))
        if usd > self._athena.max_usd:
            raise CostError(
                f"compacting {len(waiting)} days may cost {usd:.2f} USD, above the ceiling of "
                f"{self._athena.max_usd:g} USD, so nothing was run: take fewer days with --until, or allow more "
                f"with --max-usd"
            )
        return usd

    def _predicted_usd(self, days: Collection[str], known: Mapping[str, Raw]) -> float:
        scan = self._prices.query_usd(sum(known[day].bytes for day in days))
        return _SCANS * scan + self._requests_usd(days, known)

    def _requests_usd(self, days: Collection[str], known: Mapping[str, Raw]) -> float:
        """Those of the two scans, and of the three times that this run lists a day."""
        gets, lists = (sum(getattr(known[day], name) for day in days) for name in ("objects", "lists"))
        return self._prices.requests_usd(_SCANS * gets, (_SCANS + _LISTINGS) * lists)

    def compact_or_divide(
        self, days: list[str], known: dict[str, Raw], done: Compaction, tell: Callable[[], None]
    ) -> None:
        """Compact the days; where a query fails, the halves of them, so that one bad day stops no other."""
        tell()
        try:
            self.compact(days, known, done)
        except QueryError as error:
            if len(days) == 1:
                done.failed[days[0]] = str(error)
            else:
                for half in (days[: len(days) // 2], days[len(days) // 2 :]):
                    self.compact_or_divide(half, known, done, tell)
        tell()

    def compact(self, days: list[str], known: dict[str, Raw], done: Compaction) -> None:
        """Write, count, compare and register the days, and switch the view; `known` and `done` follow."""
        origin, place = f"compacting {days[0]} to {days[-1]}", generations.new_place(self._athena.database)
        unloaded = self._execute(_unload_sql(self.location.url(place), days), origin)
        # The place makes the text one of its own: no earlier result may be reused.
        counted = self._execute(f"{_counting_sql(days)}\n-- for {place}", origin)
        fresh = self.listed([day for day in {*days, *self.folders()} if day >= days[0]], until=days[-1])
        unchanged = [day for day in days if fresh[day] == known[day]]
        parquet = generations.written(self.location, place, unloaded)
        lines = {
            row.dt: (int(row.records), int(row.rejected), int(row.duplicates)) for row in counted.frame.itertuples()
        }
        compacted = [
            self._compacted(day, fresh[day], lines.get(day, (0, 0, 0)), place, parquet.get(day, Written()))
            for day in unchanged
        ]
        self._register(compacted)
        known.update(self.listed(sorted(fresh), until=days[-1]))  # what came since then, another run may have switched
        self.switch(known, fresh.keys())
        done.days += unchanged
        done.changed += [day for day in days if day not in unchanged]
        done.records += sum(day.records for day in compacted)
        done.raw_bytes += sum(day.raw_bytes for day in compacted)
        done.bytes += sum(day.bytes for day in compacted)
        done.cost_usd += unloaded.cost_usd + counted.cost_usd + self._requests_usd(days, known)

    def _compacted(self, day: str, raw: Raw, lines: tuple[int, int, int], place: str, parquet: Written) -> Compacted:
        """The day's partition. Raises QueryError where Parquet holds more or fewer records than the raw lines."""
        records, rejected, duplicates = lines
        place = generations.day_place(place, day)
        if parquet.records != records:
            raise QueryError(
                f"{day} has {records} records in its raw lines and {parquet.records} in the Parquet that Athena wrote "
                f"to {self.location.url(place)}, so no day of this batch was switched; run it again"
            )
        return Compacted(
            day=day,
            location=self.location.url(place),
            digest=raw.digest,
            records=records,
            rejected=rejected,
            duplicates=duplicates,
            raw_bytes=raw.bytes,
            raw_objects=raw.objects,
            bytes=parquet.bytes,
            objects=parquet.objects,
            schema=glue_tables.schema_version(),
        )

    def _register(self, compacted: list[Compacted]) -> None:
        """Make the partitions; those that are there are replaced in place."""
        table = {"DatabaseName": self._athena.database, "TableName": glue_tables.PARQUET}
        inputs = {day.day: day.partition() for day in compacted}
        if not inputs:
            return
        attempt = f"registering Parquet of {min(inputs)} to {max(inputs)}"
        made = call(attempt, "glue", "batch_create_partition", **table, PartitionInputList=list(inputs.values()))
        there = [error["PartitionValues"][0] for error in _errors(attempt, made, "AlreadyExistsException")]
        if there:
            entries = [{"PartitionValueList": [day], "PartitionInput": inputs[day]} for day in there]
            _errors(attempt, call(attempt, "glue", "batch_update_partition", **table, Entries=entries))

    def switch(self, known: Mapping[str, Raw], fresh: Collection[str]) -> State:
        """Make the view show what it should by now; the state that it was derived from."""
        return catalog.switch(
            self._athena.database, self.location, lambda state: view_of(known, fresh, self.folders(), state)
        )


def _last_day(until: date | None) -> str:
    yesterday = calendar.shifted(calendar.today(), -1)
    if until and until > yesterday:
        raise PeriodError(f"{until} is not over; days up to yesterday ({yesterday}, UTC) can be compacted")
    return (until or yesterday).isoformat()


def _unload_sql(place: str, days: list[str]) -> str:
    columns = ", ".join(column.name for column in schema.record_columns())
    return (
        f"UNLOAD (SELECT {columns} FROM records_raw WHERE dt BETWEEN '{days[0]}' AND '{days[-1]}')\n"
        f"TO '{place}' WITH (format = 'PARQUET', compression = 'ZSTD', partitioned_by = ARRAY['dt'])"
    )


def _counting_sql(days: list[str]) -> str:
    sql = sqlfile.bind(sqlfile.read(_COUNTING), {"start": days[0], "end": days[-1]}, _COUNTING)
    return sql.rstrip().removesuffix(";")


def _errors(attempt: str, answer: Mapping[str, Any], *expected: str) -> list[Any]:
    """The partitions that Glue refused for an expected reason. Raises AwsError for any other."""
    errors: list[Any] = answer.get("Errors") or []
    for error in errors:
        detail = error["ErrorDetail"]
        if detail["ErrorCode"] not in expected:
            raise AwsError(f"{attempt} failed: {detail['ErrorCode']}: {detail['ErrorMessage']}", detail["ErrorCode"])
    return errors

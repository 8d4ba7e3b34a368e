"""Compaction: Athena writes finished days as Parquet, and from then on the view `records` reads them there.

At no moment does a reader see a day twice, half or not at all: Parquet is written where nobody reads, counted against
the raw lines, registered as partitions behind the view's back, and switched in by one update of the view. A run that
ends at any step leaves orphans only. Two at once do the work twice and no harm: partitions are made and replaced,
never deleted, and of a day that a run has not listed itself it leaves the view as it found it.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from analytics_lib import aws, prices, schema
from analytics_lib import period as calendar
from analytics_lib.engines import catalog, cost, glue_tables, line_counts
from analytics_lib.engines.catalog import State
from analytics_lib.engines.engine import Result
from analytics_lib.engines.glue_tables import Compacted
from analytics_lib.errors import CostError, LakeError, PeriodError, QueryError
from analytics_lib.location import Location
from analytics_lib.remote import s3
from analytics_lib.settings import Athena
from analytics_lib.upkeep import generations, setup
from analytics_lib.upkeep.changes import call, differences
from analytics_lib.upkeep.generations import Written

Execute = Callable[[str, str], Result]  # one statement, exactly as it is, and what to call it in messages
BATCH_DAYS = 92  # Athena writes at most 100 partitions at a time, Glue takes 100
_SCANS = 2  # a day's raw lines are read to write them and to count them
_LISTINGS = 3


@dataclass(frozen=True, slots=True)
class Raw:
    """A day's raw objects: digest and number of those that readers take, bytes of all that a query opens."""

    digest: str
    bytes: int
    objects: int


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
    state = catalog.read_state(athena.database, location)
    run = _Run(location, athena, execute, Compaction(last, dry_run))
    run.require_current_views()
    end = max(last, state.watermark)
    run.known = run.listed(day for day in {*run.folders(), *state.days} if day <= end)
    if not dry_run:
        state = run.switch(fresh=run.known)
    days = sorted(day for day, raw in run.known.items() if day <= last and outdated(raw, state.days.get(day)))
    run.check(days, state)
    if not dry_run:
        run.compact(days, progress)
    return run.done


def outdated(raw: Raw, compacted: Compacted | None) -> bool:
    """True where the day has objects and no Parquet, or Parquet of other objects or of another schema."""
    if compacted is None:
        return raw.objects > 0
    return (compacted.digest, compacted.schema) != (raw.digest, glue_tables.schema_version())


def batches(waiting: Iterable[str], known: Iterable[str]) -> Iterator[list[str]]:
    """The waiting days in runs that no other known day interrupts: between the ends of each nothing else is read."""
    for is_waiting, run in groupby(sorted(known), key=set(waiting).__contains__):
        days = list(run)
        if is_waiting:
            yield from (days[first : first + BATCH_DAYS] for first in range(0, len(days), BATCH_DAYS))


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
    """The steps, over one lake: `known` is what the run has listed, `done` what it did."""

    def __init__(self, location: Location, athena: Athena, execute: Execute, done: Compaction) -> None:
        self.location = location
        self.known: dict[str, Raw] = {}
        self.done = done
        self._athena = athena
        self._execute = execute
        self._prices = prices.load(aws.client("athena").meta.region_name)
        self._again = f"run: analytics-lib athena setup --data {location}"

    def folders(self) -> list[str]:
        return s3.days(self.location)[0]

    def listed(self, days: Iterable[str]) -> dict[str, Raw]:
        """What lies in each of the days; few are in memory at a time."""
        found = s3.list_days(self.location, days)
        return {day.day: Raw(day.digest, day.bytes, len(day.objects)) for day in found}

    def require_current_views(self) -> None:
        """Raise LakeError where another version made what `records` is switched between: its readers would fail."""
        database = self._athena.database
        views = (glue_tables.view(database, name) for name in ("records_raw", "sessions", "tool_calls"))
        for wanted in (*views, glue_tables.parquet(self.location)):
            name = f"{database}.{wanted['Name']}"
            found = call(f"reading {name}", "glue", "get_table", DatabaseName=database, Name=wanted["Name"])["Table"]
            if any(differences(wanted, found)):
                raise LakeError(f"{name} is not as this version of analytics-lib makes it; {self._again}")

    def check(self, waiting: list[str], state: State) -> None:
        """Raise what speaks against compacting these days; of a dry run, `done` says what it would do."""
        if unseen := state.unseen(waiting):
            raise LakeError(f"queries do not see {', '.join(unseen[:3])}, older than the days at set-up; {self._again}")
        sizes = [sum(self.known[day].bytes for day in batch) for batch in batches(waiting, self.known)]
        usd = _SCANS * sum(map(self._prices.query_usd, sizes)) + self._requests_usd(waiting)
        if usd > self._athena.max_usd:
            raise CostError(
                f"compacting {len(waiting)} days may cost {usd:.4f} USD, above the ceiling of "
                f"{self._athena.max_usd:g} USD, so nothing was run: take fewer days with --until, or allow more "
                f"with --max-usd"
            )
        if self.done.dry_run:
            self.done.days, self.done.raw_bytes, self.done.cost_usd = waiting, sum(sizes), usd

    def _requests_usd(self, days: Iterable[str]) -> float:
        """Those of the two scans, and of the three times that this run lists a day."""
        objects = [self.known[day].objects for day in days]
        return self._prices.requests_usd(_SCANS * sum(objects), (_SCANS + _LISTINGS) * sum(map(s3.lists, objects)))

    def compact(self, waiting: list[str], progress: Callable[[int, int], None]) -> None:
        """Compact the days; where a query fails, the halves of its days, so that one bad day stops no other."""
        queue = deque(batches(waiting, self.known))
        while queue:
            days = queue.popleft()
            progress(self.done.tried, len(waiting))
            try:
                self._compact(days)
            except QueryError as error:
                if middle := len(days) // 2:
                    queue.extendleft((days[middle:], days[:middle]))
                else:
                    self.done.failed[days[0]] = str(error)
            progress(self.done.tried, len(waiting))
        if self.done.failed:
            reasons = "\n".join(f"{day}: {reason}" for day, reason in self.done.failed.items())
            raise QueryError(f"{self.done.text()}\nnot compacted, and still read as JSON:\n{reasons}")

    def _compact(self, days: list[str]) -> None:
        """Write, count, compare and register the days, and switch the view; `known` and `done` follow."""
        origin, place = f"compacting {days[0]} to {days[-1]}", generations.new_place(self._athena.database)
        unloaded = self._execute(_unload_sql(self.location.url(place), days), origin)
        # the place makes the text one of its own: no earlier result may be reused
        counted = self._execute(f"{line_counts.sql(days)}\n-- for {place}", origin)
        fresh = self.listed(day for day in {*days, *self.folders()} if days[0] <= day <= days[-1])
        changed = [day for day in days if fresh[day].digest != self.known[day].digest]
        parquet = generations.written(self.location, place, unloaded)
        lines = {
            row.dt: (int(row.records), int(row.rejected), int(row.duplicates)) for row in counted.frame.itertuples()
        }
        compacted = [
            self._compacted(day, fresh[day], lines.get(day, (0, 0, 0)), place, parquet.get(day, Written()))
            for day in days
            if day not in changed
        ]
        generations.register(self._athena.database, compacted)
        self.known.update(self.listed(fresh))  # what came since then, another run may have switched
        self.switch(fresh)
        self.done.days += [day.day for day in compacted]
        self.done.changed += changed
        self.done.records += sum(day.records for day in compacted)
        self.done.raw_bytes += sum(day.raw_bytes for day in compacted)
        self.done.bytes += sum(day.bytes for day in compacted)
        self.done.cost_usd += unloaded.cost_usd + counted.cost_usd + self._requests_usd(days)

    def _compacted(self, day: str, raw: Raw, lines: tuple[int, int, int], place: str, parquet: Written) -> Compacted:
        """The day's partition. Raises QueryError where Parquet holds more or fewer records than the raw lines."""
        records, rejected, duplicates = lines
        url = self.location.url(f"{place}dt={day}/")
        if parquet.records != records:
            raise QueryError(
                f"{day} has {records} records in its raw lines and {parquet.records} in the Parquet that Athena wrote "
                f"to {url}, so no day of this batch was switched; run it again"
            )
        return Compacted(
            day=day,
            location=url,
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

    def switch(self, fresh: Collection[str]) -> State:
        """Make the view show what it should by now, the `fresh` days just listed; the state that it follows from."""
        return setup.switch(
            self._athena.database, self.location, lambda state: view_of(self.known, fresh, self.folders(), state)
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

"""What the Glue catalogue says of a lake: which days are compacted, and where; `upkeep.setup` makes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analytics_lib import aws, period
from analytics_lib.engines.glue_tables import LATE, LINES, MADE, PARQUET, RECORDS, WATERMARK, Compacted, Entry
from analytics_lib.errors import AwsError, LakeError
from analytics_lib.location import Location

_RANGE = "projection.dt.range"


@dataclass(frozen=True, slots=True)
class State:
    """What is compacted: days up to `watermark` but for the `late` ones are read from Parquet, all others as JSON.

    `days` are the partitions that compaction registered, `places` those of all partitions; `root` is the lake that the
    database shows, `first_day` the first that queries see; `version` is that of the view `records`, which keeps
    watermark and late days.
    """

    watermark: str
    late: frozenset[str]
    days: Mapping[str, Compacted]
    root: str = ""
    version: str = ""
    first_day: str = ""
    places: frozenset[str] = frozenset()

    def unseen(self, days: Iterable[str]) -> list[str]:
        """Those of the days that no query sees: before the lake's first day at set-up, or after tomorrow."""
        return outside(days, self.first_day)

    def is_compacted(self, day: str) -> bool:
        """True where readers take the day from Parquet."""
        return day <= self.watermark and day not in self.late


def read_state(database: str, location: Location | None = None) -> State:
    """What is compacted. Raises LakeError where nothing is set up, or not for the lake at `location`; AwsError."""
    tables = {name: table for name, table in tables_of(database).items() if is_made(table)}
    if missing := sorted({LINES, PARQUET, RECORDS} - tables.keys()):
        raise LakeError(
            f"the Glue database {database} lacks {', '.join(missing)}; "
            f"set it up with: analytics-lib athena setup --data {location or 's3://BUCKET/PREFIX'} "
            f"--database {database}"
        )
    state = state_of(database, tables)
    if location and state.root != str(location):
        raise LakeError(f"the Glue database {database} shows {state.root}; name another for {location} with --database")
    return state


def days_outside(days: Iterable[str], database: str) -> list[str]:
    """Those of the days that no query sees: before the lake's first day at set-up, or after tomorrow."""
    table = tables_of(database).get(LINES)
    return outside(days, table["Parameters"][_RANGE].split(",")[0]) if table and is_made(table) else []


def state_of(database: str, tables: Mapping[str, Entry]) -> State:
    """The state that the entries keep; nothing is compacted where the Parquet table is gone."""
    if not {PARQUET, RECORDS} <= tables.keys():
        return State("", frozenset(), {})
    kept = tables[RECORDS].get("Parameters", {})
    late = frozenset(filter(None, kept.get(LATE, "").split(",")))
    with aws.explained(f"reading which days are compacted in the Glue database {database}"):
        pages = aws.client("glue").get_paginator("get_partitions")
        asked = {"DatabaseName": database, "TableName": PARQUET, "ExcludeColumnSchema": True}
        listed = list(pages.paginate(**asked).search("Partitions[]"))
    return State(
        kept.get(WATERMARK, ""),
        late,
        {each.day: each for each in map(Compacted.told_by, listed) if each},
        root=tables[LINES]["StorageDescriptor"]["Location"].removesuffix("/sessions/") if LINES in tables else "",
        version=tables[RECORDS].get("VersionId", ""),
        first_day=tables[LINES]["Parameters"][_RANGE].split(",")[0] if LINES in tables else "",
        places=frozenset(partition["StorageDescriptor"]["Location"] for partition in listed),
    )


def tables_of(database: str) -> dict[str, Entry]:
    """Name -> entry of every table and view; none where the database is missing."""
    try:
        with aws.explained(f"reading the tables of the Glue database {database}"):
            pages = aws.client("glue").get_paginator("get_tables").paginate(DatabaseName=database)
            return {table["Name"]: table for table in pages.search("TableList[]")}
    except AwsError as error:
        if error.code == "EntityNotFoundException":
            return {}
        raise


def is_made(entry: Mapping[str, Any]) -> bool:
    """True for what analytics_lib made: a database, table or view."""
    return all(entry.get("Parameters", {}).get(name) == value for name, value in MADE.items())


def outside(days: Iterable[str], first: str) -> list[str]:
    """Those of the days that lie before the first one or after tomorrow."""
    tomorrow = period.shifted(period.today(), 1).isoformat()
    return [day for day in days if not first <= day <= tomorrow]

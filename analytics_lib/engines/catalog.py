"""The catalogue on AWS: making, comparing and removing what `glue_tables` describes, and the state that it keeps."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from analytics_lib import aws, period
from analytics_lib.engines import glue_tables, workgroup
from analytics_lib.engines.changes import Change, Outcome, call, compared, found
from analytics_lib.engines.glue_tables import (
    LATE,
    LINES,
    MADE,
    PARQUET,
    PARQUET_FOLDER,
    RECORDS,
    ROOT,
    SESSIONS_FOLDER,
    VIEWS,
    WATERMARK,
    Compacted,
    Entry,
)
from analytics_lib.errors import AwsError, LakeError
from analytics_lib.lake import s3
from analytics_lib.lake.s3 import Location
from analytics_lib.settings import Athena

Tables = Mapping[str, Entry]

_RANGE = "projection.dt.range"
_WORDS = {"create": "missing", "update": "differs", "keep": "current"}


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
        return _outside(days, self.first_day)

    def is_compacted(self, day: str) -> bool:
        """True where readers take the day from Parquet."""
        return day <= self.watermark and day not in self.late


def setup(location: Location, athena: Athena, *, dry_run: bool = False) -> Outcome:
    """Make what is missing and update what differs; no query runs, and nothing of anybody else is touched.

    What is compacted stays so. Raises LakeError where the lake is not there or a name is taken, and AwsError.
    """
    planned = _planned(location, athena)
    if not dry_run:
        planned.carry_out()
    return planned


def status(location: Location, athena: Athena) -> Outcome:
    """What is there against what this version of the library makes: missing, differs or current. Raises as `setup`."""
    planned = _planned(location, athena)
    state = _state(athena.database, _tables(athena.database))
    compacted = sum(map(state.is_compacted, state.days))
    notes = (
        f"days read from Parquet: {compacted}, none after {state.watermark}" if compacted else "no day is compacted",
        *(f"sessions/dt={day}/ is read as JSON until it is compacted again" for day in sorted(state.late)),
    )
    changes = tuple(replace(change, action=_WORDS[change.action]) for change in planned.changes)
    return Outcome(changes, (*planned.notes, *notes))


def teardown(location: Location, athena: Athena, *, dry_run: bool = False) -> Outcome:
    """Remove what `setup` made, and say where what is never removed lies. Raises LakeError, AwsError."""
    notes = [f"{location.url(folder)} stays" for folder in (SESSIONS_FOLDER, PARQUET_FOLDER, workgroup.RESULTS_FOLDER)]
    changes = list(_removals(location, athena.database, notes))
    if others := sorted(_databases_of(location) - {athena.database}):
        notes.append(f"the workgroup and the rule stay: the Glue database {others[0]} shows this lake, too")
    else:
        changes += workgroup.removals(location, athena)
    outcome = Outcome(tuple(changes), tuple(notes))
    if not dry_run:
        outcome.carry_out()
    return outcome


def _removals(location: Location, name: str, notes: list[str]) -> Iterator[Change]:
    database, tables = _database(name), _tables(name)
    if not database:
        return
    _require_ours(database, {}, location, name)
    ours = [table for table in tables.values() if _is_made(table)]
    for kind in ("view", "table"):
        for table in ours:
            if kind == _kind(table):
                yield Change(kind, table["Name"], "delete", run=partial(_drop, name, table["Name"]))
    if others := sorted(tables.keys() - {table["Name"] for table in ours}):
        notes.append(f"the Glue database {name} stays: analytics-lib did not make {', '.join(others)} in it")
        return
    remove = partial(call, f"removing the Glue database {name}", "glue", "delete_database", Name=name)
    yield Change("database", name, "delete", run=remove)


def _databases_of(location: Location) -> set[str]:
    """The databases that show the lake."""
    with aws.explained("reading the Glue databases"):
        pages = aws.client("glue").get_paginator("get_databases").paginate()
        listed = list(pages.search("DatabaseList[]"))
    return {each["Name"] for each in listed if each.get("Parameters", {}).get(ROOT) == str(location)}


def _drop(database: str, table: str) -> None:
    import awswrangler

    with aws.explained(f"removing {database}.{table} from the Glue catalogue"):
        awswrangler.catalog.delete_table_if_exists(database=database, table=table)


def read_state(database: str, location: Location | None = None) -> State:
    """What is compacted. Raises LakeError where nothing is set up, or not for the lake at `location`; AwsError."""
    tables = {name: table for name, table in _tables(database).items() if _is_made(table)}
    if missing := sorted({LINES, PARQUET, RECORDS} - tables.keys()):
        raise LakeError(
            f"the Glue database {database} lacks {', '.join(missing)}; "
            f"set it up with: analytics-lib athena setup --data {location or 's3://BUCKET/PREFIX'} "
            f"--database {database}"
        )
    state = _state(database, tables)
    if location and state.root != str(location):
        raise LakeError(f"the Glue database {database} shows {state.root}; name another for {location} with --database")
    return state


def switch(
    database: str, location: Location, wanted: Callable[[State], tuple[str, frozenset[str]]], attempts: int = 5
) -> State:
    """Give the view `records` the watermark and late days that are wanted, in one update; the state they follow from.

    Where somebody else was faster, they are asked for again. Raises LakeError, AwsError.
    """
    state = read_state(database, location)
    watermark, late = wanted(state)
    if (watermark, late) == (state.watermark, state.late):
        return state
    try:
        entry = {"TableInput": glue_tables.records_view(database, watermark, late), "VersionId": state.version}
        call(f"switching {database}.records", "glue", "update_table", DatabaseName=database, **entry)
        return state
    except AwsError as error:
        if error.code != "ConcurrentModificationException" or attempts == 1:
            raise
    time.sleep(random.uniform(0, 1))
    return switch(database, location, wanted, attempts - 1)


def days_outside(days: Iterable[str], database: str) -> list[str]:
    """Those of the days that no query sees: before the lake's first day at set-up, or after tomorrow."""
    table = _tables(database).get(LINES)
    return _outside(days, table["Parameters"][_RANGE].split(",")[0]) if table and _is_made(table) else []


def _outside(days: Iterable[str], first: str) -> list[str]:
    tomorrow = period.shifted(period.today(), 1).isoformat()
    return [day for day in days if not first <= day <= tomorrow]


def _planned(location: Location, athena: Athena) -> Outcome:
    days, ignored = s3.days(location)
    first = min([*days, period.today().isoformat()])
    notes = [f"{each.file} is ignored: {each.reason}" for each in ignored]
    notes += [
        f"sessions/dt={day}/ lies in the future: queries see no day after tomorrow" for day in _outside(days, first)
    ]
    if not days:
        notes.append(f"no day lies in {location} yet: queries will see the days from today on")
    changes = list(_catalogue(location, athena.database, first, notes))
    return Outcome((*changes, *workgroup.planned(location, athena, notes)), tuple(notes))


def _catalogue(location: Location, name: str, first_day: str, notes: list[str]) -> Iterator[Change]:
    database, tables = _database(name), _tables(name)
    _require_ours(database, tables, location, name)
    wanted = glue_tables.database(name, location)
    create = partial(call, f"making the Glue database {name}", "glue", "create_database", DatabaseInput=wanted)
    update = partial(call, f"changing the Glue database {name}", "glue", "update_database", DatabaseInput=wanted)
    yield compared("database", name, wanted, database, create=create, update=partial(update, Name=name))
    yield _table(name, glue_tables.lines(location, first_day), tables)
    yield _table(name, glue_tables.parquet(location), tables)
    state = _readable_state(_state(name, tables), notes)
    for view in VIEWS:
        if view == RECORDS:
            entry = glue_tables.records_view(name, state.watermark, state.late)
            yield _table(name, entry, tables, glue_tables.view_sql(view, state.watermark, state.late))
        else:
            yield _table(name, glue_tables.view(name, view), tables, glue_tables.view_sql(view))


def _table(database: str, wanted: Entry, tables: Tables, statement: str = "") -> Change:
    """The change of a table or view; of two at once that change it, Glue refuses one by the version."""
    kind, name = _kind(wanted), wanted["Name"]
    arguments = {"DatabaseName": database, "TableInput": wanted}
    version = {"VersionId": tables[name]["VersionId"]} if "VersionId" in tables.get(name, {}) else {}
    return compared(
        kind,
        name,
        wanted,
        tables.get(name),
        create=partial(call, f"making the {kind} {database}.{name}", "glue", "create_table", **arguments),
        update=partial(call, f"changing the {kind} {database}.{name}", "glue", "update_table", **arguments, **version),
        statement=statement,
    )


def _readable_state(state: State, notes: list[str]) -> State:
    """The state with every day counted as late whose Parquet has other columns than this version writes."""
    outdated = {day for day, each in state.days.items() if each.schema != glue_tables.schema_version()}
    outdated = {day for day in outdated if state.is_compacted(day)}
    if outdated:
        notes.append(f"days read as JSON until compacted again, as their Parquet has other columns: {len(outdated)}")
    return replace(state, late=state.late | outdated)


def _state(database: str, tables: Tables) -> State:
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


def _database(name: str) -> Entry | None:
    attempt = f"reading the Glue database {name}"
    asked = found("EntityNotFoundException", attempt=attempt, service="glue", operation="get_database", Name=name)
    return asked.get("Database")


def _tables(database: str) -> dict[str, Entry]:
    """Name -> entry of every table and view; none where the database is missing."""
    try:
        with aws.explained(f"reading the tables of the Glue database {database}"):
            pages = aws.client("glue").get_paginator("get_tables").paginate(DatabaseName=database)
            return {table["Name"]: table for table in pages.search("TableList[]")}
    except AwsError as error:
        if error.code == "EntityNotFoundException":
            return {}
        raise


def _require_ours(database: Entry | None, tables: Tables, location: Location, name: str) -> None:
    """Raise LakeError where the database or a table of ours has a name that somebody else uses."""
    if not database:
        return
    choose = "Nothing was changed; choose another database with --database"
    if not _is_made(database):
        raise LakeError(f"there is a Glue database {name} that analytics-lib did not make. {choose}")
    shown = database["Parameters"].get(ROOT)
    if shown != str(location):
        raise LakeError(f"the Glue database {name} shows {shown}, not {location}. {choose}")
    taken = [each for each in (LINES, PARQUET, *VIEWS) if each in tables and not _is_made(tables[each])]
    if taken:
        raise LakeError(f"analytics-lib did not make {', '.join(taken)} in the Glue database {name}. {choose}")


def _kind(table: Mapping[str, Any]) -> str:
    return "view" if table.get("TableType") == "VIRTUAL_VIEW" else "table"


def _is_made(entry: Mapping[str, Any]) -> bool:
    return all(entry.get("Parameters", {}).get(name) == value for name, value in MADE.items())

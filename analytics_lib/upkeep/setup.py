"""The catalogue on AWS: making, comparing and removing what `glue_tables` describes."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from analytics_lib import aws, period
from analytics_lib.engines import glue_tables
from analytics_lib.engines.catalog import State, is_made, outside, read_state, state_of, tables_of
from analytics_lib.engines.glue_tables import (
    LINES,
    PARQUET,
    PARQUET_FOLDER,
    RECORDS,
    RESULTS_FOLDER,
    ROOT,
    SESSIONS_FOLDER,
    VIEWS,
    Entry,
)
from analytics_lib.errors import AwsError, LakeError
from analytics_lib.location import Location
from analytics_lib.remote import s3
from analytics_lib.settings import Athena
from analytics_lib.upkeep import workgroup
from analytics_lib.upkeep.changes import Change, Outcome, call, compared, found

Tables = Mapping[str, Entry]

_WORDS = {"create": "missing", "update": "differs", "keep": "current"}


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
    state = state_of(athena.database, tables_of(athena.database))
    compacted = sum(map(state.is_compacted, state.days))
    notes = (
        f"days read from Parquet: {compacted}, none after {state.watermark}" if compacted else "no day is compacted",
        *(f"sessions/dt={day}/ is read as JSON until it is compacted again" for day in sorted(state.late)),
    )
    changes = tuple(replace(change, action=_WORDS[change.action]) for change in planned.changes)
    return Outcome(changes, (*planned.notes, *notes))


def teardown(location: Location, athena: Athena, *, dry_run: bool = False) -> Outcome:
    """Remove what `setup` made, and say where what is never removed lies. Raises LakeError, AwsError."""
    notes = [f"{location.url(folder)} stays" for folder in (SESSIONS_FOLDER, PARQUET_FOLDER, RESULTS_FOLDER)]
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
    database, tables = _database(name), tables_of(name)
    if not database:
        return
    _require_ours(database, {}, location, name)
    ours = [table for table in tables.values() if is_made(table)]
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


def _planned(location: Location, athena: Athena) -> Outcome:
    days, ignored = s3.days(location)
    first = min([*days, period.today().isoformat()])
    notes = [f"{each.file} is ignored: {each.reason}" for each in ignored]
    notes += [
        f"sessions/dt={day}/ lies in the future: queries see no day after tomorrow" for day in outside(days, first)
    ]
    if not days:
        notes.append(f"no day lies in {location} yet: queries will see the days from today on")
    changes = list(_catalogue(location, athena.database, first, notes))
    return Outcome((*changes, *workgroup.planned(location, athena, notes)), tuple(notes))


def _catalogue(location: Location, name: str, first_day: str, notes: list[str]) -> Iterator[Change]:
    database, tables = _database(name), tables_of(name)
    _require_ours(database, tables, location, name)
    wanted = glue_tables.database(name, location)
    create = partial(call, f"making the Glue database {name}", "glue", "create_database", DatabaseInput=wanted)
    update = partial(call, f"changing the Glue database {name}", "glue", "update_database", DatabaseInput=wanted)
    yield compared("database", name, wanted, database, create=create, update=partial(update, Name=name))
    yield _table(name, glue_tables.lines(location, first_day), tables)
    yield _table(name, glue_tables.parquet(location), tables)
    state = _readable_state(state_of(name, tables), notes)
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


def _database(name: str) -> Entry | None:
    attempt = f"reading the Glue database {name}"
    asked = found("EntityNotFoundException", attempt=attempt, service="glue", operation="get_database", Name=name)
    return asked.get("Database")


def _require_ours(database: Entry | None, tables: Tables, location: Location, name: str) -> None:
    """Raise LakeError where the database or a table of ours has a name that somebody else uses."""
    if not database:
        return
    choose = "Nothing was changed; choose another database with --database"
    if not is_made(database):
        raise LakeError(f"there is a Glue database {name} that analytics-lib did not make. {choose}")
    shown = database["Parameters"].get(ROOT)
    if shown != str(location):
        raise LakeError(f"the Glue database {name} shows {shown}, not {location}. {choose}")
    taken = [each for each in (LINES, PARQUET, *VIEWS) if each in tables and not is_made(tables[each])]
    if taken:
        raise LakeError(f"analytics-lib did not make {', '.join(taken)} in the Glue database {name}. {choose}")


def _kind(table: Mapping[str, Any]) -> str:
    return "view" if table.get("TableType") == "VIRTUAL_VIEW" else "table"

"""Generations: what one UNLOAD wrote, a folder of Parquet files below `<root>/parquet/` with a sub-folder a day.

A generation is never changed. The partition of a day names the one sub-folder that readers take; every other is an
orphan, left by a run that was stopped or replaced because the day has changed since.
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analytics_lib import aws
from analytics_lib.engines import catalog
from analytics_lib.engines.engine import Result
from analytics_lib.engines.glue_tables import PARQUET, PARQUET_FOLDER, Compacted
from analytics_lib.errors import AwsError, QueryError
from analytics_lib.location import Location
from analytics_lib.remote import s3
from analytics_lib.settings import Athena
from analytics_lib.upkeep.changes import call

_TIME = "%Y%m%dT%H%M%SZ"
DAY_PLACE = re.compile(
    re.escape(PARQUET_FOLDER) + r"[^/]+/(?P<made>\d{8}T\d{6}Z)-[0-9a-f]{32}/dt=(?P<day>\d{4}-\d{2}-\d{2})/", re.ASCII
)
_DAY = timedelta(days=1)
_SIDE_BY_SIDE = 16
_FOOTER_BYTES = 65_536  # nearly every footer fits


@dataclass(frozen=True, slots=True)
class Written:
    """The Parquet of one day: files, bytes, rows."""

    objects: int = 0
    bytes: int = 0
    records: int = 0


def new_place(database: str) -> str:
    """A folder that nobody else writes to, below the database's own; its name begins with the time, for `orphans`."""
    return f"{PARQUET_FOLDER}{database}/{datetime.now(UTC).strftime(_TIME)}-{uuid.uuid4().hex}/"


def folder_of(key: str) -> str:
    """The folder that an object lies in."""
    return f"{key.rpartition('/')[0]}/"


def written(location: Location, place: str, unloaded: Result) -> dict[str, Written]:
    """What lies in a generation, by day, from a LIST and the files' footers.

    Raises QueryError where the files are not exactly those that Athena says it wrote, and AwsError.
    """
    sizes = {place + found.name: found.size for found in s3.all_below(location, place)}
    lie_there, told = {location.url(key) for key in sizes}, _manifest(unloaded)
    if lie_there != told:
        raise QueryError(
            f"Athena says that it wrote {len(told)} files to {location.url(place)} (query {unloaded.query_id}); "
            f"{len(lie_there)} lie there, {len(lie_there & told)} of them the same. Nothing was switched; run it again"
        )
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        rows = list(pool.map(lambda key: _rows(location, key), sizes))
    days: dict[str, Written] = {}
    for (key, size), records in zip(sizes.items(), rows, strict=True):
        day = folder_of(key).removeprefix(f"{place}dt=").removesuffix("/")
        before = days.get(day, Written())
        days[day] = Written(before.objects + 1, before.bytes + size, before.records + records)
    return days


def register(database: str, compacted: Iterable[Compacted]) -> None:
    """Make the partitions of the days, 100 at most; those that are there are replaced in place. Raises AwsError."""
    inputs = {day.day: day.partition() for day in compacted}
    if not inputs:
        return
    table = {"DatabaseName": database, "TableName": PARQUET}
    attempt = f"registering Parquet of {min(inputs)} to {max(inputs)}"
    made = call(attempt, "glue", "batch_create_partition", **table, PartitionInputList=list(inputs.values()))
    there = [error["PartitionValues"][0] for error in _errors(attempt, made, "AlreadyExistsException")]
    if there:
        entries = [{"PartitionValueList": [day], "PartitionInput": inputs[day]} for day in there]
        _errors(attempt, call(attempt, "glue", "batch_update_partition", **table, Entries=entries))


def _errors(attempt: str, answer: Mapping[str, Any], *expected: str) -> list[Any]:
    """The partitions that Glue refused for an expected reason. Raises AwsError for any other."""
    errors: list[Any] = answer.get("Errors") or []
    for error in errors:
        detail = error["ErrorDetail"]
        if detail["ErrorCode"] not in expected:
            raise AwsError(f"{attempt} failed: {detail['ErrorCode']}: {detail['ErrorMessage']}", detail["ErrorCode"])
    return errors


def clean(location: Location, athena: Athena, *, older_than: timedelta = _DAY, dry_run: bool = False) -> list[str]:
    """Remove the Parquet that no partition has named for that long; the folders, relative to the root, in order.

    A query that began before a day was switched may read the old folder to its end, half an hour at most; a folder
    that has vanished would read as no rows, without an error. Raises LakeError, AwsError.
    """
    # The folders are listed first: whatever was registered by then is seen to be in use.
    below = f"{PARQUET_FOLDER}{athena.database}/"
    keys = [below + found.name for found in s3.all_below(location, below)]
    state = catalog.read_state(athena.database, location)
    in_use = [place.removeprefix(f"{location}/") for place in state.places]
    found = orphans(keys, in_use, older_than)
    if not dry_run:
        s3.remove(location, found)
    return sorted({folder_of(key) for key in found})


def orphans(keys: Iterable[str], in_use: Iterable[str], older_than: timedelta) -> list[str]:
    """Those of the keys that no reader can need any more; `in_use`: the folders that partitions name.

    A folder is an orphan since it was made or, where its day was written again, since then. Names of another form are
    somebody else's and stay.
    """
    limit = (datetime.now(UTC) - older_than).strftime(_TIME)
    used = set(in_use)
    replaced = {found["day"]: found["made"] for found in map(DAY_PLACE.fullmatch, used) if found}

    def is_orphan(folder: str) -> bool:
        found = DAY_PLACE.fullmatch(folder)
        return bool(found and folder not in used and max(found["made"], replaced.get(found["day"], "")) < limit)

    return [key for key in keys if is_orphan(folder_of(key))]


def _manifest(unloaded: Result) -> set[str]:
    """The addresses of the files that an UNLOAD wrote."""
    if not unloaded.manifest:
        return set()
    bucket, _, key = unloaded.manifest.removeprefix("s3://").partition("/")
    with aws.explained(f"reading the list of files {unloaded.manifest}"):
        text = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return {line.strip('"') for line in text.splitlines()}


def _rows(location: Location, key: str) -> int:
    """The number of rows by the footer, the only part of the file that is fetched."""
    tail = _tail(location, key, _FOOTER_BYTES)
    needed = int.from_bytes(tail[-8:-4], "little") + 8
    if needed > len(tail):
        tail = _tail(location, key, needed)
    try:
        return int(pq.read_metadata(pa.BufferReader(b"PAR1" + tail)).num_rows)
    except pa.ArrowInvalid as error:
        raise QueryError(f"{location.url(key)}, written by Athena, is no Parquet file: {error}") from error


def _tail(location: Location, key: str, length: int) -> bytes:
    with aws.explained(f"reading {location.url(key)}"):
        answer = aws.client("s3").get_object(Bucket=location.bucket, Key=location.key(key), Range=f"bytes=-{length}")
        return bytes(answer["Body"].read())

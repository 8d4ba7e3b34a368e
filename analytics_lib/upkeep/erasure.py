"""Erasing all through a lake: its files, the Parquet that was made of them, and this machine's copy of a lake on S3."""

from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_lib.engines import catalog
from analytics_lib.engines.glue_tables import PARQUET, PARQUET_FOLDER
from analytics_lib.engines.s3duckdb import cache_folder
from analytics_lib.location import Location
from analytics_lib.remote.stores import Bucket, Folder
from analytics_lib.remote.transfer import side_by_side
from analytics_lib.upkeep import erase as lake
from analytics_lib.upkeep import setup
from analytics_lib.upkeep.changes import call
from analytics_lib.upkeep.erase import Erased, Subject
from analytics_lib.upkeep.generations import DAY_PLACE, folder_of

Progress = Callable[[int, int], None]
_COLUMNS = {"_session_id": "session_id", "caller_key": "caller_key"}


def erase(
    store: Folder | Bucket, subject: Subject, *, thorough: bool = False, dry_run: bool, progress: Progress
) -> Erased:
    """Remove the subject's records from the lake; repeated, it finds what a stopped one has left.

    On S3 the raw objects go first: whatever compacts at the same time sees that their days have changed. Raises
    AwsError, OutputError, and LakeError, before anything is removed where the Glue database of Parquet with such a
    record is not there to be switched.
    `thorough`: on S3, objects at the keys of other sessions are opened as well.
    """
    if isinstance(store, Folder):
        return lake.erase(store, subject, dry_run=dry_run, progress=progress)
    compacted = _holding(store, subject, progress)
    databases = {path.split("/")[1] for path in compacted}
    for database in databases:
        catalog.read_state(database, store.location)
    suspected = {path.rpartition("/dt=")[2][:10] for path in compacted}
    done = lake.erase(store, subject, suspected=suspected, thorough=thorough, dry_run=dry_run, progress=progress)
    if not dry_run:
        places = {store.location.url(folder_of(path)) for path in compacted}
        for database in databases:
            _read_as_json(store.location, database, places)
        for path in compacted:
            store.replace(path, b"")
    done.places += [("delete", path, lines) for path, lines in sorted(compacted.items())]
    cache = cache_folder(store.location)
    if (cache / "sessions").is_dir():
        copied = lake.erase(Folder(cache), subject, dry_run=dry_run)
        done.places += [(what, f"{cache}/{path}", lines) for what, path, lines in copied.places]
        done.unread += [(f"{cache}/{path}", reason) for path, reason in copied.unread]
    return done


def _holding(store: Bucket, subject: Subject, progress: Progress) -> dict[str, int]:
    """The Parquet files, also those that no partition names any more, with the subject's records, and how many.

    A file is a cache of its day, so that with one record of it the whole of it may go; of a day of several files, all.
    """
    paths = [path for path, _ in store.found(PARQUET_FOLDER) if DAY_PLACE.fullmatch(folder_of(path))]
    found: dict[str, int] = {}
    with closing(side_by_side(lambda path, stopped: (path, _count(store, path, subject)), iter(paths))) as counted:
        for number, (path, records) in enumerate(counted, 1):
            progress(number, len(paths))
            found[path] = records
    folders = {folder_of(path) for path, records in found.items() if records}
    return {path: records for path, records in found.items() if folder_of(path) in folders}


def _count(store: Bucket, path: str, subject: Subject) -> int:
    file = pq.ParquetFile(pa.BufferReader(store.read(path)))
    column = _COLUMNS[subject.field]
    if column not in file.schema_arrow.names:  # written before the record had it
        return 0
    return int(pc.sum(pc.equal(file.read([column])[column], subject.value)).as_py() or 0)


def _read_as_json(location: Location, database: str, places: Collection[str]) -> None:
    """Have readers take the days whose Parquet lies at these places from raw lines, until they are compacted again.

    Their partitions lose the digest as well: a compaction that has listed such a day before must not switch it back.
    """
    named = [each for each in catalog.read_state(database, location).days.values() if each.location in places]
    for each in named:
        attempt = f"marking {each.day} in {database}.{PARQUET} as erased"
        partition = {"PartitionValueList": [each.day], "PartitionInput": replace(each, digest="erased").partition()}
        call(attempt, "glue", "update_partition", DatabaseName=database, TableName=PARQUET, **partition)
    days = {each.day for each in named}
    setup.switch(
        database, location, lambda now: (now.watermark, now.late | {day for day in days if day <= now.watermark})
    )

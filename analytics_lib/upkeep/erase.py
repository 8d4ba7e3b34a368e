"""Erasing all through a lake: its files, the Parquet that was made of them, and this machine's copy of a lake on S3."""

import gzip
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_lib.delivery.shapes import pieces
from analytics_lib.engines import catalog
from analytics_lib.engines.glue_tables import PARQUET, PARQUET_FOLDER
from analytics_lib.engines.s3duckdb import cache_folder
from analytics_lib.errors import LakeError
from analytics_lib.gzipped import Unread
from analytics_lib.lake import files
from analytics_lib.location import Location
from analytics_lib.remote import copies, sync
from analytics_lib.remote.stores import Bucket, Folder, unpacked
from analytics_lib.remote.transfer import side_by_side
from analytics_lib.upkeep import setup
from analytics_lib.upkeep.adopt import ORIGINALS
from analytics_lib.upkeep.changes import call
from analytics_lib.upkeep.generations import DAY_PLACE, folder_of
from analytics_lib.upkeep.subject import Subject

Progress = Callable[[int, int], None]
_NOTHING = "nothing lies under {store}/sessions/ and {store}/rejected/"


@dataclass(slots=True)
class Erased:
    """What was removed, or would be. `places`: what happened to a file or folder, and how many lines of it.

    `unread`: files that could not be looked into, with the reason. `notes`: what a person should know besides.
    """

    lines: int = 0
    places: list[tuple[str, str, int]] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def erase(
    store: Folder | Bucket,
    subject: Subject,
    *,
    thorough: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda done, total: None,
) -> Erased:
    """Remove the subject's records from the lake, also from files that no reader opens; `progress` in files.

    Raises AwsError, OutputError, and LakeError, before anything is removed where the Glue database of Parquet with
    such a record is not there to be switched. What is removed by then stays so; repeated, it finds what is left.
    On S3, objects at another session's key are not opened, but on days whose Parquet has the subject or if
    `thorough`: it is one request each.
    """
    if isinstance(store, Folder):
        return _erase_folder(store, subject, dry_run, progress)
    return _erase_bucket(store, subject, thorough, dry_run, progress)


def _erase_bucket(store: Bucket, subject: Subject, thorough: bool, dry_run: bool, progress: Progress) -> Erased:
    """The raw objects go first: whatever compacts at the same time sees that their days have changed."""
    compacted = _holding(store, subject, progress)
    databases = {path.split("/")[1] for path in compacted}
    for database in databases:
        catalog.read_state(database, store.location)
    there = _raw(store)
    suspected = {path.rpartition("/dt=")[2][:10] for path in compacted}
    opened = [path for path in there if thorough or not subject.is_elsewhere(path, suspected)]
    done = _erase_lines(store, opened, subject, dry_run, progress)
    if not dry_run:
        places = {store.location.url(folder_of(path)) for path in compacted}
        for database in databases:
            _read_as_json(store.location, database, places)
        for path in compacted:
            store.replace(path, b"")
    done.places += [("delete", path, lines) for path, lines in sorted(compacted.items())]
    cache = cache_folder(store.location)
    if (cache / "sessions").is_dir():
        copied = _erase_folder(Folder(cache), subject, dry_run)
        done.places += [(what, f"{cache}/{path}", lines) for what, path, lines in copied.places]
        done.unread += [(f"{cache}/{path}", reason) for path, reason in copied.unread]
    if unopened := len(there) - len(opened):
        done.notes.append(f"{unopened:,} objects at the keys of other sessions were not opened; --thorough opens them")
    if not there:
        done.notes.append(_NOTHING.format(store=store))
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
    if subject.column not in file.schema_arrow.names:  # written before the record had it
        return 0
    return int(pc.sum(pc.equal(file.read([subject.column])[subject.column], subject.value)).as_py() or 0)


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


def _erase_folder(
    store: Folder, subject: Subject, dry_run: bool, progress: Progress = lambda done, total: None
) -> Erased:
    """Where sync fills the folder, it waits, and what is removed is taken off what it remembers."""
    if not store.root.exists():
        raise LakeError(f"there is no folder {store}; name the lake by the folder that holds sessions/: --data ROOT")
    files.sessions_folder(store.root)
    is_synced = bool(copies.days(store.root))
    with sync.held(store.root) if is_synced and not dry_run else nullcontext():
        there = _raw(store)
        done = _erase_lines(store, there, subject, dry_run, progress)
        if is_synced and not dry_run:
            _forget(store.root, done)
    if is_synced:
        done.notes.append(f"{store} holds copies made by sync: erase at their source as well, or they come back")
    if not there:
        done.notes.append(_NOTHING.format(store=store))
    return done


def _raw(store: Folder | Bucket) -> list[str]:
    return [path for below in ("sessions/", "rejected/", ORIGINALS) for path, _ in store.found(below)]


def _erase_lines(
    store: Folder | Bucket, paths: Sequence[str], subject: Subject, dry_run: bool, progress: Progress
) -> Erased:
    """What was removed from these files, in the order of their paths."""
    done = Erased()
    tasks = iter(paths)
    with closing(side_by_side(lambda path, stopped: _erase_from(store, subject, dry_run, path), tasks)) as arriving:
        for number, one in enumerate(arriving, 1):
            progress(number, len(paths))
            done.lines += one.lines
            done.places += one.places
            done.unread += one.unread
    done.places.sort(key=lambda place: place[1])
    done.unread.sort()
    return done


def _erase_from(store: Folder | Bucket, subject: Subject, dry_run: bool, path: str) -> Erased:
    """What was removed from one file. One that adopting moved aside goes whole: its records lie in the lake."""
    try:
        content = store.read(path)
        if path.startswith(ORIGINALS):
            left, lines = b"", sum(subject.is_named_in(piece.value or piece.text) for piece in pieces(content))
        else:
            left, lines = subject.without(unpacked(path, content))
    except Unread as reason:
        return Erased(unread=[(path, str(reason))])
    if not lines:
        return Erased()
    left = left if left.strip() else b""
    if not dry_run:
        store.replace(path, gzip.compress(left, mtime=0) if left and path.endswith(".gz") else left)
    return Erased(lines, [("rewrite" if left else "delete", path, lines)])


def _forget(root: Path, done: Erased) -> None:
    """Take the removed files off what sync remembers: their names tell the session."""
    gone: dict[str, set[str]] = defaultdict(set)
    for what, path, _ in done.places:
        folder, _, name = path.rpartition("/")
        if what == "delete" and folder.startswith("sessions/dt="):
            gone[folder.removeprefix("sessions/dt=")].add(name)
    for day, names in gone.items():
        before = copies.read(root, day)
        copies.write(root, day, {name: copy for name, copy in before.items() if name not in names})

"""What sync remembers of a day: of which objects its files are copies.

It lies outside `sessions/`, in `<root>/.sync/days/<day>.json`, and is written before the first object of the day is
fetched. So after any crash it is known which files are sync's own, and, by their size, which of them are there.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from analytics_lib.errors import OutputError
from analytics_lib.location import Location
from analytics_lib.remote.s3 import Stored

STATE = ".sync"
_ENDING = re.compile(r"\.(json|jsonl|ndjson)(\.gz)?\Z")
_LONGEST_NAME_BYTES = 255


class Copy(NamedTuple):
    """The object of a file: name in its day's folder, ETag, size."""

    name: str
    etag: str
    size: int


Copies = dict[str, Copy]  # by the name of the file
_UNKNOWN = Copy("", "", -1)


class Plan(NamedTuple):
    """What a day is to consist of, what of it is to be fetched, and the files to remove before."""

    copies: Copies
    missing: list[Copy]
    unwanted: set[str]


def plan(location: Location, root: Path, day: str, objects: Iterable[Stored], *, in_cache: bool = False) -> Plan:
    """How the day becomes these objects. Raises OutputError where a file that sync did not bring is in the way.

    `in_cache`: every file of the day is sync's own, whatever is remembered of it.
    """
    folder = day_folder(root, day)
    before, sizes = read(root, day), _sizes(folder)
    if in_cache:
        before = dict.fromkeys(sizes, _UNKNOWN) | before
    planned = Plan({}, [], set())
    for file, stored in _named(objects):
        planned.copies[file] = copy = Copy(stored.name, stored.etag, stored.size)
        if file in sizes and file not in before:
            raise OutputError(
                f"{folder / file} was not brought by sync, and a copy of "
                f"{location.url(f'sessions/dt={day}/{stored.name}')} belongs there; nothing was changed in it. "
                f"Move it away, or all of {folder} if {_file(root, day)} was lost or damaged, and repeat the command; "
                "or choose another folder"
            )
        if before.get(file) != copy or sizes.get(file) != stored.size:
            planned.missing.append(copy)
            if sizes.get(file) == stored.size:  # the next run would take it for what is to be fetched
                planned.unwanted.add(file)
    planned.unwanted.update(before.keys() - planned.copies.keys())
    return planned


def missing(root: Path, day: str) -> list[tuple[str, Copy]]:
    """The files that are to be fetched, by what is remembered."""
    sizes = _sizes(day_folder(root, day))
    return [(file, copy) for file, copy in read(root, day).items() if sizes.get(file) != copy.size]


def day_folder(root: Path, day: str) -> Path:
    """Where readers look for the day."""
    return root / "sessions" / f"dt={day}"


def days(root: Path) -> list[str]:
    """The days of which something is remembered, in order."""
    return sorted(path.stem for path in (root / STATE / "days").glob("*.json"))


def part(root: Path) -> str:
    """Of which lake a folder holds a part of the sessions only, as a remark for people; else nothing."""
    try:
        held = json.loads((root / STATE / "source.json").read_bytes())
        return f" ({held['fraction']:g} of the sessions of {held['source']})" if held["fraction"] < 1 else ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def read(root: Path, day: str) -> Copies:
    """What is remembered of the day; nothing where that was lost, so that no file is taken for sync's own."""
    try:
        written = json.loads(_file(root, day).read_bytes())
        return {file: Copy(*values) for file, values in written.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def write(root: Path, day: str, copies: Copies) -> None:
    """Remember this of the day. Raises OSError."""
    file = _file(root, day)
    if not copies:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(copies, separators=(",", ":")))


def write_whole(file: Path, text: str) -> None:
    """Write the file so that it is seen complete or not at all. Raises OSError."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)


def _file(root: Path, day: str) -> Path:
    return root / STATE / "days" / f"{day}.json"


def _named(objects: Iterable[Stored]) -> Iterator[tuple[str, Stored]]:
    """Each object with the name of its file: its own, or a hash of it where the file system cannot hold that.

    Names that differ only in case get different files, too, as some file systems need it.
    """
    taken = set()
    for stored in objects:
        file = stored.name
        if len(file.encode("utf-8", "replace")) > _LONGEST_NAME_BYTES or "\0" in file or file.casefold() in taken:
            ending = _ENDING.search(file)
            file = hashlib.sha256(file.encode("utf-8", "replace")).hexdigest()[:32] + (ending[0] if ending else "")
        taken.add(file.casefold())
        yield file, stored


def _sizes(folder: Path) -> dict[str, int]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
    except FileNotFoundError:
        return {}

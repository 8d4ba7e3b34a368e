"""What sync remembers of a day: which files it brought, of which objects they are copies, and which are missing.

It lies outside `sessions/`, in `<root>/.sync/days/<day>.json`. A day is written down twice: as planned, before the
first object is fetched, and as done. So after any crash it is known which files are sync's own.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from analytics_lib.errors import OutputError
from analytics_lib.lake.files import name_problem
from analytics_lib.lake.s3 import Location, Stored

STATE = ".sync"
_ENDING = re.compile(r"\.(json|jsonl|ndjson)(\.gz)?\Z")
_LONGEST_NAME_BYTES = 255
_AT_ONCE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Copy:
    """The object of a file: name in its day's folder, ETag, size. Not `here`: planned, it may be there or not."""

    name: str
    etag: str
    size: int
    here: bool


Copies = dict[str, Copy]  # by the name of the file


def compared(location: Location, root: Path, day: str, objects: Iterable[tuple[str, Stored]]) -> tuple[Copies, int]:
    """The copies that the day is to consist of, and how many further files to read lie there.

    A file that sync did not bring counts as a copy where size and MD5 say so; raises OutputError where they do not.
    """
    before, sizes = read(root, day), _sizes(day_folder(root, day))
    after: Copies = {}
    for file, stored in objects:
        old, copy = before.get(file), Copy(stored.name, stored.etag, stored.size, here=True)
        uncertain = not (old and old.here)
        if sizes.get(file) == stored.size and (old == copy or (uncertain and _same(root, day, file, copy))):
            after[file] = copy
        elif file in sizes and not old:
            raise OutputError(
                f"{day_folder(root, day) / file} was not brought by sync and is no copy of "
                f"{location.url(f'sessions/dt={day}/{stored.name}')}; "
                "nothing was changed in it. Move it away, or sync into another folder"
            )
        else:
            after[file] = replace(copy, here=False)
    return after, sum(not name_problem(file) for file in sizes if file not in after and file not in before)


def named(objects: Iterable[Stored]) -> Iterator[tuple[str, Stored]]:
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


def day_folder(root: Path, day: str) -> Path:
    """Where readers look for the day."""
    return root / "sessions" / f"dt={day}"


def days(root: Path) -> list[str]:
    """The days of which something is remembered, in order."""
    return sorted(path.stem for path in (root / STATE / "days").glob("*.json"))


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
    write_whole(file, json.dumps({name: astuple(copy) for name, copy in copies.items()}, separators=(",", ":")))


def write_whole(file: Path, text: str) -> None:
    """Write the file so that it is seen complete or not at all. Raises OSError."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)


def _file(root: Path, day: str) -> Path:
    return root / STATE / "days" / f"{day}.json"


def _sizes(folder: Path) -> dict[str, int]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
    except FileNotFoundError:
        return {}


def _same(root: Path, day: str, file: str, copy: Copy) -> bool:
    """Whether the file's MD5 is the object's ETag, which it is unless it was uploaded in parts or encrypted by KMS."""
    digest = hashlib.md5(usedforsecurity=False)
    with (day_folder(root, day) / file).open("rb") as content:
        while chunk := content.read(_AT_ONCE_BYTES):
            digest.update(chunk)
    return digest.hexdigest() == copy.etag

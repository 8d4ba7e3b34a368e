"""Which files of a lake are read: the layout `<root>/sessions/dt=YYYY-MM-DD/*.json`."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from analytics_lib.errors import LakeError, PeriodError
from analytics_lib.period import Period, parse_date

_READABLE = re.compile(r"[^._].*\.(json|jsonl|ndjson)(\.gz)?", re.DOTALL)
_FOLDER = re.compile(r"dt=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ignored:
    """An entry that no reader opens; `file` is relative to the lake's root."""

    file: str
    reason: str


def sessions_folder(root: Path) -> Path:
    """`<root>/sessions`. Raises LakeError with the next step where it is not there."""
    folder = root / "sessions"
    if folder.is_dir():
        return folder
    if not root.exists():
        raise LakeError(f"there is no data folder {root}; make sample data with: analytics-lib samples --output {root}")
    if any(root.glob("dt=*")):
        raise LakeError(f"{root} holds the days themselves; give the folder above: --data {root.parent}")
    raise LakeError(f"{root} is no lake: it holds no folder sessions/ with days such as sessions/dt=2026-01-31/")


def day_folders(root: Path) -> tuple[list[str], list[Ignored]]:
    """The days (ISO dates, in order) that have a folder, and what else lies directly under `sessions/`."""
    days, ignored = [], []
    for entry in entries(sessions_folder(root)):
        problem = _folder_problem(entry)
        if problem:
            ignored.append(Ignored(f"sessions/{entry.name}", problem))
        else:
            days.append(entry.name.removeprefix("dt="))
    return sorted(days), sorted(ignored, key=lambda found: found.file)


def days_within(root: Path, period: Period) -> list[str]:
    """The days of the period that have a folder, in order."""
    return [day for day in day_folders(root)[0] if day in period]


def _folder_problem(entry: os.DirEntry[str]) -> str:
    name = _FOLDER.fullmatch(entry.name)
    if not name:
        return "not a folder named dt=YYYY-MM-DD"
    try:
        parse_date(name[1])
    except PeriodError:
        return "its name holds no date"
    return "" if entry.is_dir() else "not a folder"


def files_of_day(root: Path, day: str) -> tuple[list[str], list[Ignored]]:
    """The names of the files to read in a day's folder, sorted, and what else lies there."""
    names, ignored = [], []
    for entry in entries(root / "sessions" / f"dt={day}"):
        problem = _file_problem(entry)
        if problem:
            ignored.append(Ignored(f"sessions/dt={day}/{entry.name}", problem))
        else:
            names.append(entry.name)
    return sorted(names), sorted(ignored, key=lambda found: found.file)


@contextmanager
def open_day(root: Path, day: str) -> Iterator[int]:
    """A descriptor of the day's folder, to open its files by name alone. Raises LakeError where that cannot be."""
    folder = root / "sessions" / f"dt={day}"
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise LakeError(f"the folder {folder} cannot be opened: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def name_problem(name: str) -> str:
    """Why no reader opens a file of this name; empty where readers do."""
    if name.startswith(("_", ".")):
        return "its name begins with _ or ."
    if not _READABLE.fullmatch(name):
        return "its name ends in none of .json .jsonl .ndjson, nor these with .gz"
    return ""


def _file_problem(entry: os.DirEntry[str]) -> str:
    if entry.is_file(follow_symlinks=False):
        return name_problem(entry.name)
    try:
        mode = entry.stat().st_mode
    except OSError:
        return name_problem(entry.name)  # a broken link: opening it fails, and that is counted
    if stat.S_ISDIR(mode):
        return "a sub-folder"
    return name_problem(entry.name) if stat.S_ISREG(mode) else "not a regular file"


def newest_day(root: Path, until: date = date.max) -> date | None:
    """The last day up to `until` that has a file to read; None where there is none."""
    for day in reversed([day for day in day_folders(root)[0] if day <= until.isoformat()]):
        try:
            if any(not _file_problem(entry) for entry in entries(root / "sessions" / f"dt={day}")):
                return date.fromisoformat(day)
        except LakeError:
            continue  # whoever reads the day counts and names it
    return None


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in the folder, in no order. Raises LakeError where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise LakeError(f"the folder {folder} cannot be listed: {error.strerror}") from error

"""Days of a lake on S3 copied into a folder, which every reader then takes for a lake: for work offline.

Only what is new or has changed is fetched; what was erased on S3 is removed, if sync had brought it. Files that sync
did not bring stay. `<root>/.sync/` holds what it remembers, a lock, so that a second sync of the same folder waits, and
objects that are not complete yet: a reader sees an object whole or not at all, whenever the work is interrupted, and
the next run continues.
"""

import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from analytics_lib.errors import LakeError, OutputError, UsageError
from analytics_lib.lake import files
from analytics_lib.lake.files import Ignored
from analytics_lib.location import Location
from analytics_lib.period import Period
from analytics_lib.remote import copies, s3, transfer
from analytics_lib.remote.copies import STATE, Copy, Plan
from analytics_lib.remote.s3 import Day, Stored

Progress = Callable[[int, int, int, int], None]  # objects fetched, to fetch; bytes fetched, to fetch
_log = logging.getLogger(__name__)
_PATIENCE_SECONDS = 600.0
_SECONDS_BETWEEN = 0.1
_KEY = re.compile(r"(.+)-\d+(?:\.\d+)?\.json", re.DOTALL | re.ASCII)


@dataclass(slots=True)
class Synced:
    """What the period holds on S3 (that fraction of it), and what of it was copied, or would be.

    `removed` files had been brought before and are gone on S3; `ignored` is on S3 and no reader would open it.
    """

    objects: int = 0
    bytes: int = 0
    downloaded: int = 0
    downloaded_bytes: int = 0
    removed: int = 0
    ignored: tuple[Ignored, ...] = ()

    def text(self) -> str:
        """One line for a person, without a verb: what was copied, of how much, and what else there is to know."""
        more = {"removed": self.removed, "ignored": len(self.ignored)}
        return (
            f"{self.downloaded:,} of {self.objects:,} objects, {self.downloaded_bytes / 1e6:,.1f} of "
            f"{self.bytes / 1e6:,.1f} MB" + "".join(f", {number:,} {what}" for what, number in more.items() if number)
        )


def sync(
    location: Location,
    root: Path,
    period: Period,
    *,
    fraction: float = 1.0,
    dry_run: bool = False,
    in_cache: bool = False,
    progress: Progress | None = None,
) -> Synced:
    """Make `root` hold the period's sessions, or that fraction of them: the same sessions each time.

    The fraction is chosen by a hash of the session's id. With `dry_run` nothing is written, only counted.
    With `in_cache` every file of `root` is taken for sync's own, so that what it remembers may be lost there.
    Raises UsageError for a fraction that is none, LakeError where S3 holds no lake, an object vanishes or another
    sync does not end, AwsError, OutputError where `root` cannot be written or holds something else; what is complete
    by then is kept.
    """
    if not 0 < fraction <= 1:
        raise UsageError(f"{fraction} is no fraction of the sessions; give a number above 0, at most 1")
    there, outside = s3.days(location)
    days = [day for day in there if day in period]
    work = _Work(location, root, fraction, in_cache, progress or _quiet)
    with _output_errors(root):
        if dry_run:
            _claim(root, location, fraction, in_cache)
            for _ in work.plans(days, period):
                pass
        else:
            with held(root, aloud=progress is not None) as unfinished:
                copies.write_whole(root / STATE / "source.json", _claim(root, location, fraction, in_cache))
                work.run(days, period, unfinished)
    work.done.ignored = (*outside, *work.done.ignored)
    return work.done


class _Work:
    """One run: it counts into `done` what is to be fetched, then fetches it."""

    def __init__(self, location: Location, root: Path, fraction: float, in_cache: bool, progress: Progress) -> None:
        self.location = location
        self.root = root
        self.fraction = fraction
        self.in_cache = in_cache
        self.progress = progress
        self.done = Synced()

    def run(self, days: list[str], period: Period, unfinished: Path) -> None:
        """Remove what is gone, fetch what is missing."""
        todo = []
        for day, plan in self.plans(days, period):
            folder = copies.day_folder(self.root, day)
            for file in plan.unwanted:
                (folder / file).unlink(missing_ok=True)
            if plan.copies != copies.read(self.root, day):
                copies.write(self.root, day, plan.copies)
            if not plan.copies:
                with suppress(OSError):  # it holds other files
                    folder.rmdir()
            if plan.missing:
                todo.append(day)
        if todo:
            self._fetch(todo, unfinished)

    def plans(self, there: list[str], period: Period) -> Iterator[tuple[str, Plan]]:
        """What is to become of the period's days, those on S3 and those that once were there; it is counted."""
        once = chain(copies.days(self.root), files.day_folders(self.root)[0] if self.in_cache else ())
        gone = {day for day in once if day in period}.difference(there)
        for listed in chain((Day(day, ()) for day in sorted(gone)), s3.list_days(self.location, there)):
            objects = [each for each in listed.objects if self.fraction == 1 or _share(each) < self.fraction]
            plan = copies.plan(self.location, self.root, listed.day, objects, in_cache=self.in_cache)
            done = self.done
            done.objects += len(plan.copies)
            done.bytes += sum(copy.size for copy in plan.copies.values())
            done.downloaded += len(plan.missing)
            done.downloaded_bytes += sum(copy.size for copy in plan.missing)
            done.removed += len(plan.unwanted - plan.copies.keys())
            done.ignored += listed.ignored
            self.progress(0, done.downloaded, 0, done.downloaded_bytes)
            yield listed.day, plan

    def _fetch(self, todo: list[str], unfinished: Path) -> None:
        def tasks() -> Iterator[tuple[Path, str, Copy]]:
            for day in todo:
                folder = copies.day_folder(self.root, day)
                folder.mkdir(parents=True, exist_ok=True)
                for file, copy in copies.missing(self.root, day):
                    yield folder / file, f"sessions/dt={day}/{copy.name}", copy

        def fetch(task: tuple[Path, str, Copy], stopped: threading.Event) -> int:
            to, path, copy = task
            transfer.fetch(self.location, path, to, unfinished, stopped)
            return copy.size

        size = 0
        with closing(transfer.side_by_side(fetch, tasks())) as arriving:
            for number, fetched in enumerate(arriving, 1):
                size += fetched
                self.progress(number, self.done.downloaded, size, self.done.downloaded_bytes)


def _share(stored: Stored) -> float:
    """Where the session's id lies from 0 to 1, evenly spread; names that are no key of ours are taken whole."""
    key = _KEY.fullmatch(stored.name)
    digest = hashlib.sha256((key[1] if key else stored.name).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)


def _claim(root: Path, location: Location, fraction: float, in_cache: bool) -> str:
    """What says that `root` holds copies of this. Raises OutputError where it holds copies of something else."""
    asked = {"source": str(location), "fraction": float(fraction)}
    is_asked = f"{location} (fraction {asked['fraction']})"
    file = root / STATE / "source.json"
    try:
        held = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        held = None
    if not isinstance(held, dict) or held.keys() != asked.keys():
        if copies.days(root) and not in_cache:
            raise OutputError(
                f"{root} holds copies, and {file}, which says of what, is missing or damaged; nothing was changed. "
                f"Choose another folder for copies of {is_asked}; or, if that is what these are, write "
                f"{json.dumps(asked)} into {file} and repeat the command"
            )
    elif held != asked:
        is_held = f"{held['source']} (fraction {held['fraction']})"
        raise OutputError(f"{root} holds copies of {is_held}; choose another folder for copies of {is_asked}")
    return json.dumps(asked, indent=2) + "\n"


@contextmanager
def held(root: Path, *, aloud: bool = True) -> Iterator[Path]:
    """A folder for what is not complete, while no other sync works in `root`. It ends with the process, if killed.

    `aloud`: standard error tells of the other one that is waited for; the kernel of a page must not, it would show it.
    Raises LakeError where the other one takes too long, OSError.
    """
    arriving = root / STATE / "arriving"
    for folder in (root / STATE, root / "sessions"):
        folder.mkdir(parents=True, exist_ok=True)
    with (root / STATE / "lock").open("a+") as lock:
        _wait_for(lock, root, aloud)
        shutil.rmtree(arriving, ignore_errors=True)  # of one that was killed
        arriving.mkdir()
        try:
            yield Path(tempfile.mkdtemp(dir=arriving))
        finally:
            shutil.rmtree(arriving, ignore_errors=True)


def _wait_for(lock: TextIO, root: Path, aloud: bool) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        lock.seek(0)
        other = f"another sync of {root} (process {lock.read()})"
        if time.monotonic() > until:
            raise LakeError(
                f"{other} has not ended in {_PATIENCE_SECONDS / 60:g} minutes; repeat the command when it has, or end "
                "it: what it has copied is kept"
            )
        if aloud:
            _log.warning("waiting for %s", other)
        aloud = False
        time.sleep(_SECONDS_BETWEEN)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()


@contextmanager
def _output_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"copies cannot be written to {error.filename or root}: {error.strerror or error}; what is complete is "
            "kept, repeat the command to continue"
        ) from error


def _quiet(*_: int) -> None:
    pass

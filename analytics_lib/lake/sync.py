"""Days of a lake on S3 copied into a folder, which every reader then takes for a lake: for work offline.

Only what is new or has changed is fetched; what was erased on S3 is removed, if sync had brought it. Files that sync
did not bring stay. `<root>/.sync/` holds what it remembers, a lock, so that a second sync of the same folder waits, and
objects that are not complete yet: a reader sees an object whole or not at all, whenever the work is interrupted, and
the next run continues.
"""

import fcntl
import hashlib
import json
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from analytics_lib.errors import OutputError, UsageError
from analytics_lib.lake import copies, s3, transfer
from analytics_lib.lake.copies import STATE, Copies, Copy
from analytics_lib.lake.files import Ignored
from analytics_lib.lake.s3 import Day, Location, Stored
from analytics_lib.lake.transfer import Fetched
from analytics_lib.period import Period

Progress = Callable[[int, int, int, int], None]  # objects fetched, to fetch; bytes fetched, to fetch
_KEY = re.compile(r"(.+)-\d+(?:\.\d+)?\.json", re.DOTALL | re.ASCII)


@dataclass(slots=True)
class Synced:
    """What the period holds on S3 (that fraction of it), and what of it was copied, or would be.

    `removed` files had been brought before and are gone on S3; `kept` files to read lie there that sync did not bring;
    `ignored` is on S3 and no reader would open it.
    """

    objects: int = 0
    bytes: int = 0
    downloaded: int = 0
    downloaded_bytes: int = 0
    removed: int = 0
    kept: int = 0
    ignored: tuple[Ignored, ...] = ()

    def text(self) -> str:
        """One line for a person, without a verb: what was copied, of how much, and what else there is to know."""
        more = {
            "removed": self.removed,
            "not from there and left alone": self.kept,
            "ignored": len(self.ignored),
        }
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
    progress: Progress | None = None,
) -> Synced:
    """Make `root` hold the period's sessions, or that fraction of them: the same sessions each time.

    The fraction is chosen by a hash of the session's id. With `dry_run` nothing is written, only counted.
    Raises UsageError for a fraction that is none, LakeError where S3 holds no lake or an object vanishes, AwsError,
    OutputError where `root` cannot be written or holds something else; what is complete by then is kept.
    """
    if not 0 < fraction <= 1:
        raise UsageError(f"{fraction} is no fraction of the sessions; give a number above 0, at most 1")
    there, outside = s3.days(location)
    days = [day for day in there if day in period]
    work = _Work(location, root, fraction, progress or _quiet)
    with _output_errors(root):
        if dry_run:
            _claim(root, location, fraction)
            ignored = [found for day in work.days(days, period) for found in work.planned(day)[1]]
        else:
            with held(root) as unfinished:
                copies.write_whole(root / STATE / "source.json", _claim(root, location, fraction))
                ignored = work.run(days, period, unfinished)
    work.done.ignored = (*outside, *ignored)
    return work.done


class _Work:
    """One run: it counts into `done` what is to be fetched, then fetches it."""

    def __init__(self, location: Location, root: Path, fraction: float, progress: Progress) -> None:
        self.location = location
        self.root = root
        self.fraction = fraction
        self.progress = progress
        self.done = Synced()

    def run(self, days: list[str], period: Period, unfinished: Path) -> list[Ignored]:
        """Remove what is gone, fetch what is missing; what is on S3 and ignored."""
        todo: list[str] = []
        ignored: list[Ignored] = []
        for listed in self.days(days, period):
            after, more, gone = self.planned(listed)
            ignored += more
            for file in gone:
                (copies.day_folder(self.root, listed.day) / file).unlink(missing_ok=True)
            if after != copies.read(self.root, listed.day):
                copies.write(self.root, listed.day, after)
            if not after:
                with suppress(OSError):  # it holds other files
                    copies.day_folder(self.root, listed.day).rmdir()
            if any(not copy.here for copy in after.values()):
                todo.append(listed.day)
        if todo:
            self._fetch(todo, unfinished)
        return ignored

    def days(self, there: list[str], period: Period) -> Iterator[Day]:
        """The period's days on S3, and those that once were there."""
        gone = [day for day in copies.days(self.root) if day in period and day not in set(there)]
        yield from (Day(day, ()) for day in gone)
        yield from s3.list_days(self.location, there)

    def planned(self, listed: Day) -> tuple[Copies, tuple[Ignored, ...], set[str]]:
        """What the day is to consist of, what is ignored on S3, and the files that are gone there."""
        objects = [each for each in listed.objects if self.fraction == 1 or _share(each) < self.fraction]
        after, kept = copies.compared(self.location, self.root, listed.day, copies.named(objects))
        gone = copies.read(self.root, listed.day).keys() - after.keys()
        missing = [copy.size for copy in after.values() if not copy.here]
        done = self.done
        done.objects += len(after)
        done.bytes += sum(copy.size for copy in after.values())
        done.downloaded += len(missing)
        done.downloaded_bytes += sum(missing)
        done.removed += len(gone)
        done.kept += kept
        self.progress(0, done.downloaded, 0, done.downloaded_bytes)
        return after, listed.ignored, gone

    def _fetch(self, todo: list[str], unfinished: Path) -> None:
        began: dict[str, Copies] = {}
        left: dict[str, int] = {}

        def tasks() -> Iterator[tuple[str, str]]:
            for day in todo:
                found = copies.read(self.root, day)
                missing = [file for file, copy in found.items() if not copy.here]
                copies.day_folder(self.root, day).mkdir(parents=True, exist_ok=True)
                began[day], left[day] = found, len(missing)
                yield from ((day, file) for file in missing)

        def fetch(task: tuple[str, str], stopped: threading.Event) -> tuple[str, str, Fetched]:
            day, file = task
            path, to = f"sessions/dt={day}/{began[day][file].name}", copies.day_folder(self.root, day) / file
            return *task, transfer.fetch(self.location, path, to, unfinished, stopped)

        objects = size = 0
        try:
            with closing(transfer.side_by_side(fetch, tasks())) as arriving:
                for day, file, fetched in arriving:
                    objects, size = objects + 1, size + began[day][file].size
                    began[day][file] = Copy(began[day][file].name, fetched.etag, fetched.size, here=True)
                    left[day] -= 1
                    if not left[day]:
                        copies.write(self.root, day, began.pop(day))
                    self.progress(objects, self.done.downloaded, size, self.done.downloaded_bytes)
        finally:
            with suppress(OSError):  # the plan is there: the next run finds out what is complete
                for day, found in list(began.items()):
                    copies.write(self.root, day, found)


def _share(stored: Stored) -> float:
    """Where the session's id lies from 0 to 1, evenly spread; names that are no key of ours are taken whole."""
    key = _KEY.fullmatch(stored.name)
    digest = hashlib.sha256((key[1] if key else stored.name).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)


def _claim(root: Path, location: Location, fraction: float) -> str:
    """What says that `root` holds copies of this. Raises OutputError where it holds copies of something else."""
    asked = {"source": str(location), "fraction": float(fraction)}
    try:
        held = json.loads((root / STATE / "source.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        held = asked
    if held != asked:
        is_held, is_asked = (f"{each.get('source')} (fraction {each.get('fraction')})" for each in (held, asked))
        raise OutputError(f"{root} holds copies of {is_held}; choose another folder for copies of {is_asked}")
    return json.dumps(asked, indent=2) + "\n"


@contextmanager
def held(root: Path) -> Iterator[Path]:
    """A folder for what is not complete, while no other sync works in `root`."""
    arriving = root / STATE / "arriving"
    for folder in (root / STATE, root / "sessions"):
        folder.mkdir(parents=True, exist_ok=True)
    with (root / STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(arriving, ignore_errors=True)  # of one that was killed
        arriving.mkdir()
        try:
            yield Path(tempfile.mkdtemp(dir=arriving))
        finally:
            shutil.rmtree(arriving, ignore_errors=True)


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

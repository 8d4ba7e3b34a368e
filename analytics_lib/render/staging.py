"""The output folder, changed all at once or not at all.

Reports are made in a hidden folder inside it (the same file system, so that a rename is one step) and renamed
into place when all are done. Whatever ends a run early leaves the folder as it was.

    <output>/.analytics-run-1f0c.../new/lead_funnel/    being made
                                   /old/lead_funnel/    the last good one, moved aside, deleted last
"""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from analytics_lib.errors import OutputError

PREFIX = ".analytics-run-"
STALE_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Staging:
    """A run's hidden folder `root` inside `output`; `place` is `output` with links and dots resolved."""

    output: Path
    place: Path
    root: Path

    def folder(self, name: str) -> Path:
        """A new folder in which the report `name` is made."""
        with explained(self.output):
            folder = self.root / "new" / name
            folder.mkdir(parents=True)
            return folder

    def final(self, name: str, text: str) -> str:
        """The notebook's JSON `text`, with the report's folder wherever it names the hidden one."""
        return text.replace(_in_json(self.root / "new" / name), _in_json(self.place / name))

    def fail(self, name: str, text: str) -> Path | None:
        """The path `failed/NAME.ipynb`, to which `text` was written; None where that is impossible."""
        kept = self.output / "failed" / f"{name}.ipynb"
        try:
            kept.parent.mkdir(exist_ok=True)
            draft = self.root / kept.name
            draft.write_text(text, "utf-8")
            draft.replace(kept)
        except OSError:
            return None
        return kept

    def commit(self, names: Sequence[str]) -> None:
        """Puts the reports into place. When that fails, the old ones are back, and it raises OutputError."""
        with explained(self.output), _alone(self.place):
            (self.root / "old").mkdir()
            try:
                for name in names:
                    self._swap(name)
            except BaseException:
                for name in names:
                    self._swap_back(name)
                raise
            for name in names:
                (self.place / "failed" / f"{name}.ipynb").unlink(missing_ok=True)
            with suppress(OSError):
                (self.place / "failed").rmdir()

    def _swap(self, name: str) -> None:
        target = self.place / name
        if target.is_dir():
            target.rename(self.root / "old" / name)
        elif target.exists():
            raise FileExistsError(errno.EEXIST, "a file is where the report's folder should be", str(target))
        (self.root / "new" / name).rename(target)

    def _swap_back(self, name: str) -> None:
        """Undoes `_swap`, wherever that was stopped."""
        new, old, target = self.root / "new" / name, self.root / "old" / name, self.place / name
        if not new.exists():
            target.rename(new)
        if old.exists():
            old.rename(target)


@contextmanager
def staged(output: Path) -> Iterator[Staging]:
    """A hidden folder inside `output`, gone afterwards, and `output` too if it was made and is left empty."""
    place = output.resolve()
    made = [folder for folder in (place, *place.parents) if not folder.exists()]
    root = place / f"{PREFIX}{uuid.uuid4().hex[:12]}"
    try:
        with explained(output):
            _make(place, root)
            _remove_leftovers(place)
        yield Staging(output, place, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def _make(place: Path, root: Path) -> None:
    for tries_left in (2, 1, 0):
        place.mkdir(parents=True, exist_ok=True)
        try:
            return root.mkdir(mode=0o700)
        except FileNotFoundError:  # another run made the folder, failed, and took it away again
            if not tries_left:
                raise
    return None


def _remove_leftovers(place: Path) -> None:
    """Hidden folders of runs that were killed more than a day ago."""
    for leftover in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime < STALE_SECONDS:
                continue
            for saved in (leftover / "old").glob("*"):
                if not (place / saved.name).exists():  # killed between two renames: this is the last good one
                    saved.rename(place / saved.name)
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keeps a second run from moving folders at the same time, where the system has such locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder = os.open(place, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def explained(output: Path) -> Iterator[None]:
    """Turns what the file system refuses into an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(explanation(output, error)) from error


def explanation(output: Path, error: OSError) -> str:
    """Where reports could not be written, why, and what to do."""
    reason, advice = error.strerror or str(error), "Name another folder with --output."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason, advice = "the disk is full", "Free some space (a report takes about 1 MB) and run it again."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        reason, advice = f"{reason} ({error.filename})", "Name a folder that you may write to with --output."
    elif output.is_file():
        reason = "it is a file, not a folder"
    elif error.filename and str(error.filename) != str(output):
        reason = f"{reason} ({error.filename})"
    return f"Cannot write reports to {output}: {reason}. {advice} No report there was changed."


def _in_json(path: Path) -> str:
    import json

    return json.dumps(str(path), ensure_ascii=False)[1:-1]

"""The output folder, changed all at once or not at all.

Reports are made in a hidden folder inside it (the same file system, so that a rename is one step) and renamed
into place when all are done. Whatever ends a run early leaves the folder as it was.
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analytics_lib.errors import OutputError

_PREFIX = ".analytics-run-"
_STALE_SECONDS = 24 * 60 * 60


@contextmanager
def staged(output: Path) -> Iterator[Path]:
    """A hidden folder inside `output`, gone afterwards, and `output` too if it was made and is left empty."""
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    try:
        with explained(output):
            output.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(output)
            hidden = TemporaryDirectory(prefix=_PREFIX, dir=output, ignore_cleanup_errors=True)
        with hidden as stage:
            yield Path(stage).resolve()
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def commit(stage: Path, output: Path, names: Sequence[str]) -> None:
    """Renames `<stage>/NAME` to `<output>/NAME` for all names. When one fails, the old ones are put back."""
    undo: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        source.rename(target)
        undo.append((target, source))

    with _alone(output):
        try:
            for name in names:
                if (output / name).is_dir():
                    move(output / name, stage / f"{name}.old")
                move(stage / name, output / name)
        except BaseException:
            for target, source in reversed(undo):
                target.rename(source)
            raise
        for name in names:
            (output / "failed" / f"{name}.ipynb").unlink(missing_ok=True)
        with suppress(OSError):
            (output / "failed").rmdir()


def keep_failed(output: Path, name: str, notebook: Any) -> Path | None:
    """The path `failed/NAME.ipynb`, to which the notebook was written; None where that is impossible."""
    import nbformat

    kept = output / "failed" / f"{name}.ipynb"
    try:
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(nbformat.writes(notebook) + "\n", "utf-8")
    except (OSError, AttributeError):  # no kernel came up, so there is no notebook
        return None
    return kept


@contextmanager
def explained(output: Path) -> Iterator[None]:
    """Turns what the file system refuses into an OutputError."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror} ({error.filename2 or error.filename})"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "the disk is full"
        elif output.is_file():
            reason = "it is a file, not a folder"
        raise OutputError(
            f"Cannot write reports to {output}: {reason}. Name a folder that you may write to with --output. "
            f"No report there was changed."
        ) from error


def _remove_leftovers(output: Path) -> None:
    """Hidden folders of runs that were killed more than a day ago."""
    for leftover in output.glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):  # a run that ends now takes its own away
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps a second run from moving folders at the same time."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

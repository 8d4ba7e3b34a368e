"""Folders in the temporary folder that nothing of ours stays in: what a killed process left, a later one removes."""

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_PREFIX = "analytics_lib-"


class Scratch:
    """A new, private folder at `path`, removed on leaving, by `remove`, or when this object or the process ends.

    A lock on it says that its process lives. Whoever makes one removes those of this user whose lock is free.
    """

    def __init__(self) -> None:
        _remove_abandoned()
        self.path, descriptor = _made()
        self.remove = weakref.finalize(self, _remove, self.path, descriptor)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def _made() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        descriptor = _locked(path)
        if descriptor is not None:
            with suppress(FileNotFoundError):  # somebody took it for abandoned before it was locked
                if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                    return path, descriptor
            os.close(descriptor)


def _locked(path: str | Path) -> int | None:
    """A descriptor that holds the folder's lock; None where another process holds it or the folder is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned() -> None:
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                descriptor = _locked(entry.path)
                if descriptor is not None:
                    _remove(Path(entry.path), descriptor)


def _remove(path: Path, descriptor: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(descriptor)

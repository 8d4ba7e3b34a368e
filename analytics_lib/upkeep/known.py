"""Which files of a source were adopted whole: kept beside the target, so that the next run opens only others."""

import hashlib
import heapq
import threading
import time
from array import array
from bisect import bisect_left
from itertools import groupby, pairwise

from analytics_lib.errors import AnalyticsError
from analytics_lib.gzipped import Unread
from analytics_lib.remote.stores import Bucket, Folder

PATH = "adopted/files"  # below the target; no reader looks there
_BYTES = 8
_SAVE_SECONDS = 30.0


class Known:
    """Fingerprints of (source, path, size, ETag or time), eight bytes each: a million files take eight megabytes.

    Forgetting one costs a file that is opened again, nothing more; so two runs at once do no harm, nor does a damaged
    file.
    """

    def __init__(self, target: Folder | Bucket, source: str) -> None:
        self._target, self._source = target, source.encode("utf-8", "surrogateescape")
        self._sorted = _stored(target)
        self._new: set[int] = set()
        self._one = threading.Lock()
        self._saved = time.monotonic()

    def fingerprint(self, path: str, stamp: str) -> int:
        """Another number for another path, size, ETag or time."""
        told = b"\0".join((self._source, path.encode("utf-8", "surrogateescape"), stamp.encode()))
        return int.from_bytes(hashlib.blake2b(told, digest_size=_BYTES).digest(), "little")

    def __contains__(self, fingerprint: int) -> bool:
        at = bisect_left(self._sorted, fingerprint)
        return at < len(self._sorted) and self._sorted[at] == fingerprint

    def add(self, fingerprint: int) -> None:
        """Remember it; every half minute also on disk or S3. Raises OutputError, AwsError."""
        self._new.add(fingerprint)
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write what is new, beside what another run has written meanwhile. Raises OutputError, AwsError."""
        if not self._new:
            return
        new, self._new = sorted(self._new), set()
        both = heapq.merge(self._sorted, new, _stored(self._target))
        self._sorted = array("Q", (each for each, _ in groupby(both)))
        self._target.write(PATH, self._sorted.tobytes())
        self._saved = time.monotonic()


def _stored(target: Folder | Bucket) -> "array[int]":
    found = array("Q")
    try:
        content = target.read(PATH)
    except (Unread, AnalyticsError):
        return found  # all is opened again
    found.frombytes(content[: len(content) // _BYTES * _BYTES])
    return found if all(one < other for one, other in pairwise(found)) else array("Q")

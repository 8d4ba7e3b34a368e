"""The lines of one file, whatever the file is: large, compressed, damaged, without a line end."""

import os
import tempfile
from collections.abc import Iterator
from itertools import chain
from typing import Protocol

from analytics_lib import gzipped
from analytics_lib.gzipped import Unread

_SMALL_FILE_BYTES = 1 << 16  # a larger buffer costs more than the second read of a larger file
_BLOCK_BYTES = 1 << 23
_IN_MEMORY_BYTES = 1 << 25


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def numbered(name: str, folder: int) -> Iterator[tuple[int, bytes]]:
    """The file's lines in order, without their ends, each with its number from 1.

    `name` is opened relative to the descriptor `folder`: with hundreds of thousands of small files, resolving whole
    paths costs more than reading. Nothing comes out of a `.gz` that cannot be decompressed whole.
    Raises Unread.
    """
    return enumerate(chain.from_iterable(_blocks(name, folder)), 1)


def _blocks(name: str, folder: int) -> Iterator[list[bytes]]:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        try:
            if not name.endswith(".gz"):
                data = os.read(descriptor, _SMALL_FILE_BYTES)
                if len(data) < _SMALL_FILE_BYTES:  # the common case: the whole file in one read
                    yield _whole_lines(data)
                    return
                os.lseek(descriptor, 0, os.SEEK_SET)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                if name.endswith(".gz"):
                    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
                        gzipped.unpack(file, spool)
                        spool.seek(0)
                        yield from _split(spool)
                else:
                    yield from _split(file)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unread(f"cannot be read: {error.strerror or error}") from error


def _whole_lines(data: bytes) -> list[bytes]:
    if b"\r" not in data and data.find(b"\n") in (-1, len(data) - 1):  # one record a file: no need to search twice
        return [data.removesuffix(b"\n")]
    return data.splitlines()


def _split(file: _Readable) -> Iterator[list[bytes]]:
    rest: list[bytes] = []  # what follows the last line end that was seen
    while data := file.read(_BLOCK_BYTES):
        end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1))  # a CR at the very end may be half of a CRLF
        if end < 0:
            rest.append(data)
            continue
        yield b"".join((*rest, data[: end + 1])).splitlines()
        rest = [data[end + 1 :]]
    yield b"".join(rest).splitlines()

"""What gzip files hold, by the rules of the record: whole or not at all, and nothing may follow the last member."""

import zlib
from typing import Protocol

_PACKED_BYTES = 1 << 16  # unpacks to 64 MB at the most
_ONE_MEMBER = 31  # zlib's window bits for one gzip member with header and checksum


class Unread(Exception):  # noqa: N818 - a verdict on a file, which is counted or listed
    """The file cannot be opened or decompressed whole; the text is the reason."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...


def unpack(packed: _Readable, plain: _Writable) -> None:
    """Write what the file holds to `plain`, block by block; zero bytes hold nothing. Raises Unread."""
    member, inside = zlib.decompressobj(_ONE_MEMBER), False
    data = packed.read(_PACKED_BYTES)
    try:
        while data:
            plain.write(member.decompress(data))
            inside, data = not member.eof, member.unused_data
            if member.eof:  # another member may follow; anything else is damage
                member = zlib.decompressobj(_ONE_MEMBER)
            data = data or packed.read(_PACKED_BYTES)
    except zlib.error as error:
        raise Unread(f"damaged gzip: {error}") from None
    if inside:
        raise Unread("damaged gzip: it ends in the middle")

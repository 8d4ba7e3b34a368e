"""Kinesis records that the Kinesis Producer Library (or what writes like it) made of several user records.

Four magic bytes, a message in protocol buffers, the MD5 of the message. Its field 3, repeated, is a message for each
user record, whose field 3 is what the producer put there; the other fields are partition keys and tags.
"""

import hashlib
from collections.abc import Iterator

_MAGIC = b"\xf3\x89\x9a\xc2"
_MD5_BYTES = 16
_RECORDS = _DATA = 3
_FIXED_BYTES = {1: 8, 5: 4}  # by wire type
_VARINT, _SIZED = 0, 2


def user_records(data: bytes) -> list[bytes]:
    """What a producer put into the record, in order; of one that is not aggregated, its data. Raises ValueError."""
    if not data.startswith(_MAGIC):
        return [data]
    message = data[len(_MAGIC) : -_MD5_BYTES]
    if hashlib.md5(message, usedforsecurity=False).digest() != data[-_MD5_BYTES:]:
        raise ValueError("it is aggregated, and its checksum is not that of its user records")
    return [_data(each) for each in _sized(message, _RECORDS)]


def _data(user_record: bytes) -> bytes:
    found = list(_sized(user_record, _DATA))
    if not found:
        raise ValueError("it is aggregated, and one of its user records has no data")
    return found[-1]


def _sized(message: bytes, wanted: int) -> Iterator[bytes]:
    """The values of the field with that number, which have a size before them."""
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            at = _number(message, at)[1]
            continue
        if kind == _SIZED:
            size, at = _number(message, at)
        elif kind in _FIXED_BYTES:
            size = _FIXED_BYTES[kind]
        else:
            raise ValueError(f"it is aggregated, and a field has wire type {kind}")
        if at + size > len(message):
            raise ValueError("it is aggregated, and ends within a field")
        if (field, kind) == (wanted, _SIZED):
            yield message[at : at + size]
        at += size


def _number(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, seven bits a byte, the lowest first; and where it ends."""
    found = 0
    for place, byte in enumerate(message[at : at + 10]):
        found |= (byte & 127) << 7 * place
        if byte < 128:
            return found, at + place + 1
    raise ValueError("it is aggregated, and ends within a number")

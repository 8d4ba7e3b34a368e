"""One log line and what it leaves in the lake: a record, a rejected line, or nothing."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from analytics_lib import numerals, record
from analytics_lib.delivery import forms
from analytics_lib.record import Rejected
from analytics_lib.schema import IDENTITY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDENTITY = tuple(each.name for each in IDENTITY)


class LakeObject(NamedTuple):
    """What lies at `path` below the lake's root: one JSON line. `rejected`: it is no record, but claimed to be one."""

    path: str
    body: bytes
    rejected: bool = False


def lake_object(line: str, received_ms: int) -> LakeObject | None:
    """What the line leaves in the lake, a pure function; None where it does not claim to be a session record.

    `received_ms` is its log event's time in milliseconds since the epoch, UTC; 0 where that is unknown.
    """
    text = forms.without_prefix(line)
    try:
        document = numerals.parse(text.encode("utf-8", "surrogatepass"))
    except Rejected as reason:
        return rejected(line, received_ms, str(reason)) if forms.claims(text) else None
    try:
        found = forms.record_in(document, text)
        return found and _stored(found, received_ms)
    except Rejected as reason:
        return rejected(line, received_ms, str(reason))


def rejected(line: str, received_ms: int, reason: str) -> LakeObject:
    """The line, kept with the reason, on the day of its log event."""
    digest = hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    kept = {
        "reason": reason,
        "line": line.encode("utf-8", "backslashreplace").decode(),  # what is no UTF-8 stays legible
        "received_at": instant(received_ms),
    }
    path = f"rejected/dt={record.day_of(received_ms)}/{received_ms}-{digest}.json"
    return LakeObject(path, _line(numerals.written(kept)), rejected=True)


def instant(ms: int) -> str:
    """A point in time, in milliseconds since the epoch, as ISO 8601 in UTC."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stored(found: forms.Form, received_ms: int) -> LakeObject | None:
    """The record at its key; None for another kind of event. Raises Rejected."""
    filled = found.filled(received_ms)
    fields = found.fields | filled
    identity = record.read({name: numerals.value(fields.get(name)) for name in _IDENTITY}, record=())
    if identity is None:
        return None
    body = numerals.written(fields) if filled or not found.text else found.text.strip(record.BLANKS)
    return LakeObject(record.object_key(identity["_session_id"], identity["_timestamp"]), _line(body))


def _line(text: str) -> bytes:
    """The JSON text as one line: between its tokens, a line end means what a space means."""
    return text.replace("\r", " ").replace("\n", " ").encode() + b"\n"

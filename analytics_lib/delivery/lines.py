"""One log line and what it leaves in the lake: a record, a rejected line, or nothing."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from analytics_lib import numerals, record
from analytics_lib.record import Rejected
from analytics_lib.schema import IDENTITY

_NESTED = ("analytics", "analytics_data")  # where LiveKit's log envelope holds a record
_LENT = ("agent_name", "room_id")  # what a record takes from its envelope where it has none
_CLAIMS = (b"_event_type", b"analytics_data", b'"analytics"', rb"\"analytics\"")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDENTITY = tuple(each.name for each in IDENTITY)


class LakeObject(NamedTuple):
    """What lies at `path` below the lake's root: one JSON line. `rejected`: it is no record, but claimed to be one."""

    path: str
    body: bytes
    rejected: bool = False


class _Found(NamedTuple):
    """A record and what its envelope lends it. `text` is the record's own; none where an envelope held the object."""

    fields: dict[str, Any]
    text: str
    lent: dict[str, str]


def lake_object(line: str, received_ms: int) -> LakeObject | None:
    """What the line leaves in the lake, a pure function; None where it does not claim to be a session record.

    `received_ms` is its log event's time in milliseconds since the epoch, UTC; 0 where that is unknown.
    """
    content = record.content(line.encode("utf-8", "surrogatepass"))
    try:
        found = _find(content)
    except Rejected as reason:
        return rejected(line, received_ms, str(reason)) if any(claim in content for claim in _CLAIMS) else None
    try:
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


def _find(content: bytes) -> _Found | None:
    """The record in one of its three shapes; None where there is none. Raises Rejected where the line is no JSON."""
    document = numerals.parse(content)
    if not isinstance(document, dict):
        return None
    if "_event_type" in document:
        return _Found(document, content.decode(), {})
    texts = {name: document[name] for name in _LENT if isinstance(numerals.value(document.get(name)), str)}
    lent = {name: text for name, text in texts.items() if not _is_unknown(text)}
    for key in _NESTED:
        if isinstance(document.get(key), dict):
            return _Found(document[key], "", lent)
    message = document.get("message")
    try:
        found = _find(record.content(message.encode())) if isinstance(message, str) else None
    except Rejected:
        return None
    return found and found._replace(lent=lent | found.lent)


def _stored(found: _Found, received_ms: int) -> LakeObject | None:
    """The record at its key; None for another kind of event. Raises Rejected."""
    filled = dict(_filled(found, received_ms))
    fields = found.fields | filled
    identity = record.read({name: numerals.value(fields.get(name)) for name in _IDENTITY}, record=())
    if identity is None:
        return None
    body = found.text.strip(record.BLANKS) if found.text and not filled else numerals.written(fields)
    return LakeObject(record.object_key(identity["_session_id"], identity["_timestamp"]), _line(body))


def _filled(found: _Found, received_ms: int) -> Iterator[tuple[str, object]]:
    """The fields that the record lacks (missing or null; a name also: blank) and its envelope or log event has."""
    fields = found.fields
    if not found.text and fields.get("_event_type") is None:
        yield "_event_type", record.SESSION_EVENT
    if not found.text and fields.get("_session_id") is None and "session_id" in fields:
        yield "_session_id", fields["session_id"]
    if fields.get("_timestamp") is None and received_ms:
        yield "_timestamp", received_ms / 1000
    yield from ((name, value) for name, value in found.lent.items() if _is_unknown(fields.get(name)))


def _is_unknown(name: object) -> bool:
    return isinstance(name, str | None) and record.read_text(name) is None


def _line(text: str) -> bytes:
    """The JSON text as one line: between its tokens, a line end means what a space means."""
    return text.replace("\r", " ").replace("\n", " ").encode() + b"\n"

"""The records in a file of any shape, as they are to lie in the lake; what cannot be one is named."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from analytics_lib import numerals, record
from analytics_lib.delivery import forms, lines
from analytics_lib.delivery.mapping import Map, Origins, without
from analytics_lib.delivery.shapes import Piece, pieces
from analytics_lib.record import Rejected
from analytics_lib.schema import IDENTITY

_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC).timestamp()
_DAY_SECONDS = 86400
_ENDING = re.compile(r"(\.(json|jsonl|ndjson))?(\.gz)?\Z", re.IGNORECASE)
_SECONDS = re.compile(r"[1-9]\d{0,15}(\.\d{1,9})?", re.ASCII)
_DATED = re.compile(r"[^=]+=.*|(19|20)\d\d|(19|20)\d\d[-_.]?(0\d|1[0-2])([-_.]?([0-2]\d|3[01]))?", re.ASCII | re.DOTALL)
_PART_OF_DATE = re.compile(r"\d{1,2}", re.ASCII)
_IDENTITY = tuple(field.name for field in IDENTITY)


class Taken(NamedTuple):
    """A record: the line of the file where it begins, its key, its text with a line end.

    `origins` says where each filled field came from, and is empty for one stored as it is. `readable`: the file holds
    it on a line of its own, as readers want it.
    """

    line: int
    key: str
    text: bytes
    origins: Origins
    readable: bool

    @property
    def aside(self) -> "lines.LakeObject":
        """What is kept of it where another text of this session lies at its key: a pure function."""
        ended_ms = int(record.ended_ms(_told(numerals.parse(self.text))["_timestamp"]))
        return lines.rejected(self.text.decode().rstrip("\n"), ended_ms, f"{self.key} holds another text")


class LeftOut(NamedTuple):
    """What cannot be adopted: its line (0: the whole file) and the reason."""

    line: int
    reason: str


class Other(NamedTuple):
    """Another kind of event, or a log line that claims to be no session record."""

    line: int


class Place(NamedTuple):
    """What the place of a file tells of its record, in the layout sessions/<id>/<timestamp>.json; else nothing."""

    session_id: str = ""
    seconds: str = ""

    @classmethod
    def of(cls, path: str, now: float) -> "Place":
        """`path` may have any folders before its last `sessions`; a folder that is part of a date is no id."""
        *folders, name = path.split("/")
        if "sessions" not in folders:
            return cls()
        names = folders[len(folders) - folders[::-1].index("sessions") :]
        seconds = _ENDING.sub("", name)
        if (
            not names
            or any(map(_DATED.fullmatch, names))
            or (names[1:] and any(map(_PART_OF_DATE.fullmatch, names[:-1])))
        ):
            return cls()
        if not _SECONDS.fullmatch(seconds):
            return cls()
        ended = float(seconds) / (1000 if float(seconds) >= 1e11 else 1)
        tomorrow = (now // _DAY_SECONDS + 2) * _DAY_SECONDS
        return cls("/".join(names), seconds) if _EARLIEST <= ended < tomorrow else cls()


def records(path: str, content: bytes, by: Map, now: float | None = None) -> Iterator[Taken | LeftOut | Other]:
    """Every record of the file, and what else is in it, in order; a pure function where `now` (seconds) is given."""
    found = list(pieces(content))
    place = Place.of(path, time.time() if now is None else now)
    for piece in found:
        try:
            taken = _record(piece, by, place, only=len(found) == 1)
            yield taken or Other(piece.line)
        except UnicodeEncodeError:
            yield LeftOut(piece.line, "its folder's name, or a text in it, is not valid UTF-8")
        except (Rejected, RecursionError) as reason:
            yield LeftOut(piece.line, str(reason))


def _record(piece: Piece, by: Map, place: Place, *, only: bool) -> Taken | None:
    """The record that the piece holds; None for another kind of event. Raises Rejected."""
    if piece.reason:
        if piece.log and not forms.claims(piece.text):
            return None
        raise Rejected(piece.reason)
    form = forms.record_in(piece.value, piece.text)
    if not form and piece.log:
        return None
    fields, text, origins = piece.value, piece.text, Origins()
    if form:
        filled = form.filled(piece.received_ms)
        fields, text = form.fields | filled, "" if filled else form.text.strip(record.BLANKS)
    try:
        identity = _told(fields)
    except Rejected:
        fields, origins = by.filled(fields)
        if only and place.session_id:
            fields, origins = _placed(fields, origins, by, place)
        identity = _told(fields)
    if not identity:
        return None
    kept = without(fields, by.drop)
    if not text or origins or kept is not fields or "\n" in text or "\r" in text:
        text = numerals.written(kept, compact=True)
    key = record.object_key(identity["_session_id"], identity["_timestamp"])
    return Taken(piece.line, key, text.encode() + b"\n", origins, piece.alone and text == piece.text)


def _told(fields: Any) -> dict[str, Any]:
    """The record's identity as read; empty for another kind of event. Raises Rejected."""
    return record.read({name: numerals.value(fields.get(name)) for name in _IDENTITY}, record=()) or {}


def _placed(fields: dict[str, Any], origins: Origins, by: Map, place: Place) -> tuple[dict[str, Any], Origins]:
    fields, origins = dict(fields), dict(origins)
    if record.is_unknown(fields.get("_session_id")):
        fields["_session_id"], origins["_session_id"] = place.session_id, "folder"
    if record.is_unknown(fields.get("_timestamp")):
        fields["_timestamp"], origins["_timestamp"] = place.seconds, "file name"
        fields, again = by.filled(fields)
        if numerals.spelled(fields["_timestamp"]) == "":
            fields["_timestamp"] = numerals.numeral(place.seconds)
        origins = again | origins
    return fields, origins

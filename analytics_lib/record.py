"""One record: its JSON line read by the rules of the session record, its identity, its day and its key.

Standard library only: the delivery function judges lines with this module, and so does the local reader whenever a
line is not plainly clean. The rules are those of docs/record.md, "How values are read".
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

from analytics_lib.schema import MARKS, RECORD, Field, Group, Kind

BLANKS = " \t\n\r"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SESSION_EVENT = "analytics"  # what is written
SESSION_EVENTS = (SESSION_EVENT, "session_analytics")  # what is read; any other kind of event is skipped
LARGEST_NUMBER = 1e15
NO_TEXT = "(no text)"  # what a mistyped error reads as that has no words of its own
END_OF_TIME_SECONDS = 253402300799  # 9999-12-31T23:59:59Z; a time in milliseconds lies beyond it
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_KEY_ID = 200

T = TypeVar("T")
Notice = Callable[[str], None]  # is told the dotted path of each mistyped value


class Rejected(ValueError):  # noqa: N818 - a verdict on a line, not a failure of the program
    """The line is no session record and claims to be none that is skipped; the text is the reason."""


class Mistyped(ValueError):  # noqa: N818 - a verdict on a value
    """The value has a type or range that its field does not have."""


def content(line: bytes) -> bytes:
    """The line without a byte order mark before it; empty for a line of blanks only, which is no line."""
    line = line.removeprefix(BYTE_ORDER_MARK)
    return line if line.strip(BLANKS.encode()) else b""


def parse_json(line: bytes, number: Callable[[str], object] = float) -> object:
    """The document of one line by RFC 8259, each number what `number` makes of it. Raises Rejected with the reason."""
    try:
        text = line.decode("utf-8")
        document = json.loads(text, parse_constant=_refuse_constant, parse_int=number, parse_float=number)
        if "\\u" in text:  # an escape may have made an unpaired surrogate, which UTF-8 cannot write
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise Rejected(f"not valid UTF-8 at byte {error.start + 1}") from None
    except UnicodeEncodeError:
        raise Rejected("not JSON: an unpaired surrogate escape") from None
    except json.JSONDecodeError as error:
        reason = error.msg.removesuffix(" at")  # "Unterminated string starting at"
        raise Rejected(f"not JSON: {reason} at character {error.pos + 1}") from None
    except RecursionError:
        raise Rejected("not readable: nested too deeply") from None
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise Rejected(f"not JSON: {name} is no number")


def read(
    document: object, notice: Notice | None = None, record: tuple[Field | Group, ...] = RECORD
) -> dict[str, Any] | None:
    """The record's declared fields with their values as read, unknown ones null; None for another kind of event.

    Mistyped values are null, and `notice` is told their paths. An entry of a repeated group that is no call is None,
    so that the others keep their positions. Raises Rejected with the reason.
    """
    if not isinstance(document, dict):
        raise Rejected("not a JSON object")
    event_type = _required(document, "_event_type", read_text)
    if event_type not in SESSION_EVENTS:
        return None
    identity: dict[str, Any] = {
        "_event_type": event_type,
        "_timestamp": _read_timestamp(document),
        "_session_id": _required(document, "_session_id", read_text),
    }
    notice = notice or _ignore
    found = {part.name: _read_part(part, document, notice) for part in record if part.name not in identity}
    duration = found.get("duration_seconds")
    if isinstance(duration, float) and duration * 1000 > ended_ms(identity["_timestamp"]):
        notice("duration_seconds")
        found["duration_seconds"] = None
    return found | identity


def _ignore(path: str) -> None:
    pass


def _required(document: dict[str, object], name: str, reader: Callable[[object], T | None]) -> T:
    try:
        value = reader(document.get(name))
    except Mistyped as error:
        raise Rejected(f"`{name}` {error}") from None
    if value is None:
        raise Rejected(f"`{name}` is missing" if document.get(name) is None else f"`{name}` is blank")
    return value


def _read_timestamp(document: dict[str, object]) -> float:
    seconds = _required(document, "_timestamp", read_number)
    if not 0 <= seconds < END_OF_TIME_SECONDS:
        hint = "; milliseconds?" if 0 <= seconds / 1000 < END_OF_TIME_SECONDS else ""
        raise Rejected(f"`_timestamp` is {seconds:.15g}, not in seconds since 1970{hint}")
    return seconds


def _read_part(part: Field | Group, parent: dict[str, object], notice: Notice) -> object:
    value = parent.get(part.name)
    if isinstance(part, Field):
        return _read_field(part, value, part.name, notice)
    if part.repeated:
        return _read_entries(part, value, notice)
    if isinstance(value, dict):
        return read_object(part, value, notice)
    if not is_unknown(value):
        notice(part.name)
    return None


def is_unknown(value: object) -> bool:
    """Whether the value says nothing: it is missing, null or a string of blanks only."""
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


def read_object(group: Group, value: dict[str, object], notice: Notice) -> dict[str, object]:
    """The group's declared fields with their values as read; `notice` is told the paths of mistyped ones."""
    return {f.name: _read_field(f, value.get(f.name), f"{group.name}.{f.name}", notice) for f in group.fields}


def _read_entries(group: Group, value: object, notice: Notice) -> list[dict[str, object] | None] | None:
    if not isinstance(value, list):
        if not is_unknown(value):
            notice(group.name)
        return None
    required = [field.name for field in group.fields if field.required]
    entries: list[dict[str, object] | None] = []
    for entry in value:
        found = read_object(group, entry, notice) if isinstance(entry, dict) else None
        if found is None and not is_unknown(entry):
            notice(group.name)
        complete = found is not None and all(found[name] is not None for name in required)
        entries.append(found if complete else None)
    return entries


def _read_field(field: Field, value: object, path: str, notice: Notice) -> object:
    try:
        found = _READERS[field.kind](value) if field.kind is not Kind.TEXTS else _read_texts(value, path, notice)
        if field.not_negative and isinstance(found, float) and found < 0:
            raise Mistyped("is negative")
        if field.zero_is_unknown and found == 0:
            return None
        return lower_case(found) if field.lower_case and isinstance(found, str) else found
    except Mistyped:
        notice(path)
        return _told(value) if field.always_told else None


def _told(value: object) -> str | None:
    """What a value that is no string tells: an object's message, else that it has no text; None where it is empty."""
    if value is False or value in ([], {}):
        return None
    message = value.get("message") if isinstance(value, dict) else None
    return (message.strip(BLANKS) if isinstance(message, str) else "") or NO_TEXT


def read_text(value: object) -> str | None:
    """A string without blanks around it; None where nothing is left. Raises Mistyped for any other type."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Mistyped("is not a string")
    return value.strip(BLANKS) or None


def read_number(value: object) -> float | None:
    """A JSON number, or a string that is written like one. Raises Mistyped for others and beyond +-10^15."""
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            raise Mistyped("is not a number")
        value = float(text)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Mistyped("is not a number")
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise Mistyped("is beyond +-10^15")
    return float(value)


def read_integer(value: object) -> int | None:
    """A number without fraction. Raises Mistyped for any other."""
    number = read_number(value)
    if number is None:
        return None
    if not number.is_integer():
        raise Mistyped("is not a whole number")
    return int(number)


def read_flag(value: object) -> bool | None:
    """True or false, also as a string in any case. Raises Mistyped for any other value."""
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise Mistyped("is not a boolean")
    text = value.strip(BLANKS).lower()
    if text not in ("true", "false", ""):
        raise Mistyped("is not a boolean")
    return text == "true" if text else None


def _read_texts(value: object, path: str, notice: Notice) -> list[str]:
    if is_unknown(value):
        return []
    if not isinstance(value, list):
        raise Mistyped("is not an array")
    texts = []
    for item in value:
        try:
            texts.append(read_text(item))
        except Mistyped:
            notice(path)
    return [text for text in texts if text is not None]


_READERS: dict[Kind, Callable[[object], object]] = {
    Kind.TEXT: read_text,
    Kind.NUMBER: read_number,
    Kind.INTEGER: read_integer,
    Kind.FLAG: read_flag,
}


def lower_case(text: str) -> str:
    """Lower case letter by letter: neither a final sigma nor a dotted I depends on its neighbours."""
    return text.lower() if text.isascii() else "".join(letter.lower()[0] for letter in text)


def unknown_fields(document: dict[str, object]) -> Iterator[str]:
    """The dotted path of every field that the schema does not declare, once for each time it occurs.

    Of an unknown object the topmost key only.
    """
    parts = {part.name for part in (*RECORD, *MARKS)}
    yield from (name for name in document if name not in parts)
    for group in (part for part in RECORD if isinstance(part, Group)):
        value = document.get(group.name)
        entries = (value if isinstance(value, list) else []) if group.repeated else [value]
        known = {field.name for field in group.fields}
        for entry in (entry for entry in entries if isinstance(entry, dict)):
            yield from (f"{group.name}.{name}" for name in entry if name not in known)


def ended_ms(timestamp: float) -> int:
    """`ended_at` in milliseconds since the epoch, UTC."""
    return math.floor(timestamp * 1000 + 0.5)


def day_of(ended_at_ms: int) -> str:
    """The UTC date of a point in time, `YYYY-MM-DD`: where its record belongs."""
    return (_EPOCH + timedelta(milliseconds=ended_at_ms)).date().isoformat()


def object_key(session_id: str, timestamp: float) -> str:
    """Where a record lies below the lake's root: a pure function of its identity, safe as a key and a file name."""
    ended = ended_ms(timestamp)
    seconds = f"{ended // 1000}.{ended % 1000:03d}".rstrip("0").removesuffix(".")
    name = quote(session_id, safe="")  # keeps A-Z a-z 0-9 - . _ ~
    if name.startswith(("_", ".")):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) > _LONGEST_KEY_ID:
        name = f"{name[:160]}~{hashlib.sha256(session_id.encode()).hexdigest()[:32]}"
    return f"sessions/dt={day_of(ended)}/{name}-{seconds}.json"

"""The forms in which a log line holds a session record: bare, in its logger's envelope, in a text in one, and so on.

Documents are those of `numerals`: their numbers are written again as they were.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from analytics_lib import numerals, record
from analytics_lib.record import Rejected

_NESTED = ("analytics", "analytics_data")  # hold the record itself
_HOLDING = ("message", "msg", "log", "event")  # hold any form, as a text or as an object
_LENT = ("agent_name", "room_id")  # what a record takes from its envelopes where it has none
_CLAIMS = ("_event_type", "analytics_data", '"analytics"', r"\"analytics\"")
# A container runtime's; P is a part of a line, which is no JSON, but may claim to be a record.
_PREFIX = re.compile(r"[ \t\r\n]*\d{4}-\d\d-\d\dT[^\s]{1,40} std(?:out|err) [FP] ", re.ASCII)


class Form(NamedTuple):
    """A record as it was found: its fields, its own text where that is known, and what its envelopes lend it.

    `bare`: it names its own kind of event, and nothing stands in for what it lacks.
    """

    fields: dict[str, Any]
    bare: bool
    text: str
    lent: dict[str, str]

    def filled(self, received_ms: int) -> dict[str, object]:
        """The fields that the record lacks and its envelope or log event (milliseconds; 0: unknown) has.

        It lacks what is missing or null, of names also what is blank.
        """
        return dict(self._filled(received_ms))

    def _filled(self, received_ms: int) -> Iterator[tuple[str, object]]:
        fields = self.fields
        if not self.bare and fields.get("_event_type") is None:
            yield "_event_type", record.SESSION_EVENT
        if not self.bare and fields.get("_session_id") is None and "session_id" in fields:
            yield "_session_id", fields["session_id"]
        if fields.get("_timestamp") is None and received_ms:
            yield "_timestamp", received_ms / 1000
        yield from ((name, value) for name, value in self.lent.items() if record.is_unknown(fields.get(name)))


def record_in(document: object, text: str = "") -> Form | None:
    """The record that the document, written as `text`, holds in one of the forms; None where it holds none.

    Raises Rejected where it holds none, but a text that claims to be one and is no JSON. However deep the forms
    nest, each object and text is looked at once.
    """
    broken: Rejected | None = None
    left: list[tuple[object, str, dict[str, str]]] = [(document, text, {})] if isinstance(document, dict) else []
    while left:
        held, text, lent = left.pop()
        if isinstance(held, str):
            name, text = text, without_prefix(held)
            if not text.lstrip(record.BLANKS).startswith("{"):
                continue
            try:
                held = numerals.parse(text.encode("utf-8", "surrogatepass"))
            except Rejected as reason:
                broken = broken or (Rejected(f"{reason} in `{name}`") if claims(text) else None)
                continue
        assert isinstance(held, dict)
        if "_event_type" in held:
            return Form(held, True, text, lent)
        lent = lent | {name: held[name] for name in _LENT if _lends(held.get(name))}
        for name in _NESTED:
            if isinstance(held.get(name), dict):
                return Form(held[name], False, "", lent)
        for name in reversed(_HOLDING):
            if isinstance(inner := held.get(name), str | dict):
                left.append((inner, name if isinstance(inner, str) else "", lent))
    if broken:
        raise broken
    return None


def claims(text: str) -> bool:
    """Whether a text that is no JSON was meant as a session record."""
    return any(claim in text for claim in _CLAIMS)


def without_prefix(line: str) -> str:
    """The line without a byte order mark and a container runtime's prefix, `TIME stdout F `."""
    line = line.removeprefix("\ufeff")
    found = _PREFIX.match(line)
    return line[found.end() :] if found else line


def _lends(name: object) -> bool:
    return isinstance(numerals.value(name), str) and not record.is_unknown(name)

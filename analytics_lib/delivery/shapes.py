"""What lies in one file, whatever its shape: each JSON document or line of text in it, with its line.

A file may be gzipped, also within gzip and member by member; it may hold documents over many lines, one a line, in
arrays or joined without line ends, CloudWatch Logs payloads as Firehose joins them, or the lines `TIME MESSAGE` of
CloudWatch's export. Nothing is lost in silence: what cannot be read is a piece with a reason, and the others follow.
"""

import json
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from analytics_lib import numerals, record
from analytics_lib.record import END_OF_TIME_SECONDS, Rejected

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GZIP = b"\x1f\x8b"
_BETWEEN_MEMBERS = b"\r\n"  # Firehose ends each record with a line end, if so configured
_BLANKS = re.compile(r"[ \t\r\n\ufeff]*")
_LINE_END = re.compile(r"[\r\n]|\Z")
_LINE_OR_OBJECT_END = re.compile(r"[\r\n]|(?<=\})[ \t]*\{|\Z")
_AFTER_OBJECT = re.compile(r'(?<=\})[ \t\r\n]*\{[ \t\r\n]*"')
_REST_OF_LINE = re.compile(r"[ \t]*(?:[\r\n]|\Z)")
_ARRAY = re.compile(r"\[[ \t\r\n]*(?:[\[{\]]|\Z)")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)) (?:std(?:out|err) [FP] )?", re.ASCII
)
_FIRST_KEY = re.compile(r'\{[ \t\r\n]*("(?:[^"\\]|\\.)*")')
_TOKEN = re.compile(r'"(?:[^"\\\r\n]|\\.)*"|[{}\[\]]|[\r\n]+[ \t]*')
_LOG_EVENTS = re.compile(r'"logEvents"[ \t\r\n]*:[ \t\r\n]*\[')
_HEADER = 1 << 14  # characters at most before a payload's log events
_NOT_PLAIN = re.compile(r"NaN|Infinity|\\u|[^\x00-\x7f]")  # where these stand, text may be no JSON that decodes


class Piece(NamedTuple):
    """A document, with numerals, or a text that is none: then `reason` says why.

    `line` counts from 1; 0 stands for the whole file. `log`: it was logged among other lines, at `received_ms` (since
    the epoch, UTC; 0: unknown). `alone`: it is a line of the file, and no other piece is on it.
    """

    line: int
    text: str
    value: Any = None
    reason: str = ""
    log: bool = False
    received_ms: int = 0
    alone: bool = False


def pieces(content: bytes) -> Iterator[Piece]:
    """Every piece of the file, in order; one with a reason where it holds none, or is damaged."""
    plain, damage = _unpacked(content)
    found = False
    for piece in _Scan(plain.decode("utf-8", "surrogateescape")).pieces():
        found = True
        yield piece
    if damage:
        yield Piece(0, "", reason=f"damaged gzip: {damage}")
    elif not found:
        yield Piece(0, "", reason="is empty")


def is_gzip(content: bytes) -> bool:
    """Whether it is gzipped, whatever its name says."""
    return content.startswith(_GZIP)


def _unpacked(content: bytes) -> tuple[bytes, str]:
    """What all whole gzip members hold, and what is wrong with the first that is not."""
    damage = ""
    while is_gzip(content):
        content, problem = _members(content)
        damage = damage or problem
    return content, damage


def _members(content: bytes) -> tuple[bytes, str]:
    whole: list[bytes] = []
    rest = content
    while is_gzip(rest):
        member = zlib.decompressobj(wbits=31)
        try:
            plain = member.decompress(rest)
        except zlib.error as error:
            return b"".join(whole), str(error)
        if not member.eof:
            return b"".join(whole), "it ends in the middle"
        whole.append(plain)
        rest = member.unused_data.lstrip(_BETWEEN_MEMBERS)
    return b"".join(whole), "other bytes follow its last member" if rest else ""


def parsed(text: str) -> dict[str, Any]:
    """The one object that the text is, with numerals. Raises Rejected."""
    value = numerals.parse(text.encode("utf-8", "surrogateescape"))
    if isinstance(value, dict):
        return value
    raise Rejected("not a JSON object")


class _Scan:
    """One reading of a text from its start to its end."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self._arrays = 0  # opened and not closed yet
        self._fresh = True  # nothing but blanks lies before this place on its line
        self._log, self._received_ms = False, 0
        self._in_payload = False  # among the log events of a payload that is broken
        self._line, self._counted = 1, 0

    def pieces(self) -> Iterator[Piece]:
        while self._goes_on():
            start, line = self.at, self._line_of(self.at)
            if self.text[start] not in "{[":
                yield self._line_of_text(line)
                continue
            try:
                value, end = numerals.decode(self.text, start)
                own = self.text[start:end]
                if _NOT_PLAIN.search(own):
                    record.parse_json(own.encode("utf-8", "surrogateescape"))
            except Rejected as reason:
                self.at = end
                yield Piece(line, own, None, str(reason), self._log, self._received_ms)
            except (ValueError, RecursionError) as error:
                yield self._broken(start, line, error)
            else:
                self.at = end
                yield from self._of(value, own, line)
        if self._arrays:
            yield Piece(self._line_of(self.at), "", reason="not JSON: an array is not closed; is the file cut?")

    def _goes_on(self) -> bool:
        """Go to where the next piece begins; False at the end."""
        while True:
            before, self.at = self.at, _BLANKS.match(self.text, self.at).end()  # type: ignore[union-attr]
            skipped = self.text[before : self.at]
            self._fresh = before == 0 or "\n" in skipped or "\r" in skipped
            if self.at == len(self.text):
                return False
            char = self.text[self.at]
            if self._fresh and (time := _TIME.match(self.text, self.at)):
                self._log, self._received_ms, self.at = True, _milliseconds(time[1]), time.end()
                self._fresh = False
                return not _REST_OF_LINE.match(self.text, self.at) or self._goes_on()
            if char == "[" and not self._log and _ARRAY.match(self.text, self.at):
                self._arrays += 1
            elif char == "]" and self._arrays:
                self._arrays -= 1
            elif char != "," or not (self._arrays or before):
                return True
            self.at += 1

    def _line_of_text(self, line: int) -> Piece:
        start = self.at
        ends = _LINE_END if self._log else _LINE_OR_OBJECT_END
        self.at = ends.search(self.text, start).start()  # type: ignore[union-attr]
        own = self.text[start : self.at]
        try:
            parsed(own)
        except Rejected as reason:
            return Piece(line, own, None, str(reason), self._log, self._received_ms)
        raise AssertionError("an object begins with a brace")

    def _broken(self, start: int, line: int, error: Exception) -> Piece:
        """What begins there and is no JSON, up to where the next piece seems to begin."""
        reason = "not readable: nested too deeply"
        if isinstance(error, json.JSONDecodeError):
            where = f"at line {error.lineno}, character {error.colno}"
            reason = f"not JSON: {error.msg.removesuffix(' at')} {where}"
        events = _LOG_EVENTS.search(self.text, start, start + _HEADER)
        if events and '"_event_type"' not in self.text[start : events.end()]:
            self._arrays, self._in_payload, self.at = self._arrays + 1, True, events.end()
            return Piece(line, "", None, reason)
        self.at = self._next_start(start)
        own = self.text[start : self.at].rstrip(record.BLANKS)
        return Piece(line, own, None, reason, self._log, self._received_ms)

    def _next_start(self, start: int) -> int:
        """Where a document after a broken one may begin: after its last brace, or where another like it begins."""
        end, depth = len(self.text), 0
        indent = start - self._counted_line_start if self._fresh else 0
        key = _FIRST_KEY.match(self.text, start)
        like = re.compile(r"\{[ \t\r\n]*" + re.escape(key[1])) if key else _AFTER_OBJECT
        if other := like.search(self.text, start + 1) or _AFTER_OBJECT.search(self.text, start + 1):
            end = other.start()
        for token in _TOKEN.finditer(self.text, start, end):
            kind = token[0][0]
            if kind in "\r\n":
                begins = self.text.startswith(("{", "["), token.end()) and len(token[0].lstrip("\r\n")) <= indent
                inside = self.text.endswith(("[", ",", ":", "{"), start, token.start())
                if _TIME.match(self.text, token.end()) or (begins and not inside):
                    return token.end()
            elif kind in "{[":
                depth += 1
            elif kind in "}]":
                depth -= 1
                if depth <= 0:
                    return token.start() if depth < 0 else token.end()
        return end

    def _of(self, value: Any, own: str, line: int) -> Iterator[Piece]:
        """The document itself, or the log events that it holds."""
        if isinstance(value, dict) and _is_payload(value):
            control = value.get("messageType") == "CONTROL_MESSAGE"
            events = value["logEvents"] if not control else []
            yield from (_event(each, line) for each in events) if events else [Piece(line, own, {}, log=True)]
        elif self._in_payload and isinstance(value, dict) and "message" in value:
            yield _event(value, line)
        else:
            reason = "" if isinstance(value, dict) else "not a JSON object"
            alone = self._fresh and "\n" not in own and "\r" not in own and not self._arrays
            alone = alone and _REST_OF_LINE.match(self.text, self.at) is not None
            yield Piece(line, own, value, reason, self._log, self._received_ms, alone)

    def _line_of(self, at: int) -> int:
        """The number of the line that holds this place; places come in order."""
        between = (self._counted, at)
        ends = self.text.count("\n", *between) + self.text.count("\r", *between) - self.text.count("\r\n", *between)
        self._line, self._counted = self._line + ends, at
        return self._line

    @property
    def _counted_line_start(self) -> int:
        return max(self.text.rfind("\n", 0, self.at), self.text.rfind("\r", 0, self.at)) + 1


def _is_payload(value: dict[str, Any]) -> bool:
    told = "messageType" in value or "logGroup" in value
    return told and isinstance(value.get("logEvents"), list) and "_event_type" not in value


def _event(event: Any, line: int) -> Piece:
    """One log event of a payload."""
    message = event.get("message") if isinstance(event, dict) else None
    if not isinstance(message, str):
        return Piece(line, "", None, "a log event without a message")
    time = numerals.value(event.get("timestamp"))
    received_ms = int(time) if isinstance(time, float) and 0 <= time < END_OF_TIME_SECONDS * 1000 else 0
    text = message.strip(record.BLANKS + "\ufeff")
    try:
        return Piece(line, text, parsed(text), log=True, received_ms=received_ms)
    except Rejected as reason:
        return Piece(line, text, None, str(reason), log=True, received_ms=received_ms)


def _milliseconds(time: str) -> int:
    try:
        at = datetime.fromisoformat(time.replace(",", "."))
    except ValueError:
        return 0
    return max(0, int((at - _EPOCH).total_seconds() * 1000 + 0.5))

"""Whose records are erased: one session's, or one caller's, and which lines of a file are theirs."""

import base64
import json
import re
import zlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from analytics_lib import numerals, record
from analytics_lib.errors import UsageError
from analytics_lib.gzipped import Unread
from analytics_lib.record import Rejected
from analytics_lib.upkeep.documents import documents

_KEY = re.compile(r"sessions/dt=(\d{4}-\d{2}-\d{2})/([A-Za-z0-9%._~-]+)-(\d{1,12})(?:\.\d{1,3})?\.json", re.ASCII)
_VALUE = r'\s*:\s*("(?:[^"\\]|\\.)*"|[^\s",}]+)'
_LEVELS = 4  # of JSON inside a text inside JSON: a rejected line of a log line that holds a message
_PART = re.compile(rb'"|[\[\]{},\s]+\Z')  # how a line begins, or is, that is a part of a document over many lines
_DAMAGED = "a Kinesis record"  # how the reason begins of what was rejected whole, as base64
_NAMES = {"_session_id": "_?session_id", "caller_key": "caller_key"}  # how a log line spells them


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose records: those whose `field`, `_session_id` or `caller_key`, is `value`."""

    field: str
    value: str

    @classmethod
    def of(cls, session_id: str | None, caller: str | None) -> "Subject":
        """The session or caller of that name. Raises UsageError unless exactly one of them says something."""
        given = {"_session_id": session_id, "caller_key": caller}
        named = [cls(name, value.strip(record.BLANKS)) for name, value in given.items() if value is not None]
        if len(named) != 1 or not named[0].value:
            raise UsageError("name one session, or one caller: analytics-lib erase SESSION_ID, or erase --caller KEY")
        return named[0]

    @property
    def column(self) -> str:
        """Where the tables have the value."""
        return self.field.removeprefix("_")

    def without(self, content: bytes) -> tuple[bytes, int]:
        """The content without the subject's lines, and how many were left out. Raises Unread."""
        lines = content.splitlines(keepends=True)
        kept = [line for line in lines if not self._is_in(line)]
        if len(kept) == len(lines):
            return content, 0
        if not all(map(_is_json, lines)):
            with suppress(Rejected):  # pretty-printed: a line of it is no record
                found = [own or numerals.written(value, compact=True) for value, own in documents(content)]
                left = [text for text in found if not self._is_in(text.encode())]
                return "".join(f"{text}\n" for text in left).encode(), len(found) - len(left)
            if any(_PART.match(record.content(line)) and not _is_json(line) for line in lines):
                raise Unread("it spells the name, but is a damaged document over many lines: mend or remove it")
        return b"".join(kept), len(lines) - len(kept)

    def is_named_in(self, document: object) -> bool:
        """Whether the value stands in a document of any shape: as a text or a number, or somewhere in JSON in a text.

        A map may have read it from any field.
        """
        waiting = [document]
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict | list):
                waiting += part.values() if isinstance(part, dict) else part
            elif isinstance(part, str):
                text = (numerals.spelled(part) or part).strip(record.BLANKS)
                if text == self.value or ("{" in text and self.value in text):
                    return True
        return False

    def _is_in(self, line: bytes) -> bool:
        text = record.content(line)
        if f'"{_DAMAGED}'.encode() in text and (damaged := _damaged(text)):
            return self._is_mentioned(damaged) or self._is_packed(damaged)
        if self.value.encode() not in text and b"\\" not in text:
            return False
        try:
            document = record.parse_json(text)
            if isinstance(document, dict) and record.read(document):
                value = document.get(self.field)
                return isinstance(value, str) and value.strip(record.BLANKS) == self.value
        except Rejected:
            pass
        return self._is_mentioned(text.decode(errors="replace"))

    def _is_mentioned(self, text: str) -> bool:
        """Whether the field with that value is written anywhere in what is no record of a session."""
        for _ in range(_LEVELS):
            for found in re.finditer(f'"{_NAMES[self.field]}"{_VALUE}', text):
                try:
                    value = json.loads(found[1])
                except ValueError:
                    value = found[1]
                if str(value).strip(record.BLANKS) == self.value:
                    return True
            text = re.sub(r"\\([\"\\/])", r"\1", text)
        return False

    def _is_packed(self, damaged: str) -> bool:
        """Whether it is mentioned in what can be unpacked of a damaged Kinesis record. Raises Unread."""
        try:
            packed, problem = base64.b64decode(damaged, validate=True), ""
        except ValueError as error:
            raise Unread(f"it holds a Kinesis record that cannot be decoded: {error}") from None
        plain = bytearray()
        while packed.startswith(b"\x1f\x8b") and not problem:
            member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                for at in range(len(packed)):  # by the byte, so that all before the damage is seen
                    plain += member.decompress(packed[at : at + 1])
                    if member.eof:
                        break
                packed = packed[at + 1 :]
            except zlib.error as error:
                problem = str(error)
        plain += packed
        if self._is_mentioned(plain.decode(errors="replace")):
            return True
        if b"\x1f\x8b\x08" in plain:  # no text holds these bytes
            problem = problem or "there is gzip in it"
        if problem:
            raise Unread(f"it holds a Kinesis record that cannot be unpacked: {problem}")
        return False

    def is_elsewhere(self, path: str, suspected: Collection[str]) -> bool:
        """Whether the path is the key of another session, by the contract's rule, on a day that is not suspected."""
        found = _KEY.fullmatch(path)
        if not found or self.field != "_session_id" or found[1] in suspected:
            return False
        own = record.object_key(self.value, 0).rpartition("/")[2].removesuffix("-0.json")
        try:
            return found[2] != own and record.day_of(int(found[3]) * 1000) == found[1]
        except OverflowError:  # after the year 9999
            return False


def _damaged(text: bytes) -> str:
    """The Kinesis record that a rejected line holds; nothing where it is another line."""
    try:
        kept = record.parse_json(text)
    except Rejected:
        return ""
    if not isinstance(kept, dict) or not str(kept.get("reason")).startswith(_DAMAGED):
        return ""
    return str(kept.get("line") or "")


def _is_json(line: bytes) -> bool:
    try:
        record.parse_json(record.content(line) or b"null")
    except Rejected:
        return False
    return True

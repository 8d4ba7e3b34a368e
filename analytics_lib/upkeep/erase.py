"""One session's, or one caller's, lines removed from the files of a lake: what is left of a file stays as it was."""

import base64
import gzip
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from analytics_lib import numerals, record
from analytics_lib.errors import LakeError, UsageError
from analytics_lib.gzipped import Unread
from analytics_lib.lake import files
from analytics_lib.record import Rejected
from analytics_lib.remote import copies, sync
from analytics_lib.remote.stores import Bucket, Folder, unpacked
from analytics_lib.remote.transfer import side_by_side
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
        if self._is_mentioned((plain + packed).decode(errors="replace")):
            return True
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


@dataclass(slots=True)
class Erased:
    """What was removed, or would be. `places`: what happened to a file or folder, and how many lines of it.

    `unread`: files that could not be looked into, with the reason. `notes`: what a person should know besides.
    """

    lines: int = 0
    places: list[tuple[str, str, int]] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def erase(
    store: Folder | Bucket,
    subject: Subject,
    *,
    suspected: Collection[str] = (),
    thorough: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Erased:
    """Remove the subject's lines from `sessions/` and `rejected/`, also from files that no reader opens.

    On S3, objects at another session's key are not opened, but on `suspected` days or if `thorough`: it is one
    request each. `progress` in files. Raises LakeError, AwsError, OutputError; what is removed by then stays so.
    """
    done = Erased()
    synced = _synced(store)
    with sync.held(synced) if synced and not dry_run else nullcontext():
        there = [path for below in ("sessions/", "rejected/") for path, _ in store.found(below)]
        opens_all = thorough or isinstance(store, Folder)
        paths = [path for path in there if opens_all or not subject.is_elsewhere(path, suspected)]
        work = partial(_erase_from, store, subject, dry_run)
        with closing(side_by_side(lambda path, stopped: work(path), iter(paths))) as arriving:
            for number, one in enumerate(arriving, 1):
                progress(number, len(paths))
                done.lines += one.lines
                done.places += one.places
                done.unread += one.unread
        done.places.sort(key=lambda place: place[1])
        done.unread.sort()
        if synced and not dry_run:
            _forget(synced, done)
    if synced:
        done.notes.append(f"{store} holds copies made by sync: erase at their source as well, or they come back")
    if unopened := len(there) - len(paths):
        done.notes.append(f"{unopened:,} objects at the keys of other sessions were not opened; --thorough opens them")
    if not there:
        done.notes.append(f"nothing lies under {store}/sessions/ and {store}/rejected/")
    return done


def _synced(store: Folder | Bucket) -> Path | None:
    """The folder, where sync fills it. Raises LakeError where a folder is no lake."""
    if isinstance(store, Bucket):
        return None
    if not store.root.exists():
        raise LakeError(f"there is no folder {store}; name the lake by the folder that holds sessions/: --data ROOT")
    files.sessions_folder(store.root)
    return store.root if copies.days(store.root) else None


def _erase_from(store: Folder | Bucket, subject: Subject, dry_run: bool, path: str) -> Erased:
    """What was removed from one file."""
    try:
        left, lines = subject.without(unpacked(path, store.read(path)))
    except Unread as reason:
        return Erased(unread=[(path, str(reason))])
    if not lines:
        return Erased()
    left = left if left.strip() else b""
    if not dry_run:
        store.replace(path, gzip.compress(left, mtime=0) if left and path.endswith(".gz") else left)
    return Erased(lines, [("rewrite" if left else "delete", path, lines)])


def _forget(root: Path, done: Erased) -> None:
    """Take the removed files off what sync remembers: their names tell the session."""
    gone: dict[str, set[str]] = defaultdict(set)
    for what, path, _ in done.places:
        folder, _, name = path.rpartition("/")
        if what == "delete" and folder.startswith("sessions/dt="):
            gone[folder.removeprefix("sessions/dt=")].add(name)
    for day, names in gone.items():
        before = copies.read(root, day)
        copies.write(root, day, {name: copy for name, copy in before.items() if name not in names})

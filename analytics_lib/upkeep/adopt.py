"""Records that lie in another layout, or over many lines, written where readers look for them.

The other layout is that of the first design, `sessions/<session_id>/<timestamp>.json`. A record's place follows from
the record, so that adopting may be stopped, continued and repeated; nothing is changed or removed at the source.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from analytics_lib import numerals, record
from analytics_lib.errors import LakeError
from analytics_lib.gzipped import Unread
from analytics_lib.lake import files
from analytics_lib.record import Rejected
from analytics_lib.remote.stores import Bucket, Folder, unpacked
from analytics_lib.remote.transfer import side_by_side
from analytics_lib.upkeep.documents import documents

_DAY_FOLDER = re.compile(r"dt=\d{4}-\d{2}-\d{2}(/|\Z)", re.ASCII)
_ENDING = re.compile(r"\.(json|jsonl|ndjson)(\.gz)?\Z")
_ALL = 0  # the line that stands for a whole file


@dataclass(slots=True)
class Adopted:
    """What became of the records in `files` files.

    `written` (to be written, of a dry run); `there` with the same text; `other` events than sessions; `problems`, what
    could not be adopted: path at the source, line (0: no certain one), reason.
    """

    files: int = 0
    written: int = 0
    there: int = 0
    other: int = 0
    problems: list[tuple[str, int, str]] = field(default_factory=list)

    def text(self, *, dry_run: bool) -> str:
        """One line for a person."""
        more = {"there already": self.there, "other events skipped": self.other, "not adopted": len(self.problems)}
        said = "".join(f", {number:,} {what}" for what, number in more.items() if number)
        return f"{'would adopt' if dry_run else 'adopted'} {self.written:,} records of {self.files:,} files{said}"


@dataclass(frozen=True, slots=True)
class _Line:
    """A record as it is to be written, at its key below the root; an empty key: another kind of event."""

    key: str
    text: bytes


_Found = _Line | tuple[int, str]  # or line and reason of what cannot be adopted


def adopt(
    source: Folder | Bucket,
    target: Folder | Bucket,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Adopted:
    """Write every record below `source` to its place below `target`; `progress` in files.

    A record that another text with its identity holds the place of is not written, but named. Raises LakeError where
    the source is not there or holds no file, AwsError, OutputError; what is written by then stays.
    """
    base, paths = _listed(source, target)
    work = _Work(source, target, base, dict(target.found("sessions/")), dry_run)
    done = Adopted()
    with closing(side_by_side(lambda path, stopped: work.file(path), iter(paths))) as arriving:
        for one in arriving:
            done.files += 1
            done.written += one.written
            done.there += one.there
            done.other += one.other
            done.problems += one.problems
            progress(done.files, len(paths))
    done.problems.sort()
    return done


def _listed(source: Folder | Bucket, target: Folder | Bucket) -> tuple[str, list[str]]:
    """The folder at the source that holds the sessions' folders, and the files below it that are not the target's."""
    if isinstance(source, Folder) and not source.root.is_dir():
        raise LakeError(f"there is no folder {source}")
    base = "sessions/"
    found = [path for path, _ in source.found(base)]
    if not found:
        base, found = "", [path for path, _ in source.found("")]
    if not found:
        raise LakeError(f"{source} holds no file")
    if _place(source, base) == _place(target, "sessions/"):
        found = [path for path in found if not _DAY_FOLDER.match(path, len(base))]
    return base, sorted(found)


def _place(store: Folder | Bucket, below: str) -> Path | str:
    return (store.root / below).resolve() if isinstance(store, Folder) else store.location.url(below)


class _Work:
    """What is done for each file, many at once. `there`: what lies at the target, by its path, with its ETag."""

    def __init__(
        self, source: Folder | Bucket, target: Folder | Bucket, base: str, there: dict[str, str], dry_run: bool
    ) -> None:
        self.source, self.target, self.base, self.there, self.dry_run = source, target, base, there, dry_run
        self._one_claims = threading.Lock()

    def file(self, path: str) -> Adopted:
        """Write the file's records."""
        done = Adopted()
        for found in self._records(path):
            if not isinstance(found, _Line):
                done.problems.append((path, *found))
            elif not found.key:
                done.other += 1
            elif (is_there := self._is_there(found)) is None:
                done.written += 1
                if not self.dry_run:
                    self.target.write(found.key, found.text)
            elif is_there:
                done.there += 1
            else:
                done.problems.append((path, _ALL, f"{self.target}/{found.key} holds another text of this session"))
        return done

    def _is_there(self, found: _Line) -> bool | None:
        """Whether that text has its place already; None where the place is free, which is then taken."""
        etag = hashlib.md5(found.text, usedforsecurity=False).hexdigest()
        with self._one_claims:
            before = self.there.get(found.key)
            self.there.setdefault(found.key, etag)
        if before is None or before == etag:
            return None if before is None else True
        try:
            return self.target.read(found.key).strip() == found.text.strip()
        except Unread:
            return False

    def _records(self, path: str) -> Iterator[_Found]:
        folder, _, name = path.removeprefix(self.base).rpartition("/")
        if problem := files.name_problem(name):
            yield _ALL, problem
            return
        filled = {"_session_id": "" if _DAY_FOLDER.match(folder) else folder}
        try:
            content = unpacked(path, self.source.read(path))
        except Unread as reason:
            yield _ALL, str(reason)
            return
        try:
            found = list(documents(content))
        except Rejected as reason:
            yield from _lines(content, filled, str(reason))
            return
        if not found:
            yield _ALL, "is empty"
        stem = _ENDING.sub("", name)
        if len(found) == 1 and _is_number(stem):
            filled["_timestamp"] = numerals.numeral(stem)
        for value, own in found:
            yield _judged(value, own, filled, _ALL)


def _lines(content: bytes, filled: dict[str, str], reason: str) -> Iterator[_Found]:
    """The records among the lines of a file that is not JSON throughout; one reason where no line is any."""
    judged = []
    for number, line in enumerate(content.splitlines(), 1):
        if text := record.content(line):
            try:
                found = list(documents(text))
                judged += [_judged(value, own, filled, number) for value, own in found]
            except Rejected as why:
                judged.append((number, str(why)))
    yield from judged if any(isinstance(each, _Line) for each in judged) else [(_ALL, reason)]


def _judged(value: object, own: str, filled: dict[str, str], line: int) -> _Found:
    """The record with what the place of its file tells where it says nothing itself."""
    try:
        if isinstance(value, dict):
            missing = {name: told for name, told in filled.items() if told and _says_nothing(value.get(name))}
            if missing:
                value, own = value | missing, ""
        text = (own or numerals.written(value, compact=True)).encode()
        found = record.read(record.parse_json(text))
        key = record.object_key(found["_session_id"], found["_timestamp"]) if found else ""
        return _Line(key, text + b"\n")
    except UnicodeEncodeError:
        return line, "its folder's name, or a text in it, is not valid UTF-8"
    except (Rejected, RecursionError) as reason:
        return line, str(reason)


def _says_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip(record.BLANKS))


def _is_number(text: str) -> bool:
    try:
        return bool(text) and text == text.strip() and record.read_number(text) is not None
    except record.Mistyped:
        return False

"""Session files of any layout, written where readers look for them; or in place, what lies wrongly in day folders.

A record's place follows from the record, so that adopting may be stopped, continued and repeated. Nothing is changed
or removed at the source; in place, a mended file's original moves to `adopted/originals/`.
"""

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from analytics_lib import numerals
from analytics_lib.delivery.adopting import LeftOut, Other, Taken, records
from analytics_lib.delivery.mapping import Map
from analytics_lib.delivery.shapes import is_gzip
from analytics_lib.errors import AwsError, LakeError, UsageError
from analytics_lib.gzipped import Unread
from analytics_lib.lake import files
from analytics_lib.record import Rejected
from analytics_lib.remote.stores import Bucket, Folder
from analytics_lib.remote.transfer import side_by_side
from analytics_lib.upkeep.known import Known

Store = Folder | Bucket
_Found = Taken | LeftOut | Other
ORIGINALS = "adopted/originals/"
SHOWN = 3  # records of which a dry run says what came from where
_DAY = re.compile(r"dt=\d{4}-\d{2}-\d{2}/", re.ASCII)
_OWN_FOLDERS = ("adopted/", "rejected/", "rooms/")  # of a lake, beside sessions/
_NO_SESSIONS = {"aws-logs-write-test", "_SUCCESS"}  # what CloudWatch's export and Spark leave beside
_FORBIDDEN = {"AccessDenied", "InvalidRequest", "InvalidArgument", "BadRequest", "403", "400"}
_DETAIL = re.compile(r"( in)? at (line|byte|character) .*|'[^']*'|\b-?\d[\d.e+]*\b|`_event_type`.*\bis\b", re.DOTALL)
_MOST_REASONS = 1000  # told apart in the summary
_LAYOUTS = (
    ("dt=D/hour=H/", re.compile(r"(.*/)?dt=\d{4}-\d\d-\d\d/hour=\d+/[^/]+")),
    ("dt=D/", re.compile(r"(.*/)?dt=\d{4}-\d\d-\d\d/[^/]+")),
    ("year=Y/month=M/day=D/", re.compile(r"(.*/)?year=\d+/month=\d+/(day=\d+/)?(.*/)?[^/]+")),
    ("KEY=VALUE/ folders", re.compile(r"(.*/)?[^/=]+=[^/]*/.*")),
    ("Y/M/D/H/", re.compile(r"(.*/)?\d{4}/\d\d/\d\d/\d\d/[^/]+")),
    ("Y/M/D/", re.compile(r"(.*/)?\d{4}/\d\d/\d\d/[^/]+")),
    ("STREAM/000000.gz, as CloudWatch exports", re.compile(r"(.*/)?[^/]+/\d{6}\.gz")),
    ("sessions/<id>/<timestamp>.json", re.compile(r"(.*/)?sessions/.+/\d+(\.\d+)?(\.[a-z]+)*")),
    ("one folder", re.compile(r"[^/]+")),
    ("other folders", re.compile(r".*", re.DOTALL)),
)


class Problem(NamedTuple):
    """What cannot be adopted: path at the source, line (0: the whole file, or no certain line), reason."""

    path: str
    line: int
    reason: str


@dataclass(slots=True)
class Adopted:
    """What became of the records in `files` files; `known` ones were adopted before, and not opened.

    `written` (to be written, of a dry run); `there` with the same text; `other` events than sessions; `left_out`;
    `mended` files in place; `layouts`, files by what their place was taken for; `reasons`, how often what was left
    out has one, and the first that has it.
    """

    files: int = 0
    known: int = 0
    written: int = 0
    there: int = 0
    other: int = 0
    left_out: int = 0
    mended: int = 0
    layouts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, tuple[int, Problem]] = field(default_factory=dict)

    def text(self, *, dry_run: bool) -> str:
        """One line for a person."""
        more = {
            "there already": self.there,
            "other events skipped": self.other,
            "files mended": self.mended,
            "files known from before": self.known,
            "not adopted": self.left_out,
        }
        said = "".join(f", {number:,} {what}" for what, number in more.items() if number)
        return f"{'would adopt' if dry_run else 'adopted'} {self.written:,} records of {self.files:,} files{said}"

    def count(self, one: "_OfFile") -> None:
        """Add what became of one more file."""
        self.files += 1
        self.written += one.written
        self.there += one.there
        self.other += one.other
        self.mended += one.mended
        self.layouts[one.layout] += 1
        for problem in one.problems:
            self.left_out += 1
            reason = _DETAIL.sub("...", problem.reason)
            reason = reason if reason in self.reasons or len(self.reasons) < _MOST_REASONS else "other reasons"
            times, first = self.reasons.get(reason, (0, problem))
            self.reasons[reason] = times + 1, min(first, problem)


@dataclass(slots=True)
class _OfFile:
    path: str
    layout: str
    written: int = 0
    there: int = 0
    other: int = 0
    mended: int = 0
    problems: list[Problem] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)  # of a dry run


def adopt(
    source: Store,
    target: Store,
    by: Map | None = None,
    *,
    dry_run: bool = False,
    name: Callable[[Problem], None] = lambda problem: None,
    show: Callable[[str, Taken], None] = lambda path, taken: None,
    progress: Callable[[int], None] = lambda done: None,
) -> Adopted:
    """Write every record below `source` to its place below `target`; `progress` in files.

    `name` is told all that cannot be adopted, `show` of a dry run's first records. Where another text of a session
    has its place, the second is named and kept under rejected/. Raises LakeError where the source is not there or
    holds no file, UsageError where it lies inside the target, AwsError, OutputError; what is written by then stays.
    """
    by = by or Map.of()
    base = _base(source, target)
    work = _Work(source, target, by, base, dry_run)
    done, shown, any_file = Adopted(), 0, False

    def tasks() -> Iterator[tuple[str, str]]:
        nonlocal any_file
        for path, stamp in _listed(source, target, base, work.in_place):
            any_file = True
            if work.known.fingerprint(path, stamp) in work.known:
                done.known += 1
            else:
                yield path, stamp

    try:
        with closing(side_by_side(lambda task, stopped: work.file(*task), tasks())) as arriving:
            for one in arriving:
                done.count(one)
                for problem in one.problems:
                    name(problem)
                for taken in one.taken[: SHOWN - shown]:
                    show(one.path, taken)
                    shown += 1
                progress(done.files + done.known)
    finally:
        if not dry_run:
            work.known.save()
    if not any_file and not work.in_place:
        raise LakeError(f"{source} holds no file")
    return done


def _base(source: Store, target: Store) -> str:
    """The folder at the source below which all is adopted: `sessions/` where there is one. Raises LakeError."""
    if isinstance(source, Folder) and not source.root.is_dir():
        raise LakeError(f"there is no folder {source}")
    base = "sessions/" if any(source.found("sessions/")) else ""
    inside = _inside(source, "", target)
    if inside is not None and f"{inside}{base}" != "sessions/":
        raise UsageError(
            f"{source} lies inside the lake {target}; to mend what lies in a lake, give it twice: "
            f"analytics-lib adopt {target} {target}"
        )
    return base


def _inside(one: Store, below: str, other: Store) -> str | None:
    """The path of a folder of one store below the other's root, `a/b/`, empty for the root itself; None: not there."""
    if isinstance(one, Folder) and isinstance(other, Folder):
        place, root = (one.root / below).resolve(), other.root.resolve()
        if not place.is_relative_to(root):
            return None
        return "".join(f"{part}/" for part in place.relative_to(root).parts)
    if isinstance(one, Bucket) and isinstance(other, Bucket):
        url, top = f"{one.location.url(below).rstrip('/')}/", f"{str(other.location).rstrip('/')}/"
        return url.removeprefix(top) if url.startswith(top) else None
    return None


def _listed(source: Store, target: Store, base: str, in_place: bool) -> Iterator[tuple[str, str]]:
    """Path and stamp of each file that may hold sessions, without what the target itself holds below the source."""
    own = None if in_place else _inside(target, "", source)
    for path, stamp in source.stamped(base):
        if own and path.startswith(own):
            continue
        if not base and any(f"/{folder}" in f"/{path}" for folder in _OWN_FOLDERS):
            continue
        if path.rpartition("/")[2] not in _NO_SESSIONS:
            yield path, stamp


class _Work:
    """What is done for each file, many at once."""

    def __init__(self, source: Store, target: Store, by: Map, base: str, dry_run: bool) -> None:
        self.source, self.target, self.by, self.dry_run = source, target, by, dry_run
        self.base = base
        self.in_place = _inside(source, base, target) == "sessions/"
        self.above = _names_above(source)
        settings = hashlib.sha256(repr(by).encode()).hexdigest()[:16]
        self.known = Known(target, f"{_address(source)} {settings}")
        self._claimed: set[int] = set()
        self._one_claims = threading.Lock()

    def file(self, path: str, stamp: str) -> _OfFile:
        """Write the file's records."""
        done = _OfFile(path, layout(self.above + path))
        try:
            content = self._content(path)
        except Unread as reason:
            done.problems.append(Problem(path, 0, str(reason)))
            return done
        found = list(records(self.above + path, content, self.by))
        own = path if path.startswith("sessions/") else f"sessions/{path}"
        in_day = self.in_place and _DAY.match(own, len("sessions/")) is not None
        if in_day and _is_readable(own, content, found):
            done.there = sum(isinstance(one, Taken) for one in found)
        else:
            self._keep(found, own if in_day else "", content, done)
        if not done.problems and not self.dry_run:
            self.known.add(self.known.fingerprint(path, stamp))
        return done

    def _content(self, path: str) -> bytes:
        if path.rpartition("/")[2].startswith((".", "_")):
            raise Unread("its name begins with _ or .")
        try:
            return self.source.read(path)
        except AwsError as error:
            if error.code in _FORBIDDEN or error.code.startswith("KMS"):
                raise Unread(f"it is encrypted or forbidden: {error.code}") from error
            raise

    def _keep(self, found: list[_Found], own: str, content: bytes, done: _OfFile) -> None:
        """Write the records. In place, of the file `own` in a day folder: then the original moves away.

        It stays where not all of it could be adopted, and so do its lines that readers take.
        """
        done.problems += [Problem(done.path, one.line, one.reason) for one in found if isinstance(one, LeftOut)]
        done.other = sum(isinstance(one, Other) for one in found)
        taken = [one for one in found if isinstance(one, Taken)]
        done.taken = taken[:SHOWN] if self.dry_run else []
        in_its_place = next((one for one in taken if one.key == own), None)
        stays = own and done.problems and _is_named_well(own, content)
        for one in taken:
            if one is in_its_place:
                continue
            if stays and one.readable:
                done.there += 1
            else:
                self._write(one, done)
        if own and not done.problems:
            self._mend(own, content, in_its_place, done)
        elif in_its_place and not (stays and in_its_place.readable):
            reason = "the rest of its file cannot be adopted, in whose place this record belongs"
            done.problems.append(Problem(done.path, in_its_place.line, reason))

    def _mend(self, own: str, content: bytes, in_its_place: Taken | None, done: _OfFile) -> None:
        done.mended = 1
        done.written += in_its_place is not None
        if self.dry_run:
            return
        kept = f"{ORIGINALS}{own}"
        with suppress(Unread):
            if self.target.read(kept) != content:  # an earlier file of this name
                kept += f"~{hashlib.sha256(content).hexdigest()[:8]}"
        self.target.keep(own, kept)
        if in_its_place:
            self.target.write(own, in_its_place.text)
        else:
            self.target.replace(own, b"")

    def _write(self, one: Taken, done: _OfFile) -> None:
        if self._is_free(one) if self.dry_run else self.target.add(one.key, one.text):
            done.written += 1
            return
        try:
            same = _says_the_same(self.target.read(one.key), one.text)
        except Unread:
            same = self.dry_run
        if same:
            done.there += 1
            return
        kept = one.aside
        if not self.dry_run:
            self.target.add(kept.path, kept.body)
        reason = f"another text of this session lies at {one.key}; this one is kept at {kept.path}"
        done.problems.append(Problem(done.path, one.line, reason))

    def _is_free(self, one: Taken) -> bool:
        """Whether a dry run has nothing at this key, neither at the target nor of its own."""
        claim = hash(one.key)
        with self._one_claims:
            if claim in self._claimed:
                return False
            self._claimed.add(claim)
        try:
            self.target.read(one.key)
        except Unread:
            return True
        except AwsError as error:  # so S3 says that nothing is there to whoever may not list the lake
            if error.code != "AccessDenied":
                raise
            return True
        return False


def _says_the_same(one: bytes, other: bytes) -> bool:
    """Whether both are the same text, or the same record with other blanks or in another order."""
    try:
        return one.strip() == other.strip() or numerals.parse(one) == numerals.parse(other)
    except Rejected:
        return False


def _is_readable(own: str, content: bytes, found: list[_Found]) -> bool:
    """Whether readers take all of the file's records as they lie in a day folder."""
    return (
        _is_named_well(own, content)
        and all(one.readable for one in found if isinstance(one, Taken))
        and not any(isinstance(one, LeftOut) for one in found)
    )


def _is_named_well(own: str, content: bytes) -> bool:
    name = own.rpartition("/")[2]
    is_direct = own.count("/") == 2
    return is_direct and not files.name_problem(name) and is_gzip(content) == name.endswith(".gz")


def _names_above(source: Store) -> str:
    """The names of the source's own last two folders, if `sessions` is among them: SRC may be given too low."""
    names = source.root.resolve().parts if isinstance(source, Folder) else source.location.prefix.split("/")
    last = names[-2:]
    return "".join(f"{name}/" for name in last) if "sessions" in last else ""


def _address(source: Store) -> str:
    return str(source.root.resolve()) if isinstance(source, Folder) else str(source)


def layout(path: str) -> str:
    """What the place of a file is taken for."""
    return next(name for name, form in _LAYOUTS if form.fullmatch(path))

"""The oracle: the contract read aloud in plain Python, slow and obvious, standard library only.

Independent of the product on purpose: it imports none of it, and every rule is derived from the contract's
text, which the docstrings quote. Hold the two side by side. `read` is section 1, `report` is section 2.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
import urllib.parse
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]
Identity = tuple[str, str, datetime]

BLANKS = " \t\n\r"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LARGEST = 1e15
END_OF_TIME = 253402300799
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EXTENSIONS = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
DAY_FOLDER = re.compile(r"dt=([0-9]{4}-[0-9]{2}-[0-9]{2})")
LINE_END = re.compile(rb"\r\n|\n|\r")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
RUN_OF_BLANKS = re.compile(r"[ \t\n\r]+")

# The table of fields in section 1, by the object that holds them.
KNOWN_FIELDS = {
    "": {
        "_event_type", "_timestamp", "_session_id", "duration_seconds", "agent_name", "agent_version",
        "room_id", "close_reason", "caller_key", "discovered_signals", "tool_calls", "metrics_summary",
    },
    "discovered_signals.": {"team_size", "monthly_volume", "integration_needs", "urgency"},
    "tool_calls.": {
        "tool", "query", "results_found", "error", "duration_ms", "offset_seconds", "cancelled",
    },
    "metrics_summary.": {"llm_tokens", "avg_latency_ms"},
}  # fmt: skip

# The two views of section 2.
SESSION_COLUMNS = (
    "dt", "session_id", "started_at", "ended_at", "duration_seconds", "team_size", "monthly_volume",
    "integration_needs", "urgency", "tool_call_count", "failed_tool_call_count", "llm_tokens",
    "avg_latency_ms", "agent_name", "agent_version", "room_id", "close_reason", "caller_key",
)  # fmt: skip
CALL_COLUMNS = (
    "dt", "session_id", "ended_at", "call_index", "tool", "query", "results_found", "error", "cancelled",
    "duration_ms", "offset_seconds", "outcome",
)  # fmt: skip


# ----------------------------------------------------------------------------------------------------------
# Section 1: what is read
# ----------------------------------------------------------------------------------------------------------


@dataclass
class Reading:
    """What the lake holds in a period: the two views, and what the quality check reports."""

    sessions: list[Row] = field(default_factory=list)
    calls: list[Row] = field(default_factory=list)
    records: int = 0
    duplicates: int = 0
    rejected: list[Row] = field(default_factory=list)
    files: int = 0
    mistyped: Counter[str] = field(default_factory=Counter)
    misplaced: list[Row] = field(default_factory=list)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    ignored: list[Row] = field(default_factory=list)


@dataclass
class Record:
    """One session line that was read."""

    line: bytes
    session: Row
    calls: list[Row]
    mistyped: Counter[str]
    unknown_fields: Counter[str]

    @property
    def identity(self) -> Identity:
        """`Identity: (dt, _session_id, ended_at in milliseconds).`"""
        return identity(self.session)


class RejectedError(Exception):
    """The line (or file) is rejected; the message is the reason."""


class SkippedError(Exception):
    """The line is no session record: `skipped, uncounted`."""


class MistypedError(Exception):
    """The value has another type than the field: it reads as null and is counted."""


def identity(row: Row) -> Identity:
    """What names a session, in a row of either view."""
    return row["dt"], row["session_id"], row["ended_at"]


def read(root: str | os.PathLike[str], start: str, end: str) -> Reading:
    """The records of the days start..end, both inclusive; nothing outside of those folders is opened."""
    root = Path(root)
    reading = Reading(ignored=stray_entries(root))
    records: list[Record] = []
    for dt in days(start, end):
        for path in files_of_day(root, dt, reading):
            reading.files += 1
            records.extend(records_of_file(root, path, dt, reading))
    fold(records, reading)
    return reading


def fold(records: list[Record], reading: Reading) -> None:
    """`Copies count once however often they were delivered; of copies that differ, the line that sorts first
    by its bytes counts.`"""
    copies: dict[Identity, list[Record]] = defaultdict(list)
    for record in records:
        copies[record.identity].append(record)
    for name in sorted(copies):
        counted = min(copies[name], key=lambda record: record.line)
        reading.sessions.append(counted.session)
        reading.calls.extend(counted.calls)
    reading.records = len(copies)
    reading.duplicates = len(records) - len(copies)


# Files ----------------------------------------------------------------------------------------------------


def days(start: str, end: str) -> list[str]:
    """Every day from start to end, both inclusive, as YYYY-MM-DD."""
    first, last = date.fromisoformat(start).toordinal(), date.fromisoformat(end).toordinal()
    return [date.fromordinal(day).isoformat() for day in range(first, last + 1)]


def is_day_folder(path: Path) -> bool:
    """Whether the path is a folder named `dt=YYYY-MM-DD`, of a day that exists."""
    named = DAY_FOLDER.fullmatch(path.name)
    try:
        return named is not None and bool(date.fromisoformat(named[1])) and path.is_dir()
    except ValueError:
        return False


def entries(folder: Path) -> list[Path]:
    """What lies directly in a folder, by name."""
    return sorted(folder.iterdir(), key=lambda path: path.name) if folder.is_dir() else []


def stray_entries(root: Path) -> list[Row]:
    """Whatever lies directly under sessions/ and is no day's folder."""
    return [
        {"file": path.relative_to(root).as_posix(), "reason": "not a folder dt=YYYY-MM-DD"}
        for path in entries(root / "sessions")
        if not is_day_folder(path)
    ]


def files_of_day(root: Path, dt: str, reading: Reading) -> Iterator[Path]:
    """The files that readers take from a day's folder; the others are listed as ignored."""
    folder = root / "sessions" / f"dt={dt}"
    for path in entries(folder) if is_day_folder(folder) else []:
        reason = reason_to_ignore(path)
        if reason is None:
            yield path
        else:
            reading.ignored.append({"file": path.relative_to(root).as_posix(), "reason": reason})


def reason_to_ignore(path: Path) -> str | None:
    """`Names that begin with _ or ., sub-folders (also one named x.json), and everything else are ignored.`

    A link that leads nowhere is no sub-folder and nothing else: it is a file that cannot be opened.
    """
    try:
        mode: int | None = path.stat().st_mode
    except OSError:
        mode = None
    if mode is not None and stat.S_ISDIR(mode):
        return "a sub-folder"
    if mode is not None and not stat.S_ISREG(mode):
        return "not a regular file"
    if path.name.startswith(("_", ".")):
        return "the name begins with _ or ."
    if not path.name.endswith(EXTENSIONS):
        return "not named *.json, *.jsonl, *.ndjson or these with .gz"
    return None


def content_of(path: Path) -> bytes:
    """The bytes of a file, decompressed.

    `A .gz that cannot be decompressed whole, or a file that cannot be opened, counts as one rejected line.`
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RejectedError(f"cannot be opened: {error}") from error
    if not path.name.endswith(".gz"):
        return content
    try:
        return gunzip(content)
    except zlib.error as error:
        raise RejectedError(f"cannot be decompressed: {error}") from error


def gunzip(content: bytes) -> bytes:
    """All members of a gzip file.

    `Bytes after the last member damage it too; zero bytes are an empty file.`
    """
    plain = b""
    while content:
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        plain += member.decompress(content)
        if not member.eof:
            raise zlib.error("the last member is cut short")
        content = member.unused_data
    return plain


def records_of_file(root: Path, path: Path, dt: str, reading: Reading) -> Iterator[Record]:
    """The session records of one file; what is rejected or misplaced is noted, and what is odd is counted."""
    file = path.relative_to(root).as_posix()
    try:
        lines = list(lines_of(content_of(path)))
    except RejectedError as rejected:
        reading.rejected.append({"file": file, "line": 0, "reason": str(rejected)})
        return
    for number, line in lines:
        try:
            record = record_of_line(line, dt)
        except SkippedError:
            continue
        except RejectedError as rejected:
            reading.rejected.append({"file": file, "line": number, "reason": str(rejected)})
            continue
        reading.mistyped.update(record.mistyped)
        reading.unknown_fields.update(record.unknown_fields)
        belongs_to = record.session["ended_at"].date().isoformat()
        if belongs_to != dt:
            reading.misplaced.append({"file": file, "line": number, "dt": dt, "belongs_to": belongs_to})
        yield record


# Lines ----------------------------------------------------------------------------------------------------


def lines_of(content: bytes) -> Iterator[tuple[int, bytes]]:
    """`Lines end with LF, CRLF or CR; a byte order mark at the start of a line is dropped; a line of blanks
    only is no line` - but it has a number, from 1."""
    for number, line in enumerate(LINE_END.split(content), start=1):
        line = line.removeprefix(BYTE_ORDER_MARK)
        if line.strip(BLANKS.encode()):
            yield number, line


@dataclass(frozen=True)
class Number:
    """A JSON number as it was written: it may have any number of digits."""

    written: str


def refuse(constant: str) -> None:
    """`NaN, Infinity ... are not JSON.`"""
    raise ValueError(f"{constant} is not JSON")


def parsed(line: bytes) -> Any:
    """`JSON is RFC 8259 in valid UTF-8. NaN, Infinity, trailing commas, trailing text and unpaired surrogate
    escapes are not JSON.`"""
    try:
        value = json.loads(line.decode("utf-8"), parse_int=Number, parse_float=Number, parse_constant=refuse)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise RejectedError(f"not JSON: {error}") from error
    if any(has_unpaired_surrogate(string) for string in strings_in(value)):
        raise RejectedError("not JSON: an unpaired surrogate escape")
    return value


def has_unpaired_surrogate(string: str) -> bool:
    """Python joins a pair of escapes into one character; a surrogate that is left was alone."""
    return any("\ud800" <= character <= "\udfff" for character in string)


def strings_in(value: Any) -> Iterator[str]:
    """Every string of a JSON value at any depth, keys too (without recursion: it may be deep)."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.keys())
            waiting.extend(value.values())


# Values ---------------------------------------------------------------------------------------------------


def is_unknown(value: Any) -> bool:
    """`Null, and a string of blanks only, are unknown, not mistyped` (a missing key arrives here as null)."""
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


def as_text(value: Any) -> str | None:
    """`Blanks are space, tab, LF and CR, nothing else. Strings are trimmed of them.`"""
    if is_unknown(value):
        return None
    if not isinstance(value, str):
        raise MistypedError
    return value.strip(BLANKS)


def as_number(value: Any) -> float | None:
    """`A JSON number, or a string that, trimmed, is written as JSON writes numbers. Beyond +-10^15 it is
    mistyped. Numbers are the nearest double.`"""
    if is_unknown(value):
        return None
    written = value.written if isinstance(value, Number) else as_text(value)
    if written is None or not NUMBER.fullmatch(written):
        raise MistypedError
    number = float(written)
    if abs(number) > LARGEST:
        raise MistypedError
    return number


def as_integer(value: Any) -> int | None:
    """`An integer is a number without fraction in that range (8.0, 1e2 are).`"""
    number = as_number(value)
    if number is None:
        return None
    if number != math.floor(number):
        raise MistypedError
    return int(number)


def none_for_zero(number: float | None) -> float | None:
    """`team_size and monthly_volume of 0 are unknown, not mistyped.`"""
    return None if number == 0 else number


def as_length(value: Any) -> float | None:
    """`number >= 0`; a negative one reads as null."""
    number = as_number(value)
    if number is not None and number < 0:
        raise MistypedError
    return number


def as_boolean(value: Any) -> bool | None:
    """`true, false, also as strings, trimmed, in any case. 1, t, yes are mistyped.`"""
    if is_unknown(value):
        return None
    if isinstance(value, bool):
        return value
    word = lower_case(as_text(value) or "")
    if word not in ("true", "false"):
        raise MistypedError
    return word == "true"


def as_object(value: Any) -> dict[str, Any] | None:
    """A JSON object."""
    if is_unknown(value):
        return None
    if not isinstance(value, dict):
        raise MistypedError
    return value


def as_array(value: Any) -> list[Any] | None:
    """A JSON array."""
    if is_unknown(value):
        return None
    if not isinstance(value, list):
        raise MistypedError
    return value


def lower_case(text: str) -> str:
    """`Lower case is letter by letter, without context`: a capital sigma is never a final one, and a capital
    dotted I, which Python turns into two characters, is an i."""
    return "".join("i" if letter == "\u0130" else letter.lower() for letter in text)


def instant(milliseconds: int) -> datetime:
    """Milliseconds since the Unix epoch as an instant in UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def ended_ms_of(timestamp: float) -> int:
    """`ended_at is floor(t * 1000 + 0.5) milliseconds.`"""
    return math.floor(timestamp * 1000 + 0.5)


def started_ms_of(ended_ms: int, duration_seconds: float) -> int:
    """`started_at is floor(ended_ms - duration_seconds * 1000 + 0.5).`"""
    return math.floor(ended_ms - duration_seconds * 1000 + 0.5)


# Records --------------------------------------------------------------------------------------------------


class Fields:
    """The fields of one object of a record. Asked for one, it gives its value, or null and counts it.

    `Mistyped values read as null in that one field and are counted; they never lose the record.`
    """

    def __init__(self, values: dict[str, Any], prefix: str, mistyped: Counter[str]) -> None:
        """Fields of that object, counted under that prefix (`discovered_signals.`)."""
        self.values, self.prefix, self.mistyped = values, prefix, mistyped

    def get(self, name: str, kind: Callable[[Any], Any]) -> Any:
        """The field's value, read as that kind."""
        return self.read(name, kind, self.values.get(name))

    def read(self, name: str, kind: Callable[[Any], Any], value: Any) -> Any:
        """A value read as that kind; if it is mistyped it counts under the field's name."""
        try:
            return kind(value)
        except MistypedError:
            self.mistyped[self.prefix + name] += 1
            return None

    def inside(self, name: str) -> Fields:
        """The fields of the object that a field holds (none, if it holds no object)."""
        return Fields(self.get(name, as_object) or {}, f"{name}.", self.mistyped)


def required(record: dict[str, Any], name: str, kind: Callable[[Any], Any]) -> Any:
    """`A line that has a missing, blank, mistyped or out-of-range _event_type, _session_id or _timestamp is
    rejected.`"""
    try:
        value = kind(record.get(name))
    except MistypedError:
        raise RejectedError(f"{name} is mistyped") from None
    if value is None:
        raise RejectedError(f"{name} is missing or blank")
    return value


def record_of_line(line: bytes, dt: str) -> Record:
    """The session record on a line of that day's folder, else RejectedError or SkippedError is raised."""
    record = parsed(line)
    if not isinstance(record, dict):
        raise RejectedError("not an object")
    if required(record, "_event_type", as_text) not in ("analytics", "session_analytics"):
        raise SkippedError
    session_id = required(record, "_session_id", as_text)
    timestamp = required(record, "_timestamp", as_number)
    if not 0 <= timestamp < END_OF_TIME:
        raise RejectedError("_timestamp is out of range")
    # The folder's date is the record's dt, also where the two disagree.
    return flat(record, line, {"dt": dt, "session_id": session_id}, ended_ms_of(timestamp))


def flat(record: dict[str, Any], line: bytes, name: Row, ended_ms: int) -> Record:
    """A good record as its row of `sessions` and its rows of `tool_calls`."""
    mistyped: Counter[str] = Counter()
    fields = Fields(record, "", mistyped)
    signals, metrics = fields.inside("discovered_signals"), fields.inside("metrics_summary")
    entries = fields.get("tool_calls", as_array) or []
    name = {**name, "ended_at": instant(ended_ms)}
    calls = calls_of(entries, fields, name)
    duration = fields.get("duration_seconds", lambda value: as_duration(value, ended_ms))
    started_at = None if duration is None else instant(started_ms_of(ended_ms, duration))
    session = {
        **name,
        "started_at": started_at,
        "duration_seconds": duration,
        "team_size": signals.get("team_size", lambda value: none_for_zero(as_integer(value))),
        "monthly_volume": signals.get("monthly_volume", lambda value: none_for_zero(as_number(value))),
        "integration_needs": integration_needs_of(signals),
        "urgency": signals.get("urgency", lambda value: lower_case(as_text(value) or "") or None),
        "tool_call_count": len(calls),
        "failed_tool_call_count": sum(failed(call) for call in calls),
        "llm_tokens": metrics.get("llm_tokens", as_integer),
        "avg_latency_ms": metrics.get("avg_latency_ms", as_number),
        **{
            column: fields.get(column, as_text)
            for column in ("agent_name", "agent_version", "room_id", "close_reason", "caller_key")
        },
    }
    unknown = unknown_fields_of(record, [signals, metrics, *call_objects(entries)])
    return Record(line, in_order(session, SESSION_COLUMNS), calls, mistyped, unknown)


def as_duration(value: Any, ended_ms: int) -> float | None:
    """`duration_seconds also reads as null when negative or when duration_seconds * 1000 > ended_ms (before
    rounding).`"""
    duration = as_length(value)
    if duration is not None and duration * 1000 > ended_ms:
        raise MistypedError
    return duration


def integration_needs_of(signals: Fields) -> list[str]:
    """`Array of strings, trimmed, order kept, blanks left out, never null.`"""
    elements = signals.get("integration_needs", as_array) or []
    needs = [signals.read("integration_needs", as_text, element) for element in elements]
    return [need for need in needs if need is not None]


def call_objects(entries: list[Any]) -> list[Fields]:
    """The entries of tool_calls that are objects, also those that are no calls."""
    return [Fields(entry, "tool_calls.", Counter()) for entry in entries if isinstance(entry, dict)]


def calls_of(entries: list[Any], fields: Fields, name: Row) -> list[Row]:
    """`An entry of tool_calls that is not an object, or has no tool, is no call; the others keep their
    positions.`"""
    calls = []
    for position, entry in enumerate(entries, start=1):
        call = Fields(fields.read("tool_calls", as_object, entry) or {}, "tool_calls.", fields.mistyped)
        row = {
            **name,
            "call_index": position,
            "tool": call.get("tool", as_text),
            "query": call.get("query", as_text),
            "results_found": call.get("results_found", as_boolean),
            "error": error_of(call),
            "cancelled": call.get("cancelled", as_boolean),
            "duration_ms": call.get("duration_ms", as_length),
            "offset_seconds": call.get("offset_seconds", as_length),
        }
        row["outcome"] = outcome_of(row)
        if row["tool"] is not None:
            calls.append(in_order(row, CALL_COLUMNS))
    return calls


def error_of(call: Fields) -> str | None:
    """`A mistyped error still is one: an object with a non-blank string message reads as that text (trimmed), any
    other non-empty object or array, a number or true as (no text); it counts as mistyped all the same. {}, [], false
    read as null.`"""
    value, read = call.values.get("error"), call.get("error", as_text)
    if value is None or isinstance(value, str):
        return read
    if isinstance(value, dict | list) and not value:
        return None
    if value is False:
        return None
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return as_text(value["message"]) or "(no text)"
    return "(no text)"


def outcome_of(call: Row) -> str:
    """`error if error is a non-blank string, else cancelled if cancelled is true, else empty if results_found
    is false, else ok.`"""
    if call["error"] is not None:
        return "error"
    if call["cancelled"] is True:
        return "cancelled"
    if call["results_found"] is False:
        return "empty"
    return "ok"


def failed(call: Row) -> bool:
    """`A call failed when its outcome is error or empty.`"""
    return call["outcome"] in ("error", "empty")


def unknown_fields_of(record: dict[str, Any], objects: Iterable[Fields]) -> Counter[str]:
    """The paths of the topmost keys that the contract does not name, once for each time they occur."""
    unknown: Counter[str] = Counter()
    for fields in [Fields(record, "", Counter()), *objects]:
        unknown.update(fields.prefix + key for key in fields.values if key not in KNOWN_FIELDS[fields.prefix])
    return unknown


def in_order(row: Row, columns: tuple[str, ...]) -> Row:
    """The row with exactly these columns, in this order."""
    assert set(row) == set(columns), set(row) ^ set(columns)
    return {column: row[column] for column in columns}


# Where it lies --------------------------------------------------------------------------------------------


def key_of(session_id: str, ended_ms: int) -> str:
    """`<root>/sessions/dt=YYYY-MM-DD/<id>-<seconds>.json`, below the root."""
    name = f"{encoded_id(session_id)}-{decimal_seconds(ended_ms)}.json"
    return f"sessions/dt={instant(ended_ms).date().isoformat()}/{name}"


def decimal_seconds(ended_ms: int) -> str:
    """`Its shortest decimal form without exponent (1738000000, 1738000000.123).`"""
    return f"{ended_ms // 1000}.{ended_ms % 1000:03d}".rstrip("0").removesuffix(".")


def encoded_id(session_id: str) -> str:
    """`Percent-encoded (UTF-8; A-Z a-z 0-9 - . _ ~ stay, but a leading _ or . is encoded too); when that is
    longer than 200 characters, its first 160, ~, and the first 32 hex digits of the SHA-256 of the id in
    UTF-8.`"""
    encoded = urllib.parse.quote(session_id, safe="-._~")
    if encoded[0] in "_.":
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    if len(encoded) > 200:
        encoded = f"{encoded[:160]}~{hashlib.sha256(session_id.encode()).hexdigest()[:32]}"
    return encoded


# ----------------------------------------------------------------------------------------------------------
# Section 2: the reports
# ----------------------------------------------------------------------------------------------------------

SUMMARY_COLUMNS = (
    "sessions", "timed_sessions", "avg_duration", "p50_duration", "p90_duration", "p95_duration",
    "total_duration", "total_tokens", "avg_latency_ms",
)  # fmt: skip

COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "lead_funnel": {
        "stages": ("stage", "sessions", "share", "conversion", "conversion_low", "conversion_high"),
        "daily": (
            "dt", "sessions", "signals", "qualified", "hot", "qualified_rate", "qualified_rate_low",
            "qualified_rate_high",
        ),
        "coverage": ("signal", "known", "share"),
        "integrations": (
            "integration", "sessions", "qualified", "qualified_rate", "qualified_rate_low",
            "qualified_rate_high",
        ),
        "leads": (
            "session_id", "ended_at", "stage", "team_size", "monthly_volume", "urgency", "integration_needs",
            "duration_seconds", "agent_name", "room_id", "caller_key",
        ),
    },
    "duration_trends": {
        "summary": SUMMARY_COLUMNS,
        "daily": ("dt", *SUMMARY_COLUMNS, "p50_duration_7d"),
        "hourly": ("hour", "sessions", "p50_duration"),
        "weekdays": ("weekday", "sessions", "p50_duration"),
        "distribution": ("from_seconds", "to_seconds", "sessions"),
        "by_stage": ("stage", "sessions", "avg_duration", "p50_duration", "p90_duration"),
        "close_reasons": ("close_reason", "sessions", "share", "p50_duration"),
    },
    "tool_failures": {
        "by_tool": (
            "tool", "calls", "empty", "errors", "cancelled", "failures", "failure_rate", "failure_rate_low",
            "failure_rate_high", "sessions_affected", "timed_calls", "p50_duration_ms", "p95_duration_ms",
        ),
        "daily": ("dt", "calls", "failures", "failure_rate"),
        "tool_daily": ("dt", "tool", "calls", "failures", "failure_rate"),
        "errors": ("tool", "error", "failures", "sessions", "last_at"),
        "failing_queries": ("tool", "query", "calls", "failures", "empty", "errors", "sessions", "last_at"),
        "recovery": ("tool", "failures", "retried", "recovered", "last_calls"),
        "impact": (
            "calls", "had_failure", "sessions", "qualified", "qualified_rate", "qualified_rate_low",
            "qualified_rate_high",
        ),
    },
}  # fmt: skip

STAGES = ("session", "signals", "qualified", "hot")
EDGES = (0.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
Z = 1.959963984540054


@dataclass
class Period:
    """What a report is made from: the two views over the period, and the stage that each session reached."""

    days: list[str]
    sessions: list[Row]
    calls: list[Row]
    earlier_sessions: list[Row]  # of the six days before the period
    minimums: tuple[float, float]

    def stage(self, session: Row) -> str:
        """The furthest stage that a session reached."""
        return stage_of(session, *self.minimums)

    def reached(self, sessions: Iterable[Row], stage: str) -> int:
        """How many of the sessions reached a stage: `each inside the one before`."""
        return sum(STAGES.index(self.stage(session)) >= STAGES.index(stage) for session in sessions)


def report(
    name: str,
    root: str | os.PathLike[str],
    start: str,
    end: str,
    *,
    min_team_size: float = 5,
    min_monthly_volume: float = 100,
) -> Tables:
    """All tables of a report over the days start..end, every row with the contract's columns in its order."""
    found = read(root, start, end)
    period = Period(
        days(start, end),
        found.sessions,
        found.calls,
        earlier_sessions(root, start),
        (min_team_size, min_monthly_volume),
    )
    makers = {"lead_funnel": lead_funnel, "duration_trends": duration_trends, "tool_failures": tool_failures}
    tables = makers[name](period)
    assert list(tables) == list(COLUMNS[name])
    return {table: [in_order(row, COLUMNS[name][table]) for row in rows] for table, rows in tables.items()}


def earlier_sessions(root: str | os.PathLike[str], start: str) -> list[Row]:
    """The sessions of the six days before start (`days before start are read too`)."""
    first = date.fromisoformat(start).toordinal()
    before = [date.fromordinal(first - back).isoformat() for back in range(6, 0, -1) if first > back]
    return read(root, before[0], before[-1]).sessions if before else []


# Statistics -----------------------------------------------------------------------------------------------


def ratio(part: int, whole: int) -> float | None:
    """`Rates are fractions from 0 to 1, or null where the denominator is 0.`"""
    return part / whole if whole else None


def wilson(part: int, whole: int) -> tuple[float | None, float | None]:
    """`The Wilson score interval of the rate at 95 % (z = 1.959963984540054), cut to 0..1, null where the
    rate is`: (p + z^2/2n -+ z sqrt(p(1 - p)/n + z^2/4n^2)) / (1 + z^2/n)."""
    if not whole:
        return None, None
    p = part / whole
    middle = p + Z**2 / (2 * whole)
    reach = Z * math.sqrt(p * (1 - p) / whole + Z**2 / (4 * whole**2))
    scale = 1 + Z**2 / whole
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def rate(name: str, part: int, whole: int) -> Row:
    """A rate with its interval, as the columns NAME, NAME_low and NAME_high."""
    low, high = wilson(part, whole)
    return {name: ratio(part, whole), f"{name}_low": low, f"{name}_high": high}


def known(rows: Iterable[Row], column: str) -> list[Any]:
    """`Sums, means and percentiles leave nulls out.`"""
    return [row[column] for row in rows if row[column] is not None]


def total(values: list[float]) -> float | None:
    """The sum, null over no value."""
    return math.fsum(values) if values else None


def mean(values: list[float]) -> float | None:
    """The mean, null over no value."""
    return math.fsum(values) / len(values) if values else None


def percentile(values: list[float], q: float) -> float | None:
    """`Percentiles are exact, by linear interpolation (numpy's default)`, null over no value.

    The q-th lies at position q * (n - 1) of the sorted values, counted from 0; between two of them it lies
    on the straight line.
    """
    if not values:
        return None
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """The rows by a key."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)


def of_day(rows: Iterable[Row], dt: str) -> list[Row]:
    """The rows of one day."""
    return [row for row in rows if row["dt"] == dt]


def distinct_sessions(rows: Iterable[Row]) -> int:
    """`Columns that count sessions count distinct (dt, session_id, ended_at).`"""
    return len({identity(row) for row in rows})


# lead_funnel ----------------------------------------------------------------------------------------------


def stage_of(session: Row, min_team_size: float, min_monthly_volume: float) -> str:
    """`signals (any of team_size, monthly_volume, urgency known, or at least one integration need);
    qualified (signals, and team_size >= min_team_size or monthly_volume >= min_monthly_volume); hot
    (qualified, and urgency is high).`"""
    team_size, volume, urgency = session["team_size"], session["monthly_volume"], session["urgency"]
    if team_size is None and volume is None and urgency is None and not session["integration_needs"]:
        return "session"
    large_team = team_size is not None and team_size >= min_team_size
    large_volume = volume is not None and volume >= min_monthly_volume
    if not (large_team or large_volume):
        return "signals"
    return "hot" if urgency == "high" else "qualified"


def lead_funnel(period: Period) -> Tables:
    """The five tables of lead_funnel."""
    return {
        "stages": stages(period),
        "daily": funnel_daily(period),
        "coverage": coverage(period),
        "integrations": integrations(period),
        "leads": leads(period),
    }


def stages(period: Period) -> list[Row]:
    """`Share of all sessions; conversion from the stage before (1.0 with null bounds for the first, null if
    there are no sessions).`"""
    counts = [period.reached(period.sessions, stage) for stage in STAGES]
    first = {"conversion": 1.0 if counts[0] else None, "conversion_low": None, "conversion_high": None}
    rows = []
    for index, (stage, count) in enumerate(zip(STAGES, counts, strict=True)):
        conversion = first if index == 0 else rate("conversion", count, counts[index - 1])
        rows.append({"stage": stage, "sessions": count, "share": ratio(count, counts[0]), **conversion})
    return rows


def funnel_daily(period: Period) -> list[Row]:
    """`One row for every day of the period, also for a day without sessions.`"""
    rows = []
    for dt in period.days:
        sessions = of_day(period.sessions, dt)
        qualified = period.reached(sessions, "qualified")
        rows.append(
            {
                "dt": dt,
                "sessions": len(sessions),
                "signals": period.reached(sessions, "signals"),
                "qualified": qualified,
                "hot": period.reached(sessions, "hot"),
                **rate("qualified_rate", qualified, len(sessions)),
            }
        )
    return rows


def coverage(period: Period) -> list[Row]:
    """`In how many sessions the agent learned it.`"""
    rows = []
    for signal in ("team_size", "monthly_volume", "urgency", "integration_needs"):
        count = sum(session[signal] not in (None, []) for session in period.sessions)
        rows.append({"signal": signal, "known": count, "share": ratio(count, len(period.sessions))})
    return rows


def integrations(period: Period) -> list[Row]:
    """`Per distinct need (lower case; a session counts once for each), most sessions first, then by name.`"""
    asking: dict[str, list[Row]] = defaultdict(list)
    for session in period.sessions:
        for need in {lower_case(need) for need in session["integration_needs"]}:
            asking[need].append(session)
    rows = []
    for need, sessions in asking.items():
        qualified = period.reached(sessions, "qualified")
        counts = {"integration": need, "sessions": len(sessions), "qualified": qualified}
        rows.append({**counts, **rate("qualified_rate", qualified, len(sessions))})
    return sorted(rows, key=lambda row: (-row["sessions"], row["integration"]))


def leads(period: Period) -> list[Row]:
    """`Every qualified or hot session; hot first, then newest first, then session_id, then dt.`"""
    found = [
        {**session, "stage": period.stage(session)}
        for session in period.sessions
        if period.stage(session) in ("qualified", "hot")
    ]
    found.sort(key=lambda lead: (lead["session_id"], lead["dt"]))
    found.sort(key=lambda lead: lead["ended_at"], reverse=True)  # sorting keeps the order of equals
    found.sort(key=lambda lead: lead["stage"] != "hot")
    columns = COLUMNS["lead_funnel"]["leads"]
    return [{column: lead[column] for column in columns} for lead in found]


# duration_trends ------------------------------------------------------------------------------------------


def duration_trends(period: Period) -> Tables:
    """The seven tables of duration_trends."""
    return {
        "summary": [summary(period.sessions)],
        "daily": duration_daily(period),
        "hourly": started(period.sessions, "hour", range(24), lambda at: at.hour),
        "weekdays": started(period.sessions, "weekday", range(1, 8), lambda at: at.isoweekday()),
        "distribution": distribution(period.sessions),
        "by_stage": by_stage(period),
        "close_reasons": close_reasons(period.sessions),
    }


def summary(sessions: list[Row]) -> Row:
    """Durations, tokens and latency of some sessions."""
    durations = known(sessions, "duration_seconds")
    tokens = known(sessions, "llm_tokens")
    return {
        "sessions": len(sessions),
        "timed_sessions": len(durations),
        "avg_duration": mean(durations),
        "p50_duration": percentile(durations, 0.5),
        "p90_duration": percentile(durations, 0.9),
        "p95_duration": percentile(durations, 0.95),
        "total_duration": total(durations),
        "total_tokens": sum(tokens) if tokens else None,
        "avg_latency_ms": mean(known(sessions, "avg_latency_ms")),
    }


def duration_daily(period: Period) -> list[Row]:
    """`p50_duration_7d: the median of the sessions of that day and the six before it (days before start are
    read too). One row for every day.`"""
    rows = []
    for dt in period.days:
        newest = date.fromisoformat(dt).toordinal()
        week = [
            session
            for session in period.earlier_sessions + period.sessions
            if newest - 6 <= date.fromisoformat(session["dt"]).toordinal() <= newest
        ]
        median = percentile(known(week, "duration_seconds"), 0.5)
        rows.append({"dt": dt, **summary(of_day(period.sessions, dt)), "p50_duration_7d": median})
    return rows


def started(sessions: list[Row], column: str, units: Iterable[int], unit_of: Callable[[datetime], int]) -> list[Row]:
    """`UTC, of started_at; all rows; sessions with a duration only` (without one, started_at is null)."""
    rows = []
    for unit in units:
        durations = [
            session["duration_seconds"]
            for session in sessions
            if session["started_at"] is not None and unit_of(session["started_at"]) == unit
        ]
        rows.append({column: unit, "sessions": len(durations), "p50_duration": percentile(durations, 0.5)})
    return rows


def distribution(sessions: list[Row]) -> list[Row]:
    """`Ten rows; from <= duration < to, the last to null.`"""
    durations = known(sessions, "duration_seconds")
    rows = []
    for low, high in zip(EDGES, (*EDGES[1:], None), strict=True):
        count = sum(low <= duration and (high is None or duration < high) for duration in durations)
        rows.append({"from_seconds": low, "to_seconds": high, "sessions": count})
    return rows


def by_stage(period: Period) -> list[Row]:
    """`Each session under the furthest stage that it reached.`"""
    rows = []
    for stage in STAGES:
        sessions = [session for session in period.sessions if period.stage(session) == stage]
        durations = known(sessions, "duration_seconds")
        rows.append(
            {
                "stage": stage,
                "sessions": len(sessions),
                "avg_duration": mean(durations),
                "p50_duration": percentile(durations, 0.5),
                "p90_duration": percentile(durations, 0.9),
            }
        )
    return rows


def close_reasons(sessions: list[Row]) -> list[Row]:
    """`Most sessions first, then by name, null last.`"""
    rows = []
    for reason, ended in grouped(sessions, lambda session: session["close_reason"]).items():
        median = percentile(known(ended, "duration_seconds"), 0.5)
        counts = {"sessions": len(ended), "share": ratio(len(ended), len(sessions))}
        rows.append({"close_reason": reason, **counts, "p50_duration": median})
    return sorted(rows, key=lambda row: (-row["sessions"], row["close_reason"] is None, row["close_reason"] or ""))


# tool_failures --------------------------------------------------------------------------------------------


def tool_failures(period: Period) -> Tables:
    """The seven tables of tool_failures."""
    return {
        "by_tool": by_tool(period.calls),
        "daily": [{"dt": dt, **call_counts(of_day(period.calls, dt))} for dt in period.days],
        "tool_daily": tool_daily(period),
        "errors": errors(period.calls),
        "failing_queries": failing_queries(period.calls),
        "recovery": recovery(period.calls),
        "impact": impact(period),
    }


def with_outcome(calls: Iterable[Row], outcome: str) -> list[Row]:
    """The calls with that outcome."""
    return [call for call in calls if call["outcome"] == outcome]


def failures_among(calls: Iterable[Row]) -> list[Row]:
    """The calls that failed."""
    return [call for call in calls if failed(call)]


def call_counts(calls: list[Row]) -> Row:
    """Calls, failures and their rate."""
    failures = len(failures_among(calls))
    return {"calls": len(calls), "failures": failures, "failure_rate": ratio(failures, len(calls))}


def by_tool(all_calls: list[Row]) -> list[Row]:
    """`Most failures first, then by name.`"""
    rows = []
    for tool, calls in grouped(all_calls, lambda call: call["tool"]).items():
        failures = failures_among(calls)
        durations = known(calls, "duration_ms")
        rows.append(
            {
                "tool": tool,
                "calls": len(calls),
                "empty": len(with_outcome(calls, "empty")),
                "errors": len(with_outcome(calls, "error")),
                "cancelled": len(with_outcome(calls, "cancelled")),
                "failures": len(failures),
                **rate("failure_rate", len(failures), len(calls)),
                "sessions_affected": distinct_sessions(failures),
                "timed_calls": len(durations),
                "p50_duration_ms": percentile(durations, 0.5),
                "p95_duration_ms": percentile(durations, 0.95),
            }
        )
    return sorted(rows, key=lambda row: (-row["failures"], row["tool"]))


def tool_daily(period: Period) -> list[Row]:
    """`One row for every day and every tool called in the period; by dt, then tool.`"""
    rows = []
    for dt in period.days:
        for tool in sorted({call["tool"] for call in period.calls}):
            calls = [call for call in of_day(period.calls, dt) if call["tool"] == tool]
            rows.append({"dt": dt, "tool": tool, **call_counts(calls)})
    return rows


def folded(text: str) -> str:
    """`Trimmed, each run of blanks folded to one space.`"""
    return RUN_OF_BLANKS.sub(" ", text.strip(BLANKS))


def errors(calls: list[Row]) -> list[Row]:
    """`Calls whose outcome is error; the text trimmed, each run of blanks folded to one space; last_at is the
    latest ended_at; most failures first, then tool, error.`"""
    groups = grouped(with_outcome(calls, "error"), lambda call: (call["tool"], folded(call["error"])))
    rows = [
        {
            "tool": tool,
            "error": error,
            "failures": len(group),
            "sessions": distinct_sessions(group),
            "last_at": max(call["ended_at"] for call in group),
        }
        for (tool, error), group in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row["failures"], row["tool"], row["error"]))


def failing_queries(all_calls: list[Row]) -> list[Row]:
    """`calls are all calls of that tool with that query, the rest only its failed ones; queries with a
    failure only; most failures first, then tool, query. Calls without a query are left out.`"""
    asked = [call for call in all_calls if call["query"] is not None]
    rows = []
    for (tool, query), calls in grouped(asked, lambda call: (call["tool"], lower_case(folded(call["query"])))).items():
        failures = failures_among(calls)
        if failures:
            rows.append(
                {
                    "tool": tool,
                    "query": query,
                    "calls": len(calls),
                    "failures": len(failures),
                    "empty": len(with_outcome(failures, "empty")),
                    "errors": len(with_outcome(failures, "error")),
                    "sessions": distinct_sessions(failures),
                    "last_at": max(call["ended_at"] for call in failures),
                }
            )
    return sorted(rows, key=lambda row: (-row["failures"], row["tool"], row["query"]))


def recovery(all_calls: list[Row]) -> list[Row]:
    """`Of a tool's failed calls, how many were followed in the same session by a call of the same tool; by
    one of the same tool with outcome ok; by no call at all. Tools with a failure only.`"""
    sessions = grouped(all_calls, identity)
    rows = []
    for tool, failures in grouped(failures_among(all_calls), lambda call: call["tool"]).items():
        retried = recovered = last_calls = 0
        for failure in failures:
            later = [call for call in sessions[identity(failure)] if call["call_index"] > failure["call_index"]]
            again = [call for call in later if call["tool"] == tool]
            retried += bool(again)
            recovered += bool(with_outcome(again, "ok"))
            last_calls += not later
        counts = {"retried": retried, "recovered": recovered, "last_calls": last_calls}
        rows.append({"tool": tool, "failures": len(failures), **counts})
    return sorted(rows, key=lambda row: (-row["failures"], row["tool"]))


def calls_label(session: Row) -> str | None:
    """`1, 2-3, 4+`; none for a session without a call."""
    count = session["tool_call_count"]
    if count == 0:
        return None
    return "1" if count == 1 else "2-3" if count <= 3 else "4+"


def impact(period: Period) -> list[Row]:
    """`Sessions with at least one call, by number of calls (1, 2-3, 4+) and by whether one failed (true, then
    false); six rows in that order.`"""
    rows = []
    for label in ("1", "2-3", "4+"):
        for had_failure in (True, False):
            sessions = [
                session
                for session in period.sessions
                if calls_label(session) == label and (session["failed_tool_call_count"] > 0) == had_failure
            ]
            qualified = period.reached(sessions, "qualified")
            group = {"calls": label, "had_failure": had_failure, "sessions": len(sessions)}
            rows.append({**group, "qualified": qualified, **rate("qualified_rate", qualified, len(sessions))})
    return rows

"""Lakes for tests: wild ones that hypothesis draws, and plain ones built by hand.

`lakes()` draws small lakes around a month boundary that break every rule a writer can break, as
`{path below the root: content}`; `write` puts one on disk. `session`, `call` and `lake_of` build the records
of example tests: inline sessions in, whole rows out.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import EllipsisType
from typing import Any

from hypothesis import strategies as st

from tests.support import reference

Json = Any
REMOVE: EllipsisType = ...  # as a value it drops the key

# The wild lakes lie over these three days; a few records lie in the six days before them, and outside.
DAYS = ("2026-01-31", "2026-02-01", "2026-02-02")
START, END = DAYS[0], DAYS[-1]
EARLIER_DAYS = ("2026-01-25", "2026-01-29", "2026-01-24")
LATER_DAY = "2026-02-03"


# Builders ------------------------------------------------------------------------------------------------


def at(moment: str) -> float:
    """Seconds since the Unix epoch of an ISO instant in UTC: `at("2026-02-01T10:00:00")`."""
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


def call(tool: Json = "search", **fields: Json) -> dict[str, Json]:
    """A tool call with these fields only; `...` as a value drops the key."""
    made: dict[str, Json] = without_removed({"tool": tool, **fields})
    return made


def session(**overrides: Json) -> dict[str, Json]:
    """A full, valid session record; a keyword replaces a field, and `...` drops it.

    The fields of `discovered_signals` and `metrics_summary` are keywords too: `session(team_size=9)`. It is a
    session of 2026-02-01, 120 seconds long, without an integration, that did not qualify, with one good call.
    """
    record: dict[str, Json] = {
        "_event_type": "analytics",
        "_timestamp": at("2026-02-01T10:02:00"),
        "_session_id": "room-1",
        "duration_seconds": 120.0,
        "agent_name": "sales",
        "agent_version": "1.0.0",
        "room_id": "RM_1",
        "close_reason": "user_initiated",
        "caller_key": "c0ffee",
        "discovered_signals": {
            "team_size": 3,
            "monthly_volume": 20,
            "integration_needs": [],
            "urgency": "low",
        },
        "tool_calls": [call(query="price", results_found=True, duration_ms=250, offset_seconds=4.5, cancelled=False)],
        "metrics_summary": {"llm_tokens": 900, "avg_latency_ms": 640.0},
    }
    for name, value in overrides.items():
        holder = next((key for key in NESTED if name in NESTED[key] and key not in overrides), None)
        (record[holder] if holder else record)[name] = value
    made: dict[str, Json] = without_removed(record)
    return made


NESTED = {
    "discovered_signals": ("team_size", "monthly_volume", "integration_needs", "urgency"),
    "metrics_summary": ("llm_tokens", "avg_latency_ms"),
}


def without_removed(value: Json) -> Any:
    """The value without the keys whose value is `...`, at any depth."""
    if isinstance(value, dict):
        return {key: without_removed(inner) for key, inner in value.items() if inner is not REMOVE}
    if isinstance(value, list):
        return [without_removed(inner) for inner in value]
    return value


def key(record: dict[str, Json]) -> str:
    """The contract's key of a good record, below the root."""
    row = reference.record_of_line(encode(record).encode(), "").session
    ended_ms = round((row["ended_at"] - reference.EPOCH).total_seconds() * 1000)
    return reference.key_of(row["session_id"], ended_ms)


def lake_of(root: str | os.PathLike[str], *records: dict[str, Json], name: str | None = None) -> Path:
    """The root, after each record was written at its contract's key; records must be good ones.

    With a name, all records of a day go into the one file of that name, one to a line (compressed if it ends
    in `.gz`).
    """
    files: dict[str, bytes] = {}
    for record in records:
        path = key(record)
        if name is None:
            files[path] = encode(record).encode() + b"\n"
        else:
            path = f"{path.rpartition('/')[0]}/{name}"
            files[path] = files.get(path, b"") + encode(record).encode() + b"\n"
    packed = {
        path: gzip.compress(content, mtime=0) if path.endswith(".gz") else content for path, content in files.items()
    }
    return write(root, packed)


def write(root: str | os.PathLike[str], files: dict[str, bytes]) -> Path:
    """The root, after the files were written below it."""
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


# JSON text -----------------------------------------------------------------------------------------------


class Raw(str):
    """JSON text to be written as it is: a number such as 1e400, or what is not JSON at all."""

    __slots__ = ()


def encode(value: Json, *, ascii_only: bool = True) -> str:
    """The value as JSON text on one line; an unpaired surrogate is always escaped."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        items = (
            f"{encode(str(name), ascii_only=ascii_only)}: {encode(inner, ascii_only=ascii_only)}"
            for name, inner in value.items()
        )
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(encode(inner, ascii_only=ascii_only) for inner in value) + "]"
    text = json.dumps(value, ensure_ascii=ascii_only)
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def deep(levels: int) -> Raw:
    """Arrays in arrays, that many levels."""
    return Raw("[" * levels + "]" * levels)


# What a field may hold ------------------------------------------------------------------------------------

SESSION_IDS = [
    "room-1", "room-2", "room-3", " room-1 ", "\troom-2\r\n", "Room-1", "room_1", "_room", ".room", "a/b c",
    "r\u00e4um", "\u00a0room-1", "\U0001f600", "\u0130\u03a3", "it's \"quoted\"",
    "'; DROP TABLE sessions; --",
    "<b>room</b>", "null", "0", "x" * 230, "\u00e4" * 80,
]  # fmt: skip

# Seconds after midnight; those at the end round into the next day or just do not.
SECONDS_OF_DAY = [
    36000, 36000.123, 43200.5, 0, 0.001, 0.0004, 0.0005, 86399, 86399.999, 86399.9994, 86399.9995, 86399.9999,
    12345.6785,
]  # fmt: skip

PLAUSIBLE: dict[str, list[Json]] = {
    "duration_seconds": [120, 0, 9.999, 10, 30.0, 61.5, 300, 599.9995, 600, 3599.5, 3600, 90000, REMOVE,
    None],
    "agent_name": ["sales", "support", REMOVE],
    "room_id": ["RM_1", REMOVE],
    "caller_key": ["c0ffee", REMOVE],
    "close_reason": ["user_initiated", "error", "participant_disconnected", " error ", "", REMOVE, None],
    "discovered_signals.team_size": [3, 5, 4, 12, 8.0, "8", 0, "0", Raw("-0.0"), None, REMOVE],
    "discovered_signals.monthly_volume": [20, 100, 99, 5000, "250", 0, " 0e5 ", Raw("-0"), 1e-9, None, REMOVE],
    "discovered_signals.integration_needs": [
        [], ["salesforce"], ["Salesforce", " salesforce"], ["hubspot", "", None], None, REMOVE,
    ],
    "discovered_signals.urgency": ["low", "high", "HIGH", " High\n", "medium", None, REMOVE],
    "metrics_summary.llm_tokens": [900, 0, 12345, None, REMOVE],
    "metrics_summary.avg_latency_ms": [640.0, 0.1, 1e-3, REMOVE],
}  # fmt: skip

PLAUSIBLE_CALLS: dict[str, list[Json]] = {
    "tool": ["search", "book", "search", "Search", " book "],
    "query": ["price", "PRICE", " price\t list ", "price list", REMOVE, None],
    "results_found": [True, False, False, REMOVE, None],
    "error": [REMOVE, REMOVE, None, "", "timeout", "time  out", "time\nout", {"message": " timeout\t"}, False],
    "cancelled": [REMOVE, False, False, True],
    "duration_ms": [250, 0, 12.5, REMOVE],
}

TEXTS = [
    "", " ", "\t\r\n ", "\u00a0", "\u2003", "\u000b", "\u000c", "\u001f", " high ", "\thigh", "high\n",
    "\rhigh",
    "\u00a0high", "high\u2003", "h\u0131gh", "HIGH", "\u0130STANBUL", "\u03a3\u0391\u03a3", "\u212a",
    "\u1e9e",
    "\U0001f600", "a\u0000b", "\u0000", "line\u2028end\u0085", "it's", 'say "hi"', "back\\slash", "a,b;c",
    "<b>&amp;",
    "<script>alert(1)</script>", "'; DROP TABLE sessions; --", "/*:start*/ '2026-01-01'", "{braces} %s $1",
    "=1+1",
    "null", "true", " TRUE ", "False\n", "tRuE", "t", "yes", "1", "0", "8", " 8 ", "8.0", "8.5", "-2.5e3",
    "1E2",
    "+8", ".5", "1.", "007", "-0", "1_000", "1d", "0x1p3", "0x10", "NaN", "Infinity", "inf", "1e400",
    "1e-400",
    "\u0661\u0662", "8 8", "8\u00a0", "1000000000000000", "1000000000000001", "9" * 400, "z" * 3000,
    "\ufeffbom", "\ufdd0", "\uffff", "e\u0301", "\u200b",
]  # fmt: skip

NUMBERS: list[Json] = [
    0, 1, 5, 8, 100, -1, -0.5, 8.5, 0.1, 1e-9, 1769904000, 1769904000.0001, 253402300799, 1000000000000000,
    1000000000000001, -1000000000000000, 9007199254740993, 123456789.123456789,
    Raw("-0"), Raw("-0.0"), Raw("8.0"), Raw("1e2"), Raw("1E+2"), Raw("5e-1"), Raw("1e15"),
    Raw("1.0000001e15"),
    Raw("1e400"), Raw("-1e400"), Raw("1e-400"), Raw("7" * 5000), Raw("0." + "3" * 5000),
    Raw("4.99999999999999999999"), Raw("5.00000000000000000001"),
]  # fmt: skip

OTHERS: list[Json] = [
    REMOVE, None, True, False, [], {}, [1], ["a", None, 2, "", " b "], {"a": 1}, [[]], [{}], [None],
    {"team_size": 7}, deep(300),
]  # fmt: skip

ERRORS: list[Json] = [
    {}, [], [{}], [None], False, True, 0, 500, Raw("-0.0"), Raw("1e400"), Raw("[ ]"), Raw("{ }"), {"message": "boom"},
    {"message": " time\n out\r\n"}, {"message": " \t"}, {"message": ""}, {"message": None}, {"message": 5},
    {"message": {"message": "x"}}, {"message": ["x"]}, {"Message": "x"}, {"code": 7, "message": "\u00a0said"},
    [{"message": "x"}], ["boom"], '{"message": "x"}', "[]", "false", "(no text)", {"": "message"},
    {"a": {"message": "x"}}, {"message": "Infinity", "code": Raw("1e400")}, {"message": "null"},
    {"message": "quoted \" \\ \u2028 \U0001f600"},
]  # fmt: skip

# Not JSON, or perhaps not: each loses its line, so they are drawn seldom.
SURROGATES: list[Json] = [
    Raw('"\\ud800"'), Raw('"\\uDC00 low"'), Raw('"\\ude00\\ud83d"'), Raw('"\\ud83d\\ude00"'),
    Raw('{"\\udbff": 1}'), Raw('[{"a": ["\\ud800"]}]'), Raw('"\\\\ud800"'),
]  # fmt: skip
NOT_JSON: list[Json] = [
    Raw("NaN"), Raw("-Infinity"), Raw("Infinity"), Raw("[1,]"), Raw("007"), Raw(".5"), Raw("1."), Raw("+8"),
    Raw("'x'"), Raw("undefined"), Raw("True"), Raw('"\t"'), Raw('"\\x41"'), Raw('"\\u12"'), Raw(""),
    Raw("1e"),
    Raw("-"), Raw("0x10"), Raw('"\x1f"'), Raw("/* no */ 1"), Raw("\u0661"), Raw("\u00a01"),
]  # fmt: skip

# Where a wild value may go: fields of the contract, and fields that it does not name.
FIELDS = [
    *PLAUSIBLE, "agent_version", "discovered_signals", "metrics_summary", "tool_calls", "tool_calls.query",
    "tool_calls.tool", "tool_calls.results_found", "tool_calls.error", "tool_calls.duration_ms",
    "tool_calls.offset_seconds", "tool_calls.cancelled",
]  # fmt: skip
REQUIRED_FIELDS = ["_event_type", "_session_id", "_timestamp"]
UNKNOWN_FIELDS = [
    "transcript", "", "_Session_Id", "Duration_Seconds", "a b", "x'y", "\u00fcber", "\U0001f600",
    "session_id",
    "discovered_signals.zz_added", "discovered_signals.Team_Size", "metrics_summary.cost",
    "tool_calls.cost",
    "tool_calls.", "tool_calls.call id", "dt",
]  # fmt: skip
EVENT_TYPES: list[Json] = [
    " analytics\n", "session_analytics", "\tsession_analytics ", "Session_analytics", "session_analytics2", "Analytics",
    "metrics", "analytics2", "\u00a0analytics", "", " ",
]  # fmt: skip
TIMESTAMPS: list[Json] = [
    "1769904000.5", " 1769904000.5 ", Raw("1.7699040005e9"), "1769904000,5", -1, Raw("-0"), 0, 0.0004,
    253402300798.9999, 253402300799, 1769904000500, "2026-02-01T00:00:00Z", Raw("1e400"),
    Raw("1769904000.50000"),
]  # fmt: skip
CALL_LISTS: list[Json] = [
    [None], ["search"], [{}], [None, {"tool": "search"}, 5, {"tool": ""}, {"tool": "book",
    "results_found": False}],
    [{"tool": 7, "error": 5, "results_found": "no"}], [[{"tool": "search"}]], [" ", {"tool": "search"}],
    {"tool": "search"}, [{"tool": "search", "error": "x", "cancelled": True, "results_found": "FALSE"}] * 3,
    [{"tool": "search", "results_found": False}, {"tool": "book"}, {"tool": "search",
    "results_found": " true"}],
]  # fmt: skip

TEXT, NUMBER, OTHER = st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.sampled_from(OTHERS)
NO_JSON = st.sampled_from(NOT_JSON + SURROGATES)
PADDED_NUMBER = st.builds(
    lambda left, number, right: f"{left}{encode(number)}{right}",
    st.sampled_from(["", " ", "\t", "\r\n", "\u00a0", "\u2003"]),
    NUMBER,
    st.sampled_from(["", " ", "\n\n", "\u00a0", "\u000b"]),
)
ANY_TEXT = st.text(max_size=6)
WILD_VALUE = st.one_of(TEXT, NUMBER, OTHER, PADDED_NUMBER, ANY_TEXT)
RARELY_BROKEN_VALUE = st.integers(0, 19).flatmap(lambda die: NO_JSON if die == 19 else WILD_VALUE)


# Records -------------------------------------------------------------------------------------------------


def pick(draw: st.DrawFn, pools: dict[str, list[Json]]) -> dict[str, Json]:
    """A value of each pool, by its name."""
    return {name: draw(st.sampled_from(pool)) for name, pool in pools.items()}


@st.composite
def plausible_records(draw: st.DrawFn, day: str) -> dict[str, Json]:
    """A record as the agent would write it, that ends on that day; names and times come from small pools."""
    crowd = SESSION_IDS[:3] if draw(st.booleans()) else SESSION_IDS
    record: dict[str, Json] = {
        "_event_type": draw(st.sampled_from(["analytics", "analytics", "session_analytics"])),
        "_timestamp": at(day) + draw(st.sampled_from(SECONDS_OF_DAY)),
        "_session_id": draw(st.sampled_from(crowd)),
    }
    for path, value in pick(draw, PLAUSIBLE).items():
        put(record, path, value)
    record["tool_calls"] = [pick(draw, PLAUSIBLE_CALLS) for _ in range(draw(st.integers(0, 5)))]
    return record


def put(record: dict[str, Json], path: str, value: Json, position: int = 0) -> None:
    """Put a value at a dotted path; where the object on the way is none, it takes the object's place."""
    value = copy.deepcopy(value)  # the pools' own must not change, or come to hold itself
    parent, dot, name = path.partition(".")
    if not dot:
        record[path] = value
        return
    holder = record.setdefault(parent, [] if parent == "tool_calls" else {})
    if isinstance(holder, list) and holder:
        holder = holder[position % len(holder)]
    if isinstance(holder, dict):
        holder[name] = value


@st.composite
def wild_records(draw: st.DrawFn, day: str) -> dict[str, Json]:
    """A plausible record in which up to four fields hold something else, or are new."""
    record = draw(plausible_records(day))
    kinds = st.sampled_from(
        ["field", "field", "field", "error", "unknown", "calls", "needs", "required", "surrogate key"]
    )
    for kind in draw(st.lists(kinds, max_size=4)):
        position = draw(st.integers(0, 4))
        if kind == "field":
            put(record, draw(st.sampled_from(FIELDS)), draw(RARELY_BROKEN_VALUE), position)
        elif kind == "error":
            put(record, "tool_calls.error", json_copy(draw(st.sampled_from(ERRORS))), position)
        elif kind == "unknown":
            put(record, draw(st.sampled_from(UNKNOWN_FIELDS)), draw(RARELY_BROKEN_VALUE), position)
        elif kind == "calls":
            record["tool_calls"] = json_copy(draw(st.sampled_from(CALL_LISTS)))
        elif kind == "needs":
            needs = st.lists(st.one_of(TEXT, WILD_VALUE.filter(lambda value: value is not REMOVE)), max_size=4)
            put(record, "discovered_signals.integration_needs", draw(needs))
        elif kind == "required" and draw(st.booleans()):
            put_required(draw, record)
        elif kind == "surrogate key" and draw(st.integers(0, 4)) == 4:
            put(record, draw(st.sampled_from(["\ud800", "metrics_summary.\udfff"])), 1)
    return record


def put_required(draw: st.DrawFn, record: dict[str, Json]) -> None:
    """Put something wild where a record needs something good."""
    pools = dict(zip(REQUIRED_FIELDS, (EVENT_TYPES, TEXTS, TIMESTAMPS), strict=True))
    name = draw(st.sampled_from(REQUIRED_FIELDS))
    record[name] = draw(st.one_of(st.sampled_from(pools[name]), WILD_VALUE))


def json_copy(value: Json) -> Json:
    """A copy that can be changed without changing the pool."""
    if isinstance(value, dict):
        return {name: json_copy(inner) for name, inner in value.items()}
    return [json_copy(inner) for inner in value] if isinstance(value, list) else value


# Lines and files -----------------------------------------------------------------------------------------

BROKEN_LINES = [
    b"not json", b"{", b"[]", b"null", b"42", b'"analytics"', b"\x00\x01\xfe\xff", b"\xff", b"{}", b"{}{}",
    b'[{"_event_type": "analytics"}]', b'{"_event_type": "metrics"}', b'{"_event_type": null}',
    b'{"_event_type": 1}',
    b'{"_event_type": "analytics"}', b'{"_event_type": "metrics", "x": NaN}', b'{"_event_type": "metrics",}',
    b'{"_event_type": "metrics", "x": "\\ud800"}', b"\xef\xbb", b"\xc2\xa0", b"\xe2\x80\x83", b"\x0b",
    b"\x1a",
    b"analytics,1769904000", b"\x1f\x8b\x08",
]  # fmt: skip
BLANK_LINES = [b"", b" ", b"\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf \t"]
LINE_ENDS = [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"\n\r", b"\r\n\r\n"]

LINE_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda line: line,
    "byte order mark": lambda line: b"\xef\xbb\xbf" + line,
    "two byte order marks": lambda line: b"\xef\xbb\xbf\xef\xbb\xbf" + line,
    "blank, then a byte order mark": lambda line: b" \xef\xbb\xbf" + line,
    "padded": lambda line: b" \t" + line + b" ",
    "padded with no blank": lambda line: line + b"\xc2\xa0",
    "truncated": lambda line: line[: len(line) * 2 // 3],
    "trailing comma": lambda line: line + b",",
    "trailing comma inside": lambda line: line[:-1] + b",}",
    "trailing text": lambda line: line + b" x",
    "twice": lambda line: line + line,
    "NaN": lambda line: line[:-1] + b', "x": NaN}',
    "infinity": lambda line: line[:-1] + b', "x": {"y": [-Infinity]}}',
    "invalid UTF-8": lambda line: line[:-1] + b', "x": "\xff"}',
    "a surrogate in UTF-8": lambda line: line[:-1] + b', "x": "\xed\xa0\x80"}',
    "overlong UTF-8": lambda line: line[:-1] + b', "x": "\xc0\xaf"}',
    "an unpaired surrogate": lambda line: line[:-1] + b', "x": [{"y": "\\ud800\\u0041"}]}',
    "escaped key": lambda line: line.replace(b'"_session_id"', b'"\\u005fsession_id"'),
    "escaped value": lambda line: line.replace(b'"analytics"', b'"\\u0061nalytics"'),
    "a space less": lambda line: line.replace(b": ", b":"),
    "a space more": lambda line: line.replace(b"{", b"{ "),
    "a form feed": lambda line: line.replace(b": ", b":\x0c", 1),
    "single quotes": lambda line: line.replace(b'"', b"'"),
    "an array": lambda line: b"[" + line + b"]",
}
HARMLESS_CHANGES = ["none", "byte order mark", "padded", "escaped key", "escaped value", "a space less"]


@st.composite
def record_lines(draw: st.DrawFn, day: str) -> bytes:
    """A line with a record, plausible or wild, sometimes of another day."""
    if draw(st.integers(0, 19)) == 19:
        day = draw(st.sampled_from((*DAYS, *EARLIER_DAYS, LATER_DAY)))
    record = draw(wild_records(day))
    text = encode(without_removed(record), ascii_only=draw(st.booleans()))
    return text.encode("utf-8")


@st.composite
def some_lines(draw: st.DrawFn, day: str, earlier: dict[str, list[bytes]]) -> bytes:
    """A line: a new record, a copy of an earlier one (seldom of another folder's), a broken or a blank line.

    A copy or a new record may be changed: mostly in a way that leaves it the same record.
    """
    die = draw(st.integers(0, 19))
    if die == 19:
        return draw(st.sampled_from(BROKEN_LINES + BLANK_LINES))
    lines = earlier.setdefault(day, [])
    if die == 18:
        lines = [line for of_day in earlier.values() for line in of_day]
    if die >= 12 and lines:
        line = draw(st.sampled_from(lines))
    else:
        line = draw(record_lines(day))
        earlier[day].append(line)
    if die in (7, 17):
        return LINE_CHANGES[draw(st.sampled_from(list(LINE_CHANGES)))](line)
    if die in (6, 8, 9, 15, 16):
        return LINE_CHANGES[draw(st.sampled_from(HARMLESS_CHANGES))](line)
    return line


@st.composite
def contents(draw: st.DrawFn, day: str, earlier: dict[str, list[bytes]]) -> bytes:
    """What a file holds before it is compressed: up to five lines, with any line ends."""
    content = b""
    for _ in range(draw(st.integers(0, 5))):
        content += draw(some_lines(day, earlier)) + draw(st.sampled_from(LINE_ENDS))
    return content.rstrip(b"\r\n") if draw(st.booleans()) else content


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "good": lambda plain: gzip.compress(plain, mtime=0),
    "with a name": lambda plain: b"\x1f\x8b\x08\x08\0\0\0\0\0\x03x.json\0" + gzip.compress(plain, mtime=0)[10:],
    "stored": lambda plain: gzip.compress(plain, compresslevel=0, mtime=0),
    "two members": lambda plain: (
        gzip.compress(plain[: len(plain) // 2], mtime=0) + gzip.compress(plain[len(plain) // 2 :], mtime=0)
    ),
    "an empty member": lambda plain: gzip.compress(plain, mtime=0) + gzip.compress(b"", mtime=0),
    "truncated": lambda plain: gzip.compress(plain, mtime=0)[:-4],
    "cut in the header": lambda plain: gzip.compress(plain, mtime=0)[:7],
    "one byte": lambda plain: gzip.compress(plain, mtime=0)[:1],
    "a wrong checksum": lambda plain: gzip.compress(plain, mtime=0)[:-8] + b"\0\1\2\3" + gzip.compress(plain)[-4:],
    "trailing bytes": lambda plain: gzip.compress(plain, mtime=0) + b"trailing",
    "trailing zeros": lambda plain: gzip.compress(plain, mtime=0) + b"\0" * 512,
    "a trailing line end": lambda plain: gzip.compress(plain, mtime=0) + b"\n",
    "a second member cut short": lambda plain: gzip.compress(plain, mtime=0) + gzip.compress(plain, mtime=0)[:-1],
    "plain": lambda plain: plain,
    "zero bytes": lambda plain: plain[:0],
    "twice compressed": lambda plain: gzip.compress(gzip.compress(plain, mtime=0), mtime=0),
}

GOOD_NAMES = [
    "a.json",
    "b.json",
    "c.jsonl",
    "d.ndjson",
    "e.json.gz",
    "f.jsonl.gz",
    "g.ndjson.gz",
    "h.json",
    "i.json",
]
ODD_NAMES = [
    "_hidden.json", ".dot.json", ".json", "a.JSON", "a.json.bak", "notes.txt", "data.gz", "x.json.zst",
    "x.parquet",
    "json", "x.csv.gz", "x.json.gz.json", "x.gz.json", "-dash.json", "~tilde.json", "sp ace.json",
    " lead.json",
    "quote'.json", 'quo"te.json', "[a].json", "st*r.json", "wh?t.json", "hash#.json", "a=b.json",
    "per%20cent.json",
    "back\\slash.json", "\u00fcn\u00ef.json", "\U0001f600.json", "\u00a0.json", "semi;colon.json.gz",
    "x.json/inner.json", "sub/inner.json", "_sub/inner.json", "dt=2026-02-01/inner.json",
]  # fmt: skip
ODD_PLACES = [
    "sessions/stray.json", "sessions/README", "sessions/_SUCCESS", "sessions/dt=2026-02-30/a.json",
    "sessions/dt=2026-2-1/a.json", "sessions/dt=20260201/a.json", "sessions/DT=2026-02-01/a.json",
    "sessions/2026-02-01/a.json", "sessions/dt=2026-02-01x/a.json", "sessions/dt=2026-W05-7/a.json",
    "sessions/room-1/1769904000.json", "sessions/.dt=2026-02-01/a.json", "rejected/dt=2026-02-01/a.json",
    "a.json",
]  # fmt: skip


@st.composite
def paths(draw: st.DrawFn) -> tuple[str, str]:
    """The day of a file's folder, and its path below the root."""
    die = draw(st.integers(0, 19))
    if die == 19:
        return DAYS[1], draw(st.sampled_from(ODD_PLACES))
    day = draw(st.sampled_from((*EARLIER_DAYS, LATER_DAY) if die in (17, 18) else DAYS))
    name = draw(st.sampled_from(ODD_NAMES if die in (14, 15, 16) else GOOD_NAMES))
    return day, f"sessions/dt={day}/{name}"


@st.composite
def lakes(draw: st.DrawFn, max_files: int = 7) -> dict[str, bytes]:
    """A small wild lake over START..END, as `{path below the root: content}`; `write` puts it on disk."""
    files: dict[str, bytes] = {}
    earlier: dict[str, list[bytes]] = {}
    for _ in range(draw(st.integers(0, max_files))):
        day, path = draw(paths())
        content = draw(contents(day, earlier))
        if path.endswith(".gz"):
            packing = "good" if draw(st.booleans()) else draw(st.sampled_from(list(PACKINGS)))
            content = PACKINGS[packing](content)
        files[path] = content
    return files

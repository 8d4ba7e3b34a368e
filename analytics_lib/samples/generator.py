"""Samples: a lake of invented sessions, the same bytes for the same settings on every machine.

The sessions tell the story of `business`; fields that only the schema knows are drawn from their declared examples, so
that a new field shows up in fresh samples. A day is written in a folder that readers ignore and renamed into place: it
is complete or absent, whenever the work is interrupted.
"""

import json
import shutil
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from analytics_lib.errors import OutputError, UsageError
from analytics_lib.record import object_key
from analytics_lib.samples.business import Business, pick
from analytics_lib.schema import RECORD, Field, Group, Kind

GENERATOR_VERSION = 2  # to be raised with every change that makes other bytes
MARKER = "samples.json"
LAST_DAY = date(2026, 1, 30)
_UNFINISHED = "_unfinished"
_SHARE_FILLED = 0.6
_SHARE_OF_NULLS_WRITTEN = 0.2

_TURNS = (
    "Hello, this is the assistant of the document team. What would you like to automate?",
    "Hi, we write a lot of offers by hand and we would like to stop doing that.",
    "Understood. Roughly how many documents do you produce in a month?",
    "Hard to say, a few hundred, and more at the end of a quarter.",
    "Thank you. And how many people in your team would create them?",
    "Sales mostly. And two of us in legal look at every contract before it goes out.",
    "Then an approval step may help: legal releases a document before it is sent.",
    "Great. Wir haben auch Kunden in Österreich, geht das zweisprachig?",
)
_encode = json.JSONEncoder(ensure_ascii=False).encode
_TURN_LINES = [
    _encode({"role": ("assistant", "user")[number % 2], "text": text}).encode() + b", "
    for number, text in enumerate(_TURNS)
]
_ROUND = b"".join(_TURN_LINES)
_TURN_ENDS = list(accumulate(map(len, _TURN_LINES)))
_LABEL = b', "transcript": ['

Record = tuple[Field | Group, ...]


def write_samples(
    root: Path,
    *,
    days: int = 30,
    sessions_per_day: int = 20,
    seed: int = 7,
    end: date = LAST_DAY,
    bytes_per_session: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    record: Record = RECORD,
) -> int:
    """How many sessions were written: those of the `days` UTC days up to `end` that `root` has not got yet.

    `sessions_per_day` is a mean over the week. `bytes_per_session` pads each record to at least that size with a
    transcript. `progress` is told the days done and the days in all. Days of an earlier, longer run stay. Raises
    UsageError for numbers that make no sense, OutputError where `root` cannot be written or holds a lake that was not
    made with the same settings.
    """
    settings = {"sessions_per_day": sessions_per_day, "bytes_per_session": bytes_per_session or 0}
    for name, number, least in (("days", days, 1), *((name, number, 0) for name, number in settings.items())):
        if number < least:
            raise UsageError(f"{number} {name.replace('_', ' ')} make no samples; give a number from {least}")
    if days > (end - date(1970, 1, 1)).days:
        raise UsageError(f"{days} days up to {end} begin before 1970-01-02, the first day that samples may have")
    with _output_errors(root):
        _claim(root, {"generator": GENERATOR_VERSION, "seed": seed, **settings, "end": end.isoformat()})
    business = Business(seed=seed, sessions_per_day=sessions_per_day, end=end)
    written = 0
    for done in range(days):
        day = end - timedelta(days=days - 1 - done)
        fields, nulls = Random(f"{seed}/{day}/fields"), Random(f"{seed}/{day}/nulls")
        sessions = (_without_most_nulls(nulls, _fill(fields, told, record)) for told in business.sessions(day))
        with _output_errors(root):
            written += _write_day(root / "sessions", day, sessions, bytes_per_session or 0)
        if progress is not None:
            progress(done + 1, days)
    return written


@contextmanager
def _output_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or root
        raise OutputError(f"samples cannot be written to {place}: {error.strerror or error}") from error


def _claim(root: Path, settings: dict[str, object]) -> None:
    """Makes `root` the place of samples with these settings; refuses a lake that is anything else."""
    sessions, marker = root / "sessions", root / MARKER
    sessions.mkdir(parents=True, exist_ok=True)
    text = json.dumps(settings, indent=2) + "\n"
    if marker.is_file() and marker.read_bytes() == text.encode():
        return
    if any(path.name != _UNFINISHED for path in sessions.iterdir()):
        raise OutputError(
            f"{sessions} already holds files, and {marker} does not say that they are samples of the same "
            "settings; nothing was changed. It may be a real lake: choose another folder, or, if these are "
            f"old samples, remove {sessions} first"
        )
    marker.write_text(text)


def _write_day(sessions: Path, day: date, records: Iterator[dict[str, Any]], at_least_bytes: int) -> int:
    """How many records were written: none where the day is there already. A day without any has no folder."""
    folder, unfinished = sessions / f"dt={day}", sessions / _UNFINISHED
    if folder.exists():
        return 0
    shutil.rmtree(unfinished, ignore_errors=True)
    written = 0
    try:
        unfinished.mkdir()
        for record in records:
            key = object_key(record["_session_id"], record["_timestamp"])
            (unfinished / key.rpartition("/")[2]).write_bytes(_line(record, at_least_bytes))
            written += 1
        if written:
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return written


def _line(record: dict[str, Any], at_least_bytes: int) -> bytes:
    """The record as a JSON line, padded to that size with whole turns of a transcript."""
    line = _encode(record).encode()
    missing_bytes = at_least_bytes - len(line) - len(_LABEL)
    if missing_bytes > 0:
        rounds, rest = divmod(missing_bytes, len(_ROUND))
        turns = _ROUND * rounds + _ROUND[: _TURN_ENDS[bisect_left(_TURN_ENDS, rest)]]
        line = line[:-1] + _LABEL + turns.removesuffix(b", ") + b"]}"
    return line + b"\n"


def _fill(stream: Random, parent: dict[str, Any], parts: Record) -> dict[str, Any]:
    """The object, with examples for most of the declared fields of which the story knows nothing."""
    required = [part for part in parts if isinstance(part, Field) and part.required]
    for part in parts:
        known = parent.get(part.name)
        if isinstance(part, Group) and known is not None:
            for entry in known if isinstance(known, list) else [known]:
                _fill(stream, entry, part.fields)
        elif part.name not in parent and (part in required or stream.random() < _SHARE_FILLED):
            parent[part.name] = _example(stream, part)
    return parent


def _example(stream: Random, part: Field | Group) -> object:
    if isinstance(part, Group):
        entry = _fill(stream, {}, part.fields)
        return [entry] if part.repeated else entry
    value = pick(stream, part.examples) if part.examples else None
    return [value] if part.kind is Kind.TEXTS and value is not None else value


def _without_most_nulls(stream: Random, value: Any) -> Any:
    if isinstance(value, list):
        return [_without_most_nulls(stream, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_most_nulls(stream, item)
        for name, item in value.items()
        if item is not None or stream.random() < _SHARE_OF_NULLS_WRITTEN
    }

"""Samples: a lake of invented sessions, the same bytes for the same settings on every machine.

The sessions tell the story of `business` and `conversations`; fields that only the schema knows are filled
from their declared examples, so that a new field shows up in fresh samples. A day is written under a name
that readers ignore and renamed into place: it is complete or absent, whenever the work is interrupted.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from analytics_lib.errors import OutputError, UsageError
from analytics_lib.lake.business import Business, pick
from analytics_lib.lake.conversations import session_records
from analytics_lib.lake.wording import transcript
from analytics_lib.record import object_key
from analytics_lib.schema import RECORD, Field, Group, Kind

GENERATOR_VERSION = 1  # to be raised with every change that makes other bytes
MARKER = "samples.json"
LAST_DAY = date(2026, 1, 30)
_PARTIAL = "_partial-"
_FIRST_DAY = date(1970, 1, 2)
_SHARE_FILLED = 0.6

# What the story tells by itself, by group; every other declared field is drawn from its examples.
_TOLD: dict[str, set[str]] = {
    "": {
        *("_event_type", "_timestamp", "_session_id", "duration_seconds", "close_reason"),
        *("agent_name", "agent_version", "room_id", "caller_key"),
    },
    "discovered_signals": {"team_size", "monthly_volume", "integration_needs", "urgency"},
    "tool_calls": {"tool", "query", "results_found", "error", "cancelled", "duration_ms", "offset_seconds"},
    "metrics_summary": {"llm_tokens", "avg_latency_ms"},
}

_encode = json.JSONEncoder(ensure_ascii=False).encode
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

    `sessions_per_day` is a mean over the week. `bytes_per_session` pads each record to at least that size
    with a transcript. `progress` is told the days done and the days in all. Days of an earlier, longer run
    stay. Raises UsageError for numbers that make no sense, OutputError where `root` cannot be written or
    holds a lake that was not made with the same settings.
    """
    _check(days, sessions_per_day, end, bytes_per_session)
    untold = _untold(record)
    settings: dict[str, object] = {
        "generator": GENERATOR_VERSION,
        "seed": seed,
        "sessions_per_day": sessions_per_day,
        "bytes_per_session": bytes_per_session or None,
        "end": end.isoformat(),
        "filled_from_schema": {f"{group}.{part.name}".lstrip("."): _gist(part) for group, part in untold},
    }
    with _output_errors(root):
        _claim(root, settings)
    business = Business(seed=seed, sessions_per_day=sessions_per_day, end=end)
    written = 0
    for done in range(days):
        day = end - timedelta(days=days - 1 - done)
        lines = _lines(business, day, untold, bytes_per_session or 0)
        with _output_errors(root):
            written += _write_day(root / "sessions", day, lines)
        if progress is not None:
            progress(done + 1, days)
    return written


def _check(days: int, sessions_per_day: int, end: date, bytes_per_session: int | None) -> None:
    if days < 1:
        raise UsageError(f"samples of {days} days make no lake; give a number of days from 1")
    if sessions_per_day < 0:
        raise UsageError(f"{sessions_per_day} sessions a day is no number of sessions; give one from 0")
    if bytes_per_session is not None and bytes_per_session < 0:
        raise UsageError(f"{bytes_per_session} bytes per session is no size; give a number from 0")
    if (end - _FIRST_DAY).days < days - 1 or end == date.max:
        raise UsageError(f"{days} days up to {end} leave the calendar ({_FIRST_DAY} to 9999-12-30) of the samples")


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
    leftovers = [path for path in sessions.iterdir() if path.name.startswith(_PARTIAL)]
    if len(leftovers) < sum(1 for _ in sessions.iterdir()) and _settings_of(marker) != settings:
        raise OutputError(
            f"{sessions} already holds files, and {marker} does not say that they are samples of the same "
            "settings; nothing was changed. It may be a real lake: choose another folder, or, if these are "
            f"old samples, remove {sessions} first"
        )
    for leftover in leftovers:
        shutil.rmtree(leftover)
    fresh = root / f".{MARKER}"
    fresh.write_bytes(json.dumps(settings, indent=2, ensure_ascii=False).encode() + b"\n")
    fresh.replace(marker)


def _settings_of(marker: Path) -> object:
    try:
        return json.loads(marker.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _write_day(sessions: Path, day: date, lines: Iterator[tuple[str, bytes]]) -> int:
    """How many records were written: none where the day is there already. A day without any has no folder."""
    folder, partial = sessions / f"dt={day}", sessions / f"{_PARTIAL}{day}"
    if folder.exists():
        return 0
    written = 0
    try:
        partial.mkdir()
        for name, line in lines:
            with (partial / name).open("xb") as file:
                file.write(line)
            written += 1
        if written:
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def _lines(
    business: Business, day: date, untold: list[tuple[str, Field | Group]], at_least_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """File name and JSON line of each session of the day."""
    fill, sizes = business.stream(day, "declared fields"), business.stream(day, "transcripts")
    for record in session_records(business, day):
        for group, part in untold:
            _fill(fill, record, group, part)
        line = _encode(record).encode()
        missing_bytes = int(at_least_bytes * (1 + 0.04 * sizes.random())) - len(line)
        if missing_bytes > 0:
            line = line[:-1] + b', "transcript": ' + transcript(missing_bytes - 16) + b"}"
        key = object_key(record["_session_id"], record["_timestamp"])
        yield key.rpartition("/")[2], line + b"\n"


def _untold(record: Record) -> list[tuple[str, Field | Group]]:
    """The declared fields, and groups, that the story does not tell, each with the name of its group."""
    untold: list[tuple[str, Field | Group]] = []
    for part in record:
        if isinstance(part, Group) and part.name in _TOLD:
            untold += [(part.name, field) for field in part.fields if field.name not in _TOLD[part.name]]
        elif part.name not in _TOLD[""]:
            untold.append(("", part))
    return untold


def _gist(part: Field | Group) -> object:
    """What of a declaration shows in the samples."""
    if isinstance(part, Group):
        return {field.name: _gist(field) for field in part.fields}
    return [part.kind.json_type, *part.examples]


def _fill(stream: Random, record: dict[str, Any], group: str, part: Field | Group) -> None:
    """Gives a declared field a value in most of its parents, in place of any that the story made up."""
    parents = record.get(group) if group else record
    for parent in parents if isinstance(parents, list) else [parents]:
        if isinstance(parent, dict):
            parent.pop(part.name, None)
            if stream.random() < _SHARE_FILLED or (isinstance(part, Field) and part.required):
                parent[part.name] = _value(stream, part)


def _value(stream: Random, part: Field | Group) -> object:
    if isinstance(part, Group):
        values = {
            field.name: _value(stream, field)
            for field in part.fields
            if field.required or stream.random() < _SHARE_FILLED
        }
        return [values] if part.repeated else values
    value = pick(stream, part.examples) if part.examples else None
    return [value] if part.kind is Kind.TEXTS and value is not None else value

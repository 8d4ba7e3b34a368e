"""The map: where a record of another shape keeps what the contract names, and the record that it makes of one.

A field is filled in only where the record has nothing at its own place; nothing is taken away but what `drop` names.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analytics_lib import numerals, record
from analytics_lib.errors import UsageError
from analytics_lib.record import Mistyped, Rejected
from analytics_lib.schema import RECORD, Group

Fields = dict[str, Any]
Origins = dict[str, str]  # field -> where its value came from

STARTED = "started_at"  # no field of the record: with it and the end, the duration is known
BUILT_IN: dict[str, tuple[str, ...]] = {
    "_session_id": ("session_id", "sessionId", "room_name", "room.name", "room", "call_id", "id"),
    "_timestamp": ("end_time", "ended_at", "endTime", "end_timestamp", "timestamp", "created_at"),
    "duration_seconds": ("duration", "call_duration"),
    STARTED: ("start_time", "started_at", "startTime"),
    "discovered_signals": ("signals", "extracted_data"),
    "tool_calls": ("tools", "tool_invocations", "function_calls"),
    "tool_calls[].tool": ("name", "tool_name", "function"),
    "tool_calls[].query": ("arguments.query", "args.query", "input.query", "parameters.query"),
    "tool_calls[].error": ("error_message",),
    "tool_calls[].duration_ms": ("latency_ms",),
    "metrics_summary.llm_tokens": ("cost_summary.openai_tokens", "usage.total_tokens", "total_tokens"),
    "metrics_summary.cost_usd": ("cost_summary.total_estimated_cost", "cost_usd", "total_cost"),
    "agent_name": ("agent",),
    "close_reason": ("disconnect_reason", "ended_reason", "end_reason"),
}
NO_TEXT = "(no text)"  # the error of a call that only says that it failed
_PATH = re.compile(r"[^.\[\]\s](?:[^.\[\]]*[^.\[\]\s])?(?:\.[^.\[\]\s](?:[^.\[\]]*[^.\[\]\s])?)*")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,30})(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)
_LEAST_SECONDS = 10**8  # 1973; less is a duration, or a year
_LEAST_MS = 10**11
_CLOCK_TIME = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d.*", re.ASCII | re.IGNORECASE | re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def fields() -> list[str]:
    """Every field that a map may name, in the schema's order."""
    found = [STARTED]
    for part in RECORD:
        found.append(part.name)
        if isinstance(part, Group):
            found += [f"{part.name}{'[]' if part.repeated else ''}.{field.name}" for field in part.fields]
    return found


def zone_of(name: str) -> tzinfo:
    """The time zone of that name. Raises UsageError."""
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"{name!r} is no time zone that is known here; write it like Europe/Berlin or UTC") from None


@dataclass(frozen=True)
class Map:
    """Field -> the paths at which records of another shape keep it, a team's own before those built in."""

    paths: Mapping[str, tuple[str, ...]]
    zone: tzinfo = UTC
    drop: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str = "", *, zone: str = "UTC", drop: Iterable[str] = ()) -> "Map":
        """The one built in and what the TOML adds to it. Raises UsageError for a field or path that is none."""
        own = _own(text)
        both = {name: (*own.get(name, ()), *BUILT_IN.get(name, ())) for name in {**BUILT_IN, **own}}
        drop = tuple(each.replace("[]", "") for each in drop)
        for path in drop:
            if not _PATH.fullmatch(path):
                raise UsageError(f"{path!r} is no path to drop; write names joined by dots, e.g. user.address")
            if path in ("_event_type", "_timestamp", "_session_id"):
                raise UsageError(f"{path} cannot be dropped: a record is none without it")
        return cls(both, zone_of(zone), drop)

    @property
    def shared(self) -> list[str]:
        """A sentence for each path from which two fields of one object come."""
        users: dict[tuple[str, str], list[str]] = {}
        for name, paths in self.paths.items():
            for path in dict.fromkeys(paths):
                users.setdefault((name.partition("[].")[0] if "[]" in name else "", path), []).append(name)
        return [f"{' and '.join(names)} both come from `{path}`" for (_, path), names in users.items() if names[1:]]

    def filled(self, found: Fields) -> tuple[Fields, Origins]:
        """The record with what it lacks, and where that came from. Raises Rejected for a time that is none."""
        made, origins = dict(found), Origins()
        if record.is_unknown(made.get("_event_type")):
            made["_event_type"], origins["_event_type"] = record.SESSION_EVENT, "it says nothing"
        for name in self.paths:
            if name != STARTED and "." not in name:
                self._fill(made, name, found, name, origins)
        if isinstance(numerals.value(made.get("_session_id")), float):
            made["_session_id"] = numerals.spelled(made["_session_id"])
            origins.setdefault("_session_id", "its number")
        if not record.is_unknown(made.get("_timestamp")):
            self._set_time(made, origins)
        if record.is_unknown(made.get("duration_seconds")):
            self._set_duration(found, made, origins)
        for name in self.paths:
            group, dot, field = name.partition(".")
            if dot and group.endswith("[]"):
                self._fill_entries(made, group[:-2], field, name, origins)
            elif dot:
                inner = dict(made[group]) if isinstance(made.get(group), dict) else {}
                if record.is_unknown(made.get(group)) or inner:
                    self._fill(inner, field, found, name, origins)
                    made |= {group: inner} if inner else {}
        return made, origins

    def _first(self, name: str, found: Fields) -> tuple[Any, str]:
        for path in self.paths[name]:
            value = _at(found, path)
            if not record.is_unknown(value):
                return value, path
        return None, ""

    def _fill(self, made: Fields, field: str, found: Fields, name: str, origins: Origins) -> None:
        if record.is_unknown(made.get(field)):
            value, path = self._first(name, found)
            if path:
                made[field], origins[name] = value, path

    def _fill_entries(self, made: Fields, group: str, field: str, name: str, origins: Origins) -> None:
        if not isinstance(made.get(group), list):
            return
        entries = []
        for entry in made[group]:
            new = entry
            if isinstance(entry, dict) and record.is_unknown(entry.get(field)):
                new = dict(entry)
                self._fill(new, field, entry, name, origins)
                failed = name == "tool_calls[].error" and _is_false(entry.get("success"))
                if failed and record.is_unknown(new.get(field)):
                    new[field] = NO_TEXT
                    origins.setdefault(name, "success")
            entries.append(new)
        made[group] = entries

    def _set_time(self, made: Fields, origins: Origins) -> None:
        if "_timestamp" not in origins and _is_timestamp(made["_timestamp"]):
            return
        try:
            text = self._seconds(made["_timestamp"])
        except Rejected as reason:
            raise Rejected(f"`{origins.get('_timestamp', '_timestamp')}` {reason}") from None
        if text != numerals.spelled(made["_timestamp"]):
            made["_timestamp"] = numerals.numeral(text)
            origins.setdefault("_timestamp", "_timestamp")

    def _set_duration(self, found: Fields, made: Fields, origins: Origins) -> None:
        start, start_path = self._first(STARTED, found)
        end, end_path = self._first("_timestamp", found)
        if not start_path:
            return
        try:
            length = Decimal(self._seconds(end if end_path else made.get("_timestamp"))) - Decimal(self._seconds(start))
        except Rejected:
            return
        if length >= 0:
            made["duration_seconds"] = numerals.numeral(f"{length:f}")
            origins["duration_seconds"] = f"{end_path or '_timestamp'} minus {start_path}"

    def _seconds(self, value: Any) -> str:
        """The time in seconds, as a number is written. Raises Rejected with what it is instead."""
        number = numerals.spelled(value) or (value.strip(record.BLANKS) if isinstance(value, str) else "")
        if not _NUMBER.fullmatch(number):
            return self._clock_time(value)
        time = Decimal(number)
        if time >= record.END_OF_TIME_SECONDS * 1000:
            raise Rejected(f"is {number[:40]}, beyond any time in seconds or milliseconds")
        if time < _LEAST_SECONDS:
            raise Rejected(f"is {number[:40]}, no time: a duration, or a year?")
        return number if time < _LEAST_MS else f"{time.scaleb(-3).normalize():f}"

    def _clock_time(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Rejected("is no time: neither a number nor a text")
        text = value.strip(record.BLANKS)
        try:
            if not _CLOCK_TIME.fullmatch(text):
                raise ValueError
            at = datetime.fromisoformat(text)
            at = at if at.tzinfo else at.replace(tzinfo=self.zone)
            seconds, rest = divmod((at - _EPOCH) // _MICROSECOND, 10**6)
        except (ValueError, OverflowError):
            raise Rejected(
                f"is {text[:40]!r}, no time; a time is seconds, milliseconds, or ISO 8601 with date and time of day"
            ) from None
        return f"{seconds}.{rest:06d}".rstrip("0").removesuffix(".")


def _own(text: str) -> dict[str, tuple[str, ...]]:
    """The fields of a map's TOML. Raises UsageError."""
    try:
        table = tomllib.loads(text).get("map", {}) if text else {}
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the map is not TOML: {error}") from None
    if text and not isinstance(table, dict):
        raise UsageError("the map has no table [map]")
    own, allowed = _flat(table), fields()
    if text and not own:
        raise UsageError('the map has no entry in [map]; write e.g. _session_id = ["conversation_id"]')
    for name, paths in own.items():
        if name not in allowed:
            raise UsageError(f"the map names `{name}`, which is no field; allowed are: {', '.join(allowed)}")
        if not isinstance(paths, list) or not all(isinstance(path, str) and _PATH.fullmatch(path) for path in paths):
            raise UsageError(
                f"the map gives `{name}` the paths {paths!r}; allowed is a list of paths, names joined by dots: "
                f'{name} = ["call.end", "ended"]'
            )
    return {name: tuple(paths) for name, paths in own.items()}


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat


def _at(found: Fields, path: str) -> Any:
    value: Any = found
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_timestamp(value: object) -> bool:
    told = {"_event_type": record.SESSION_EVENT, "_session_id": "-", "_timestamp": numerals.value(value)}
    try:
        return record.read(told, record=()) is not None
    except Rejected:
        return False


def _is_false(value: object) -> bool:
    try:
        return record.read_flag(value) is False
    except Mistyped:
        return False


def without(found: Fields, drop: Iterable[str]) -> Fields:
    """The record without what lies at these paths, in every entry of an array on the way; itself where nothing does."""
    for path in drop:
        found = _without(found, path.split("."))
    return found


def _without(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        entries = [_without(entry, names) for entry in value]
        return entries if any(new is not old for new, old in zip(entries, value, strict=True)) else value
    if not isinstance(value, dict) or names[0] not in value:
        return value
    if len(names) == 1:
        return {name: each for name, each in value.items() if name != names[0]}
    inner = _without(value[names[0]], names[1:])
    return value if inner is value[names[0]] else value | {names[0]: inner}

"""Values of any kind as plain JSON values that fit a log line."""

import bisect
import contextlib
import enum
import json
import math
import sys
from collections.abc import Callable
from datetime import date, time
from typing import Any

from analytics_lib.record import read_object
from analytics_lib.schema import IDENTITY, SIGNALS, Kind

# Container runtimes split a line at about 16 kB; LiveKit's envelope around the record takes the rest of 15 kB.
LONGEST_RECORD = 14_000
CUT = "…"
_MOST_VALUES = 2_000
_DEEPEST = 8
_SHORTEST_TEXT = 30
_STEP = 20  # of the lengths to which texts are cut: every one that is tried costs the agent time
_IDENTITY = frozenset(field.name for field in IDENTITY)
_LARGEST_WHOLE_NUMBER = 2**63


class Plain:
    """A call gives a value back in a readable form of plain JSON types; `cut` says whether anything was left out."""

    def __init__(self) -> None:
        self.cut = False
        self._left = _MOST_VALUES

    def __call__(self, value: object, depth: int = 0) -> Any:
        """Strings, numbers, flags, lists and objects stay; sets become lists, the rest becomes text. Never raises."""
        self._left -= 1
        try:
            return self._plain(value, depth)
        except Exception:  # a container that cannot be walked, a number that is none
            return readable(value)

    def _plain(self, value: object, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, enum.Enum):
            return self(value.value, depth)
        if isinstance(value, int) and abs(value) <= _LARGEST_WHOLE_NUMBER:
            return int(value)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, dict | list | tuple | set | frozenset) and depth < _DEEPEST and self._left > 0:
            return self._container(value, depth + 1)
        return readable(value)

    def _container(self, value: Any, depth: int) -> Any:
        found: Any = {} if isinstance(value, dict) else []
        for item in list(value.items() if isinstance(value, dict) else value):
            if self._left <= 0:
                self.cut = True
                break
            if isinstance(value, dict):
                found[readable(item[0])] = self(item[1], depth)
            else:
                found.append(self(item, depth))
        return found


def readable(value: object) -> str:
    """The value as a text that UTF-8 can write, whatever its `__str__` does."""
    with contextlib.suppress(Exception):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return text.encode("utf-8", "replace").decode("utf-8")
    return f"<{type(value).__name__} that cannot be shown>"


def typed(signals: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The known signals as the schema types them, and the names of those that it cannot type: they stay as they are."""
    given = {name: value for name, value in signals.items() if value is not None}
    odd = set(given.keys() - {field.name for field in SIGNALS.fields})
    for field in SIGNALS.fields:
        if field.kind is Kind.TEXTS and isinstance(given.get(field.name), str):
            given[field.name] = [given[field.name]]
    read = read_object(SIGNALS, given, lambda path: odd.add(path.split(".")[-1]))
    fitting = {name: value for name, value in read.items() if name in given.keys() - odd and value is not None}
    return given | fitting, sorted(odd)


def fitted(record: dict[str, Any], limit: int = LONGEST_RECORD) -> dict[str, Any]:
    """The record in at most `limit` bytes of JSON: the longest texts cut first, then the last calls left out.

    Where that is still too long, the signals go as well. What was cut is marked with `_truncated`.
    """
    if size(record) <= limit:
        return record
    record = {**record, "_truncated": True}
    calls = record.pop("tool_calls")

    def with_texts(longest: int) -> dict[str, Any]:
        return {**_shortened(record, longest), "tool_calls": _shortened(calls, longest)}

    def with_calls(count: int) -> dict[str, Any]:
        return {**_shortened(record, _SHORTEST_TEXT), "tool_calls": _shortened(calls[:count], _SHORTEST_TEXT)}

    return (
        _largest(with_texts, range(_SHORTEST_TEXT, limit, _STEP), limit)
        or _largest(with_calls, range(len(calls)), limit)
        or {**_shortened(record, _SHORTEST_TEXT), "discovered_signals": {}, "tool_calls": []}
    )


def _largest(make: Callable[[int], dict[str, Any]], sizes: range, limit: int) -> dict[str, Any] | None:
    fitting = bisect.bisect_left(sizes, True, key=lambda length: size(make(length)) > limit)
    return make(sizes[fitting - 1]) if fitting else None


def _shortened(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + CUT
    if isinstance(value, list):
        return [_shortened(item, longest) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _IDENTITY else _shortened(item, longest) for key, item in value.items()}
    return value


def size(record: dict[str, Any]) -> int:
    """Bytes of it, as JSON, on standard output; LiveKit escapes what is not ASCII where that is not UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or ""
    escaped = encoding.lower().replace("_", "-") not in ("utf-8", "utf8")
    return len(json.dumps(record, ensure_ascii=escaped).encode("utf-8"))

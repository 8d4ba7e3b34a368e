"""One tool call as the recorder sees it: what was asked, how it went."""

import ast
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Rule = Callable[[Any], object]
_EMPTY = frozenset({"", "None", "null", "[]", "{}", "()", "set()"})
_LONGEST_LITERAL = 20_000  # Python reads back a longer one too slowly for an agent's event loop


@dataclass(slots=True)
class Call:
    """A call; `began` and `ended` in seconds of the recorder's clock, None where the tool never ran or never ended."""

    tool: str
    query: str | None
    made_at: float  # by the model or, once it runs, begun; seconds since the epoch
    began: float | None = None
    ended: float | None = None
    error: str | None = None
    cancelled: bool = False
    told: bool | None = None  # by the tool: whether it found something
    found: bool | None = None  # by its output
    silent: bool = False  # it returned None

    def record(self, started: float) -> dict[str, object]:
        """The call as the record has it, without what is not known."""
        values = {
            "tool": self.tool,
            "query": self.query,
            "results_found": self.found if self.told is None else self.told,
            "error": self.error,
            "cancelled": self.cancelled or None,
            "duration_ms": None
            if self.ended is None or self.began is None
            else round((self.ended - self.began) * 1000, 3),
            "offset_seconds": None if self.began is None else round(self.began - started, 3),
        }
        return {name: value for name, value in values.items() if value is not None}


def query_of(arguments: str) -> str | None:
    """What was asked of the tool: its argument `query`, else its only text, else all arguments as compact JSON."""
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments
    asked = given
    if isinstance(given, dict):
        texts = [value for value in given.values() if isinstance(value, str)]
        asked = given["query"] if given.get("query") else texts[0] if len(texts) == 1 else given
    if isinstance(asked, str):
        return asked
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":")) if asked else None


def found_by(rule: Rule | None, output: str | None) -> bool | None:
    """Whether the output holds results: what the rule says, else False where it is empty, else not known.

    The rule is given what the tool returned. LiveKit hands on its text only: lists and objects are read back from it.
    """
    if rule is not None:
        return bool(rule(_read_back(output)))
    return False if output is None or output.strip() in _EMPTY else None


def _read_back(output: str | None) -> object:
    if output is None or not output.lstrip().startswith(("{", "[", "(")):
        return output
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(output)
    if len(output) <= _LONGEST_LITERAL:
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return ast.literal_eval(output)
    return output

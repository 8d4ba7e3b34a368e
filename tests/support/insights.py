"""Logs Insights in small, for tests of sql/insights/: the part of its language that the queries there use.

It is strict where Insights is: a name is defined once; a field of a parsed line is not to be read by the command that
parses it; after `stats` only its columns are left. moto's Insights knows neither functions nor filters.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]
Expression = Callable[[Row], Any]
_TOKEN = re.compile(
    r"""\s*(?:(?P<regex>/(?:\\.|[^/\\])+/)|(?P<text>"[^"]*")|(?P<number>\d+(?:\.\d+)?)(?![\w.])
      |(?P<name>[@A-Za-z_][\w.]*)|(?P<span>\d+[smhd])|(?P<sign>>=|<=|!=|[=<>(),*]))""",
    re.VERBOSE,
)
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b,
}  # fmt: skip
_DAY_MS = 86_400_000


class MalformedQueryError(ValueError):
    """What Insights would refuse."""


def run(query: str, events: list[tuple[int, str]], *, booleans: str = "number") -> list[dict[str, str]]:
    """The rows for these log events (milliseconds, message), as texts; unknown values are left out, as Insights does.

    `booleans`: Insights shows those of JSON as 1 and 0 ("number"); "text" tries true and false.
    """
    rows: list[Row] = [{"@timestamp": moment, "@message": message} for moment, message in events]
    code = "\n".join(line for line in query.splitlines() if not line.startswith("#")).strip()
    shown: list[str] = []
    for command in re.split(r"\n\s*\| ", code):
        name, rest = command.split(maxsplit=1)
        parser = _Parser(rest, booleans)
        if name == "fields":
            defined = parser.aliased()
            for row in rows:
                made = {alias: value(row) for alias, value in defined.items()}
                if twice := [alias for alias in made if alias in row]:
                    raise MalformedQueryError(f"ephemeral field is already defined: {twice[0]}")
                row.update(made)
        elif name == "filter":
            wanted = parser.any_of()
            rows = [row for row in rows if wanted(row) is True]
        elif name == "unnest":
            source, word, alias = rest.split()
            assert word == "into"
            rows = [{**row, alias: item} for row in rows for item in _items(row.get(source))]
        elif name == "stats":
            rows = _stats(parser, rows)
            shown = list(rows[0]) if rows else []
        elif name == "display":
            shown = [word.strip() for word in rest.split(",")]
        elif name == "sort":
            field, order = rest.split()
            rows.sort(key=lambda row: row[field], reverse=order == "desc")
        else:
            raise MalformedQueryError(f"unknown command {name}")
        parser.expect_end()
    return [{name: _text(name, row[name]) for name in shown if row.get(name) is not None} for row in rows]


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(name: str, value: Any) -> str:
    if name in ("@timestamp", "day"):
        return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S}.{value % 1000:03d}"
    return value if isinstance(value, str) else json.dumps(value)


def _stats(parser: "_Parser", rows: list[Row]) -> list[Row]:
    totals = parser.totals()
    groups: dict[Any, list[Row]] = {}
    alias = ""
    if parser.take("by"):
        parser.demand("bin", "(")
        assert parser.next()[1] == "1d"
        parser.demand(")", "as")
        alias = parser.next()[1]
    for row in rows:
        groups.setdefault(row["@timestamp"] // _DAY_MS * _DAY_MS if alias else None, []).append(row)
    made = [{name: total(group) for name, total in totals.items()} for group in groups.values()]
    return [{alias: key, **row} if alias else row for key, row in zip(groups, made, strict=True)]


class _Parser:
    def __init__(self, text: str, booleans: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.booleans = booleans
        self.defining: set[str] = set()
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if not found or not found.lastgroup:
                raise MalformedQueryError(f"unexpected {text[position:]!r}")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()
        self.at = 0

    def expect_end(self) -> None:
        if self.at and self.at < len(self.tokens):
            raise MalformedQueryError(f"unexpected {self.tokens[self.at :]}")

    def next(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *words: str) -> bool:
        if tuple(word for _, word in self.tokens[self.at : self.at + len(words)]) != words:
            return False
        self.at += len(words)
        return True

    def demand(self, *words: str) -> None:
        if not self.take(*words):
            raise MalformedQueryError(f"expected {words} at {self.tokens[self.at :]}")

    def aliased(self) -> dict[str, Expression]:
        """`expression as name, ...`; no expression may read into a name of the same command."""
        found: dict[str, Expression] = {}
        read: set[str] = set()
        while True:
            begin = self.at
            value = self.any_of()
            read |= {word.split(".")[0] for kind, word in self.tokens[begin : self.at] if kind == "name"}
            self.demand("as")
            found[self.next()[1]] = value
            if not self.take(","):
                break
        if read & found.keys():
            raise MalformedQueryError(f"{read & found.keys()} is read by the command that defines it")
        return found

    def totals(self) -> dict[str, Callable[[list[Row]], Any]]:
        found = {}
        while True:
            function = self.next()[1]
            self.demand("(")
            argument = None if self.take("*") else self.any_of()
            share = float(self.next()[1]) if self.take(",") else 0.0
            self.demand(")", "as")
            found[self.next()[1]] = _total(function, argument, share)
            if not self.take(","):
                return found

    def any_of(self) -> Expression:
        parts = [self.all_of()]
        while self.take("or"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) is True for part in parts)

    def all_of(self) -> Expression:
        parts = [self.comparison()]
        while self.take("and"):
            parts.append(self.comparison())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) is True for part in parts)

    def comparison(self) -> Expression:
        left = self.atom()
        negated = self.take("not", "like")
        if negated or self.take("like"):
            kind, word = self.next()
            assert kind == "regex"
            pattern = re.compile(word[1:-1])
            return lambda row: _like(pattern, left(row), negated)
        if self.peek() in _COMPARED:
            compare = _COMPARED[self.next()[1]]
            right = self.atom()
            return lambda row: _compare(compare, left(row), right(row))
        return left

    def atom(self) -> Expression:
        kind, word = self.next()
        if word == "(":
            inner = self.any_of()
            self.demand(")")
            return inner
        if kind == "text":
            return lambda row: word[1:-1]
        if kind == "number":
            return lambda row: float(word)
        if kind != "name":
            raise MalformedQueryError(f"unexpected {word}")
        if not self.take("("):
            return lambda row: self.read(row, word)
        arguments = [self.any_of()]
        while self.take(","):
            arguments.append(self.any_of())
        self.demand(")")
        if word == "coalesce":
            return lambda row: next((value for each in arguments if (value := each(row)) is not None), None)
        if word == "ispresent":
            return lambda row: arguments[0](row) is not None
        if word == "jsonParse":
            return lambda row: _parsed(arguments[0](row))
        raise MalformedQueryError(f"unknown function {word}")

    def read(self, row: Row, path: str) -> Any:
        value: Any = row
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return int(value) if self.booleans == "number" else str(value).lower()
        return value


def _parsed(message: Any) -> Any:
    try:
        found = json.loads(message)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def _like(pattern: re.Pattern[str], value: Any, negated: bool) -> bool | None:
    return None if value is None else bool(pattern.search(str(value))) != negated


def _compare(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool | None:
    if isinstance(left, str) != isinstance(right, str):
        left, right = _number(left), _number(right)
    return None if left is None or right is None else compare(left, right)


def _number(value: Any) -> float | None:
    """As Insights takes what `parse` finds: a text that is written as a number is one."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _total(function: str, argument: Expression | None, share: float) -> Callable[[list[Row]], Any]:
    def total(rows: list[Row]) -> Any:
        if argument is None:
            return len(rows)
        values = sorted(value for row in rows if (value := _number(argument(row))) is not None)
        if not values:
            return None
        if function == "pct":
            return values[max(0, math.ceil(share / 100 * len(values)) - 1)]
        return {"avg": sum(values) / len(values), "sum": sum(values), "max": values[-1]}[function]

    return total

"""Statements for Athena, which speaks Trino's SQL: whether one only reads, and its views cut to the days asked for."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from analytics_lib import schema
from analytics_lib.engines.relations import relations, tokens_of
from analytics_lib.errors import StatementError
from analytics_lib.period import Period

VIEWS = {  # with their columns
    "sessions": ", ".join(column.name for column in schema.session_columns()),
    "tool_calls": ", ".join(column.name for column in schema.call_columns()),
}
_BELOW = ("lines", "records", "records_raw", "records_parquet")  # what the views read, all days of it
_BEGIN = "-- the query\n"  # stands before the statement as it was given
_ROWS = ("SELECT", "WITH", "VALUES", "TABLE", "(")
_CATALOGUE = ("DESCRIBE", "SHOW")
_NESTED = {"array", "map", "row"}


class Statement:
    """One reading statement. Raises StatementError for any other."""

    def __init__(self, sql: str, origin: str) -> None:
        tokens = list(tokens_of(sql))
        ends = [place for place, token in enumerate(tokens) if token.keyword == ";"]
        if ends and ends[0] < len(tokens) - 1 and any(token.keyword != ";" for token in tokens[ends[0] :]):
            raise StatementError(f"{origin} holds more than one statement; only one reading statement is run")
        self._tokens = tokens[: ends[0]] if ends else tokens
        first = self._tokens[0].word if self._tokens else "no statement"
        if first not in _ROWS + _CATALOGUE:
            raise StatementError(
                f"{origin} holds {first}; only one reading statement is run: SELECT, WITH, VALUES, DESCRIBE or SHOW"
            )
        self.gives_rows = first in _ROWS
        self.sql = sql[: self._tokens[-1].end]
        self._check_names(origin)

    def _check_names(self, origin: str) -> None:
        for each in relations(self._tokens):
            table = each.name.partition("$")[0]  # "lines$partitions" tells all days as well
            # What seems to name a recursive query itself may be hidden from it, and then is the table.
            if each.query <= 0 and (table in _BELOW or (each.qualified and table in VIEWS)):
                raise StatementError(f"{origin} reads {each.name} past the days asked for; read sessions or tool_calls")
        for name in self._own_names():
            if name.lower() in VIEWS:
                raise StatementError(
                    f"{origin} gives its WITH query the name of a view, {name.lower()}; on Athena call it otherwise"
                )

    def _own_names(self) -> Iterator[str]:
        """The names of the queries in the WITH that the statement begins with."""
        if self._tokens[0].word != "WITH":
            return
        before = ","
        for token in self._tokens[1:]:
            if token.depth or (token.word == "RECURSIVE" and before == ","):
                continue
            if token.word in _ROWS and (token.word != "(" or before == ")"):
                return  # the query itself begins
            if before == ",":
                yield token.word
            before = token.word

    def showing(self, period: Period, database: str) -> str:
        """The statement with both views cut to the days of `period`; a common table expression hides each view."""
        if not self.gives_rows:
            return self.sql
        days = f"dt BETWEEN '{period.start}' AND '{period.end}'"
        place = '"' + database.replace('"', '""') + '"'
        views = ", ".join(f"{name} AS (SELECT * FROM {place}.{name} WHERE {days})" for name in VIEWS)
        first = self._tokens[0]
        if first.word != "WITH":
            return f"WITH {views}\n{_BEGIN}{self.sql}"
        last = first
        if self._tokens[1].word == "RECURSIVE":
            last = self._tokens[1]
            for name, columns in VIEWS.items():  # all queries of such a WITH must name their columns
                views = views.replace(f"{name} AS (SELECT *", f"{name} ({columns}) AS (SELECT {columns}")
        opening = self.sql[first.start : last.end]
        blank = re.sub(r"\S", " ", opening)  # so that lines and columns stay
        return f"{opening} {views},\n{_BEGIN}{self.sql[: first.start]}{blank}{self.sql[last.end :]}"

    @property
    def scans(self) -> int:
        """How often Athena reads a view for the statement, once at least: a WITH query is run wherever it is named.

        A lower bound for WITH RECURSIVE, whose queries are counted as if they ran once.
        """
        found: Counter[int] = Counter()
        for each in relations(self._tokens):
            found[each.within] += found[each.query] if each.query else each.name in VIEWS
        return max(1, found[0])

    @property
    def ordered(self) -> bool:
        """True where the statement sorts its rows and takes all of them."""
        words = [token.word for token in self._tokens if token.depth == 0 and not token.quoted]
        sorts = any(pair == ("ORDER", "BY") for pair in itertools.pairwise(words))
        return sorts and not {"LIMIT", "OFFSET", "FETCH"} & set(words)


def own_lines(reason: str, sql: str) -> str:
    """What Athena says about `sql`, with lines as they are counted in the statement that `showing` began with."""
    before, begun, _ = sql.partition(_BEGIN)
    shift = before.count("\n") + 1 if begun else 0

    def counted(found: re.Match[str]) -> str:
        return f"line {int(found[1]) - shift}:{found[2]}: " if int(found[1]) > shift else ""

    return re.sub(r"\bline (\d+):(\d+): ", counted, reason)


def nested(columns: Iterable[tuple[Any, ...]]) -> tuple[bool, ...]:
    """For each column, described as PEP 249 does, whether it holds arrays, maps or rows; () where none does."""
    found = tuple(column[1] in _NESTED for column in columns)
    return found if any(found) else ()


def with_json(sql: str, nested: tuple[bool, ...], *, ordered: bool) -> str:
    """The query with its nested columns as JSON text: as Athena writes them they cannot be read back.

    OFFSET 0 keeps the order of a query that sorts: without it a subquery's ORDER BY is dropped.
    """
    names = [f"c{number}" for number in range(len(nested))]
    shown = [
        f"json_format(CAST({name} AS JSON)) AS {name}" if is_nested else name
        for name, is_nested in zip(names, nested, strict=True)
    ]
    order = "\nOFFSET 0" if ordered else ""
    return f"SELECT {', '.join(shown)} FROM (\n{sql}{order}\n) AS answer ({', '.join(names)})"

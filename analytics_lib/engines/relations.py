"""The relations that a statement in Trino's SQL reads, found by its tokens: it is never parsed whole."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\r\n]*|/\*.*?\*/) | (?P<text>'(?:[^']|'')*') | (?P<name>"(?:[^"]|"")*")
      | (?P<number>[0-9][0-9_.]*(?:[eE][+-]?[0-9]+)?) | (?P<word>(?a:\w+)) | (?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
_WITH = ("WITH", "RECURSIVE")
# From here on a comma begins no relation. After WHERE there is none to mistake; LIMIT may be a table's alias.
_AFTER_FROM = ("GROUP", "ORDER", "UNION", "EXCEPT", "INTERSECT")
_ITSELF = -1  # a recursive query, named within itself


@dataclass(frozen=True, slots=True)
class Token:
    """A word, sign or literal of a statement, and where it stands."""

    start: int
    end: int
    word: str  # in capitals; a quoted name without its quotes, as it is
    depth: int  # of parentheses around it
    quoted: bool

    @property
    def keyword(self) -> str:
        """The word or sign in capitals, empty for a quoted one: that is a name or a text whatever it says."""
        return "" if self.quoted else self.word


@dataclass(slots=True)
class _Scope:
    """What stands between two brackets, as far as it is read. WITH queries are known by the place they begin at."""

    clause: str = ""  # WITH, RECURSIVE, SELECT or FROM, while it is open
    within: int = 0  # the WITH query that this is a part of, 0 in the statement itself
    queries: dict[str, int] = field(default_factory=dict)  # the WITH queries that a relation here may name
    naming: str = ""  # the WITH query that comes next


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or WITH query that a statement reads, at one place of it."""

    name: str  # in small letters, without what qualifies it
    qualified: bool
    query: int  # the WITH query that it names, 0 for a table or view
    within: int  # the WITH query that it stands in, 0 in the statement itself


def tokens_of(sql: str) -> Iterator[Token]:
    """The statement's tokens, without blanks and comments."""
    depth = 0
    for found in _TOKEN.finditer(sql):
        if found["blank"]:
            continue
        if found[0] == ")":
            depth -= 1
        word = found["name"][1:-1] if found["name"] else found[0].upper()
        yield Token(found.start(), found.end(), word, depth, quoted=bool(found["name"] or found["text"]))
        if found[0] == "(":
            depth += 1


def relations(tokens: list[Token]) -> Iterator[Relation]:
    """What follows FROM, JOIN, TABLE or a comma of a FROM clause, a WITH query's own relations before its uses."""
    scopes, due, before = [_Scope("SELECT")], False, "("
    for place, token in enumerate(tokens):
        scope, word = scopes[-1], token.keyword
        if due and word != "(":
            yield from _named(tokens, place, scope)
        if scope.clause in _WITH and before in (*_WITH, ","):
            scope.naming = token.word.lower()
        from_clause = word == "FROM" and scope.clause == "SELECT" and before != "DISTINCT"
        if word in ("(", "["):
            inner = _Scope("", scope.within, dict(scope.queries))
            if scope.clause in _WITH and before == "AS":
                scope.queries[scope.naming] = inner.within = place
                if scope.clause == "RECURSIVE":
                    inner.queries[scope.naming] = _ITSELF
            scopes.append(inner)
        elif word in (")", "]"):
            scopes = scopes[:-1] or [scope]
        elif word == "SELECT" or from_clause or (word, before) in (("WITH", "("), ("RECURSIVE", "WITH")):
            scope.clause = word
        elif scope.clause == "FROM" and word in _AFTER_FROM:
            scope.clause = ""
        due = (
            from_clause
            or word == "JOIN"
            or (word == "TABLE" and before != "CREATE")
            or (word == "," and scope.clause == "FROM")
            or (word == "(" and due)
        )
        before = word


def _named(tokens: list[Token], place: int, scope: _Scope) -> Iterator[Relation]:
    """The relation whose name begins at the place; none where a named window does."""
    last = place
    while last + 2 < len(tokens) and tokens[last + 1].keyword == ".":
        last += 2
    name, qualified = tokens[last].word.lower(), last > place
    if [token.keyword for token in tokens[last + 1 : last + 3]] != ["AS", "("]:
        yield Relation(name, qualified, 0 if qualified else scope.queries.get(name, 0), scope.within)

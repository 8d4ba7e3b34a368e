"""What the generated SQL files look like: the comment at the top, lists, the statement that makes a view."""

from collections.abc import Iterable, Sequence
from textwrap import indent

from analytics_lib.schema import Column, Group

NOTICE = "Generated from analytics_lib/schema.py by `make generate`; do not edit."


def head(purpose: str, columns: Sequence[tuple[str, str, str]]) -> str:
    """The comment at the top; a column is its name, type and meaning."""
    width = max(10, *(len(kind) for _, kind, _ in columns))
    listed = "".join(f"--   {name:<22} {kind:<{width}} {meaning}\n" for name, kind, meaning in columns)
    return f"-- {purpose}\n-- {NOTICE}\n-- Columns:\n{listed}"


def described(column: Column) -> str:
    """What a column holds, in words."""
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning


def view(name: str, grain: str, columns: Sequence[Column | Group], query: str) -> str:
    """The file of a view on Athena."""
    shown = [
        (column.name, column.trino_type.upper(), described(column))
        if isinstance(column, Column)
        else (column.name, "ARRAY(ROW)", f"{column.meaning}; NULL where an entry is no call")
        for column in columns
    ]
    return f"{head(f'{name}: {grain}.', shown)}CREATE OR REPLACE VIEW {name} AS\n{query};\n"


def listed(items: Iterable[str], depth: int = 1) -> str:
    """The items, one to a line, indented by `depth` times four blanks."""
    return indent(",\n".join(items), "    " * depth)

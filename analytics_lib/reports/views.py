"""How a notebook shows a sentence and a table: plain for people, safe whatever a caller said."""

import html
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics_lib.engines import frames
from analytics_lib.reports import phrases
from analytics_lib.reports.report import Table, Type

_UNITS = {Type.SECONDS: "s", Type.MILLISECONDS: "ms"}
_LONGEST_TEXT = 90
_ON_THE_LEFT = {Type.TEXT, Type.TEXTS, Type.DAY, Type.INSTANT}


class Sentence(str):
    """A sentence that shows as a paragraph."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return re.sub(r"([\\`*_{}\[\]<>#|$&~!])", r"\\\1", self)


@dataclass(frozen=True, slots=True)
class TableView:
    """The first rows of a table, formatted by what its columns hold."""

    table: Table
    frame: pd.DataFrame
    rows: int

    def _repr_html_(self) -> str:
        kinds = self.table.columns
        head = "".join(f'<th scope="col"{_side(kind)}>{_heading(name, kind)}</th>' for name, kind in kinds.items())
        shown = frames.rows(self.frame.head(self.rows))
        body = "".join(f"<tr>{''.join(_cell(row[name], kind) for name, kind in kinds.items())}</tr>" for row in shown)
        rest = len(self.frame) - self.rows
        caption = html.escape(self.table.title)
        if rest > 0:
            caption += f" – the first {self.rows:,} of {len(self.frame):,} rows; all are in {self.table.name}.csv"
        empty = "" if len(self.frame) else f'<tr><td colspan="{len(kinds)}">no rows</td></tr>'
        return (
            f'<table class="report-table"><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}{empty}</tbody></table>"
        )

    def __repr__(self) -> str:
        return str(self.frame.head(self.rows).to_string(index=False))


def _side(kind: Type) -> str:
    return "" if kind in _ON_THE_LEFT else ' class="number"'


def _heading(name: str, kind: Type) -> str:
    words = html.escape(name.removesuffix("_seconds").removesuffix("_ms").replace("_", " "))
    return f"{words}, {_UNITS[kind]}" if kind in _UNITS else words


def _cell(value: Any, kind: Type) -> str:
    return f"<td{_side(kind)}>{html.escape(_text(value, kind))}</td>"


def _text(value: Any, kind: Type) -> str:
    if value is None:
        return "–"
    if kind is Type.RATE:
        return phrases.percent(value)
    if kind is Type.COUNT:
        return phrases.number(value)
    if kind in _UNITS or kind is Type.NUMBER:
        return f"{value:,.1f}".removesuffix(".0")
    if kind is Type.INSTANT:
        return str(value)[:19].replace("T", " ")
    if kind is Type.FLAG:
        return "yes" if value else "no"
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"

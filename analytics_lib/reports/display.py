"""How a notebook shows a sentence and a table: plain for people, safe whatever a caller said."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analytics_lib import phrases
from analytics_lib.reports.report import Table, Type

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_TEXT = 90
_ROWS_UNFOLDED = 20
_ON_THE_LEFT = {Type.TEXT, Type.TEXTS, Type.DAY, Type.INSTANT, Type.FLAG}


class Sentence(str):
    """Plain words that show as a paragraph, lines as a list; `kind` tells the page how to frame them."""

    kind: str

    def __new__(cls, text: str, kind: str = "remark") -> Sentence:
        """The words, framed as an answer, a notice or a remark."""
        sentence = super().__new__(cls, text)
        sentence.kind = kind
        return sentence

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        escaped = re.sub(r"([\\`*_{}\[\]<>#|$&~!])", r"\\\1", self)
        if "\n" in escaped:
            escaped = "".join(f"- {line}\n" for line in escaped.splitlines())
        return {"text/markdown": escaped, "text/plain": str(self)}, {"text/markdown": {"kind": self.kind}}


@dataclass(frozen=True, slots=True)
class TableView:
    """The first rows of a table, formatted by what its columns hold; a long one folds away behind its title."""

    table: Table
    frame: pd.DataFrame
    rows: int

    def _repr_html_(self) -> str:
        from analytics_lib import frames

        if len(self.frame) == 1:
            return self._one_row()
        columns = self.table.columns
        kinds = {
            name: kind
            for name, kind in columns.items()
            if not (name.endswith("_high") and name.removesuffix("_high") + "_low" in columns)
        }
        head = "".join(f'<th scope="col"{_side(kind)}>{_heading(name, kind)}</th>' for name, kind in kinds.items())
        shown = frames.rows(self.frame.head(self.rows))
        body = "".join(f"<tr>{''.join(_cell(name, row, kind) for name, kind in kinds.items())}</tr>" for row in shown)
        body = body or f'<tr><td colspan="{len(kinds)}">no rows</td></tr>'
        title, total = html.escape(self.table.title), len(self.frame)
        if total > self.rows:
            title += f": the first {self.rows:,} of {total:,} rows, all are in {self.table.name}.csv"
        text = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        if len(shown) > _ROWS_UNFOLDED:
            return f'<details><summary>{title}</summary><table class="report-table">{text}</details>'
        return f'<table class="report-table"><caption>{title}</caption>{text}'

    def _one_row(self) -> str:
        """The only row stands: what it measures beside each value."""
        from analytics_lib import frames

        row = frames.rows(self.frame)[0]
        body = "".join(
            f'<tr><th scope="row">{_heading(name, kind)}</th>{_cell(name, row, kind)}</tr>'
            for name, kind in self.table.columns.items()
        )
        caption = html.escape(self.table.title)
        return f'<table class="report-table"><caption>{caption}</caption><tbody>{body}</tbody></table>'

    def __repr__(self) -> str:
        return str(self.frame.head(self.rows).to_string(index=False))


def _side(kind: Type) -> str:
    return "" if kind in _ON_THE_LEFT else ' class="number"'


def _heading(name: str, kind: Type) -> str:
    if name.endswith("_low"):
        return "95 % interval"
    words = "day" if name == "dt" else name.removesuffix("_seconds").removesuffix("_ms").replace("_", " ")
    return html.escape(f"{words}, ms" if kind is Type.MILLISECONDS else words)


def _cell(name: str, row: Mapping[str, Any], kind: Type) -> str:
    text = _text(row[name], kind)
    if name.endswith("_low") and row[name] is not None:
        text = f"{text.removesuffix(' %')} – {_text(row[name.removesuffix('_low') + '_high'], kind)}"
    return f"<td{_side(kind)}>{html.escape(text)}</td>"


def _text(value: Any, kind: Type) -> str:
    if value is None or value == []:
        return "–"
    if kind is Type.RATE:
        return phrases.percent(value)
    if kind is Type.COUNT:
        return phrases.number(value)
    if kind is Type.SECONDS:
        return phrases.length(value)
    if kind is Type.USD:
        return f"{value:.4f}"
    if kind in (Type.NUMBER, Type.MILLISECONDS):
        return f"{value:,.1f}".removesuffix(".0")
    if kind is Type.INSTANT:
        return str(value)[:19].replace("T", " ")
    if kind is Type.FLAG:
        return "yes" if value else "no"
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"

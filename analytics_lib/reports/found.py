"""What a report found: its tables, the facts of the run, and how a notebook shows and saves them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics_lib import phrases
from analytics_lib.errors import OutputError, UsageError
from analytics_lib.reports.display import Sentence, TableView
from analytics_lib.reports.report import Report, Request, Table

if TYPE_CHECKING:
    import pandas as pd

    from analytics_lib.reports.figures import Chart

_FEW_SESSIONS = 100
_FIELDS_TOLD = 4
_QUERIES = "query TEXT, id TEXT, bytes COUNT, seconds NUMBER, usd USD, predicted USD, reused FLAG"


@dataclass(frozen=True)
class Found:
    """A report's finished tables (`tables[name]`, pandas frames) and the facts of the run (`facts[name]`)."""

    report: Report
    request: Request
    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<{self.report.title}, {self.request.period}: {', '.join(self.tables)}>"

    @property
    def answer(self) -> Sentence:
        """The report's question answered in one sentence."""
        return Sentence(self.report.answer(self.tables, self.request), "answer")

    @property
    def notice(self) -> Sentence | None:
        """What makes the answer less than it seems: rejected lines, a lake that has stopped filling; else None."""
        rejected = self.facts["rejected"]
        said = [phrases.stale(self.facts["newest_day"], self.request.period)]
        if rejected:
            said.append(f"{phrases.many(rejected, 'line')} could not be read and count nowhere; "
                        "`analytics-lib check` lists them.")  # fmt: skip
        text = " ".join(filter(None, said))
        return Sentence(text, "notice") if text else None

    @property
    def caveats(self) -> Sentence:
        """What the figures rest on, and when to mistrust them."""
        facts, values = self.facts, self.request.parameters
        said = [f"{phrases.many(facts['records'], 'session record')} of {phrases.days(self.request.period)} from "
                f"{facts['data']}, read by {facts['engine']}; {phrases.many(facts['rejected'], 'line')} rejected, "
                f"{phrases.many(facts['duplicates'], 'duplicate')} folded."]  # fmt: skip
        said += [f"{each.name} = {values[each.name]:,}: {each.meaning}." for each in self.report.parameters]
        if facts["mistyped"]:
            said.append(_mistyped(facts["mistyped"]))
        if facts["queries"]:
            said.append(f"{phrases.bill(facts)}.")
        if 0 < facts["records"] < _FEW_SESSIONS:
            said.append(f"With fewer than {_FEW_SESSIONS} sessions, look at the intervals before the rates.")
        return Sentence("\n".join(said))

    @property
    def bill(self) -> TableView | None:
        """The queries of a run on Athena with what each took and cost; None for an engine that nobody bills."""
        if not self.facts["queries"]:
            return None
        import pandas as pd

        rows = [
            {"query": Path(each["name"]).stem, "id": each["query_id"], "bytes": each["bytes_scanned"],
             "usd": each["cost_usd"], "predicted": each["predicted_usd"], **each}
            for each in self.facts["queries"]
        ]  # fmt: skip
        table = Table("facts", "Queries on Athena", _QUERIES)
        return TableView(table, table.conform(pd.DataFrame(rows)), len(rows))

    def chart(self, name: str) -> Chart:
        """One of the report's figures. Raises UsageError that lists them."""
        draw = self.report.figures.get(name)
        if draw is None:
            raise UsageError(f"{self.report.name} has no figure {name!r}; it has {', '.join(self.report.figures)}")
        return draw(self.tables, self.request)

    def table(self, name: str, rows: int = 31) -> TableView:
        """The first rows of a table, formatted for reading. Raises UsageError that lists the tables."""
        return TableView(self.report.table(name), self.tables[name], rows)

    def document(self) -> dict[str, Any]:
        """The whole result as JSON has it: what was asked, the facts, and every table's rows."""
        from analytics_lib import frames

        facts, period = self.facts, self.request.period
        newest = facts["newest_day"]
        return {
            "report": self.report.name,
            "engine": facts["engine"],
            "start": period.start.isoformat(),
            "end": period.end.isoformat(),
            "parameters": dict(self.request.parameters),
            "newest_day": newest and newest.isoformat(),
            **{name: facts[name] for name in ("records", "rejected", "duplicates", "bytes_scanned")},
            "tables": {name: frames.rows(frame) for name, frame in self.tables.items()},
        }

    def save(self, folder: str | Path | None) -> None:
        """Write one CSV a table and facts.json into an existing folder; without a folder, do nothing.

        Raises OutputError where that cannot be done.
        """
        if folder is None:
            return
        from analytics_lib import frames

        facts = self.document() | {"data": self.facts["data"]}
        if self.facts["queries"]:
            facts |= {name: self.facts[name] for name in ("queries", "cost_usd", "predicted_usd")}
        del facts["tables"]
        try:
            for name, frame in self.tables.items():
                Path(folder, f"{name}.csv").write_text(frames.csv_text(frame), encoding="utf-8", newline="")
            Path(folder, "facts.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"the tables cannot be written to {folder}: {error.strerror}") from error


def _mistyped(counts: Mapping[str, int]) -> str:
    """How many values had another type than their field, and in which fields, the most frequent first."""
    by_field = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    named = [f"{phrases.number(count)} of {path}" for path, count in by_field[:_FIELDS_TOLD]]
    named += [phrases.many(len(by_field) - _FIELDS_TOLD, "further field")] if by_field[_FIELDS_TOLD:] else []
    values = phrases.many(sum(counts.values()), "value")
    return f"{values} could not be read as what the field holds ({', '.join(named)}); see `analytics-lib check`."

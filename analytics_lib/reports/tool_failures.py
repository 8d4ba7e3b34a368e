"""Which tools fail, on what, and what does it cost?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics_lib import phrases
from analytics_lib.reports import figures
from analytics_lib.reports.figures import Chart, chart
from analytics_lib.reports.funnel import THRESHOLDS
from analytics_lib.reports.report import Frames, Report, Request, Table
from analytics_lib.reports.statistics import days, every_row, rate, with_rate

if TYPE_CHECKING:
    import pandas as pd

_CALLS = ("1", "2-3", "4+")
_TOOLS, _QUERIES = 4, 10
_COLOURS = (figures.RED, figures.BLUE, figures.GREEN, figures.ORANGE)


def _daily(counted: pd.DataFrame, request: Request) -> pd.DataFrame:
    by_day = counted.groupby("dt", as_index=False)[["calls", "failures"]].sum()
    return _with_failure_rate(every_row(by_day, {"dt": days(request.period)}, ("calls", "failures")))


def _tool_daily(counted: pd.DataFrame, request: Request) -> pd.DataFrame:
    tools = sorted(counted["tool"].unique())
    keys = {"dt": days(request.period), "tool": tools}
    return _with_failure_rate(every_row(counted, keys, ("calls", "failures")))


def _with_failure_rate(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(failure_rate=rate(frame["failures"], frame["calls"]))


def _impact(counted: pd.DataFrame, request: Request) -> pd.DataFrame:
    keys = {"calls": _CALLS, "had_failure": (True, False)}
    return with_rate(every_row(counted, keys, ("sessions", "qualified")), "qualified_rate", "qualified", "sessions")


def _answer(tables: Frames, request: Request) -> str:
    by_tool = tables["by_tool"]
    calls, failures = by_tool["calls"].sum(), by_tool["failures"].sum()
    if not calls:
        return f"No tool was called on {phrases.days(request.period)}."
    if not failures:
        return f"None of {phrases.many(calls, 'tool call')} failed."
    most, worst = by_tool.iloc[0], _worst_day(tables["tool_daily"])
    sentence = f"{phrases.number(failures)} of {phrases.many(calls, 'tool call')} failed "
    sentence += f"({phrases.percent(failures / calls)}), {phrases.number(most['failures'])} of them calls of "
    sentence += figures.label(most["tool"])
    if worst is None:
        return f"{sentence}."
    sentence += f"; the worst day was {worst['dt'].day} {worst['dt']:%B}, when {phrases.number(worst['failures'])} of "
    return f"{sentence}{phrases.many(worst['calls'], 'call')} of {figures.label(worst['tool'])} failed."


def _worst_day(tool_daily: pd.DataFrame) -> pd.Series | None:
    """The tool and day with the most failures; None where no day stands out."""
    failed = tool_daily[tool_daily["failures"] > 1]
    return None if failed.empty else failed.loc[failed["failures"].astype(int).idxmax()]


def _tools_chart(tables: Frames, request: Request) -> Chart:
    tools = tables["by_tool"].sort_values("failure_rate", ascending=False, kind="stable").head(_QUERIES)
    finding = "No tool was called in this period."
    if len(tools):
        worst = tools.iloc[0]
        finding = f"{figures.label(worst['tool'])} fails most often: {phrases.percent(worst['failure_rate'])} of its "
        finding += f"{phrases.many(worst['calls'], 'call')}."
    subtitle = f"Failed share of calls, 95 % intervals, {phrases.days(request.period)}"
    with chart("tools", finding, subtitle, height=1.7 + 0.36 * max(len(tools), 3)) as (figure, axes):
        share, names = tools["failure_rate"], figures.labels(tools["tool"])
        bounds = [share - tools["failure_rate_low"], tools["failure_rate_high"] - share]
        error = {"ecolor": figures.GREY, "capsize": 3, "elinewidth": 1.5}
        axes.barh(names, share, xerr=bounds, color=figures.RED, error_kw=error)
        figures.horizontal(axes, "failed calls, share of calls")
        figures.percent_axis(axes.xaxis)
    return figure


def _daily_chart(tables: Frames, request: Request) -> Chart:
    daily, tool_daily, by_tool = tables["daily"], tables["tool_daily"], tables["by_tool"]
    worst = _worst_day(tool_daily)
    finding = "No tool failed more than once on any day."
    if worst is not None:
        finding = f"{figures.label(worst['tool'])} failed most on {worst['dt'].day} {worst['dt']:%B}: "
        finding += f"{phrases.number(worst['failures'])} of {phrases.many(worst['calls'], 'call')}."
    with chart("daily", finding, f"Failed calls by tool and day, {phrases.days(request.period)}") as (figure, axes):
        tools = by_tool.loc[by_tool["failures"] > 0, "tool"].head(_TOOLS)
        below = 0 * daily["failures"].astype(int)
        for tool, name, colour in zip(tools, figures.labels(tools, width=20), _COLOURS, strict=False):
            failures = tool_daily.loc[tool_daily["tool"] == tool, "failures"].astype(int).to_numpy()
            axes.bar(daily["dt"], failures, bottom=below, color=colour, label=name)
            below += failures
        if rest := (daily["failures"] - below).sum():
            axes.bar(daily["dt"], daily["failures"] - below, bottom=below, color=figures.GREY, label=f"others ({rest})")
        if len(tools):
            figures.count_axis(axes, "failed calls a day")
            figures.day_axis(axes, request.period)
            figures.legend(axes)
    return figure


def _queries_chart(tables: Frames, request: Request) -> Chart:
    queries = tables["failing_queries"].head(_QUERIES)
    finding = "No query failed in this period."
    if len(queries):
        first = queries.iloc[0]
        finding = f"“{figures.label(first['query'])}” fails most: {phrases.number(first['failures'])} of "
        finding += f"{phrases.many(first['calls'], 'call')}."
    subtitle = f"Queries that fail most, {phrases.days(request.period)}"
    with chart("queries", finding, subtitle, height=1.8 + 0.28 * max(len(queries), 3)) as (figure, axes):
        names = figures.labels(queries["query"], width=38)
        empty, errors = queries["empty"].astype(int), queries["errors"].astype(int)
        axes.barh(names, empty, color=figures.ORANGE, label="nothing found")
        axes.barh(names, errors, left=empty, color=figures.RED, label="error")
        figures.horizontal(axes, "failed calls")
        figures.legend(axes)
    return figure


def _impact_chart(tables: Frames, request: Request) -> Chart:
    impact = tables["impact"]
    failed, fine = (impact[impact["had_failure"] == had] for had in (True, False))
    rates = failed.merge(fine, on="calls", suffixes=("_failed", "_fine"))
    rates = rates.dropna(subset=["qualified_rate_failed", "qualified_rate_fine"])
    finding = "Whether failed calls cost leads cannot be said from these sessions."
    if len(rates):
        lower = (rates["qualified_rate_failed"] < rates["qualified_rate_fine"]).sum()
        finding = f"Sessions with a failed call qualify less often in {lower} of {len(rates)} groups of like sessions."
    subtitle = f"Qualified share by number of calls, 95 % intervals, {phrases.days(request.period)}"
    with chart("impact", finding, subtitle, height=3.2) as (figure, axes):
        for offset, rows, colour, name in (
            (-0.2, failed, figures.RED, "a call failed"),
            (0.2, fine, figures.BLUE, "none failed"),
        ):
            shares = rows["qualified_rate"].fillna(0)
            bounds = [(shares - rows["qualified_rate_low"]).fillna(0), (rows["qualified_rate_high"] - shares).fillna(0)]
            places = [place + offset for place in range(len(_CALLS))]
            axes.bar(places, shares, 0.38, yerr=bounds, color=colour, label=name, error_kw={"ecolor": figures.GREY})
        axes.set_xticks(range(len(_CALLS)), _CALLS)
        axes.set_xlim(-0.6, len(_CALLS) - 0.4)
        axes.set_xlabel("tool calls in the session")
        axes.set_ylabel("qualified, share of sessions")
        figures.percent_axis(axes.yaxis)
        figures.legend(axes)
    return figure


_FAILURES = "calls COUNT, failures COUNT, failure_rate RATE"

REPORT = Report(
    name="tool_failures",
    title="Tool failures",
    question="Which tools fail, on what, and what does it cost?",
    parameters=THRESHOLDS,
    tables=(
        Table(
            "by_tool",
            "Calls and failures by tool",
            "tool TEXT, calls COUNT, empty COUNT, errors COUNT, cancelled COUNT, failures COUNT, failure_rate RATE, "
            "failure_rate_low RATE, failure_rate_high RATE, sessions_affected COUNT, timed_calls COUNT, "
            "p50_duration_ms MILLISECONDS, p95_duration_ms MILLISECONDS",
            lambda counted, _: with_rate(counted, "failure_rate", "failures", "calls"),
        ),
        Table("daily", "Calls and failures by day", f"dt DAY, {_FAILURES}", _daily, counted_in="tool_daily"),
        Table("tool_daily", "Calls and failures by tool and day", f"dt DAY, tool TEXT, {_FAILURES}", _tool_daily),
        Table(
            "errors",
            "Failed calls by error",
            "tool TEXT, error TEXT, failures COUNT, sessions COUNT, last_at INSTANT",
        ),
        Table(
            "failing_queries",
            "Queries that failed",
            "tool TEXT, query TEXT, calls COUNT, failures COUNT, empty COUNT, errors COUNT, sessions COUNT, "
            "last_at INSTANT",
        ),
        Table(
            "recovery",
            "Failed calls and what followed them",
            "tool TEXT, failures COUNT, retried COUNT, recovered COUNT, last_calls COUNT",
        ),
        Table(
            "impact",
            "Sessions by number of calls, with and without a failed one",
            "calls TEXT, had_failure FLAG, sessions COUNT, qualified COUNT, qualified_rate RATE, "
            "qualified_rate_low RATE, qualified_rate_high RATE",
            _impact,
        ),
    ),
    answer=_answer,
    figures={
        "tools": _tools_chart,
        "daily": _daily_chart,
        "queries": _queries_chart,
        "impact": _impact_chart,
    },
)

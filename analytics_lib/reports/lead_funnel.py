"""Which sessions were leads?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics_lib import phrases
from analytics_lib.reports import figures
from analytics_lib.reports.figures import Chart, chart
from analytics_lib.reports.funnel import STAGES, THRESHOLDS
from analytics_lib.reports.report import Frames, Report, Request, Table
from analytics_lib.reports.statistics import days, every_row, one_rate, rate, sums, with_rate

if TYPE_CHECKING:
    import pandas as pd

_SIGNALS = ("team_size", "monthly_volume", "urgency", "integration_needs")
_BARS = 10


def _stages(counted: pd.DataFrame, request: Request) -> pd.DataFrame:
    frame = sums(counted, "stage", "sessions", dict(zip(STAGES, ("sessions", *STAGES[1:]), strict=True)))
    sessions, whole = frame["sessions"], frame["sessions"].iloc[0]
    frame = frame.assign(whole=whole, before=sessions.shift(1))
    frame = with_rate(frame.assign(share=rate(sessions, frame["whole"])), "conversion", "sessions", "before")
    frame.loc[0, "conversion"] = 1.0 if whole else None
    return frame


def _daily(counted: pd.DataFrame, request: Request) -> pd.DataFrame:
    frame = every_row(counted, {"dt": days(request.period)}, ("sessions", "signals", "qualified", "hot"))
    return with_rate(frame, "qualified_rate", "qualified", "sessions")


def _coverage(counted: pd.DataFrame, request: Request) -> pd.DataFrame:
    frame = sums(counted, "signal", "known", {name: f"{name}_known" for name in _SIGNALS})
    frame = frame.assign(whole=counted["sessions"].sum())
    return frame.assign(share=rate(frame["known"], frame["whole"]))


def _answer(tables: Frames, request: Request) -> str:
    sessions, signals, qualified, hot = tables["stages"]["sessions"]
    if not sessions:
        return f"There were no sessions on {phrases.days(request.period)}."
    share, low, high = one_rate(qualified, sessions)
    return (
        f"{phrases.number(qualified)} of {phrases.many(sessions, 'session')} qualified as leads "
        f"({phrases.percent(share)}; 95 % interval {phrases.percent(low)} to {phrases.percent(high)}), "
        f"{phrases.number(hot)} of them hot; in {phrases.many(sessions - signals, 'session')} "
        f"the agent learned nothing about the caller."
    )


def _qualified(daily: pd.DataFrame) -> str:
    return phrases.percent(one_rate(daily["qualified"].sum(), daily["sessions"].sum())[0])


def _funnel_chart(tables: Frames, request: Request) -> Chart:
    stages = tables["stages"]
    steps = stages.iloc[1:].dropna(subset="conversion")
    finding = phrases.NO_SESSIONS
    if len(steps):
        narrowest = steps.loc[steps["conversion"].idxmin()]
        reached = phrases.percent(narrowest["conversion"])
        finding = f"{phrases.percent(stages['share'].iloc[2])} of sessions qualify; the narrowest step is to "
        finding += f"‘{narrowest['stage']}’, which {reached} of the stage before reach."
    with chart("funnel", finding, f"Sessions by stage, {phrases.days(request.period)}", height=3.0) as (figure, axes):
        bars = axes.barh(stages["stage"], stages["sessions"].astype(int), color=figures.BLUE, height=0.66)
        notes = [f"{phrases.number(row.sessions)} · {phrases.percent(row.share)}" for row in stages.itertuples()]
        axes.bar_label(bars, notes, padding=6)
        axes.margins(x=0.16)
        figures.horizontal(axes, "sessions")
    return figure


def _daily_chart(tables: Frames, request: Request) -> Chart:
    daily = tables["daily"]
    earlier, later = daily[: len(daily) // 2], daily[len(daily) // 2 :]
    finding = phrases.NO_SESSIONS
    if daily["sessions"].sum():
        finding = f"{_qualified(daily)} of sessions qualified."
    if earlier["sessions"].sum() and later["sessions"].sum():
        finding = f"{_qualified(later)} of sessions qualified in the second half of the period, "
        finding += f"{_qualified(earlier)} in the first."
    with chart("daily", finding, f"Sessions a day, {phrases.days(request.period)}") as (figure, axes):
        for stage, colour in (("sessions", figures.SKY), ("qualified", figures.BLUE), ("hot", figures.ORANGE)):
            axes.bar(daily["dt"], daily[stage].astype(int), color=colour, label=stage)
        figures.count_axis(axes, "sessions a day")
        figures.day_axis(axes, request.period)
        figures.legend(axes)
    return figure


def _integrations_chart(tables: Frames, request: Request) -> Chart:
    wanted = tables["integrations"].head(_BARS)
    finding = "No session named an integration."
    if len(wanted):
        first = wanted.iloc[0]
        finding = f"{figures.label(first['integration'])} is asked for most, in "
        finding += f"{phrases.many(first['sessions'], 'session')}; {phrases.percent(first['qualified_rate'])} qualify."
    height = 1.8 + 0.28 * max(len(wanted), 3)
    subtitle = f"Sessions that name an integration, {phrases.days(request.period)}"
    with chart("integrations", finding, subtitle, height=height) as (figure, axes):
        names = figures.labels(wanted["integration"])
        axes.barh(names, wanted["sessions"].astype(int), color=figures.SKY, label="all sessions")
        axes.barh(names, wanted["qualified"].astype(int), color=figures.BLUE, label="qualified")
        figures.horizontal(axes, "sessions")
        figures.legend(axes)
    return figure


def _coverage_chart(tables: Frames, request: Request) -> Chart:
    coverage = tables["coverage"]
    finding = phrases.NO_SESSIONS
    if coverage["share"].notna().any():
        best, worst = (coverage.loc[coverage["share"].agg(pick)] for pick in ("idxmax", "idxmin"))
        finding = f"The agent learns {best['signal']} most often ({phrases.percent(best['share'])} of sessions) "
        finding += f"and {worst['signal']} least ({phrases.percent(worst['share'])})."
    subtitle = f"Sessions with a signal, {phrases.days(request.period)}"
    with chart("coverage", finding, subtitle, height=2.8) as (figure, axes):
        bars = axes.barh(coverage["signal"], coverage["share"].fillna(0), color=figures.GREEN, height=0.66)
        axes.bar_label(bars, [phrases.percent(share) for share in coverage["share"]], padding=6)
        axes.set_xlim(0, 1)
        figures.horizontal(axes, "share of sessions")
        figures.percent_axis(axes.xaxis)
    return figure


_BOUNDED_RATE = "qualified_rate RATE, qualified_rate_low RATE, qualified_rate_high RATE"

REPORT = Report(
    name="lead_funnel",
    title="Lead funnel",
    question="Which sessions were leads?",
    parameters=THRESHOLDS,
    tables=(
        Table(
            "stages",
            "Sessions by stage",
            "stage TEXT, sessions COUNT, share RATE, conversion RATE, conversion_low RATE, conversion_high RATE",
            _stages,
            counted_in="daily",
        ),
        Table(
            "daily",
            "Sessions by day",
            f"dt DAY, sessions COUNT, signals COUNT, qualified COUNT, hot COUNT, {_BOUNDED_RATE}",
            _daily,
        ),
        Table(
            "coverage",
            "Sessions in which a signal is known",
            "signal TEXT, known COUNT, share RATE",
            _coverage,
            counted_in="daily",
        ),
        Table(
            "integrations",
            "Sessions by integration",
            f"integration TEXT, sessions COUNT, qualified COUNT, {_BOUNDED_RATE}",
            lambda counted, _: with_rate(counted, "qualified_rate", "qualified", "sessions"),
        ),
        Table(
            "leads",
            "Hot and qualified sessions",
            "session_id TEXT, ended_at INSTANT, stage TEXT, team_size COUNT, monthly_volume NUMBER, urgency TEXT, "
            "integration_needs TEXTS, duration_seconds SECONDS, agent_name TEXT, room_id TEXT, caller_key TEXT",
        ),
    ),
    answer=_answer,
    figures={
        "funnel": _funnel_chart,
        "daily": _daily_chart,
        "coverage": _coverage_chart,
        "integrations": _integrations_chart,
    },
)

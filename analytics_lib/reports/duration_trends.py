"""How long do sessions run?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analytics_lib import phrases
from analytics_lib.reports import figures
from analytics_lib.reports.figures import Chart, chart
from analytics_lib.reports.funnel import STAGES, THRESHOLDS
from analytics_lib.reports.report import Frames, Report, Request, Table
from analytics_lib.reports.statistics import days, every_row, with_share

if TYPE_CHECKING:
    import pandas as pd

_EDGES = (0.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _daily(counted: pd.DataFrame, request: Request) -> pd.DataFrame:
    return every_row(counted, {"dt": days(request.period)}, ("sessions", "timed_sessions"))


def _distribution(counted: pd.DataFrame, request: Request) -> pd.DataFrame:
    frame = every_row(counted, {"from_seconds": _EDGES}, ("sessions",))
    return frame.assign(to_seconds=[*_EDGES[1:], None])


def _answer(tables: Frames, request: Request) -> str:
    summary = tables["summary"].iloc[0]
    if not summary["sessions"]:
        return f"There were no sessions on {phrases.days(request.period)}."
    if not summary["timed_sessions"]:
        return f"None of {phrases.many(summary['sessions'], 'session')} tells its duration."
    return (
        f"Half of the sessions ended within {phrases.length(summary['p50_duration'])} and nine in ten within "
        f"{phrases.length(summary['p90_duration'])}; {phrases.many(summary['sessions'], 'session')} made "
        f"{phrases.length(summary['total_duration'])} in all ({phrases.number(summary['timed_sessions'])} are timed)."
    )


def _daily_chart(tables: Frames, request: Request) -> Chart:
    daily = tables["daily"]
    weekly = daily["p50_duration_7d"][6:].dropna()  # before, the windows hold fewer days where the lake begins
    finding = phrases.NO_SESSIONS if not daily["sessions"].sum() else "The period is too short for a trend."
    if len(weekly) > 1:
        first, last = weekly.iloc[0], weekly.iloc[-1]
        went = "stayed near" if abs(last - first) < 0.05 * first else "rose to" if last > first else "fell to"
        finding = (
            f"The seven-day median {went} {phrases.length(last)}; the first full week's was {phrases.length(first)}."
        )
    with chart("daily", finding, f"Length of sessions by day, {phrases.days(request.period)}") as (figure, axes):
        if daily["timed_sessions"].sum():
            day, p90, p50 = daily["dt"], daily["p90_duration"] / 60, daily["p50_duration"] / 60
            axes.plot(day, p90, "o", color=figures.GREY, markersize=4, label="90th percentile")
            axes.plot(day, p50, "o", color=figures.SKY, markersize=5, label="median of the day")
            axes.plot(day, daily["p50_duration_7d"] / 60, color=figures.BLUE, label="median of seven days")
            axes.set_ylabel("minutes")
            axes.set_ylim(bottom=0)
            figures.day_axis(axes, request.period)
            figures.legend(axes)
    return figure


def _distribution_chart(tables: Frames, request: Request) -> Chart:
    spread = tables["distribution"]
    finding = "No session tells its duration."
    if spread["sessions"].sum():
        most = spread.loc[spread["sessions"].idxmax()]
        share = phrases.percent(most["sessions"] / spread["sessions"].sum())
        finding = f"{share} of timed sessions last {_interval(most['from_seconds'], most['to_seconds'])}."
    names = [_interval(low, high) for low, high in zip(spread["from_seconds"], spread["to_seconds"], strict=True)]
    subtitle = f"Timed sessions by length, {phrases.days(request.period)}"
    with chart("distribution", finding, subtitle, height=4.2) as (figure, axes):
        bars = axes.barh(names, spread["sessions"].astype(int), color=figures.BLUE, height=0.8)
        axes.bar_label(bars, [phrases.number(count) for count in spread["sessions"]], padding=6)
        figures.horizontal(axes, "sessions")
    return figure


def _interval(low: float, high: float) -> str:
    if math.isnan(high):
        return f"{phrases.length(low)} or more"
    return f"{phrases.length(low)} to {phrases.length(high)}" if low else f"under {phrases.length(high)}"


def _hourly_chart(tables: Frames, request: Request) -> Chart:
    names = [f"The hour from {hour:02d}:00 UTC" for hour in range(24)]
    subtitle = f"Sessions by hour of their start, {phrases.days(request.period)}"
    counts = tables["hourly"]["sessions"].astype(float)
    return _busy_chart("hourly", names, [name[14:16] for name in names], counts, "sessions", subtitle, "hour, UTC")


def _weekdays_chart(tables: Frames, request: Request) -> Chart:
    days_of = Counter(day.weekday() for day in request.period.days())  # some weekdays occur more often than others
    weekdays = tables["weekdays"]
    counts = weekdays["sessions"].astype(float) / [max(1, days_of[day]) for day in range(7)]
    subtitle = f"Sessions a day by weekday of their start, {phrases.days(request.period)}"
    ticks = [name[:3] for name in _WEEKDAYS]
    return _busy_chart("weekdays", _WEEKDAYS, ticks, counts, "sessions a day", subtitle, "weekday, UTC")


def _busy_chart(
    name: str, names: Sequence[str], ticks: Sequence[str], counts: pd.Series, unit: str, subtitle: str, axis: str
) -> Chart:
    finding = phrases.NO_SESSIONS
    if counts.sum():
        busiest = int(counts.to_numpy().argmax())
        finding = f"{names[busiest]} is busiest, with {counts.iloc[busiest]:,.3g} {unit}."
    with chart(name, finding, subtitle, height=3.0) as (figure, axes):
        axes.bar(ticks, counts, color=figures.BLUE, width=0.8)
        figures.count_axis(axes, unit)
        axes.set_xlabel(axis)
    return figure


def _stages_chart(tables: Frames, request: Request) -> Chart:
    stages = tables["by_stage"]
    timed = stages.dropna(subset="p50_duration")
    finding = "No session tells its duration."
    if len(timed):
        longest = timed.loc[timed["p50_duration"].idxmax()]
        finding = f"Sessions that end at ‘{longest['stage']}’ run longest: half of them "
        finding += f"{phrases.length(longest['p50_duration'])} or more."
    subtitle = f"Median length by stage, {phrases.days(request.period)}"
    with chart("by_stage", finding, subtitle, height=3.0) as (figure, axes):
        bars = axes.barh(stages["stage"], stages["p50_duration"].fillna(0) / 60, color=figures.GREEN, height=0.66)
        axes.bar_label(bars, [phrases.length(seconds) for seconds in stages["p50_duration"]], padding=6)
        figures.horizontal(axes, "minutes")
    return figure


_LENGTHS = (
    "sessions COUNT, timed_sessions COUNT, avg_duration SECONDS, p50_duration SECONDS, p90_duration SECONDS, "
    "p95_duration SECONDS, total_duration SECONDS, total_tokens COUNT, avg_latency_ms MILLISECONDS"
)

REPORT = Report(
    name="duration_trends",
    title="Duration trends",
    question="How long do sessions run?",
    parameters=THRESHOLDS,
    lookback_days=6,
    tables=(
        Table("summary", "All sessions of the period", _LENGTHS),
        Table("daily", "Lengths by day", f"dt DAY, {_LENGTHS}, p50_duration_7d SECONDS", _daily),
        Table(
            "hourly",
            "Lengths by hour of the start",
            "hour COUNT, sessions COUNT, p50_duration SECONDS",
            lambda counted, _: every_row(counted, {"hour": range(24)}, ("sessions",)),
        ),
        Table(
            "weekdays",
            "Lengths by weekday of the start, 1 Monday to 7 Sunday",
            "weekday COUNT, sessions COUNT, p50_duration SECONDS",
            lambda counted, _: every_row(counted, {"weekday": range(1, 8)}, ("sessions",)),
        ),
        Table(
            "distribution",
            "Timed sessions by length",
            "from_seconds SECONDS, to_seconds SECONDS, sessions COUNT",
            _distribution,
        ),
        Table(
            "by_stage",
            "Lengths by stage",
            "stage TEXT, sessions COUNT, avg_duration SECONDS, p50_duration SECONDS, p90_duration SECONDS",
            lambda counted, _: every_row(counted, {"stage": STAGES}, ("sessions",)),
        ),
        Table(
            "close_reasons",
            "Sessions by close reason",
            "close_reason TEXT, sessions COUNT, share RATE, p50_duration SECONDS",
            lambda counted, _: with_share(counted, "share", "sessions"),
        ),
    ),
    answer=_answer,
    figures={
        "daily": _daily_chart,
        "distribution": _distribution_chart,
        "hourly": _hourly_chart,
        "weekdays": _weekdays_chart,
        "by_stage": _stages_chart,
    },
)

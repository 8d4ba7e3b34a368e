"""Numbers as a sentence says them."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from analytics_lib.period import Period

NO_SESSIONS = "There were no sessions in this period."


def number(count: object) -> str:
    """A whole number with separators: 12,345."""
    return f"{int(count):,}"  # type: ignore[call-overload]


def many(count: object, noun: str) -> str:
    """A count with its noun: 1 session, 2 sessions."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def percent(rate: float) -> str:
    """A rate from 0 to 1 as per cent: 24.7 %; a dash where there is none."""
    return "–" if math.isnan(rate) else f"{rate * 100:.1f} %"


def length(seconds: float) -> str:
    """A length of time: 45 s, 3 min 5 s, 1 h 2 min; a dash where there is none."""
    if math.isnan(seconds):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min".removesuffix(" 0 min")


def bill(facts: Mapping[str, Any]) -> str:
    """What a run on Athena took: `17 queries (3 reused) scanned 12.3 MB for 0.0009 USD, predicted at most 0.0012`."""
    queries = facts["queries"]
    reused = sum(query["reused"] for query in queries)
    scanned = sum(query["bytes_scanned"] for query in queries)
    asked = many(len(queries), "query").replace("querys", "queries") + (f" ({reused} reused)" if reused else "")
    return (
        f"{asked} scanned {scanned / 1e6:,.1f} MB for {facts['cost_usd']:.4f} USD on Athena; "
        f"predicted, with requests to S3, at most {facts['predicted_usd']:.4f} USD"
    )


def stale(newest: date | None, period: Period) -> str:
    """Says where the newest day with data lies before the period's end; empty where it does not."""
    if newest is None:
        return "The lake holds no data."
    if newest >= period.end:
        return ""
    behind = many((period.end - newest).days, "day")
    return f"The newest day with data is {newest}, {behind} before the period's end."


def days(period: Period) -> str:
    """A period as figures and pages write it: 1 to 30 January 2026 (UTC)."""
    start, end = period.start, period.end
    last = f"{end.day} {end:%B} {end.year}"
    if start == end:
        return f"{last} (UTC)"
    if start.year != end.year:
        return f"{start.day} {start:%B} {start.year} to {last} (UTC)"
    first = f"{start.day}" if start.month == end.month else f"{start.day} {start:%B}"
    return f"{first} to {last} (UTC)"

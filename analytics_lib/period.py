"""Period: the UTC days that a report covers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from analytics_lib.errors import PeriodError

DEFAULT_DAYS = 30
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """The UTC dates from `start` to `end`, both inclusive. Raises PeriodError when end lies before start."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise PeriodError(f"the period ends ({self.end}) before it starts ({self.start}); swap the two dates")

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"

    def __len__(self) -> int:
        return (self.end - self.start).days + 1

    def __contains__(self, day: str) -> bool:
        """True for an ISO date inside the period: ISO dates sort as text as they do in time."""
        return self.start.isoformat() <= day <= self.end.isoformat()

    def covers(self, other: "Period") -> bool:
        """True where every day of the other is a day of this one."""
        return self.start <= other.start and other.end <= self.end

    def days(self) -> Iterator[date]:
        """Every day of the period, in order."""
        return (self.start + timedelta(days=offset) for offset in range(len(self)))

    def widened(self, days: int) -> "Period":
        """The period with `days` more days before it (fewer where the calendar begins)."""
        return Period(shifted(self.start, -days), self.end)


def parse_date(value: str | date) -> date:
    """The day that `YYYY-MM-DD` names. Raises PeriodError for any other form and for days that do not exist."""
    if isinstance(value, datetime):
        raise PeriodError(f"{value!r} is a point in time; a period is made of UTC dates such as 2026-01-31")
    if isinstance(value, date):
        return value
    try:
        if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise PeriodError(f"{value!r} is not a date; write it as YYYY-MM-DD, e.g. 2026-01-31") from None


def today() -> date:
    """Today's UTC date."""
    return datetime.now(UTC).date()


def shifted(day: date, days: int) -> date:
    """`day` moved by that many days, stopping at the calendar's first and last day."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.min if days < 0 else date.max


def choose(start: str | date | None, end: str | date | None, last: int | None, newest: date | None) -> Period:
    """The period that was asked for.

    `last` N: the N days that end yesterday. Otherwise `start` to `end`; with one of the two, 30 days from or to it;
    with neither, the 30 days that end with `newest`, the last day with data (yesterday where there is none).
    Raises PeriodError for `last` beside a date, for `last` below 1 and for dates that make no period.
    """
    yesterday = shifted(today(), -1)
    if last is not None:
        if start is not None or end is not None:
            raise PeriodError("--last counts back from yesterday; give it or --start and --end, not both")
        if last < 1:
            raise PeriodError(f"--last {last} covers no day; give a number of days from 1")
        return Period(shifted(yesterday, 1 - last), yesterday)
    if start is None:
        last_day = parse_date(end) if end is not None else newest or yesterday
        return Period(shifted(last_day, 1 - DEFAULT_DAYS), last_day)
    first_day = parse_date(start)
    return Period(first_day, parse_date(end) if end is not None else shifted(first_day, DEFAULT_DAYS - 1))

"""Periods: inclusive UTC dates, what the words of a command mean, and what is refused."""

from datetime import UTC, date, datetime, timedelta

import pytest

from analytics_lib import period as periods
from analytics_lib.errors import PeriodError
from analytics_lib.period import Period, choose, parse_date

TODAY = date(2026, 3, 10)


@pytest.fixture(autouse=True)
def _the_tenth_of_march(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periods, "today", lambda: TODAY)


def test_both_ends_belong_to_the_period_across_a_leap_day() -> None:
    period = Period(date(2028, 2, 28), date(2028, 3, 1))
    assert [day.isoformat() for day in period.days()] == ["2028-02-28", "2028-02-29", "2028-03-01"]
    assert len(period) == 3
    assert [day in period for day in ("2028-02-27", "2028-02-28", "2028-03-01", "2028-03-02")] == [
        False,
        True,
        True,
        False,
    ]
    assert str(period) == "2028-02-28 to 2028-03-01"


def test_a_single_day_is_a_period() -> None:
    assert list(Period(TODAY, TODAY).days()) == [TODAY]


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(PeriodError, match=r"ends \(2026-01-01\) before it starts \(2026-01-02\); swap"):
        Period(date(2026, 1, 2), date(2026, 1, 1))


def test_it_is_widened_into_the_past_as_far_as_the_calendar_goes() -> None:
    assert Period(date(2026, 1, 1), TODAY).widened(6) == Period(date(2025, 12, 26), TODAY)
    assert Period(date(1, 1, 3), TODAY).widened(6) == Period(date.min, TODAY)


def test_a_date_is_iso_text_or_a_date() -> None:
    assert parse_date("2026-01-31") == parse_date(date(2026, 1, 31)) == date(2026, 1, 31)


@pytest.mark.parametrize(
    "text",
    ["2026-02-29", "2026-1-1", "20260101", "2026-W01-1", "2026-01-01T00:00:00", " 2026-01-01", "2026-01-01\n",
     "0000-01-01", "2026-13-01", "٢٠٢٦-01-01", "yesterday", "", None, 20260101],
)  # fmt: skip
def test_any_other_text_is_no_date(text: str) -> None:
    with pytest.raises(PeriodError, match="is not a date; write it as YYYY-MM-DD"):
        parse_date(text)


def test_a_point_in_time_is_no_date() -> None:
    with pytest.raises(PeriodError, match="point in time"):
        parse_date(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "end", "last", "newest", "expected"),
    [
        ("2026-01-05", "2026-01-06", None, None, ("2026-01-05", "2026-01-06")),
        ("2026-01-05", None, None, date(2026, 3, 1), ("2026-01-05", "2026-02-03")),
        (None, "2026-02-03", None, date(2026, 3, 1), ("2026-01-05", "2026-02-03")),
        (None, None, None, date(2026, 3, 1), ("2026-01-31", "2026-03-01")),
        (None, None, None, None, ("2026-02-08", "2026-03-09")),
        (None, None, 1, date(2026, 3, 1), ("2026-03-09", "2026-03-09")),
        (None, None, 7, None, ("2026-03-03", "2026-03-09")),
        (None, None, 10**9, None, ("0001-01-01", "2026-03-09")),
        ("9999-12-30", None, None, None, ("9999-12-30", "9999-12-31")),
        (None, "0001-01-02", None, None, ("0001-01-01", "0001-01-02")),
    ],
)
def test_the_period_that_the_words_mean(
    start: str | None, end: str | None, last: int | None, newest: date | None, expected: tuple[str, str]
) -> None:
    assert choose(start, end, last, newest) == Period(*map(date.fromisoformat, expected))


def test_last_counts_alone_and_from_one() -> None:
    for dates in (("2026-01-01", None), (None, "2026-01-01")):
        with pytest.raises(PeriodError, match="give it or --start and --end, not both"):
            choose(*dates, 7, None)
    for last in (0, -3):
        with pytest.raises(PeriodError, match=f"--last {last} covers no day"):
            choose(None, None, last, None)


def test_today_is_the_utc_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert abs(datetime.now(UTC).date() - periods.today()) <= timedelta(days=1)
    assert type(periods.today()) is date

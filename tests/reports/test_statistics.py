"""Rates and their bounds, by hand, and rows that counted nothing."""

import math
from datetime import date
from itertools import pairwise

import pandas as pd
import pytest

from analytics_lib.period import Period
from analytics_lib.reports import statistics


def counts(*values: int | None) -> "pd.Series[int]":
    return pd.Series(values, dtype="Int64")


# Wilson (1927) by hand: middle (p + z^2/2n) / (1 + z^2/n), margin z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n).
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (5, 10, 0.2365930905, 0.7634069095),
        (0, 10, 0.0, 0.2775327999),
        (10, 10, 0.7224672001, 1.0),
        (1, 1, 0.2065493143, 1.0),
        (0, 1, 0.0, 0.7934506857),
        (1, 4, 0.0455872608, 0.6993581574),
        (1, 2, 0.0945312057, 0.9054687943),
    ],
)
def test_wilson_s_interval_has_the_values_worked_out_by_hand(
    successes: int, trials: int, low: float, high: float
) -> None:
    found = statistics.wilson(counts(successes), counts(trials))
    assert [bound[0] for bound in found] == pytest.approx([low, high], abs=1e-10)


def test_the_interval_of_thousands_is_narrow_and_symmetric() -> None:
    low, high = (bound[0] for bound in statistics.wilson(counts(50_000), counts(100_000)))
    assert low + high == pytest.approx(1)
    assert high - low == pytest.approx(2 * 1.959963984540054 * math.sqrt(0.25 / 100_000), rel=1e-4)


def test_an_interval_holds_its_rate_and_stays_within_0_and_1() -> None:
    pairs = [(successes, trials) for trials in range(1, 40) for successes in range(trials + 1)]
    successes, trials = (counts(*column) for column in zip(*pairs, strict=True))
    low, high = statistics.wilson(successes, trials)
    share = statistics.rate(successes, trials)
    assert ((low >= 0) & (low <= share + 1e-15) & (share <= high + 1e-15) & (high <= 1)).all()
    assert all(a < b for a, b in pairwise(low[trials == 39]))


def test_a_rate_of_nothing_is_null_and_so_are_its_bounds() -> None:
    frame = pd.DataFrame({"part": counts(0, 0, None), "whole": counts(0, 5, None)})
    found = statistics.with_rate(frame, "rate", "part", "whole")
    assert list(found) == ["part", "whole", "rate", "rate_low", "rate_high"]
    assert found["rate"].tolist()[1] == 0.0
    assert found.loc[[0, 2], ["rate", "rate_low", "rate_high"]].isna().all(axis=None)
    assert {str(found[name].dtype) for name in ("rate", "rate_low", "rate_high")} == {"float64"}


def test_shares_of_a_column_s_sum_are_null_where_it_is_0() -> None:
    assert statistics.with_share(pd.DataFrame({"n": counts(1, 3)}), "share", "n")["share"].tolist() == [0.25, 0.75]
    assert statistics.with_share(pd.DataFrame({"n": counts(0)}), "share", "n")["share"].isna().all()
    assert statistics.with_share(pd.DataFrame({"n": counts()}), "share", "n")["share"].tolist() == []


def test_every_combination_of_keys_has_a_row_in_order_with_counts_of_0() -> None:
    counted = pd.DataFrame({"dt": ["b", "a"], "tool": ["y", "x"], "calls": counts(2, 1), "median": [2.5, 1.5]})
    found = statistics.every_row(counted, {"dt": ["a", "b"], "tool": ["x", "y"]}, ("calls",))
    assert found.astype(object).where(found.notna(), None).to_dict("records") == [
        {"dt": "a", "tool": "x", "calls": 1, "median": 1.5},
        {"dt": "a", "tool": "y", "calls": 0, "median": None},
        {"dt": "b", "tool": "x", "calls": 0, "median": None},
        {"dt": "b", "tool": "y", "calls": 2, "median": 2.5},
    ]
    assert str(found["calls"].dtype) == "Int64"


def test_the_days_of_a_period_are_written_as_sql_does() -> None:
    assert statistics.days(Period(date(2026, 1, 31), date(2026, 2, 1))) == ["2026-01-31", "2026-02-01"]


def test_the_interval_holds_its_rate_also_where_rounding_would_leave_it_out() -> None:
    trials = pd.Series(range(1, 1001), dtype="Int64")
    for successes in (trials, trials * 0):
        low, high = statistics.wilson(successes, trials)
        share = statistics.rate(successes, trials)
        assert ((low <= share) & (share <= high)).all()

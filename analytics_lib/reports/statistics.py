"""What Python adds to the counts of SQL, once for both engines: rates, their bounds, and rows that counted nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from analytics_lib.period import Period

if TYPE_CHECKING:  # pandas is imported where frames are made: Athena is to have its queries before it loads
    import pandas as pd

Z_95 = 1.959963984540054  # the normal distribution's quantile at 0.975


def rate(successes: pd.Series[Any], trials: pd.Series[Any]) -> pd.Series[Any]:
    """Successes by trials, 0 to 1; NaN where there was no trial."""
    counted, tried = successes.astype("float64"), trials.astype("float64")
    return (counted / tried).where(tried > 0)


def wilson(successes: pd.Series[Any], trials: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """The 95 % Wilson score interval of a rate, cut to 0..1; NaN where there was no trial.

    E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22 (1927).
    """
    import numpy as np

    share, tried = rate(successes, trials), trials.astype("float64").where(trials > 0)
    squared = Z_95**2 / tried
    middle = (share + squared / 2) / (1 + squared)
    margin = Z_95 * np.sqrt(share * (1 - share) / tried + squared / (4 * tried)) / (1 + squared)
    low, high = (middle - margin).clip(0, 1), (middle + margin).clip(0, 1)
    return low.clip(upper=share), high.clip(lower=share)  # rounding may lead past a rate of 0 or 1


def with_rate(frame: pd.DataFrame, name: str, successes: str, trials: str) -> pd.DataFrame:
    """The frame with a rate and its bounds in the columns `name`, `name_low`, `name_high`."""
    low, high = wilson(frame[successes], frame[trials])
    columns = {name: rate(frame[successes], frame[trials]), f"{name}_low": low, f"{name}_high": high}
    return frame.assign(**columns)


def one_rate(successes: int, trials: int) -> tuple[float, float, float]:
    """One rate and its bounds; NaN where there was no trial."""
    import pandas as pd

    one = pd.DataFrame({"successes": [successes], "trials": [trials]})
    found = with_rate(one, "rate", "successes", "trials").iloc[0]
    return found["rate"], found["rate_low"], found["rate_high"]


def sums(frame: pd.DataFrame, label: str, count: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """One row for each column of the frame: what it is called in `columns`, under `label`, and its sum."""
    import pandas as pd

    added = pd.Series([frame[column].sum() for column in columns.values()], dtype="Int64")
    return pd.DataFrame({label: list(columns), count: added})


def with_share(frame: pd.DataFrame, name: str, part: str) -> pd.DataFrame:
    """The frame with each row's share of the column's sum; NaN where the sum is 0."""
    whole = frame.assign(whole=frame[part].sum())["whole"]
    return frame.assign(**{name: rate(frame[part], whole)})


def every_row(frame: pd.DataFrame, keys: Mapping[str, Iterable[object]], counts: Iterable[str]) -> pd.DataFrame:
    """One row for each combination of the keys, in their order; `counts` are 0 and the rest null where none was."""
    import pandas as pd

    names = list(keys)
    wanted = pd.MultiIndex.from_product(keys.values(), names=names).to_frame(index=False)
    found = wanted.merge(frame, how="left", on=names)
    return found.assign(**{name: found[name].astype("Int64").fillna(0) for name in counts})


def days(period: Period) -> list[str]:
    """Every day of the period as SQL writes it, `YYYY-MM-DD`."""
    return [day.isoformat() for day in period.days()]

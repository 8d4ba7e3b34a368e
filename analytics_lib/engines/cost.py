"""What queries on Athena cost: beforehand from what lies in the period's days, afterwards from what was scanned."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from analytics_lib.engines.catalog import State
from analytics_lib.errors import CostError
from analytics_lib.period import Period
from analytics_lib.prices import Prices
from analytics_lib.remote import s3
from analytics_lib.remote.s3 import Day

_LISTS_OF_NONE = 2  # Trino looks a second time whether a place without objects is there
_Day = tuple[int, int]  # its bytes and objects


@dataclass(frozen=True, slots=True)
class Scan:
    """What a number of queries read and cost, all together: bytes, GET and LIST requests to S3, USD."""

    bytes: int
    gets: int
    lists: int
    usd: float

    def __str__(self) -> str:
        return f"{size(self.bytes)}, {self.gets:,} GET and {self.lists:,} LIST requests, {self.usd:.4f} USD"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What `queries` over the period would cost, at most: `expected` is how they will run.

    `json`: were every day read as it was delivered. `parquet`: were every day compacted; None while no day is.
    """

    period: Period
    queries: int
    compacted_days: int
    json: Scan
    parquet: Scan | None
    expected: Scan
    prices_of: str  # day and region
    digest: str = field(default="", compare=False)  # of what lies there: another one, and results may be others

    def text(self) -> str:
        """Lines for people."""
        parquet = self.parquet or "not known until a day is compacted: analytics-lib compact s3://BUCKET/PREFIX"
        return (
            f"{self._subject()}, at most, at the prices of {self.prices_of}:\n"
            f"  expected  {self.expected}\n  JSON      {self.json}\n  Parquet   {parquet}"
        )

    def require_below(self, max_usd: float, *, nested: bool = False) -> None:
        """Raise CostError where the queries, or twice as many with `nested` columns, may cost more than `max_usd`."""
        if nested and 2 * self.expected.usd > max_usd:
            raise CostError(
                "nested columns are asked for a second time, as JSON, which may come to "
                f"{2 * self.expected.usd:.4f} USD in all, above the ceiling of {max_usd:g} USD: select scalars, or "
                "allow more with --max-usd"
            )
        if self.expected.usd <= max_usd:
            return
        cheaper = "ask for fewer days with --start and --end"
        if self.compacted_days < len(self.period):
            cheaper += ", read Parquet after: analytics-lib compact s3://BUCKET/PREFIX"
        raise CostError(
            f"{self._subject()} may read {self.expected}. That is above the ceiling of {max_usd:g} USD, "
            f"so nothing was run: {cheaper}, or allow more with --max-usd"
        )

    def _subject(self) -> str:
        queries = "1 query" if self.queries == 1 else f"{self.queries} queries"
        return f"{queries} over {self.period} (days: {len(self.period)}, compacted: {self.compacted_days})"


def estimate(listed: Iterable[Day], state: State, period: Period, queries: int, prices: Prices) -> Estimate:
    """What that many queries over the period cost at most; `listed` are its days with objects that are not compacted.

    Each query lists every day of the period (1 LIST for 1,000 objects, 2 for a day without any), gets every object
    once and scans all of its bytes: a JSON line is billed whole, whichever fields are read; of Parquet, whose columns
    are read one by one, this is the upper bound. Then

        usd = queries * (max(10 MB, bytes) * price of a TB + GETs * price of a GET + LISTs * price of a LIST)

    Compacted days are known by what their partitions say. What the others will be as Parquet follows from what the
    compacted days of the lake shrank to, one object a day.
    """
    days = [day.isoformat() for day in period.days()]
    in_parquet = [day for day in days if state.is_compacted(day)]
    compacted = [state.days[day] for day in in_parquet if day in state.days]
    was_raw = [(day.raw_bytes, day.raw_objects) for day in compacted]
    is_parquet = [(day.bytes, day.objects) for day in compacted]
    raw, told = [(0, 0)] * (len(days) - len(in_parquet)), [state.first_day, state.watermark]
    for place, day in enumerate(listed):
        raw[place] = (day.bytes, day.opened)
        told.append(day.digest)
    told += [day.location for day in compacted]
    shrunk = _shrunk(raw, state)
    return Estimate(
        period,
        queries,
        len(in_parquet),
        json=_scan(was_raw + raw, queries, prices),
        parquet=None if shrunk is None else _scan(is_parquet + shrunk, queries, prices),
        expected=_scan(is_parquet + raw, queries, prices),
        prices_of=f"{prices.date} in {prices.region}",
        digest=hashlib.sha256("\n".join(told).encode()).hexdigest()[:16],
    )


def size(count: int) -> str:
    """Bytes in the unit that suits: `0.4 kB`, `12.3 MB`, `1.8 GB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count / 1e3:,.1f} kB"


def _shrunk(days: list[_Day], state: State) -> list[_Day] | None:
    """What these days of JSON will be as Parquet, an object each; None while no day is compacted."""
    known_bytes = sum(day.raw_bytes for day in state.days.values())
    share = known_bytes and sum(day.bytes for day in state.days.values()) / known_bytes
    return [(round(share * size_bytes), 1) for size_bytes, _ in days] if known_bytes else None


def _scan(days: list[_Day], queries: int, prices: Prices) -> Scan:
    read, gets = sum(day[0] for day in days), sum(day[1] for day in days)
    lists = sum(s3.lists(objects) if objects else _LISTS_OF_NONE for _, objects in days)
    usd = queries * (prices.query_usd(read) + prices.requests_usd(gets, lists))
    return Scan(queries * read, queries * gets, queries * lists, usd)

"""What queries will cost: by a listing of the raw days, and by what the partitions of compacted days tell."""

import pytest

from analytics_lib.engines import cost
from analytics_lib.engines.catalog import State
from analytics_lib.engines.cost import Scan
from analytics_lib.engines.glue_tables import Compacted
from analytics_lib.errors import CostError
from analytics_lib.period import Period, parse_date
from analytics_lib.prices import Prices
from analytics_lib.remote.s3 import Day, Stored

PRICES = Prices("eu-central-1", "2026-01-01", "a page", 5.0, 10, s3_get_usd_per_1000=0.4, s3_list_usd_per_1000=5.0)
NOTHING_COMPACTED = State("", frozenset(), {})
MB = 1_000_000


def listing(**sizes: list[int]) -> list[Day]:
    """Days (`d02=[10, 20]` is 2026-01-02) with objects of these sizes in bytes."""
    return [
        Day(f"2026-01-{day[1:]}", tuple(Stored(f"{number}.json", "etag", size) for number, size in enumerate(objects)))
        for day, objects in sizes.items()
    ]


def days(start: str, end: str) -> Period:
    return Period(parse_date(start), parse_date(end))


def compacted(day: str, raw_bytes: int, raw_objects: int, size: int, objects: int) -> Compacted:
    return Compacted(day, "s3://b/p/", "d", 1, 0, 0, raw_bytes, raw_objects, size, objects, "s")


def scan(size: int, gets: int, lists: int, usd: float) -> Scan:
    return Scan(size, gets, lists, pytest.approx(usd, rel=1e-9))  # type: ignore[arg-type]


def test_every_query_reads_all_objects_of_the_raw_days() -> None:
    listed, period = listing(d02=[6 * MB, 6 * MB], d04=[100]), days("2026-01-02", "2026-01-05")
    found = cost.estimate(listed, NOTHING_COMPACTED, period, 3, PRICES)
    # Two of the four days have no folder: they are listed all the same, twice. A query scans 13 whole MB.
    expected = scan(3 * 12_000_100, 9, 18, 3 * (13 * 5e-6 + 3 * 0.0004 + 6 * 0.005))
    assert (found.expected, found.json, found.parquet, found.compacted_days) == (expected, expected, None, 0)


def test_what_readers_ignore_is_read_by_athena_all_the_same() -> None:
    listed = [Day("2026-01-02", (Stored("a.json", "etag", MB),), (), others=(2, 30 * MB))]
    found = cost.estimate(listed, NOTHING_COMPACTED, days("2026-01-02", "2026-01-02"), 1, PRICES)
    assert found.expected == scan(31 * MB, 3, 1, 31 * 5e-6 + 3 * 0.0004 + 0.005)


def test_nested_columns_must_stay_below_the_ceiling_twice() -> None:
    found = cost.estimate(listing(d02=[1]), NOTHING_COMPACTED, days("2026-01-02", "2026-01-02"), 1, PRICES)
    found.require_below(0.011, nested=True)
    with pytest.raises(CostError, match=r"may come to 0\.0109 USD in all, above the ceiling of 0\.0108 USD: select"):
        found.require_below(0.0108, nested=True)


def test_a_query_costs_ten_megabytes_at_least() -> None:
    found = cost.estimate(listing(d02=[1]), NOTHING_COMPACTED, days("2026-01-02", "2026-01-02"), 1, PRICES)
    assert found.expected == scan(1, 1, 1, 10 * 5e-6 + 0.0004 + 0.005)


def test_compacted_days_cost_what_their_parquet_holds() -> None:
    stored = compacted("2026-01-02", 40 * MB, 2500, 20 * MB, 1)
    state = State("2026-01-02", frozenset(), {"2026-01-02": stored})
    found = cost.estimate([], state, days("2026-01-02", "2026-01-02"), 2, PRICES)
    assert found.json == scan(80 * MB, 5000, 6, 2 * (40 * 5e-6 + 2500 * 0.0004 + 3 * 0.005))
    assert found.expected == found.parquet == scan(40 * MB, 2, 2, 2 * (20 * 5e-6 + 0.0004 + 0.005))


def test_days_above_the_watermark_and_late_days_are_read_raw() -> None:
    stored = {day: compacted(day, 40 * MB, 5, 4 * MB, 1) for day in ("2026-01-02", "2026-01-03")}
    state = State("2026-01-03", frozenset({"2026-01-03"}), stored)
    found = cost.estimate(listing(d03=[30 * MB], d04=[10 * MB]), state, days("2026-01-02", "2026-01-04"), 1, PRICES)
    assert found.compacted_days == 1
    assert found.expected == scan(44 * MB, 3, 3, 44 * 5e-6 + 3 * 0.0004 + 3 * 0.005)
    assert found.json == scan(80 * MB, 7, 3, 80 * 5e-6 + 7 * 0.0004 + 3 * 0.005)
    # Compacted days shrank to a tenth: so will the others, to one object a day.
    assert found.parquet == scan(8 * MB, 3, 3, 10 * 5e-6 + 3 * 0.0004 + 3 * 0.005)


def test_an_estimate_reads_as_sentences() -> None:
    period = days("2026-01-02", "2026-01-02")
    assert cost.estimate(listing(d02=[12 * MB, 1]), NOTHING_COMPACTED, period, 1, PRICES).text() == (
        "1 query over 2026-01-02 to 2026-01-02 (days: 1, compacted: 0), at most, "
        "at the prices of 2026-01-01 in eu-central-1:\n"
        "  expected  12.0 MB, 2 GET and 1 LIST requests, 0.0059 USD\n"
        "  JSON      12.0 MB, 2 GET and 1 LIST requests, 0.0059 USD\n"
        "  Parquet   not known until a day is compacted: analytics-lib compact s3://BUCKET/PREFIX"
    )


def test_above_the_ceiling_nothing_is_run_and_the_ways_out_are_told() -> None:
    found = cost.estimate(listing(d02=[1]), NOTHING_COMPACTED, days("2026-01-02", "2026-01-03"), 100, PRICES)
    found.require_below(1.6)
    with pytest.raises(CostError) as refused:
        found.require_below(1.0)
    assert str(refused.value) == (
        "100 queries over 2026-01-02 to 2026-01-03 (days: 2, compacted: 0) may read 0.1 kB, 100 GET and 300 LIST "
        "requests, 1.5450 USD. That is above the ceiling of 1 USD, so nothing was run: ask for fewer days with --start "
        "and --end, read Parquet after: analytics-lib compact s3://BUCKET/PREFIX, or allow more with --max-usd"
    )


def test_no_advice_to_compact_what_is_compacted() -> None:
    state = State("2026-01-02", frozenset(), {"2026-01-02": compacted("2026-01-02", 9, 9, 3_000_000_000_000, 1)})
    found = cost.estimate([], state, days("2026-01-02", "2026-01-02"), 1, PRICES)
    with pytest.raises(CostError, match=r"3,000\.0 GB, .* with --start and --end, or allow more with --max-usd"):
        found.require_below(0.5)

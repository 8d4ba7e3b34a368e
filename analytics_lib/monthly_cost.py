"""What the way from the agent to the lake, and the questions asked there, cost a month: each item with its formula."""

from collections.abc import Iterator
from dataclasses import dataclass

from analytics_lib import prices

DAYS = 365 / 12  # in a month
_GB = 10**9
_COMPRESSED = 0.15  # of a log's bytes are stored: AWS's own assumption in its pricing examples
_PARQUET = 0.1  # of the JSON's bytes are left: an upper bound for records of 5 kB
_SECONDS, _MEMORY_GB = 0.1, 0.25  # of the function, for one session at a time; many at a time cost less
_ALARMS = 6  # in infra/template.yaml


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be paid for.

    `bytes_per_session` are those of its record's line, `other_bytes_per_session` those of all other lines that the
    agent logs meanwhile, which are forwarded as well. CloudWatch keeps them `retention_days`, the lake has records of
    `months`. Each of the `queries_per_day` reads `query_days`.
    """

    sessions_per_day: float
    bytes_per_session: float
    other_bytes_per_session: float = 0
    retention_days: int = 30
    months: int = 12
    queries_per_day: float = 16
    query_days: int = 30


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that costs. `choice`: `always`, or what it is paid for: `json`, `parquet`, `archive`."""

    item: str
    choice: str
    formula: str
    usd_per_month: float


def items(load: Load) -> list[Item]:
    """Every item, in the order in which a record meets them; prices are those of us-east-1 without the free tier."""
    return [*_delivery(load, prices.load_delivery()), *_queries(load, prices.load())]


def totals(found: list[Item]) -> dict[str, float]:
    """USD a month with queries on `json` and on `parquet`; nothing is archived."""
    return {
        choice: sum(each.usd_per_month for each in found if each.choice in ("always", choice))
        for choice in ("json", "parquet")
    }


def _item(name: str, choice: str, *terms: tuple[float, str, float]) -> Item:
    """An item that is a sum of amount x price; each term is the amount, its unit and the price in USD."""
    formula = " + ".join(
        f"{format(amount, ',.0f' if amount >= 1000 else '.4g')} {unit} x {usd:.10g} USD" for amount, unit, usd in terms
    )
    return Item(name, choice, formula, sum(amount * usd for amount, _, usd in terms))


def _delivery(load: Load, price: prices.DeliveryPrices) -> Iterator[Item]:
    month = load.sessions_per_day * DAYS
    sessions, kept = f"{month:,.0f} sessions", month * load.months
    logged = load.bytes_per_session + load.other_bytes_per_session
    archived = max(load.bytes_per_session, price.archive_minimum_bytes)
    stored = load.sessions_per_day * load.retention_days * _COMPRESSED
    scanned_days = min(load.query_days, load.retention_days)
    scanned = DAYS * load.sessions_per_day * scanned_days * logged

    yield _item(
        "log ingestion", "always",
        (month * logged / _GB, f"GB ({sessions} x {logged:,.0f} bytes)", price.logs_usd_per_gb),
    )  # fmt: skip
    yield _item(
        "log storage", "always",
        (stored * logged / _GB, f"GB ({load.retention_days} days, compressed to {_COMPRESSED:g})",
         price.logs_storage_usd_per_gb_month),
    )  # fmt: skip
    yield _item(
        "delivery function", "always",
        (month / 10**6, f"million invocations ({sessions})", price.function_usd_per_million),
        (month * _SECONDS * _MEMORY_GB, f"GB-seconds ({_SECONDS:g} s, {_MEMORY_GB:g} GB)",
         price.function_usd_per_gb_second),
    )  # fmt: skip
    yield _item("S3 PUTs", "always", (month / 1000, f"thousand ({sessions})", price.s3_put_usd_per_1000))
    yield _item(
        f"S3 storage after {load.months} months", "always",
        (kept * load.bytes_per_session / _GB, f"GB ({kept:,.0f} sessions)", price.s3_storage_usd_per_gb_month),
    )  # fmt: skip
    yield _item(
        "archive instead of S3 storage", "archive",
        (month / 1000, "thousand objects moved", price.archive_move_usd_per_1000),
        (kept * archived / _GB, f"GB ({kept:,.0f} objects x {archived:,.0f} bytes, the least billed)",
         price.archive_storage_usd_per_gb_month),
    )  # fmt: skip
    yield _item("alarms", "always", (_ALARMS, "alarms", price.alarm_usd_per_month))
    yield _item(
        "an Insights query a day", "always",
        (scanned / _GB, f"GB ({DAYS:.1f} queries over {scanned_days} days of logs)", price.insights_usd_per_gb),
    )  # fmt: skip


def _queries(load: Load, price: prices.Prices) -> Iterator[Item]:
    """Of JSON a query opens every object and lists a thousand at a time, of Parquet one object and one list a day."""
    queries, days, sessions = load.queries_per_day * DAYS, load.query_days, load.sessions_per_day
    lists = max(1, -(-sessions // 1000))
    day_bytes = sessions * load.bytes_per_session

    def athena(name: str, choice: str, times: float, size: float, gets: float, lists: float) -> Item:
        billed_tb = price.query_usd(size) / price.athena_usd_per_tb
        return _item(
            name, choice,
            (times * billed_tb, f"TB ({times:,.0f} x {size / 10**6:,.1f} MB, 10 at least)", price.athena_usd_per_tb),
            (times * gets / 1000, "thousand GETs", price.s3_get_usd_per_1000),
            (times * lists / 1000, "thousand LISTs", price.s3_list_usd_per_1000),
        )  # fmt: skip

    yield athena("Athena on JSON", "json", queries, days * day_bytes, days * sessions, days * lists)
    yield athena("Athena on Parquet", "parquet", queries, days * day_bytes * _PARQUET, days, days)
    yield athena("compaction, two scans a day", "parquet", 2 * DAYS, day_bytes, sessions, lists)

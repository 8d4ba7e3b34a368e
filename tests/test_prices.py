"""Prices carry their date and source; a region's own stand in for the usual ones."""

import re
from datetime import date

import pytest

from analytics_lib import prices
from analytics_lib.prices import Prices

PLAIN = Prices("us-east-1", "2026-01-01", "a page", 5.0, 10, s3_get_usd_per_1000=0.0004, s3_list_usd_per_1000=0.005)


def test_a_region_s_prices_replace_the_usual_ones_and_an_unknown_region_has_those() -> None:
    usual, frankfurt = prices.load(), prices.load("eu-central-1")
    assert (usual.athena_usd_per_tb, usual.s3_get_usd_per_1000, usual.s3_list_usd_per_1000) == (5.0, 0.0004, 0.005)
    assert (frankfurt.athena_usd_per_tb, frankfurt.s3_list_usd_per_1000) == (5.0, 0.0054)
    assert prices.load("sa-east-1").athena_usd_per_tb == 9.0
    assert prices.load("mars-north-1") == prices.load("us-east-1") == usual
    assert (usual.region, frankfurt.region) == ("us-east-1", "eu-central-1")


def test_every_price_has_a_date_and_public_sources() -> None:
    usual = prices.load()
    assert date.fromisoformat(usual.date) <= date.today()
    assert re.findall(r"https://\S+", usual.source)


@pytest.mark.parametrize(
    ("scanned", "usd"),
    [(0, 0.00005), (1, 0.00005), (10_000_000, 0.00005), (10_000_001, 0.000055), (10**12, 5.0)],
)
def test_a_query_is_billed_by_whole_megabytes_and_for_ten_at_least(scanned: int, usd: float) -> None:
    assert PLAIN.query_usd(scanned) == pytest.approx(usd, rel=1e-12)


def test_requests_cost_by_the_thousand_and_money_buys_bytes() -> None:
    assert PLAIN.requests_usd(gets=365_000, lists=365) == pytest.approx(0.146 + 0.001825)
    assert PLAIN.bytes_for(0.5) == 100_000_000_000


def test_delivery_has_prices_of_its_own() -> None:
    found = prices.load_delivery()
    assert (found.logs_usd_per_gb, found.s3_put_usd_per_1000, found.archive_minimum_bytes) == (0.5, 0.005, 131_072)
    assert date.fromisoformat(found.date) <= date.today()
    assert len(re.findall(r"https://\S+", found.source)) == 3

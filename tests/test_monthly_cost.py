"""What a month costs: every item is the sum that its formula says, and the design document's case in figures."""

import re
from pathlib import Path

import pytest

from analytics_lib.monthly_cost import Item, Load, items, totals

DESIGN = Load(sessions_per_day=1000, bytes_per_session=5000)
LOADS = [DESIGN, Load(0, 1), Load(250_000, 15_000, 200_000, 365, 36, 1, 7)]


def by_name(load: Load) -> dict[str, Item]:
    return {found.item: found for found in items(load)}


@pytest.mark.parametrize("load", LOADS)
def test_the_formula_gives_the_sum(load: Load) -> None:
    for found in items(load):
        terms = [re.fullmatch(r"(\S+) .* x (\S+) USD", term) for term in found.formula.split(" + ")]
        total = sum(float(term[1].replace(",", "")) * float(term[2]) for term in terms if term)
        assert None not in terms
        assert total == pytest.approx(found.usd_per_month, rel=1e-3), found


def test_the_design_document_s_thousand_sessions_a_day() -> None:
    assert {name: round(found.usd_per_month, 4) for name, found in by_name(DESIGN).items()} == {
        "log ingestion": 0.076,
        "log storage": 0.0007,
        "delivery function": 0.0162,
        "S3 PUTs": 0.1521,
        "S3 storage after 12 months": 0.042,
        "archive instead of S3 storage": 0.7997,
        "alarms": 0.6,
        "an Insights query a day": 0.0228,
        "Athena on JSON": 6.278,
        "Athena on Parquet": 0.1153,
        "compaction, two scans a day": 0.0277,
    }


def test_a_day_s_ingestion_is_a_quarter_of_a_cent() -> None:
    assert by_name(DESIGN)["log ingestion"].usd_per_month / (365 / 12) == pytest.approx(0.0025)


def test_other_log_lines_are_ingested_stored_and_scanned_as_well_but_not_put_into_the_lake() -> None:
    before, after = by_name(DESIGN), by_name(Load(1000, 5000, other_bytes_per_session=45_000))
    grown = {name: after[name].usd_per_month / before[name].usd_per_month for name in before}
    assert {name: round(times) for name, times in grown.items() if times > 1.001} == {
        "log ingestion": 10, "log storage": 10, "an Insights query a day": 10,
    }  # fmt: skip


def test_archive_pays_for_large_objects_only() -> None:
    large = by_name(Load(1000, 1_000_000))
    assert large["archive instead of S3 storage"].usd_per_month < large["S3 storage after 12 months"].usd_per_month
    small = by_name(DESIGN)
    assert small["archive instead of S3 storage"].usd_per_month > small["S3 storage after 12 months"].usd_per_month


def test_the_totals_are_with_queries_on_json_or_on_parquet_and_without_archive() -> None:
    found = [
        Item("a", "always", "", 1),
        Item("j", "json", "", 2),
        Item("p", "parquet", "", 4),
        Item("x", "archive", "", 8),
    ]
    assert totals(found) == {"json": 3, "parquet": 5}


def test_the_docs_have_these_figures() -> None:
    told = (Path(__file__).parent.parent / "docs" / "cost.md").read_text()
    json, parquet = totals(items(DESIGN)).values()
    assert f"**{json:.2f}, {parquet:.2f}**" in told
    assert f"| {json / (365 / 12):.2f} USD; {parquet / (365 / 12):.2f} USD on Parquet |" in told

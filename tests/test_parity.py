"""Every table of every report, and the quality check, against a plain-Python reading of the contract."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import analytics_lib
from analytics_lib.lake.quality import check
from analytics_lib.period import Period, parse_date
from tests.support import reference, wild
from tests.support.compare import assert_same_reports, assert_same_views, contract_paths

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
thresholds = st.sampled_from([0, 5, 7.5, 100, 1e15])


def test_the_samples_give_the_tables_of_the_plain_reading() -> None:
    assert_same_reports(SAMPLES, "2026-01-01", "2026-01-30")


def test_part_of_the_samples_with_other_thresholds_gives_the_tables_of_the_plain_reading() -> None:
    assert_same_reports(SAMPLES, "2026-01-10", "2026-02-03", min_team_size=7.5, min_monthly_volume=0)


def examples(number: int):  # type: ignore[no-untyped-def]
    return settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck))


def assert_wild_lake_is_read_as_the_contract_says(files: dict[str, bytes], team: float, volume: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "sessions").mkdir()
        wild.write(root, files)
        start, end = str(wild.START), str(wild.END)
        assert_same_reports(root, start, end, min_team_size=team, min_monthly_volume=volume)
        assert_same_views(root, start, end)
        assert_same_quality(root, start, end)


def assert_same_quality(root: Path, start: str, end: str) -> None:
    period, read = Period(parse_date(start), parse_date(end)), reference.read(root, start, end)
    found = check(root, period).document(period)
    for counted in ("files", "records", "duplicates"):
        assert found[counted] == getattr(read, counted), counted
    for by_path in ("mistyped", "unknown_fields"):
        assert contract_paths(found[by_path]) == contract_paths(getattr(read, by_path)), by_path
    for listed, keys in (
        ("rejected", ("file", "line")),
        ("misplaced", ("file", "line", "dt", "belongs_to")),
        ("ignored", ("file",)),
    ):
        ours, theirs = (
            sorted(tuple(row[key] for key in keys) for row in rows) for rows in (found[listed], getattr(read, listed))
        )
        assert ours == theirs, listed


@examples(15)
@given(wild.lakes(max_files=18), thresholds, thresholds)  # what a lake costs hardly depends on its size
def test_wild_lakes_are_read_as_the_contract_says(files: dict[str, bytes], team: float, volume: float) -> None:
    assert_wild_lake_is_read_as_the_contract_says(files, team, volume)


@pytest.mark.slow
@examples(600)
@given(wild.lakes(), thresholds, thresholds)
def test_many_wild_lakes_are_read_as_the_contract_says(files: dict[str, bytes], team: float, volume: float) -> None:
    assert_wild_lake_is_read_as_the_contract_says(files, team, volume)


def test_tokens_beyond_any_integer_leave_their_total_unknown(tmp_path: Path) -> None:
    lines = [wild.encode(wild.session(_session_id=f"s{number}", llm_tokens=10**15)) for number in range(9300)]
    wild.write(tmp_path, {"sessions/dt=2026-02-01/a.jsonl": "\n".join(lines).encode()})
    summary = analytics_lib.open(tmp_path, "duckdb").report("duration_trends").tables["summary"]
    assert summary["total_tokens"].isna().tolist() == [True]

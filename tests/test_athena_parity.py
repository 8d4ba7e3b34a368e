"""Every table of every report, the views and the counts, on Athena against the plain-Python reading of the contract."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics_lib.engines.athena import AthenaEngine
from analytics_lib.upkeep import compaction
from analytics_lib.workspace import Lake
from tests.support import wild
from tests.support.compare import assert_same_reports, assert_same_views
from tests.support.on_athena import athena_of, set_up, whole_days

pytestmark = [pytest.mark.athena, pytest.mark.slow, pytest.mark.usefixtures("local_athena")]
SAMPLES = Path(__file__).parent.parent / "data" / "samples"
thresholds = st.sampled_from([0, 5, 7.5, 100, 1e15])


def compact(lake: Lake) -> None:
    engine = lake.engine
    assert isinstance(engine, AthenaEngine)
    compaction.compact(engine.location, athena_of(engine.location), engine.execute)


def test_the_samples_give_the_tables_of_the_plain_reading_as_json_and_as_parquet(bucket: str, tmp_path: Path) -> None:
    root = whole_days(SAMPLES, tmp_path)
    lake = set_up(root, bucket)
    assert_same_reports(root, "2026-01-01", "2026-01-30", lake)
    compact(lake)
    assert_same_reports(root, "2026-01-10", "2026-02-03", lake, min_team_size=7.5, min_monthly_volume=0)
    assert_same_views(root, "2026-01-29", "2026-01-31", lake)


@pytest.fixture
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("wild")


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # shrinking would take hours
)
@given(files=wild.lakes(), team=thresholds, volume=thresholds)
def test_wild_lakes_are_read_as_the_contract_says(
    bucket: str, new_folder: Callable[[], Path], files: dict[str, bytes], team: float, volume: float
) -> None:
    root = new_folder()
    (root / "sessions").mkdir()
    wild.write(root, {path: content for path, content in files.items() if not path.endswith(".gz")})
    start, end = str(wild.START), str(wild.END)
    lake = set_up(root, bucket)
    assert_same_reports(root, start, end, lake, min_team_size=team, min_monthly_volume=volume)
    assert_same_views(root, start, end, lake)
    compact(lake)
    assert_same_reports(root, start, end, lake, min_team_size=team, min_monthly_volume=volume)
    assert_same_views(root, start, end, lake)

"""`analytics-lib run`: what is refused before anything runs, and one whole run on a lake of one's own."""

import json
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("nonsense",), 2, "analytics-lib: there is no report 'nonsense'"),
        (("lead_funnel", "nonsense"), 2, "analytics-lib: there is no report 'nonsense'"),
        (("--param", "min_size=5"), 2, "has no parameter 'min_size'"),
        (("--param", "min_team_size=-1"), 2, "analytics-lib: min_team_size is a number from 0"),
        (("--start", "2026-02-02", "--end", "2026-02-01"), 2, "analytics-lib: the period ends"),
        (("--last", "0"), 2, "analytics-lib: --last 0 covers no day"),
        (("--data", "missing"), 1, "analytics-lib: there is no data folder missing"),
        (("--output", "file"), 1, "file"),
    ],
)
def test_what_cannot_be_run_is_told_and_nothing_is_written(
    cli: Any, words: tuple[str, ...], status: int, message: str
) -> None:
    Path("file").write_text("precious")
    done = cli("run", *words)
    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert (os.listdir(), Path("file").read_text()) == (["file"], "precious")


@pytest.mark.slow
def test_a_report_lies_in_the_folder_of_its_period(cli: Any, lake: Path) -> None:
    words = ("--data", lake, "--start", "2026-01-31", "--end", "2026-02-03", "--param", "min_team_size=7.5")
    done = cli("run", "lead_funnel", *words, "--max-age", "1", "--output", "weekly/{start}_{end}")
    folder = Path("weekly/2026-01-31_2026-02-03/lead_funnel")
    assert (done.status, done.out) == (3, f"{folder}/lead_funnel.html\n"), done.err
    assert {"lead_funnel.html", "lead_funnel.ipynb", "stages.csv", "facts.json"} <= set(os.listdir(folder))
    facts = json.loads((folder / "facts.json").read_text())
    assert (facts["records"], facts["rejected"], facts["parameters"]["min_team_size"]) == (3, 1, 7.5)
    assert f"1 report, 2026-01-31 to 2026-02-03: 3 records from {lake}, 1 duplicate folded, 1 line rejected" in done.err
    assert "The newest day with data is 2026-02-01" in done.err

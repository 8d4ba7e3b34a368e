"""`make new-report` writes files that run as they are."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.new_report import start_report

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_new_report_is_new_files_only_and_passes_its_own_and_the_contract_test(tmp_path: Path) -> None:
    for part in ("analytics_lib", "sql", "notebooks", "data", "tests", "pyproject.toml"):
        copy = shutil.copytree if (CHECKOUT / part).is_dir() else shutil.copy
        copy(CHECKOUT / part, tmp_path / part)
    written = start_report("agent_versions", tmp_path)
    assert len(written) == 4
    tests = [
        "tests/reports/test_agent_versions.py",
        "tests/reports/test_contract.py",
        "tests/reports/test_sql_files.py",
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:]


@pytest.mark.parametrize("name", ["Agent Versions", "../x", "1st", "", "lead_funnel"])
def test_a_name_that_is_none_or_taken_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "sql" / "lead_funnel").mkdir(parents=True)
    (tmp_path / "sql" / "lead_funnel" / "daily.sql").touch()
    with pytest.raises(ValueError, match=r"no name for a report|exists already"):
        start_report(name, tmp_path)

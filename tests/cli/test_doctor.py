"""`analytics-lib doctor`: what works, what does not, and the next step."""

import re
from pathlib import Path
from typing import Any


def test_a_healthy_place_is_told_line_by_line(cli: Any, lake: Path) -> None:
    done = cli("doctor", "--data", lake)
    assert (done.status, done.err) == (0, "")
    assert [line[:6] for line in done.out.splitlines()] == ["ok    "] * len(done.out.splitlines())
    subjects = re.findall(r"^ok    (\w+): ", done.out, re.MULTILINE)
    assert {"python", "duckdb", "pandas", "kernel", "data"} <= set(subjects)
    assert f"data: {lake}, newest day 2026-02-01, read by duckdb" in done.out


def test_what_does_not_work_is_told_with_the_next_step_and_status_1(cli: Any) -> None:
    done = cli("doctor", "--data", "missing")
    assert done.status == 1
    assert "FAIL  data: there is no data folder missing; make sample data with: analytics-lib samples" in done.out
    assert "ok    python: " in done.out

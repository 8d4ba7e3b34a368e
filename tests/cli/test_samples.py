"""`analytics-lib samples`: a lake of a size, the same bytes again, and what is refused."""

from pathlib import Path
from typing import Any

import pytest


def contents(root: str) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def test_the_same_words_write_the_same_bytes_and_another_seed_others(cli: Any) -> None:
    words = ("samples", "--days", "2", "--sessions-per-day", "5", "--end", "2026-03-01")
    done = cli(*words, "--output", "a")
    assert (done.status, done.out) == (0, "")
    assert done.err.endswith(" sessions written to a\n")
    assert {path.name for path in Path("a/sessions").iterdir()} == {"dt=2026-02-28", "dt=2026-03-01"}
    cli(*words, "--output", "b")
    cli(*words, "--output", "c", "--seed", "8")
    assert contents("a") == contents("b")
    assert contents("a") != contents("c")


def test_what_was_written_is_a_lake_without_a_rejected_line(cli: Any) -> None:
    cli("samples", "--days", "3", "--sessions-per-day", "5", "--output", "lake")
    assert cli("check", "--data", "lake", "--strict").status == 0
    done = cli("sql", "SELECT MAX(dt) AS newest FROM sessions", "--data", "lake", "--format", "csv")
    assert done.out == "newest\n2026-01-30\n"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ((), 2, "Usage: "),
        (("--output", "x", "--days", "0"), 2, "analytics-lib: 0 days"),
        (("--output", "x", "--days", "many"), 2, "Usage: "),
        (("--output", "x", "--sessions-per-day", "-1"), 2, "analytics-lib: "),
        (("--output", "x", "--end", "2026-02-30"), 2, "analytics-lib: '2026-02-30' is not a date"),
        (("--output", "file", "--days", "1"), 1, "analytics-lib: "),
    ],
)
def test_what_makes_no_lake_is_told(cli: Any, words: tuple[str, ...], status: int, message: str) -> None:
    Path("file").touch()
    done = cli("samples", *words)
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith(message)
    assert not Path("x").exists()

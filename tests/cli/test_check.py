"""`analytics-lib check`: the contract's JSON, a page of text, and --strict."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.wild import lake_of, session

DAYS = ("--start", "2026-01-31", "--end", "2026-02-01")


def test_json_is_one_object_with_the_contract_s_keys_in_order(cli: Any, lake: Path) -> None:
    done = cli("check", "--data", lake, *DAYS, "--format", "json")
    assert done.status == 0
    found = json.loads(done.out)
    assert list(found.items()) == [
        ("start", "2026-01-31"),
        ("end", "2026-02-01"),
        ("files", 5),
        ("records", 3),
        ("duplicates", 1),
        (
            "rejected",
            [
                {
                    "file": "sessions/dt=2026-02-01/broken.json",
                    "line": 1,
                    "reason": "not JSON: Expecting value at character 1",
                }
            ],
        ),
        ("mistyped", {}),
        ("misplaced", []),
        ("unknown_fields", {}),
        ("ignored", []),
    ]


def test_the_text_names_every_kind_of_finding(cli: Any, lake: Path) -> None:
    done = cli("check", "--data", lake, *DAYS)
    assert done.out == (
        "2026-01-31 to 2026-02-01: 5 files, 3 records, 1 duplicate folded\n"
        "\n"
        "rejected lines (line 0: the whole file): 1\n"
        "file                                line  reason\n"
        "----------------------------------  ----  ----------------------------------------\n"
        "sessions/dt=2026-02-01/broken.json     1  not JSON: Expecting value at character 1\n"
        "\n"
        "mistyped values, read as unknown: none\n"
        "\n"
        "records in another day's folder: none\n"
        "\n"
        "fields that the schema does not declare: none\n"
        "\n"
        "files that are not read: none\n"
    )


@pytest.mark.parametrize(("start", "status"), [("2026-01-31", 0), ("2026-02-01", 1)])
def test_strict_fails_when_a_line_was_rejected(cli: Any, lake: Path, start: str, status: int) -> None:
    done = cli("check", "--data", lake, "--start", start, "--end", start, "--strict", "--format", "json")
    assert done.status == status
    assert ("1 line rejected" in done.err) == bool(status)
    assert json.loads(done.out)["start"] == start


def test_a_name_that_is_no_text_is_still_json(cli: Any, tmp_path: Path) -> None:
    folder = lake_of(tmp_path / "lake", session()) / "sessions" / "dt=2026-02-01"
    (folder / "\udcff.json").write_bytes(b"x")  # the byte 0xff
    done = cli("check", "--data", tmp_path / "lake", "--format", "json")
    (rejected,) = json.loads(done.out)["rejected"]
    assert rejected["line"] == 1
    assert rejected["file"].startswith("sessions/dt=2026-02-01/")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--data", "missing"), 1, "analytics-lib: there is no data folder missing"),
        (("--start", "2026-02-02", "--end", "2026-02-01"), 2, "analytics-lib: the period ends (2026-02-01) before"),
        (("--format", "csv"), 2, "Usage: "),
    ],
)
def test_what_cannot_be_checked_is_told(cli: Any, words: tuple[str, ...], status: int, message: str) -> None:
    done = cli("check", *words)
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith(message)

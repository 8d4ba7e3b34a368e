"""`analytics-lib check`: the contract's JSON, a page of text, and --strict."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.slow_s3 import SlowS3
from tests.support.wild import lake_of, session, write

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


ASIDE = "set aside by delivery, with the reason: "
REJECTED = {
    "rejected/dt=2026-01-30/1.json": b"{}\n",
    "rejected/dt=2026-01-31/2.json": b"{}\n",
    "rejected/dt=2026-02-01/3.json": b"{}\n",
    "rejected/dt=2026-02-01/4.json": b"{}\n",
    "rejected/README": b"",
}


@pytest.mark.parametrize("format_", ["table", "json"])
def test_lines_that_delivery_set_aside_on_those_days_are_counted(
    cli: Any, lake: Path, tmp_path: Path, format_: str
) -> None:
    root = tmp_path / "lake"
    shutil.copytree(lake, root)
    words = ("check", "--data", root, *DAYS, "--format", format_)
    without = cli(*words)
    assert without.err == ""
    write(root, REJECTED)
    said = f"{ASIDE}3 lines in {root}/rejected/dt=2026-01-31/ to rejected/dt=2026-02-01/\n"
    assert cli(*words) == replace(without, err=said)
    one_day = cli("check", "--data", root, "--start", "2026-01-30", "--end", "2026-01-30", "--format", format_)
    assert one_day.err == f"{ASIDE}1 line in {root}/rejected/dt=2026-01-30/\n"
    assert cli("check", "--data", root, "--last", "1", "--format", format_).err == ""


@pytest.fixture
def on_s3(slow_s3: SlowS3, lake: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SlowS3:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", "http://127.0.0.1:1")  # a check does without the catalogue
    slow_s3.objects |= {f"team/{file.relative_to(lake)}": file.read_bytes() for file in lake.glob("sessions/*/*")}
    slow_s3.objects |= {f"team/{name}": content for name, content in REJECTED.items()}
    return slow_s3


def test_lines_that_delivery_set_aside_on_s3_are_counted_with_one_listing(
    cli: Any, on_s3: SlowS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, listed = on_s3.answer, []

    def counting(target: str) -> tuple[bytes, bool]:
        listed.extend(["rejected/"] if "rejected" in target else [])
        return answer(target)

    monkeypatch.setattr(on_s3, "answer", counting)
    done = cli("check", "--data", "s3://bucket/team", *DAYS)
    where = "s3://bucket/team/rejected/dt=2026-01-31/ to rejected/dt=2026-02-01/"
    assert (done.status, done.err, listed) == (0, f"{ASIDE}3 lines in {where}\n", ["rejected/"])


def test_who_may_not_list_what_delivery_set_aside_is_told_so(
    cli: Any, on_s3: SlowS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = on_s3.answer

    def refusing(target: str) -> tuple[bytes, bool]:
        if "rejected" in target:
            on_s3.faults[""] = [403]
        return answer(target)

    monkeypatch.setattr(on_s3, "answer", refusing)
    done = cli("check", "--data", "s3://bucket/team", *DAYS)
    assert (done.status, done.out.endswith("files that are not read: none\n")) == (0, True)
    assert done.err.startswith(
        "what delivery set aside is not counted: listing s3://bucket/team/rejected/ failed: AccessDenied: no (action "
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

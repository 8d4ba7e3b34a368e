"""Everything that is generated follows from the one declaration of the record."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.wild import lake_of, session
from tools import generate

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", generate.texts())
def test_a_generated_file_is_what_the_schema_says(path: str) -> None:
    assert (CHECKOUT / path).read_text(encoding="utf-8") == generate.texts()[path], "run: make generate"


@pytest.fixture(scope="module")
def edited_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which one line of schema.py is new, after `make generate`."""
    new = 'Field("zz_added", NUMBER, "what the lead could spend", "EUR", examples=(500.0, 20000.0)),'
    copy = tmp_path_factory.mktemp("checkout") / "analytics"
    return copied_with(f"    {new}\n", '    Field("urgency", ', copy, "analytics_lib", "docs", "infra", "sql", "tools")


def copied_with(new: str, place: str, copy: Path, *folders: str) -> Path:
    """A copy of these folders of the checkout, with a line before that place in schema.py, after `make generate`."""
    for name in folders:
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "_bundled"))
    shutil.copy(CHECKOUT / "pyproject.toml", copy)
    (copy / "data" / "samples").mkdir(parents=True)
    schema = copy / "analytics_lib" / "schema.py"
    before, found, after = schema.read_text().partition(place)
    assert found
    schema.write_text(before + new + found + after)
    done = python(copy, "-m", "tools.generate")
    assert done.returncode == 0, done.stderr
    return copy


def python(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Python run on that checkout's package."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANALYTICS_", "PYTHON"))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def printed(checkout: Path, *arguments: str) -> str:
    done = python(checkout, "-m", "analytics_lib", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_added_signal_is_in_the_view_the_docs_and_fresh_samples(edited_checkout: Path) -> None:
    view = (edited_checkout / "sql" / "views" / "duckdb" / "sessions.sql").read_text().splitlines()
    assert view[view.index("    zz_added,") + 1] == "    urgency,"
    assert "-- zz_added DOUBLE what the lead could spend (EUR)" in (" ".join(line.split()) for line in view)
    athena = edited_checkout / "sql" / "views" / "athena"
    named = {file.name for file in athena.glob("*.sql") if "    zz_added,\n" in file.read_text()}
    assert named == {"records_raw.sql", "records.sql", "sessions.sql"}
    assert "element_at(discovered_signals, 'zz_added')" in (athena / "records_raw.sql").read_text()
    (row,) = (line for line in (edited_checkout / "docs" / "record.md").read_text().splitlines() if "zz_added" in line)
    assert row.startswith("| `.zz_added` | number | ")
    samples = (edited_checkout / "data" / "samples" / "sessions").rglob("*.json")
    records = [json.loads(line) for file in samples for line in file.read_bytes().splitlines()]
    budgets = {(record.get("discovered_signals") or {}).get("zz_added") for record in records}
    assert {500.0, 20000.0} <= budgets


@pytest.mark.slow
def test_an_added_signal_is_read_and_no_longer_unknown(edited_checkout: Path, tmp_path: Path) -> None:
    lake_of(tmp_path, session(discovered_signals={"zz_added": " 1.5e3 ", "zz_mood": "fine"}))
    query = "SELECT zz_added FROM sessions"
    there = ("--data", str(tmp_path), "--format", "json")
    assert json.loads(printed(edited_checkout, "sql", query, *there)) == [{"zz_added": 1500.0}]
    checked = json.loads(printed(edited_checkout, "check", *there))
    assert checked["unknown_fields"] == {"discovered_signals.zz_mood": 1}


@pytest.mark.slow
def test_generating_twice_changes_nothing_and_check_names_what_is_old(edited_checkout: Path) -> None:
    assert python(edited_checkout, "-m", "tools.generate", "--check").returncode == 0
    view = edited_checkout / "sql" / "views" / "duckdb" / "sessions.sql"
    text = view.read_text()
    view.write_text(text.replace("    urgency,\n", ""))
    done = python(edited_checkout, "-m", "tools.generate", "--check")
    assert (done.returncode, done.stderr) == (
        1,
        "sql/views/duckdb/sessions.sql is out of date; run: make generate\n",
    )
    assert python(edited_checkout, "-m", "tools.generate").returncode == 0
    assert view.read_text() == text


@pytest.mark.slow
def test_after_the_readme_s_recipe_the_tests_of_the_record_still_pass(tmp_path: Path) -> None:
    recipe = (CHECKOUT / "README.md").read_text(encoding="utf-8").partition("\n## Add a field\n")[2]
    block = re.search(r"^```diff\n(.*?)^```$", recipe.partition("\n## ")[0], re.DOTALL | re.MULTILINE)
    assert block, "README.md shows no line to add"
    (new,) = (line.removeprefix("+") for line in block[1].splitlines(keepends=True) if line.startswith("+"))
    folders = ("analytics_lib", "docs", "infra", "notebooks", "sql", "tests", "tools")
    copy = copied_with(new, "))  # fmt: skip\n\nTOOL_CALLS", tmp_path / "analytics", *folders)
    where = python(
        copy, "-c", "import analytics_lib, tests.support.compare as c; print(analytics_lib.__file__, c.ADDED)"
    )
    assert where.stdout.startswith(f"{copy}/"), where.stderr
    assert "'discovered_signals." in where.stdout, "the line adds a signal that the contract does not know"
    tests = (
        "tools/test_generate.py",
        "test_schema.py",
        "test_record.py",
        "test_parity.py",
        "samples/test_generator.py",
        "lake/test_reader.py",
    )
    options = ("-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = python(copy, "-m", "pytest", *options, *(f"tests/{name}" for name in tests))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]

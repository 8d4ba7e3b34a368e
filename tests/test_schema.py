"""One declaration of the record: the views follow from it, and so does everything that is generated."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from analytics_lib import generate
from analytics_lib.schema import (
    INTEGER,
    NUMBER,
    RECORD,
    SIGNALS,
    Column,
    Field,
    Group,
    call_columns,
    record_columns,
    session_columns,
)
from tests import reference
from tests.compare import ADDED, declared
from tests.wild import lake_of, session

CHECKOUT = Path(__file__).parent.parent

FIELDS = {
    "": [
        "_event_type", "_timestamp", "_session_id", "duration_seconds", "discovered_signals", "tool_calls",
        "metrics_summary", "agent_name", "agent_version", "room_id", "close_reason", "caller_key",
    ],
    "discovered_signals.": ["team_size", "monthly_volume", "integration_needs", "urgency"],
    "tool_calls.": ["tool", "query", "results_found", "error", "cancelled", "duration_ms", "offset_seconds"],
    "metrics_summary.": ["llm_tokens", "avg_latency_ms"],
}  # fmt: skip

SESSIONS = {
    "dt": "VARCHAR", "session_id": "VARCHAR", "started_at": "TIMESTAMP", "ended_at": "TIMESTAMP",
    "duration_seconds": "DOUBLE", "team_size": "BIGINT", "monthly_volume": "DOUBLE", "integration_needs": "VARCHAR[]",
    "urgency": "VARCHAR", "tool_call_count": "BIGINT", "failed_tool_call_count": "BIGINT", "llm_tokens": "BIGINT",
    "avg_latency_ms": "DOUBLE", "agent_name": "VARCHAR", "agent_version": "VARCHAR", "room_id": "VARCHAR",
    "close_reason": "VARCHAR", "caller_key": "VARCHAR",
}  # fmt: skip
TOOL_CALLS = {
    "dt": "VARCHAR", "session_id": "VARCHAR", "ended_at": "TIMESTAMP", "call_index": "BIGINT", "tool": "VARCHAR",
    "query": "VARCHAR", "results_found": "BOOLEAN", "error": "VARCHAR", "cancelled": "BOOLEAN",
    "duration_ms": "DOUBLE", "offset_seconds": "DOUBLE", "outcome": "VARCHAR",
}  # fmt: skip


def of_the_contract(columns: tuple[Column, ...]) -> list[tuple[str, str]]:
    """Names and types of the columns, without those of fields that were added to the schema."""
    return [(column.name, column.kind.sql_type) for column in columns if ".".join(column.path) not in ADDED]


def test_the_views_have_the_contract_s_columns_in_its_order() -> None:
    assert of_the_contract(session_columns()) == list(SESSIONS.items())
    assert of_the_contract(call_columns()) == list(TOOL_CALLS.items())


def test_a_record_on_athena_has_the_session_s_own_columns_then_its_calls_and_last_its_day() -> None:
    computed = ("dt", "tool_call_count", "failed_tool_call_count")
    own = [column.name for column in session_columns() if column.name not in computed]
    assert [column.name for column in record_columns()] == [*own, "tool_calls", "dt"]
    types = {column.name: (column.trino_type, column.glue_type) for column in record_columns()}
    assert {
        name: types[name] for name in ("started_at", "duration_seconds", "team_size", "integration_needs", "dt")
    } == {
        "started_at": ("timestamp(3)", "timestamp"),
        "duration_seconds": ("double", "double"),
        "team_size": ("bigint", "bigint"),
        "integration_needs": ("array(varchar)", "array<string>"),
        "dt": ("varchar", "string"),
    }
    calls = next(part for part in RECORD if isinstance(part, Group) and part.repeated)
    shorter = replace(calls, fields=calls.fields[:3])
    assert (shorter.trino_type, shorter.glue_type) == (
        "array(row(tool varchar, query varchar, results_found boolean))",
        "array<struct<tool:string,query:string,results_found:boolean>>",
    )


def test_the_record_declares_the_contract_s_fields_in_order() -> None:
    found = {prefix: [name for name in names if prefix + name not in ADDED] for prefix, names in declared().items()}
    assert {prefix: found[prefix] for prefix in FIELDS} == FIELDS
    assert {prefix: set(names) for prefix, names in FIELDS.items()} == reference.KNOWN_FIELDS


def test_every_field_says_what_it_means_and_what_it_looks_like() -> None:
    fields = [each for part in RECORD for each in (part.fields if isinstance(part, Group) else (part,))]
    assert [each.name for each in fields if not (each.meaning and each.examples)] == []


def test_a_field_added_to_the_record_is_a_column_at_its_place() -> None:
    added = Field("zz_added", NUMBER, "what the lead could spend", "EUR")
    signals = replace(SIGNALS, fields=(*SIGNALS.fields, added))
    last = Field("zz_last", INTEGER, "languages spoken", "languages")
    record = (*(signals if part is SIGNALS else part for part in RECORD), last)
    names = [column.name for column in session_columns(record)]
    expected = [column.name for column in session_columns()]
    expected.insert(expected.index(SIGNALS.fields[-1].name) + 1, "zz_added")
    assert names == [*expected, "zz_last"]
    assert [column.path for column in session_columns(record) if column.name in ("zz_added", "zz_last")] == [
        ("discovered_signals", "zz_added"),
        ("zz_last",),
    ]


@pytest.mark.parametrize("path", generate.texts())
def test_a_generated_file_is_what_the_schema_says(path: str) -> None:
    assert (CHECKOUT / path).read_text(encoding="utf-8") == generate.texts()[path], "run: make generate"


@pytest.fixture(scope="module")
def edited_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which one line of schema.py is new, after `make generate`."""
    new = 'Field("zz_added", NUMBER, "what the lead could spend", "EUR", examples=(500.0, 20000.0)),'
    copy = tmp_path_factory.mktemp("checkout") / "analytics"
    return copied_with(f"    {new}\n", '    Field("urgency", ', copy, "analytics_lib", "docs", "infra", "sql")


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
    done = python(copy, "-m", "analytics_lib.generate")
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
    assert python(edited_checkout, "-m", "analytics_lib.generate", "--check").returncode == 0
    view = edited_checkout / "sql" / "views" / "duckdb" / "sessions.sql"
    text = view.read_text()
    view.write_text(text.replace("    urgency,\n", ""))
    done = python(edited_checkout, "-m", "analytics_lib.generate", "--check")
    assert (done.returncode, done.stderr) == (
        1,
        "sql/views/duckdb/sessions.sql is out of date; run: make generate\n",
    )
    assert python(edited_checkout, "-m", "analytics_lib.generate").returncode == 0
    assert view.read_text() == text


@pytest.mark.slow
def test_after_the_readme_s_recipe_the_tests_of_the_record_still_pass(tmp_path: Path) -> None:
    recipe = (CHECKOUT / "README.md").read_text(encoding="utf-8").partition("\n## Add a field\n")[2]
    block = re.search(r"^```diff\n(.*?)^```$", recipe.partition("\n## ")[0], re.DOTALL | re.MULTILINE)
    assert block, "README.md shows no line to add"
    (new,) = (line.removeprefix("+") for line in block[1].splitlines(keepends=True) if line.startswith("+"))
    folders = ("analytics_lib", "docs", "infra", "notebooks", "sql", "tests")
    copy = copied_with(new, "))  # fmt: skip\n\nTOOL_CALLS", tmp_path / "analytics", *folders)
    where = python(copy, "-c", "import analytics_lib, tests.compare as c; print(analytics_lib.__file__, c.ADDED)")
    assert where.stdout.startswith(f"{copy}/"), where.stderr
    assert "'discovered_signals." in where.stdout, "the line adds a signal that the contract does not know"
    tests = ("test_schema.py", "test_record.py", "test_parity.py", "lake/test_samples.py", "lake/test_reader.py")
    options = ("-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = python(copy, "-m", "pytest", *options, *(f"tests/{name}" for name in tests))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]

"""One declaration of the record: the views follow from it, and so does everything that is generated."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from analytics_lib import generate
from analytics_lib.schema import INTEGER, NUMBER, RECORD, SIGNALS, Field, Group, call_columns, session_columns
from tests import reference
from tests.wild import lake_of, session

CHECKOUT = Path(__file__).parent.parent

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


def test_the_views_have_the_contract_s_columns_in_its_order() -> None:
    assert [(column.name, column.kind.sql_type) for column in session_columns()] == list(SESSIONS.items())
    assert [(column.name, column.kind.sql_type) for column in call_columns()] == list(TOOL_CALLS.items())


def test_the_record_declares_the_contract_s_fields_and_no_others() -> None:
    declared = {"": {part.name for part in RECORD}}
    declared |= {f"{part.name}.": {each.name for each in part.fields} for part in RECORD if isinstance(part, Group)}
    assert declared == reference.KNOWN_FIELDS


def test_every_field_says_what_it_means_and_what_it_looks_like() -> None:
    fields = [each for part in RECORD for each in (part.fields if isinstance(part, Group) else (part,))]
    assert [each.name for each in fields if not (each.meaning and each.examples)] == []


def test_a_field_added_to_the_record_is_a_column_at_its_place() -> None:
    budget = Field("budget_eur", NUMBER, "what the lead could spend", "EUR")
    signals = replace(SIGNALS, fields=(*SIGNALS.fields, budget))
    languages = Field("languages", INTEGER, "languages spoken", "languages")
    record = (*(signals if part is SIGNALS else part for part in RECORD), languages)
    names = [column.name for column in session_columns(record)]
    expected = list(SESSIONS)
    expected.insert(expected.index("urgency") + 1, "budget_eur")
    assert names == [*expected, "languages"]
    assert [column.path for column in session_columns(record) if column.name in ("budget_eur", "languages")] == [
        ("discovered_signals", "budget_eur"),
        ("languages",),
    ]


@pytest.mark.parametrize("path", generate.texts())
def test_a_generated_file_is_what_the_schema_says(path: str) -> None:
    assert (CHECKOUT / path).read_text(encoding="utf-8") == generate.texts()[path], "run: make generate"


@pytest.fixture(scope="module")
def edited_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which one line of schema.py is new, after `make generate`."""
    copy = tmp_path_factory.mktemp("checkout") / "analytics"
    for name in ("analytics_lib", "docs", "sql"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "_bundled"))
    shutil.copy(CHECKOUT / "pyproject.toml", copy)
    (copy / "data" / "samples").mkdir(parents=True)
    schema = copy / "analytics_lib" / "schema.py"
    before, found, after = schema.read_text().partition('    Field("urgency", ')
    assert found
    new = '    Field("budget_eur", NUMBER, "what the lead could spend", "EUR", examples=(500.0, 20000.0)),\n'
    schema.write_text(before + new + found + after)
    assert python(copy, "-m", "analytics_lib.generate").returncode == 0
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
    assert view[view.index("    budget_eur,") - 1 :][:3] == [
        "    integration_needs,",
        "    budget_eur,",
        "    urgency,",
    ]
    described = "--   budget_eur             DOUBLE     what the lead could spend (EUR)"
    assert described in view
    (row,) = (
        line for line in (edited_checkout / "docs" / "record.md").read_text().splitlines() if "budget_eur" in line
    )
    assert row.startswith("| `.budget_eur` | number | ")
    samples = (edited_checkout / "data" / "samples" / "sessions").rglob("*.json")
    records = [json.loads(line) for file in samples for line in file.read_bytes().splitlines()]
    budgets = {(record.get("discovered_signals") or {}).get("budget_eur") for record in records}
    assert {500.0, 20000.0} <= budgets


@pytest.mark.slow
def test_an_added_signal_is_read_and_no_longer_unknown(edited_checkout: Path, tmp_path: Path) -> None:
    lake_of(tmp_path, session(discovered_signals={"budget_eur": " 1.5e3 ", "mood": "fine"}))
    query = "SELECT budget_eur FROM sessions"
    there = ("--data", str(tmp_path), "--format", "json")
    assert json.loads(printed(edited_checkout, "sql", query, *there)) == [{"budget_eur": 1500.0}]
    checked = json.loads(printed(edited_checkout, "check", *there))
    assert checked["unknown_fields"] == {"discovered_signals.mood": 1}


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

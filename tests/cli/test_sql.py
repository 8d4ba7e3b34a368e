"""`analytics-lib sql`: ad-hoc reading SQL over the views, in three formats, and what is refused."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

DAYS = ("--start", "2026-01-31", "--end", "2026-02-01")


def test_rows_as_a_table_json_and_csv(cli: Any, lake: Path) -> None:
    columns = "dt, session_id, duration_seconds, ended_at, integration_needs"
    query = f"SELECT {columns} FROM sessions ORDER BY dt, session_id LIMIT 2"
    words = ("sql", query, "--data", lake, *DAYS)
    assert json.loads(cli(*words, "--format", "json").out) == [
        {
            "dt": "2026-01-31",
            "session_id": "room-3",
            "duration_seconds": None,
            "ended_at": "2026-01-31T10:00:00.000Z",
            "integration_needs": [],
        },
        {
            "dt": "2026-02-01",
            "session_id": "room-1",
            "duration_seconds": 120.0,
            "ended_at": "2026-02-01T10:02:00.000Z",
            "integration_needs": [],
        },
    ]
    assert cli(*words, "--format", "csv").out == (
        "dt,session_id,duration_seconds,ended_at,integration_needs\n"
        "2026-01-31,room-3,,2026-01-31T10:00:00.000Z,[]\n"
        "2026-02-01,room-1,120.0,2026-02-01T10:02:00.000Z,[]\n"
    )
    done = cli(*words)
    assert done.out == (
        "dt          session_id  duration_seconds  ended_at                  integration_needs\n"
        "----------  ----------  ----------------  ------------------------  -----------------\n"
        "2026-01-31  room-3                        2026-01-31T10:00:00.000Z\n"
        "2026-02-01  room-1                   120  2026-02-01T10:02:00.000Z\n"
    )
    assert done.err.startswith("2 rows, 2026-01-31 to 2026-02-01: 3 records")


def test_the_views_show_the_period_only(cli: Any, lake: Path) -> None:
    query = "SELECT COUNT(*) AS n FROM sessions"
    done = cli("sql", query, "--data", lake, "--start", "2026-01-31", "--end", "2026-01-31", "--format", "csv")
    assert done.out == "n\n1\n"


def test_a_file_of_the_project_and_standard_input_are_queries_too(
    cli: Any, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.sql").write_text("SELECT COUNT(*) AS n FROM sessions WHERE dt >= /*:end*/ '2000-01-01'")
    words = ("--data", lake, *DAYS, "--format", "csv")
    assert cli("sql", "--file", "mine.sql", *words).out == "n\n2\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 1 AS one"))
    assert cli("sql", "--file", "-", *words).out == "one\n1\n"


def test_parameters_are_numbers_or_texts_as_their_sample_says(cli: Any, lake: Path) -> None:
    query = "SELECT /*:n*/ 5 AS n, /*:text*/ 'x' AS text, /*:fraction*/ 1.5 AS fraction"
    given = ("--param", "n=7", "--param", "text=007", "--param", "fraction=2.25")
    done = cli("sql", query, "--data", lake, *given, "--format", "json")
    assert json.loads(done.out) == [{"n": 7, "text": "007", "fraction": 2.25}]
    hostile = cli("sql", "SELECT /*:text*/ 'x' AS text", "--data", lake, "--param", "text='; DROP", "--format", "csv")
    assert hostile.out == "text\n'; DROP\n"


def test_the_output_goes_to_a_file_and_the_limit_counts(cli: Any, lake: Path) -> None:
    done = cli(
        "sql", "SELECT 1 AS n", "--data", lake, "--last", "3", "--max-age", "1", "--format", "csv", "--output", "n.csv"
    )
    assert (done.status, done.out, Path("n.csv").read_text()) == (3, "", "n\n1\n")


@pytest.mark.parametrize(
    ("name", "format_", "written"),
    [
        ("n.csv", (), b"n\n1\n"),
        ("n.json", (), b'[\n  {\n    "n": 1\n  }\n]\n'),
        ("n", (), b"n\n-\n1\n"),
        ("n.json", ("--format", "csv"), b"n\n1\n"),
    ],
)
def test_the_suffix_of_the_output_decides_its_format_unless_one_is_named(
    cli: Any, lake: Path, name: str, format_: tuple[str, ...], written: bytes
) -> None:
    done = cli("sql", "SELECT 1 AS n", "--data", lake, "--output", name, *format_)
    assert (done.status, done.out, Path(name).read_bytes()) == (0, "", written)


def test_the_suffix_parquet_gives_parquet(cli: Any, lake: Path) -> None:
    done = cli("sql", "SELECT 1 AS n", "--data", lake, *DAYS, "--output", "n.parquet")
    assert (done.status, done.out) == (0, "")
    assert done.err.startswith("n.parquet, 2026-01-31 to 2026-02-01: 3 records")
    assert pq.read_table("n.parquet").to_pylist() == [{"n": 1}]


@pytest.mark.parametrize("format_", ["table", "json", "csv"])
def test_a_parquet_file_of_another_format_is_refused_before_the_lake_is_looked_at(cli: Any, format_: str) -> None:
    done = cli("sql", "SELECT 1 AS n", "--data", "missing", "--format", format_, "--output", "n.parquet")
    assert (done.status, done.out, list(Path().iterdir())) == (2, "", [])
    assert done.err == (
        "analytics-lib: a .parquet file holds Parquet: leave out --format, or give n.parquet another suffix\n"
    )


@pytest.mark.parametrize("words", [("SELECT '\udcff'",), ("--file", "-"), ("--file", "latin.sql")])
def test_a_query_that_is_no_text_is_told(
    cli: Any, lake: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    Path("latin.sql").write_bytes(b"SELECT '\xff'")
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT '\udcff'"))  # so the byte 0xff comes in
    done = cli("sql", "--data", lake, *words)
    assert (done.status, done.out) == (2, "")
    assert done.err == "analytics-lib: the query is no text in UTF-8; write it in that encoding\n"


def test_a_closed_standard_input_holds_no_query(cli: Any, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    done = cli("sql", "--file", "-", "--data", lake)
    assert (done.status, done.err.startswith("analytics-lib: standard input holds no statement")) == (2, True)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ((), 2, "analytics-lib: give a query or --file"),
        (("SELECT 1", "--file", "x.sql"), 2, "analytics-lib: give a query or --file"),
        (("--file", "missing.sql"), 2, "analytics-lib: the query file missing.sql cannot be read: No such file or dir"),
        (("DROP VIEW sessions",), 2, "analytics-lib: the query holds DROP; only one reading statement is run"),
        (("COPY sessions TO 'x.csv'",), 2, "analytics-lib: the query holds COPY; only one reading statement is run"),
        (("SELECT 1; SELECT 2",), 2, "analytics-lib: the query holds 2 statements; only one reading statement is run"),
        (("SELECT 1", "--param", "x=1"), 2, "analytics-lib: the query uses no parameter 'x'; it uses none"),
        (("SELECT 1", "--start", "2026-02-30"), 2, "analytics-lib: '2026-02-30' is not a date"),
        (("SELECT /*:x*/ 1",), 2, "analytics-lib: the query: no value was given for the parameter x"),
        (("SELECT /*:x*/ 1", "--param", "x=many"), 2, "analytics-lib: the query: the parameter x is a number"),
        (("SELEC 1",), 1, "analytics-lib: the query is no SQL that DuckDB understands"),
        (("SELECT *\nFROM nowhere",), 1, "analytics-lib: the query failed on DuckDB: Catalog Error"),
        (("SELECT * FROM read_csv('/etc/passwd')",), 1, "analytics-lib: the query failed on DuckDB: Permission Error"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_told(cli: Any, lake: Path, words: tuple[str, ...], status: int, message: str) -> None:
    done = cli("sql", "--data", lake, *words)
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith(message)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("query", "place"), [("SELEC 1", "LINE 1: SELEC 1"), ("SELECT 1,\n nope", "LINE 2:  nope")])
def test_an_error_in_the_sql_shows_the_place(cli: Any, lake: Path, query: str, place: str) -> None:
    lines = cli("sql", query, "--data", lake).err.splitlines()
    assert place in lines
    assert lines[lines.index(place) + 1].strip("^ ") == ""


@pytest.mark.parametrize("name", ["n.xlsx", "n.html", "n.png"])
def test_a_suffix_that_says_nothing_is_refused_before_the_lake_is_opened(cli: Any, name: str) -> None:
    done = cli("sql", "SELECT 1 AS n", "--data", "missing", "--output", name)
    assert (done.status, done.out, list(Path.cwd().iterdir())) == (2, "", [])
    assert done.err == (
        f"analytics-lib: {name} does not say what to write: end it in .csv, .json, .parquet or .txt, or add --format; "
        "pages and figures come from: analytics-lib run\n"
    )

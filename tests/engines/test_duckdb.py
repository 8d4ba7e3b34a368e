"""The local engine: what it opens, what it keeps, what it refuses, and what it says."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

import analytics_lib
from analytics_lib.engines.duckdb import DuckDBEngine
from analytics_lib.errors import LakeError, QueryError, StatementError
from analytics_lib.frames import rows
from analytics_lib.period import Period, parse_date
from tests.support.wild import at, call, encode, lake_of, session, write

FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))


def period(start: str, end: str | None = None) -> Period:
    return Period(parse_date(start), parse_date(end or start))


def on(day: str, session_id: str = "room-1", **fields: object) -> dict[str, object]:
    return session(_timestamp=at(f"{day}T12:00:00"), _session_id=session_id, **fields)


def ids(engine: DuckDBEngine, of: Period = FEBRUARY) -> list[str]:
    found = engine.query("SELECT session_id FROM sessions ORDER BY dt, session_id", of, "test")
    return list(found.frame["session_id"])


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DuckDBEngine:
    """Three sessions on the first three days of February 2026."""
    return DuckDBEngine(
        lake_of(tmp_path_factory.mktemp("lake"), *(on(f"2026-02-0{day}", f"r{day}") for day in (1, 2, 3)))
    )


# What is opened and kept ---------------------------------------------------------------------------------

_opened: list[str] = []
_watching = [False]


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watching[0] and event in ("open", "os.scandir", "os.listdir"):
        _opened.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else "")


@contextmanager
def opened() -> Iterator[list[str]]:
    """The names of all files and folders that Python opens meanwhile."""
    if not hasattr(sys, "_watched_by_tests"):
        sys.addaudithook(_watch)
        sys._watched_by_tests = True  # type: ignore[attr-defined]
    _opened.clear()
    _watching[0] = True
    try:
        yield _opened
    finally:
        _watching[0] = False


def test_only_the_folders_of_the_period_are_listed_and_opened(tmp_path: Path) -> None:
    days = [f"2026-02-0{day}" for day in range(1, 6)]
    for day in days:
        lake_of(tmp_path, on(day), name=f"of-{day}.json")
    engine = DuckDBEngine(tmp_path)
    with opened() as names:
        assert len(ids(engine, period("2026-02-02", "2026-02-03"))) == 2
    assert {day for day in days for name in names if day in name} == {"2026-02-02", "2026-02-03"}
    assert {name for name in names if name.endswith(".json")} == {"of-2026-02-02.json", "of-2026-02-03.json"}


def test_a_day_is_read_once(tmp_path: Path) -> None:
    engine = DuckDBEngine(lake_of(tmp_path, on("2026-02-01"), on("2026-02-02"), name="a.json"))
    ids(engine, period("2026-02-01"))
    with opened() as names:
        assert ids(engine) == ["room-1", "room-1"]
        engine.counts(FEBRUARY)
    assert [name for name in names if name.endswith("a.json")] == ["a.json"]


def test_a_day_that_changed_is_read_again_and_a_removed_one_forgotten(tmp_path: Path) -> None:
    engine = DuckDBEngine(lake_of(tmp_path, on("2026-02-01", "old"), on("2026-02-02", "stays")))
    assert ids(engine) == ["old", "stays"]

    lake_of(tmp_path, on("2026-02-01", "new"), on("2026-02-03", "later"))
    assert ids(engine) == ["new", "old", "stays", "later"]
    assert engine.counts(FEBRUARY).records == 4

    shutil.rmtree(tmp_path / "sessions" / "dt=2026-02-01")
    assert ids(engine) == ["stays", "later"]
    assert engine.counts(FEBRUARY).records == 2
    assert engine.newest_day() == date(2026, 2, 3)

    (removed,) = (tmp_path / "sessions" / "dt=2026-02-03").iterdir()
    removed.unlink()
    assert (ids(engine), engine.newest_day()) == (["stays"], date(2026, 2, 2))


def test_a_record_that_replaces_another_by_a_rename_is_seen(tmp_path: Path) -> None:
    folder = lake_of(tmp_path, on("2026-02-01", agent_name="before"), name="a.json") / "sessions" / "dt=2026-02-01"
    engine = DuckDBEngine(tmp_path)
    query = "SELECT agent_name FROM sessions"
    assert list(engine.query(query, FEBRUARY, "test").frame["agent_name"]) == ["before"]
    (tmp_path / "fresh").write_text(encode(on("2026-02-01", agent_name="after")))
    os.replace(tmp_path / "fresh", folder / "a.json")
    assert list(engine.query(query, FEBRUARY, "test").frame["agent_name"]) == ["after"]


def test_the_counts_are_those_of_the_period(tmp_path: Path) -> None:
    good = encode(on("2026-02-01")).encode()
    bad = {f"sessions/dt=2026-02-01/b{number}.json": b"broken" for number in range(5)}
    write(
        tmp_path, {"sessions/dt=2026-02-01/a.json": good + b"\n" + good, "sessions/dt=2026-02-02/a.json": b"x", **bad}
    )
    engine = DuckDBEngine(tmp_path)
    reason = "not JSON: Expecting value at character 1"
    found = engine.counts(period("2026-02-01"))
    assert (found.records, found.duplicates, found.rejected) == (1, 1, 5)
    assert found.examples == tuple(f"sessions/dt=2026-02-01/b{number}.json line 1: {reason}" for number in range(3))
    assert found.bytes_scanned == 2 * len(good) + 5 * len(b"broken")
    assert engine.counts(period("2026-02-02")).rejected == 1
    assert engine.counts(FEBRUARY).rejected == 6


def test_progress_is_told_by_day(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    DuckDBEngine(lake_of(tmp_path, on("2026-02-01")), lambda *state: seen.append(state)).counts(FEBRUARY)
    assert seen == [(1, 1)]


def test_no_lake_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="is no lake"):
        DuckDBEngine(tmp_path)


@pytest.mark.slow
def test_a_long_query_prints_nothing(tmp_path: Path) -> None:
    query = "SELECT SUM(a.i * b.i % 7) AS n FROM range(1000000) AS a(i), range(1000) AS b(i)"  # DuckDB's bar: after 2 s
    root = lake_of(tmp_path, on("2026-02-01"))
    program = (
        "import analytics_lib, time; began = time.monotonic()\n"
        f"analytics_lib.open({str(root)!r}, 'duckdb').sql({query!r})\n"
        "assert time.monotonic() - began > 2"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What is shown -------------------------------------------------------------------------------------------


def test_the_views_show_the_days_of_the_period_only_whatever_was_asked_before(engine: DuckDBEngine) -> None:
    assert ids(engine) == ["r1", "r2", "r3"]
    assert ids(engine, period("2026-02-02")) == ["r2"]
    calls = engine.query("SELECT dt FROM tool_calls", period("2026-02-03"), "test").frame
    assert list(calls["dt"]) == ["2026-02-03"]
    assert ids(engine, period("2026-03-01")) == []
    assert ids(engine, period("2026-02-01", "2026-02-02")) == ["r1", "r2"]


def test_ad_hoc_frames_have_the_dtypes_of_the_workspace(engine: DuckDBEngine) -> None:
    query = """SELECT COUNT(*) AS counted, SUM(team_size) AS summed, AVG(team_size) AS mean,
        SUM(duration_seconds) AS length, MAX(ended_at) AS instant, CAST(MAX(ended_at) AS DATE) AS day,
        BOOL_OR(urgency = 'low') AS flag, CAST(1.25 AS DECIMAL(10, 2)) AS price, MAX(dt) AS text,
        ARRAY_AGG(dt ORDER BY dt) AS texts, CAST(1 AS TINYINT) AS small,
        MAX(team_size) FILTER (WHERE FALSE) AS nothing FROM sessions"""
    frame = engine.query(query, FEBRUARY, "test").frame
    assert frame.dtypes.astype(str).to_dict() == {
        "counted": "Int64",
        "summed": "Int64",
        "mean": "float64",
        "length": "float64",
        "instant": "datetime64[us, UTC]",
        "day": "datetime64[us]",
        "flag": "boolean",
        "price": "float64",
        "text": "str",
        "texts": "object",
        "small": "Int64",
        "nothing": "Int64",
    }
    assert rows(frame) == [
        {
            "counted": 3,
            "summed": 9,
            "mean": 3.0,
            "length": 360.0,
            "instant": "2026-02-03T12:00:00.000Z",
            "day": "2026-02-03",
            "flag": True,
            "price": 1.25,
            "text": "2026-02-03",
            "texts": ["2026-02-01", "2026-02-02", "2026-02-03"],
            "small": 1,
            "nothing": None,
        }
    ]


def test_arithmetic_is_as_on_athena(engine: DuckDBEngine) -> None:
    query = "SELECT 7 / 2 AS halves, json_format(CAST(ARRAY[1, 2] AS JSON)) AS j, regexp_replace('aaa', 'a', 'b') AS b"
    assert rows(engine.query(query, FEBRUARY, "test").frame) == [{"halves": 3, "j": "[1,2]", "b": "bbb"}]
    with pytest.raises(QueryError, match="zero"):
        engine.query("SELECT 1 / 0 AS x", FEBRUARY, "test")


# What is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "COPY sessions TO '{file}'",
        "COPY (SELECT 1) TO '{file}' (FORMAT PARQUET)",
        "EXPORT DATABASE '{file}'",
        "ATTACH '{file}' AS other",
        "INSTALL httpfs",
        "LOAD json",
        "CREATE TABLE mine AS SELECT 1 AS x",
        "CREATE TEMP VIEW mine AS SELECT 1 AS x",
        "CREATE OR REPLACE VIEW sessions AS SELECT 1 AS x",
        "CREATE MACRO f(x) AS x",
        "INSERT INTO stored.sessions (dt) VALUES ('2026-02-01')",
        "UPDATE stored.sessions SET dt = '2026-02-02'",
        "DELETE FROM stored.sessions",
        "TRUNCATE stored.sessions",
        "DROP VIEW sessions",
        "ALTER TABLE stored.sessions RENAME TO s",
        "MERGE INTO stored.sessions USING sessions AS s ON FALSE WHEN MATCHED THEN DELETE",
        "PRAGMA database_list",
        "SET threads = 1",
        "SET enable_external_access = true",
        "RESET threads",
        "USE stored",
        "CALL pragma_version()",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN",
        "COMMIT",
        "PREPARE p AS SELECT 1",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT * FROM sessions",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW sessions",
        "",
        "-- nothing",
        ";",
    ],
)
def test_a_statement_that_does_more_than_read_is_refused(engine: DuckDBEngine, statement: str, tmp_path: Path) -> None:
    target = tmp_path / "written"
    with pytest.raises(StatementError, match="only one reading statement is run"):
        engine.query(statement.replace("{file}", str(target)), FEBRUARY, "the query")
    assert not target.exists()
    assert ids(engine) == ["r1", "r2", "r3"]


@pytest.mark.parametrize(
    "statement",
    [
        "WITH gone AS (DELETE FROM stored.sessions RETURNING *) SELECT * FROM gone",
        "WITH more AS (INSERT INTO stored.sessions SELECT * FROM stored.sessions RETURNING *) SELECT * FROM more",
        "WITH other AS (UPDATE stored.sessions SET dt = '2026-02-02' RETURNING *) SELECT * FROM other",
    ],
)
def test_a_statement_that_writes_inside_a_reading_one_is_refused(tmp_path: Path, statement: str) -> None:
    engine = DuckDBEngine(lake_of(tmp_path, on("2026-02-01")))
    ids(engine)
    with pytest.raises((StatementError, QueryError)):
        engine.query(statement, FEBRUARY, "the query")
    assert ids(engine) == ["room-1"]


@pytest.mark.parametrize(
    "source",
    ["read_csv('{file}')", "read_text('{file}')", "read_blob('{file}')", "read_json('{file}')",
     "read_parquet('{file}')", "glob('{folder}/*')", "'{file}'", "read_text('/etc/passwd')", "'https://example.com/x.csv'"],
)  # fmt: skip
def test_no_file_is_read_but_those_of_the_lake(engine: DuckDBEngine, source: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\nsecret-word\n")
    query = f"SELECT * FROM {source.replace('{file}', str(file)).replace('{folder}', str(tmp_path))}"
    with pytest.raises(QueryError, match="the query failed on DuckDB") as error:
        engine.query(query, FEBRUARY, "the query")
    assert "secret-word" not in str(error.value)


@pytest.mark.parametrize(
    "statement",
    ["SELECT 1 AS x", "SELECT 1 AS x;", "-- a comment\nSELECT 1 AS x", "WITH t AS (SELECT 1 AS x) SELECT x FROM t",
     "VALUES (1)", "FROM sessions", "TABLE sessions", "DESCRIBE sessions", "SHOW TABLES",
     "(SELECT 1) UNION (SELECT 2)"],
)  # fmt: skip
def test_statements_that_read_are_run(engine: DuckDBEngine, statement: str) -> None:
    assert len(engine.query(statement, FEBRUARY, "the query").frame) > 0


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT *\nFROM sesions", 'LINE 2: FROM sesions\n             ^'),
        ("SELECT nope FROM sessions", "LINE 1: SELECT nope FROM sessions"),
        ("SELEC 1", "LINE 1: SELEC 1"),
        ("SELECT CAST(tool AS INTEGER) FROM tool_calls", "LINE 1: SELECT CAST(tool"),
    ],
)  # fmt: skip
def test_an_error_shows_the_place(engine: DuckDBEngine, statement: str, message: str) -> None:
    with pytest.raises(QueryError) as error:
        engine.query(statement, FEBRUARY, "queries/mine.sql")
    assert str(error.value).startswith("queries/mine.sql ")
    assert message in str(error.value)


def test_a_failed_query_leaves_the_engine_in_order(engine: DuckDBEngine) -> None:
    with pytest.raises(QueryError):
        engine.query("SELECT nope", FEBRUARY, "test")
    assert ids(engine) == ["r1", "r2", "r3"]


def test_hostile_session_ids_are_values(tmp_path: Path) -> None:
    hostile = ["'; DROP VIEW sessions; --", "../../etc/passwd", "<script>", 'a"b', "/*:start*/ '2026-01-01'", "$$"]
    engine = DuckDBEngine(lake_of(tmp_path, *(on("2026-02-01", name, tool_calls=[call(name)]) for name in hostile)))
    assert ids(engine) == sorted(hostile)
    tools = engine.query("SELECT tool FROM tool_calls ORDER BY tool", FEBRUARY, "test").frame
    assert list(tools["tool"]) == sorted(hostile)


def test_nothing_is_left_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lake_of(tmp_path / "lake", on("2026-02-01"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    ids(DuckDBEngine(root))
    assert list(work.iterdir()) == []


def test_texts_of_fifty_megabytes_stop_no_query(tmp_path: Path) -> None:
    line = encode(session(tool_calls=[call(query="LONG")])).replace("LONG", "x" * 50_000_000)
    lines = (line.replace("room-1", f"s{number}", 1) for number in range(2))
    root = write(
        tmp_path, {f"sessions/dt=2026-02-01/{number}.json": each.encode() for number, each in enumerate(lines)}
    )
    frame = analytics_lib.open(root, "duckdb").sql("SELECT LENGTH(query) AS letters FROM tool_calls")
    assert list(frame["letters"]) == [50_000_000] * 2


def test_mistyped_values_are_in_the_facts_and_in_the_page_s_caveats_by_their_field(tmp_path: Path) -> None:
    broken = {"team_size": "many", "duration_seconds": -1, "agent_name": 7, "room_id": [], "caller_key": True}
    calls = [call(error={"message": "timed out"}), call(error=500)]
    lake_of(tmp_path, session(tool_calls=calls, **broken), session(_timestamp=at("2026-02-02"), agent_name=7))
    found = analytics_lib.open(tmp_path, "duckdb").report("tool_failures", start="2026-02-01", end="2026-02-01")
    assert found.facts["mistyped"] == {
        "discovered_signals.team_size": 1, "tool_calls.error": 2, "duration_seconds": 1, "agent_name": 1, "room_id": 1,
        "caller_key": 1,
    }  # fmt: skip
    assert (
        "7 values could not be read as what the field holds (2 of tool_calls.error, 1 of agent_name, 1 of caller_key, "
        "1 of discovered_signals.team_size, 2 further fields); see `analytics-lib check`."
    ) in found.caveats
    assert "mistyped" not in found.document()
    clean = analytics_lib.open(tmp_path, "duckdb").report("tool_failures", start="2026-02-03", end="2026-02-03")
    assert clean.facts["mistyped"] == {}
    assert "could not be read" not in clean.caveats

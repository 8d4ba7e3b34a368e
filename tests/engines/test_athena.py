"""The engine on AWS as people meet it, on the local Athena: results, costs, refusals, and queries that are stopped."""

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pandas as pd
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSResponse

import analytics_lib
from analytics_lib import aws, frames
from analytics_lib.engines import athena
from analytics_lib.errors import QueryError
from analytics_lib.location import Location
from analytics_lib.upkeep import setup
from analytics_lib.workspace import Lake
from tests.cli import conftest as commands
from tests.support.on_athena import athena_of, uploaded
from tests.support.wild import at, call, lake_of, session

pytestmark = [pytest.mark.athena, pytest.mark.slow, pytest.mark.usefixtures("local_athena")]
cli = commands.cli
COUNTING = "the count of raw lines"  # it runs beside every query: whichever is refused first is told
DAYS = ("--start", "2026-01-31", "--end", "2026-02-01")
ENDLESS = (
    "SELECT COUNT(*) AS n FROM UNNEST(sequence(1, 10000)) AS a(x), UNNEST(sequence(1, 10000)) AS b(y), "
    "UNNEST(sequence(1, 10000)) AS c(z) WHERE x * y % 7 = z"
)


@dataclass
class Asked:
    """What this test has a client ask, and the refusals that a service is to answer with."""

    query_ids: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)

    def refuse(self, operation: str, code: str, message: str, times: int = 100) -> None:
        """The next so many answers of Athena or Glue to the operation."""
        left = [times]

        def answer(request: Any, **_: Any) -> AWSResponse | None:
            if not left[0]:
                return None
            left[0] -= 1
            body = io.BytesIO(json.dumps({"__type": code, "message": message}).encode())
            body.stream = lambda *_, **__: iter([body.getvalue()])  # type: ignore[attr-defined]
            return AWSResponse(request.url, 400, {}, body)

        boto3.DEFAULT_SESSION.events.register(f"before-send.*.{operation}", answer)

    def states(self) -> set[str]:
        """How the queries stand that were started, as soon as none of them runs, in five seconds at most."""
        until = time.monotonic() + 5
        while True:
            found = boto3.client("athena").batch_get_query_execution(QueryExecutionIds=self.query_ids)
            states = {each["Status"]["State"] for each in found["QueryExecutions"]}
            if not states & {"QUEUED", "RUNNING"} or time.monotonic() > until:
                return states
            time.sleep(0.1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, local_athena: object) -> Asked:
    """What is asked from here on, in a session of boto3 of this test's own."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session())
    aws.client.cache_clear()
    seen = Asked()

    def started(parsed: dict[str, Any], **_: Any) -> None:
        seen.query_ids += filter(None, [parsed.get("QueryExecutionId")])

    def called(model: Any, **_: Any) -> None:
        seen.operations.append(model.name)

    boto3.DEFAULT_SESSION.events.register("after-call.athena.StartQueryExecution", started)
    boto3.DEFAULT_SESSION.events.register("before-call", called)
    return seen


@pytest.fixture
def location(bucket: str, tmp_path: Path) -> Location:
    """Three sessions on 31 January and 1 February 2026 and a broken line, set up under the names of `athena_of`."""
    root = lake_of(
        tmp_path / "lake",
        session(team_size=9, urgency="high", integration_needs=["crm", 'e"mail']),
        session(_session_id="room-2", tool_calls=[call(query="price", results_found=False)], integration_needs=[]),
        session(_session_id="room-3", _timestamp=at("2026-01-31T10:00:00"), duration_seconds=None),
    )
    (root / "sessions" / "dt=2026-02-01" / "broken.json").write_bytes(b"broken\n")
    made = uploaded(root, bucket)
    setup.setup(made, athena_of(made))
    return made


@pytest.fixture
def lake(location: Location) -> Lake:
    return opened(location)


def opened(location: Location, **changed: object) -> Lake:
    athena = athena_of(location)
    settings = {"database": athena.database, "workgroup": athena.workgroup, **changed}
    return analytics_lib.open(str(location), "athena", **settings)


def words(location: Location) -> tuple[str, ...]:
    athena = athena_of(location)
    return ("--data", str(location), "--engine", "athena", "--database", athena.database,
            "--workgroup", athena.workgroup, *DAYS)  # fmt: skip


@pytest.fixture
def sql(cli: commands.Command, location: Location) -> Callable[..., commands.Done]:
    """`sql("SELECT 1")` on that lake."""
    return lambda query, *more: cli("sql", query, *words(location), *more)


# Results


def test_a_second_run_takes_the_first_one_s_results_and_costs_nothing(
    sql: Callable[..., commands.Done], asked: Asked
) -> None:
    query = "SELECT COUNT(*) AS n FROM sessions"
    first, second, fresh = sql(query), sql(query), sql(query, "--fresh")
    assert first.out == second.out == fresh.out
    assert re.search(r"2 queries scanned \S+ \w?B for 0.0001 USD on Athena", first.err)
    assert re.search(r"2 queries \(2 reused\) scanned \S+ \w?B for 0.0000 USD on Athena", second.err)
    assert re.search(r"2 queries scanned \S+ \w?B for 0.0001 USD on Athena", fresh.err)
    assert asked.states() == {"SUCCEEDED"}


def test_the_facts_of_a_run_hold_every_query_with_its_bill(lake: Lake, location: Location, asked: Asked) -> None:
    lake = opened(location)
    frame = lake.sql("SELECT COUNT(*) AS n FROM sessions", start="2026-01-31", end="2026-02-01")
    size = sum(
        found["Size"]
        for found in aws.client("s3").list_objects_v2(Bucket=location.bucket, Prefix=location.key("sessions/"))[
            "Contents"
        ]
    )
    query, counting = frame.attrs["queries"]
    assert frame.attrs["query_ids"] == [query["query_id"], counting["query_id"]]
    assert sorted(frame.attrs["query_ids"]) == sorted(asked.query_ids)
    assert [each["bytes_scanned"] for each in (query, counting)] == [size, size]
    assert [each["cost_usd"] for each in (query, counting)] == [0.00005, 0.00005]
    assert frame.attrs["predicted_usd"] == pytest.approx(2 * (0.00005 + 4 * 0.0000004 + 2 * 0.000005))
    assert (frame.attrs["records"], frame.attrs["rejected"]) == (3, 1)


def test_values_of_every_type_come_as_what_they_are(lake: Lake) -> None:
    frame = lake.sql(
        """SELECT ARRAY[1, NULL] AS list, CAST(NULL AS BIGINT) AS missing, '' AS empty, DATE '2026-01-02' AS day,
        DECIMAL '1.50' AS share, TRUE AS yes, TIMESTAMP '2026-01-01 10:00:00.123' AS instant,
        TIMESTAMP '2026-01-01 10:00:00 Europe/Berlin' AS zoned,
        CAST(ROW(1, 'x') AS ROW(n INTEGER, "Text" VARCHAR)) AS one, MAP(ARRAY['k'], ARRAY[NULL]) AS map,
        CAST(NULL AS VARCHAR) AS none, 'NULL' AS word, 5 AS a, 6 AS a, 7""",
        start="2026-01-31",
        end="2026-02-01",
    )
    assert frames.rows(frame) == [
        {"list": [1, None], "missing": None, "empty": "", "day": "2026-01-02", "share": 1.5, "yes": True,
         "instant": "2026-01-01T10:00:00.123Z", "zoned": "2026-01-01T09:00:00.000Z", "one": {"n": 1, "Text": "x"},
         "map": {"k": None}, "none": None, "word": "NULL", "a": 5, "a_2": 6, "_col14": 7}
    ]  # fmt: skip
    kinds = {name: str(frame[name].dtype) for name in ("missing", "day", "share", "yes", "instant", "zoned")}
    assert kinds == {"missing": "Int64", "day": "datetime64[us]", "share": "float64", "yes": "boolean",
                     "instant": "datetime64[us, UTC]", "zoned": "datetime64[us, UTC]"}  # fmt: skip


def test_rows_with_nested_columns_keep_the_order_of_the_query(lake: Lake) -> None:
    query = "SELECT integration_needs, session_id FROM sessions ORDER BY session_id DESC"
    frame = lake.sql(query, start="2026-01-31", end="2026-02-01")
    assert list(frame["session_id"]) == ["room-3", "room-2", "room-1"]
    assert list(frame["integration_needs"])[1:] == [[], ["crm", 'e"mail']]
    top = lake.sql(f"{query} LIMIT 2;", start="2026-01-31", end="2026-02-01")
    assert sorted(top["session_id"]) == ["room-2", "room-3"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT MIN(dt), MAX(dt) FROM sessions",
        "-- sessions\nSELECT MIN(dt), MAX(dt) FROM sessions ; -- the end;",
        "/* a */ WITH days AS (SELECT dt FROM sessions) SELECT MIN(dt), MAX(dt) FROM days",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2) "
        "SELECT MIN(dt), MAX(dt) FROM sessions CROSS JOIN n",
        "SELECT MIN(dt), MAX(dt) FROM (SELECT dt FROM SESSIONS ORDER BY dt LIMIT 100)",
        '(SELECT MIN(dt), MAX(dt) FROM "sessions") ORDER BY 1 LIMIT 1',
        "SELECT MIN(dt), MAX(dt) FROM tool_calls",
    ],
)
def test_the_views_show_the_days_of_the_period_only(lake: Lake, query: str) -> None:
    frame = lake.sql(query, start="2026-02-01", end="2026-02-01")
    assert frame.values.tolist() == [["2026-02-01", "2026-02-01"]]


@pytest.mark.parametrize("more", ["", " WHERE dt = 'none'"])
def test_a_parquet_file_holds_the_rows_of_the_query_and_nothing_stays_on_s3(
    sql: Callable[..., commands.Done], lake: Lake, location: Location, more: str
) -> None:
    query = "SELECT session_id, integration_needs, ended_at, duration_seconds, team_size, dt FROM sessions" + more
    done = sql(query, "--output", "x.parquet")
    assert (done.status, done.out) == (0, ""), done.err
    expected = lake.sql(f"{query} ORDER BY session_id", start="2026-01-31", end="2026-02-01")
    found = frames.from_arrow(pq.read_table("x.parquet")).sort_values("session_id", ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=not more)  # no rows do not tell what is nested
    listed = aws.client("s3").list_objects_v2(Bucket=location.bucket, Prefix=location.key("athena-results/unload/"))
    assert listed["KeyCount"] == 0


# Refusals


def place(query_id: str) -> str:
    console = "https://us-east-1.console.aws.amazon.com/athena/home?region=us-east-1#/query-editor/history/"
    return f"(query {query_id}, {console}{query_id})"


def test_a_query_that_fails_is_named_with_its_place_in_the_console(
    sql: Callable[..., commands.Done], asked: Asked
) -> None:
    done = sql("SELECT team_size\nFROM sessions\nWHERE nope = 1")
    (found,) = re.findall(r"\(query (\S+),", done.err)
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        "analytics-lib: the query failed on Athena: COLUMN_NOT_FOUND: line 3:7: Column 'nope' cannot be resolved. "
        f"{place(found)}\n"
    )
    assert found in asked.query_ids
    assert not asked.states() & {"QUEUED", "RUNNING"}


def test_a_syntax_error_is_told_with_its_line(sql: Callable[..., commands.Done]) -> None:
    done = sql("WITH a AS (SELECT 1)\nSELEC 1")
    assert done.status == 1
    assert done.err.startswith("analytics-lib: the query failed on Athena: SYNTAX_ERROR: line 2:1: mismatched input ")


def test_columns_without_a_name_of_their_own_cannot_go_to_parquet(sql: Callable[..., commands.Done]) -> None:
    for query in ("SELECT 1", "SELECT 1 AS a, 2 AS a"):
        done = sql(query, "--output", "x.parquet")
        assert done.status == 1
        assert done.err.endswith(
            "\nIn a Parquet file every column needs a name of its own: write SELECT ... AS name.\n"
        )
    assert list(Path().iterdir()) == []


def test_a_statement_that_does_more_than_read_never_leaves_this_machine(
    sql: Callable[..., commands.Done], asked: Asked
) -> None:
    done = sql("DROP VIEW sessions")
    message = "holds DROP; only one reading statement is run: SELECT, WITH, VALUES, DESCRIBE or SHOW"
    assert (done.status, done.err) == (2, f"analytics-lib: the query {message}\n")
    assert asked.operations == []


def test_a_question_above_the_ceiling_is_not_asked(
    cli: commands.Command, location: Location, sql: Callable[..., commands.Done], asked: Asked
) -> None:
    told = (
        "analytics-lib: 2 queries over 2026-01-31 to 2026-02-01 (days: 2, compacted: 0) may read 3 kB, 8 GET and 4 "
        "LIST requests, 0.0001 USD. That is above the ceiling of 0.0001 USD, so nothing was run: ask for fewer days "
        "with --start and --end, read Parquet after: analytics-lib compact s3://BUCKET/PREFIX, or allow more with "
        "--max-usd\n"
    )
    for output in ((), ("--output", "x.parquet")):
        done = sql("SELECT 1 AS one", "--max-usd", "0.0001", *output)
        assert (done.status, done.out, re.sub(r"read \S+ \w?B", "read 3 kB", done.err)) == (1, "", told)
    done = cli("report", "lead_funnel", *words(location), "--max-usd", "0")
    assert (done.status, done.out) == (1, "")
    assert "That is above the ceiling of 0 USD, so nothing was run" in done.err
    assert asked.query_ids == []
    assert list(Path().iterdir()) == []


def test_an_estimate_says_what_a_run_predicts_and_asks_nothing(
    cli: commands.Command, location: Location, asked: Asked
) -> None:
    done = cli("report", "tool_failures", *words(location), "--estimate")
    told = float(re.findall(r"expected .* (\S+) USD", done.out)[0])
    assert asked.query_ids == []
    facts = opened(location).report("tool_failures", start="2026-01-31", end="2026-02-01").facts
    assert (done.status, round(facts["predicted_usd"], 4)) == (0, told)


def test_the_ceiling_of_the_workgroup_stops_a_query(location: Location, sql: Callable[..., commands.Done]) -> None:
    line = b'{"_session_id": "room-9", "_timestamp": "2026-02-01T10:00:00Z", "x": "' + b"x" * 990 + b'"}\n'
    aws.client("s3").put_object(
        Bucket=location.bucket, Key=location.key("sessions/dt=2026-02-01/large.jsonl"), Body=line * 11_000
    )
    change = {"BytesScannedCutoffPerQuery": 10_000_000}
    aws.client("athena").update_work_group(WorkGroup=athena_of(location).workgroup, ConfigurationUpdates=change)
    done = sql("SELECT COUNT(*) AS n FROM sessions")
    (found,) = re.findall(r"\(query (\S+),", done.err)
    assert (done.status, done.out) == (1, "")
    assert done.err.replace(COUNTING, "the query") == (
        f"analytics-lib: the query failed on Athena: Query cancelled! : Bytes scanned limit was exceeded. "
        f"{place(found)}\nThe workgroup's ceiling on bytes was hit: ask for fewer days, compact the lake "
        f"(analytics-lib compact {location}), or raise the workgroup's limit.\n"
    )


def test_a_damaged_object_is_named_with_what_to_do(location: Location, sql: Callable[..., commands.Done]) -> None:
    damaged = gzip.compress(b'{"_session_id": "room-9"}\n' * 1000)[:-20]
    key = location.key("sessions/dt=2026-02-01/damaged.json.gz")
    aws.client("s3").put_object(Bucket=location.bucket, Key=key, Body=damaged)
    done = sql("SELECT COUNT(*) AS n FROM sessions")
    assert (done.status, done.out) == (1, "")
    assert f"s3://{location.bucket}/{key}" in done.err
    assert done.err.endswith("\nAthena cannot read past a damaged file: move that object out of sessions/.\n")


def test_a_view_that_is_gone_is_told_with_the_command_that_makes_it(
    location: Location, sql: Callable[..., commands.Done]
) -> None:
    database = athena_of(location).database
    aws.client("glue").delete_table(DatabaseName=database, Name="tool_calls")
    done = sql("SELECT COUNT(*) AS n FROM tool_calls")
    assert done.status == 1
    assert "TABLE_NOT_FOUND" in done.err
    assert done.err.endswith(f"\nMake the tables and views with: analytics-lib athena setup --data {location}.\n")


def test_without_a_workgroup_the_message_says_how_to_make_one(cli: commands.Command, location: Location) -> None:
    done = cli("sql", "SELECT 1 AS one", *words(location), "--workgroup", "nobody_s")
    assert (done.status, done.out) == (1, "")
    assert done.err.replace(COUNTING, "the query") == (
        "analytics-lib: the query, sent to Athena in workgroup nobody_s, failed: InvalidRequestException: WorkGroup "
        "nobody_s is not found. (action athena:StartQueryExecution); make the workgroup with: analytics-lib athena "
        f"setup --data {location}, or name another with --workgroup\n"
    )


def test_without_a_place_for_results_the_option_is_named(cli: commands.Command, location: Location) -> None:
    name = f"bare-{uuid.uuid4().hex}"
    aws.client("athena").create_work_group(Name=name, Configuration={"EnforceWorkGroupConfiguration": False})
    done = cli("sql", "SELECT 1 AS one", *words(location), "--workgroup", name)
    assert (done.status, done.out) == (1, "")
    assert done.err.replace(COUNTING, "the query") == (
        f"analytics-lib: the query, sent to Athena in workgroup {name}, failed: InvalidRequestException: No output "
        "location provided. An output location is required either through the Workgroup result configuration setting "
        "or as an API input. (action athena:StartQueryExecution); name one with --athena-output s3://BUCKET/PREFIX\n"
    )
    given = ("--athena-output", f"s3://{location.bucket}/elsewhere")
    assert cli("sql", "SELECT 1 AS one", *words(location), "--workgroup", name, *given).err.startswith("1 row, ")


@pytest.mark.parametrize(
    ("operation", "attempt", "action"),
    [
        ("StartQueryExecution", "the query, sent to Athena in workgroup {name},", "athena:StartQueryExecution"),
        ("GetQueryExecution", "the query, sent to Athena in workgroup {name},", "athena:GetQueryExecution"),
        ("GetQueryResults", "the query, sent to Athena in workgroup {name},", "athena:GetQueryResults"),
        ("GetTables", "reading the tables of the Glue database {name}", "glue:GetTables"),
    ],
)
def test_a_missing_permission_is_named_and_no_query_goes_on(
    location: Location, sql: Callable[..., commands.Done], asked: Asked, operation: str, attempt: str, action: str
) -> None:
    asked.refuse(operation, "AccessDeniedException", f"You are not authorized to perform: {action}")
    done = sql(ENDLESS if operation == "GetQueryExecution" else "SELECT 1 AS one")
    name = athena_of(location).database
    told = done.err.replace(COUNTING, "the query")
    assert (done.status, done.out) == (1, "")
    assert told.startswith(
        f"analytics-lib: {attempt.format(name=name)} failed: AccessDenied: You are not authorized to perform: {action} "
        f"(action {action}); ask for the permission; docs/athena.md lists what each command needs"
    )
    assert not asked.query_ids or not states_elsewhere(asked) & {"QUEUED", "RUNNING"}


def states_elsewhere(asked: Asked) -> set[str]:
    """The states as somebody else sees them, to whom nothing is refused."""
    session, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, boto3.Session()
    try:
        return asked.states()
    finally:
        boto3.DEFAULT_SESSION = session


def test_credentials_that_have_expired_are_told_while_a_query_runs(
    sql: Callable[..., commands.Done], asked: Asked
) -> None:
    asked.refuse("GetQueryExecution", "ExpiredTokenException", "The security token included in the request is expired")
    done = sql("SELECT 1 AS one")
    assert done.status == 1
    assert done.err.endswith(
        " failed: ExpiredToken: The security token included in the request is expired (action "
        "athena:GetQueryExecution); the credentials have expired: sign in again, e.g. with `aws sso login`, and repeat "
        "the command\n"
    )


def test_throttling_is_waited_out_and_told_where_it_does_not_end(
    sql: Callable[..., commands.Done], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    asked.refuse("StartQueryExecution", "ThrottlingException", "Rate exceeded", times=3)
    assert sql("SELECT 1 AS one").status == 0
    before = asked.operations.count("StartQueryExecution")
    asked.refuse("StartQueryExecution", "ThrottlingException", "Rate exceeded")
    done = sql("SELECT 2 AS two")
    assert (before, done.status) == (2, 1)
    assert done.err.endswith(
        " failed: Throttling: Rate exceeded (action athena:StartQueryExecution); AWS limits the rate of requests: wait "
        "a minute and repeat the command\n"
    )


# Queries that are stopped


def test_where_one_query_of_several_fails_the_others_are_stopped(lake: Lake, location: Location, asked: Asked) -> None:
    engine = opened(location).engine
    period = lake.period("2026-01-31", "2026-02-01")
    with pytest.raises(QueryError, match=r"^b failed on Athena: COLUMN_NOT_FOUND"):
        engine.queries({"a": ENDLESS, "b": "SELECT nope"}, period)
    assert "CANCELLED" in asked.states()
    assert not asked.states() & {"QUEUED", "RUNNING"}


@pytest.fixture
def running(location: Location, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`analytics-lib sql` with a query that does not end, in a process of its own, and a text in that query."""
    mark = f"mark{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "analytics_lib", "sql", ENDLESS.replace(" n ", f" {mark} "), *words(location),
               "--output", str(tmp_path / "n.parquet")]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as child:
        yield child, mark
        child.kill()


def on_trino(lake: Lake, mark: str) -> list[str]:
    """The states of the queries on the server that hold the text."""
    told = "SELECT state FROM system.runtime.queries WHERE query LIKE '%mark'"
    engine: Any = opened(lake.engine.location, fresh=True).engine  # type: ignore[attr-defined]
    sql = f"{told[:-1]}' || '{mark[4:]}%'"
    return list(engine.execute(sql, "a look at the server").frame["state"])


class _Interrupting:
    """Interrupts the import of what makes frames, twice, once a query has been started."""

    def __init__(self, started: list[str]) -> None:
        self.started = started

    def find_spec(self, name: str, *_: object) -> None:
        if name == "analytics_lib.engines.results":
            while not self.started:
                time.sleep(0.01)
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)


def test_an_interrupt_while_pandas_loads_stops_the_query(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    mark, started = f"mark{uuid.uuid4().hex}", []
    engine: Any = opened(lake.engine.location, fresh=True).engine  # type: ignore[attr-defined]
    on_trino(lake, mark)
    monkeypatch.delitem(sys.modules, "analytics_lib.engines.results")
    monkeypatch.delattr("analytics_lib.engines.results")
    add = athena._Running.add
    monkeypatch.setattr(athena._Running, "add", lambda running, query: (add(running, query), started.append(query)))
    with monkeypatch.context() as importing, pytest.raises(KeyboardInterrupt):
        importing.setattr(sys, "meta_path", [_Interrupting(started), *sys.meta_path])
        engine.execute(ENDLESS.replace(" n ", f" {mark} "), "a query without an end")
    (query,) = aws.client("athena").batch_get_query_execution(QueryExecutionIds=started)["QueryExecutions"]
    assert query["Status"]["State"] == "CANCELLED"
    until = time.monotonic() + 5
    while set(on_trino(lake, mark)) - {"FAILED"}:  # so Trino calls what was cancelled, if it ever began
        assert time.monotonic() < until


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_query_on_the_server_and_leaves_no_file(
    running: tuple[subprocess.Popen[str], str], lake: Lake, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    child, mark = running
    until = time.monotonic() + 60
    while "RUNNING" not in on_trino(lake, mark):
        assert time.monotonic() < until and child.poll() is None, child.communicate()
    child.send_signal(number)
    out, err = child.communicate(timeout=10)
    assert (child.returncode, out, err.strip()) == (status, "", "analytics-lib: interrupted")
    until = time.monotonic() + 5
    while set(on_trino(lake, mark)) != {"FAILED"}:  # so Trino calls what was cancelled
        assert time.monotonic() < until
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake"]

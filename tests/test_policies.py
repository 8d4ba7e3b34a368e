"""The policies of infra/policies, against the calls that the commands make."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from analytics_lib import aws, period
from analytics_lib.engines import glue_tables
from analytics_lib.engines.athena import AthenaEngine
from analytics_lib.errors import QueryError
from analytics_lib.location import Location
from analytics_lib.logs import insights
from analytics_lib.period import Period
from analytics_lib.settings import Athena
from analytics_lib.upkeep import compaction, generations, setup
from analytics_lib.workspace import Lake
from tests.cli import conftest as commands
from tests.cli import test_doctor_aws
from tests.logs import test_backfill
from tests.support.fake_logs import FakeLogs
from tests.support.policies import FOLDER, Calls, by_athena, is_allowed, statements, unused
from tests.support.wild import encode, session
from tests.upkeep import test_erase_on_s3

cli = commands.cli
compacted, stack, group = test_erase_on_s3.lake, test_doctor_aws.stack, test_backfill.group


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, bucket: str) -> Calls:
    """What clients ask from here on, in a session of boto3 of this test's own."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session())
    aws.client.cache_clear()
    monkeypatch.setattr(period, "today", lambda: date(2026, 2, 10))
    return Calls()


@pytest.fixture
def location(bucket: str) -> Location:
    return Location(bucket, "team")


@pytest.fixture
def athena(bucket: str) -> Athena:
    name = f"db_{bucket[-8:]}"
    return Athena(database=name, workgroup=name, fresh=True)


def put(location: Location, path: str, body: bytes = b"{}") -> None:
    boto3.Session().client("s3").put_object(Bucket=location.bucket, Key=location.key(path), Body=body)


def record(calls: Calls) -> None:
    aws.client.cache_clear()  # a client has the handlers that its session had when it was made
    aws.session().events.register("before-parameter-build.*.*", calls.add)


def assert_fits(name: str, calls: Calls, location: Location, athena: Athena, *, group: str = "none") -> None:
    """Each call is allowed, and each line of each statement is needed by a call."""
    rules = statements(name, location, athena, group)
    assert [call for call in sorted(calls.seen) if not is_allowed(rules, *call)] == []
    assert {rule["Sid"]: left for rule in rules if (left := unused(rule, calls))} == {}


def test_a_policy_allows_what_it_names_and_no_more(location: Location, athena: Athena) -> None:
    rules = statements("sync", location, athena, "none")
    bucket = f"arn:aws:s3:::{location.bucket}"
    assert is_allowed(rules, "s3:GetObject", f"{bucket}/team/sessions/dt=2026-01-01/a.json", "")
    assert not is_allowed(rules, "s3:GetObject", f"{bucket}/other/sessions/dt=2026-01-01/a.json", "")
    assert is_allowed(rules, "s3:ListBucket", bucket, "team/sessions/")
    assert not is_allowed(rules, "s3:ListBucket", bucket, "")
    assert not is_allowed(rules, "s3:PutObject", f"{bucket}/team/sessions/dt=2026-01-01/a.json", "")


def test_sync_and_check_and_reports_on_a_copy_need_what_their_policy_names(
    calls: Calls,
    location: Location,
    athena: Athena,
    cli: commands.Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for day in ("2026-02-01", "2026-02-02"):
        put(location, f"sessions/dt={day}/a.json")
    record(calls)
    for words in (("sync", location, "copy"), ("check", "--data", location), ("sql", "SELECT 1", "--data", location),
                  ("doctor", "--data", location)):  # fmt: skip
        assert cli(*words).status == 0
    calls.seen = {call for call in calls.seen if call[0] != "glue:GetTables"}  # check does without, where it is refused
    assert_fits("sync", calls, location, athena)


def test_cost_and_secrets_ask_nothing_of_aws(calls: Calls, cli: commands.Command) -> None:
    record(calls)
    assert [cli(*words).status for words in (["cost"], ["livekit", "secrets"])] == [0, 0]
    assert calls.seen == set()


def test_setup_status_teardown_and_the_doctor_need_what_their_policy_names(
    calls: Calls, location: Location, athena: Athena, cli: commands.Command
) -> None:
    put(location, "sessions/dt=2026-02-01/a.json")
    record(calls)
    setup.setup(location, athena)
    put(location, "sessions/dt=2026-01-01/a.json")
    described = {**glue_tables.database(athena.database, location), "Description": "changed"}
    aws.client("glue").update_database(Name=athena.database, DatabaseInput=described)
    calls.seen.clear()
    setup.setup(location, replace(athena, max_usd=2.0))
    setup.status(location, athena)
    setup.teardown(location, athena)
    setup.setup(location, athena)
    named = ("--engine", "athena", "--data", location, "--database", athena.database, "--workgroup", athena.workgroup)
    assert cli("doctor", *named).status == 0
    assert_fits("setup", calls, location, athena)


def test_every_policy_is_named_where_permissions_are_listed() -> None:
    text = (FOLDER.parents[1] / "docs" / "athena.md").read_text()
    assert set(re.findall(r"infra/policies/(\w+)\.json", text)) == {file.stem for file in FOLDER.iterdir()}


def test_insights_needs_what_its_policy_names(
    calls: Calls, location: Location, athena: Athena, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2026, 2, 1)
    with FakeLogs("Running").served(monkeypatch):
        record(calls)
        with pytest.raises(QueryError):
            insights.run("sessions", "/agents", Period(day, day), timeout_seconds=0.05)
    assert_fits("insights", calls, location, athena, group="/agents")


def test_backfill_needs_what_its_policy_names(
    calls: Calls, location: Location, athena: Athena, cli: commands.Command, group: str
) -> None:
    test_backfill.three_days(group)
    record(calls)
    days = ("--start", test_backfill.FIRST, "--end", test_backfill.SECOND)
    assert cli("backfill", "--log-group", group, *days, "--data", location).status == 0
    assert_fits("backfill", calls, location, athena, group=group)


def test_the_doctor_of_the_way_to_the_lake_needs_what_its_policy_names(
    calls: Calls, athena: Athena, cli: commands.Command, stack: test_doctor_aws.Stack
) -> None:
    stack.has_group()
    stack.has_filter()
    stack.logged(test_doctor_aws.NOW)
    stack.stored()
    record(calls)
    reading = {"EventSourceMappings": [{"EventSourceArn": stack.stream, "FunctionArn": stack.arn}]}
    answer = (AWSResponse(stack.lake, 200, {}, None), reading)  # said, not made: moto would run it, with Docker
    aws.client("lambda").meta.events.register("before-call.lambda.ListEventSourceMappings", lambda **_: answer)
    done = cli("doctor", "--aws", "--log-group", stack.group, "--data", stack.lake)
    assert (done.status, f"{stack.function}: 0 invocations" in done.out) == (0, True)
    assert_fits("doctor", calls, Location(stack.bucket, "lake"), athena, group=stack.group)


def test_adopting_needs_what_its_policy_names(
    calls: Calls, location: Location, athena: Athena, cli: commands.Command
) -> None:
    old = replace(location, prefix="old")
    put(old, "room-1/1769940000.json", encode(session(_timestamp=1769940000)).encode())
    record(calls)
    assert cli("adopt", old, location).status == 0
    put(old, "sessions/room-1/1769940000.json", encode(session(_timestamp=1769940000, team_size=9)).encode())
    assert "another text of this session" in cli("adopt", old, location).out
    assert_fits("adopt", calls, location, athena)


def test_erasing_needs_what_its_policy_names_also_where_old_versions_are_kept(
    calls: Calls, cli: commands.Command, compacted: test_erase_on_s3.Lake
) -> None:
    both = "".join(f"{encode(session(_session_id=name))}\n" for name in ("one", "two", "three")).encode()
    for folder in ("sessions", "rejected", "adopted/originals/sessions"):
        compacted.upload(f"{folder}/dt={test_erase_on_s3.FIRST}/both.json", both)
    record(calls)
    assert cli("erase", "one", "--data", compacted.location).status == 0
    kept: Any = {"Bucket": compacted.location.bucket, "VersioningConfiguration": {"Status": "Enabled"}}
    boto3.Session().client("s3").put_bucket_versioning(**kept)
    assert cli("erase", "two", "--data", compacted.location).status == 0
    assert_fits("erase", calls, compacted.location, compacted.athena)


@pytest.mark.slow
@pytest.mark.athena
@pytest.mark.usefixtures("local_athena")
def test_queries_and_compaction_need_what_their_policies_name(
    calls: Calls, location: Location, athena: Athena, tmp_path: Path
) -> None:
    line = json.dumps(session()).encode()
    for day in ("2026-02-01", "2026-02-02"):
        put(location, f"sessions/dt={day}/a.json", line)
    setup.setup(location, athena)
    record(calls)
    engine = AthenaEngine(location, athena)
    lake, days = Lake(str(location), engine), {"start": "2026-02-01", "end": "2026-02-02"}
    lake.report("lead_funnel")
    lake.save("SELECT session_id FROM sessions", tmp_path / "x.parquet", **days)
    lake.sql("SELECT integration_needs FROM sessions", **days)
    with pytest.raises(QueryError):
        engine.queries({"a": "SELECT nope", "b": "SELECT COUNT(*) FROM sessions a, sessions b"}, lake.period(**days))
    calls.seen |= by_athena(location, athena, "athena-results/x.csv")
    assert_fits("report", calls, location, athena)
    calls.seen.clear()
    compaction.compact(location, athena, engine.execute)
    put(location, "sessions/dt=2026-02-02/late.json", line)
    compaction.compact(location, athena, engine.execute)
    put(location, f"parquet/{athena.database}/20200101T000000Z-{'0' * 32}/dt=2020-01-01/orphan")
    assert len(generations.clean(location, athena)) == 1
    calls.seen |= by_athena(location, athena, "athena-results/x.csv", f"parquet/{athena.database}/x")
    assert_fits("compact", calls, location, athena)

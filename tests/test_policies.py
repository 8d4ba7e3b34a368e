"""The policies of infra/policies, against the calls that the commands make."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest

from analytics_lib import aws, period
from analytics_lib.engines import catalog, compaction, generations, glue_tables
from analytics_lib.engines.athena import AthenaEngine
from analytics_lib.errors import QueryError
from analytics_lib.lake.s3 import Location
from analytics_lib.settings import Athena
from analytics_lib.workspace import Lake
from tests.cli import conftest as commands
from tests.wild import session

FOLDER = Path(__file__).parents[1] / "infra" / "policies"
cli = commands.cli
ATHENA = {  # what Athena does with the caller's rights, on real AWS
    "glue:BatchGetPartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable",
    "glue:GetTables", "s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket",
    "s3:ListMultipartUploadParts", "s3:PutObject",
}  # fmt: skip


@dataclass
class Calls:
    """What was asked of AWS: permissions with their resources, and for a listing the prefix."""

    seen: set[tuple[str, str, str]] = field(default_factory=set)
    workgroup: str = ""

    def add(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        action = aws.action(model.name)
        assert action.partition(":")[0] == service
        for resource in getattr(self, service)(params):
            self.seen.add((action, resource, params.get("Prefix", "") if model.name == "ListObjectsV2" else ""))

    def s3(self, params: dict[str, Any]) -> Iterator[str]:
        keys = [each["Key"] for each in params.get("Delete", {}).get("Objects", ())] or [params.get("Key", "")]
        yield from (f"arn:aws:s3:::{params['Bucket']}/{key}".rstrip("/") for key in keys)

    def athena(self, params: dict[str, Any]) -> Iterator[str]:
        self.workgroup = params.get("WorkGroup") or params.get("Name") or self.workgroup
        yield f"arn:aws:athena:REGION:ACCOUNT:workgroup/{self.workgroup}"

    def glue(self, params: dict[str, Any]) -> Iterator[str]:
        database = params.get("DatabaseName") or params.get("Name") or params.get("DatabaseInput", {}).get("Name", "*")
        yield "arn:aws:glue:REGION:ACCOUNT:catalog"
        yield f"arn:aws:glue:REGION:ACCOUNT:database/{database}"
        if table := params.get("TableName") or params.get("TableInput", {}).get("Name"):
            yield f"arn:aws:glue:REGION:ACCOUNT:table/{database}/{table}"

    @property
    def actions(self) -> set[str]:
        return {action for action, _, _ in self.seen}


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


def statements(name: str, location: Location, athena: Athena) -> list[dict[str, Any]]:
    text = (FOLDER / f"{name}.json").read_text()
    names = {"BUCKET": location.bucket, "PREFIX": location.prefix, "DATABASE": athena.database,
             "WORKGROUP": athena.workgroup}  # fmt: skip
    for placeholder, value in names.items():
        text = text.replace(placeholder, value)
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found


def is_allowed(rules: list[dict[str, Any]], action: str, resource: str, prefix: str) -> bool:
    def matches(rule: dict[str, Any]) -> bool:
        resources = [rule["Resource"]] if isinstance(rule["Resource"], str) else rule["Resource"]
        prefixes = rule.get("Condition", {}).get("StringLike", {}).get("s3:prefix", ["*"])
        return (
            action in rule["Action"]
            and any(fnmatchcase(resource, each) for each in resources)
            and any(fnmatchcase(prefix, each) for each in prefixes)
        )

    return any(map(matches, rules))


def assert_fits(name: str, calls: Calls, location: Location, athena: Athena, *besides: str) -> None:
    """Each call is allowed, and each action is called, or needed by Athena or by what `besides` names."""
    rules = statements(name, location, athena)
    assert [call for call in sorted(calls.seen) if not is_allowed(rules, *call)] == []
    assert {action for rule in rules for action in rule["Action"]} - calls.actions - set(besides) == set()


def test_a_policy_allows_what_it_names_and_no_more(location: Location, athena: Athena) -> None:
    rules = statements("sync", location, athena)
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
    put(location, "sessions/dt=2026-02-01/a.json")
    record(calls)
    for words in (("sync", location, "copy"), ("check", "--data", location), ("sql", "SELECT 1", "--data", location)):
        assert cli(*words).status == 0
    calls.seen = {call for call in calls.seen if call[0] != "glue:GetTables"}  # check does without, where it is refused
    assert_fits("sync", calls, location, athena)


def test_setup_status_and_teardown_need_what_their_policy_names(
    calls: Calls, location: Location, athena: Athena
) -> None:
    put(location, "sessions/dt=2026-02-01/a.json")
    record(calls)
    catalog.setup(location, athena)
    put(location, "sessions/dt=2026-01-01/a.json")
    described = {**glue_tables.database(athena.database, location), "Description": "changed"}
    aws.client("glue").update_database(Name=athena.database, DatabaseInput=described)
    calls.seen.clear()
    catalog.setup(location, replace(athena, max_usd=2.0))
    catalog.status(location, athena)
    catalog.teardown(location, athena)
    catalog.setup(location, athena)
    assert_fits("setup", calls, location, athena)


@pytest.mark.slow
@pytest.mark.athena
@pytest.mark.usefixtures("local_athena")
def test_queries_and_compaction_need_what_their_policies_name(
    calls: Calls, location: Location, athena: Athena, tmp_path: Path
) -> None:
    line = json.dumps(session()).encode()
    put(location, "sessions/dt=2026-02-01/a.json", line)
    catalog.setup(location, athena)
    record(calls)
    engine = AthenaEngine(location, athena)
    lake, days = Lake(str(location), engine), {"start": "2026-02-01", "end": "2026-02-01"}
    lake.report("lead_funnel")
    lake.save("SELECT session_id FROM sessions", tmp_path / "x.parquet", **days)
    lake.sql("SELECT integration_needs FROM sessions", **days)
    with pytest.raises(QueryError):
        engine.queries({"a": "SELECT nope", "b": "SELECT COUNT(*) FROM sessions a, sessions b"}, lake.period(**days))
    assert_fits("report", calls, location, athena, *ATHENA, "athena:StopQueryExecution")
    calls.seen.clear()
    compaction.compact(location, athena, engine.execute)
    put(location, "sessions/dt=2026-02-01/late.json", line)
    compaction.compact(location, athena, engine.execute)
    put(location, f"parquet/{athena.database}/20200101T000000Z-{'0' * 32}/dt=2020-01-01/orphan")
    assert len(generations.clean(location, athena)) == 1
    assert_fits("compact", calls, location, athena, *ATHENA, "athena:StopQueryExecution")

"""The template: whole, readable, private, and the same as what the library would make or ask for."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from analytics_lib import aws, monthly_cost, period
from analytics_lib.engines import glue_tables
from analytics_lib.location import Location
from analytics_lib.logs import insights
from analytics_lib.settings import Athena
from analytics_lib.upkeep import setup, workgroup
from tests.support.template import FILE, TEMPLATE, Stack

STACKS = {"direct": Stack(), "kinesis": Stack(Delivery="kinesis", LeadsEmail="a@b.example", AlarmEmail="c@d.example")}
both = pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)


def statements(stack: Stack) -> Iterator[dict[str, Any]]:
    """Every statement of a policy in the stack."""
    for name in stack.resources:
        properties = stack.properties(name)
        documents = [each["PolicyDocument"] for each in properties.get("Policies", ())]
        documents += [properties[key] for key in ("PolicyDocument", "AssumeRolePolicyDocument") if key in properties]
        for document in documents:
            yield from document["Statement"]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.slow
def test_cfn_lint_finds_nothing() -> None:
    command = [Path(sys.executable).with_name("cfn-lint"), "--include-checks", "I", "--", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_parameter_has_a_default_a_description_and_a_use() -> None:
    text = FILE.read_text(encoding="utf-8")
    grouped = [
        name for group in next(iter(TEMPLATE["Metadata"].values()))["ParameterGroups"] for name in group["Parameters"]
    ]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    assert [n for n, each in TEMPLATE["Parameters"].items() if not {"Default", "Description"} <= each.keys()] == []
    assert [name for name in TEMPLATE["Parameters"] if not re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text)] == []


def test_the_page_says_every_parameter_and_its_default() -> None:
    page = (FILE.parents[1] / "docs" / "infrastructure.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| ?`?([^`|]*?)`? \|", page, re.MULTILINE))
    assert told == {name: str(each["Default"]) for name, each in TEMPLATE["Parameters"].items()}


@both
def test_nobody_is_allowed_every_action_and_nothing_every_resource(stack: Stack) -> None:
    allowed = [each for each in statements(stack) if each["Effect"] == "Allow"]
    assert len(allowed) >= 7
    assert [action for each in allowed for action in listed(each["Action"]) if "*" in action] == []
    assert [each for each in allowed if "*" in listed(each.get("Resource", []))] == []
    assert [each for each in allowed if each.get("Principal") == "*"] == []


def test_the_forwarding_user_can_write_the_agent_s_log_group_and_has_no_key() -> None:
    (policy,) = STACKS["direct"].properties("ForwardingUser")["Policies"]
    write, find = policy["PolicyDocument"]["Statement"]
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/livekit/agents"
    assert write["Resource"] == [group, f"{group}:*"]
    assert find["Action"] == "logs:DescribeLogGroups"
    assert "AWS::IAM::AccessKey" not in {each["Type"] for each in TEMPLATE["Resources"].values()}


def test_the_bucket_is_private_encrypted_and_asks_for_tls() -> None:
    bucket = STACKS["direct"].properties("Lake")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (refused,) = STACKS["direct"].properties("LakePolicy")["PolicyDocument"]["Statement"]
    assert refused["Effect"] == "Deny"
    assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert refused["Resource"] == ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"]


def test_records_and_the_agent_s_lines_outlive_the_stack() -> None:
    kept = {name for name, each in TEMPLATE["Resources"].items() if each.get("DeletionPolicy") == "Retain"}
    assert kept == {"Lake", "LakePolicy", "LogGroup"}
    assert {TEMPLATE["Resources"][name]["UpdateReplacePolicy"] for name in kept} == {"Retain"}


def test_records_are_archived_where_athena_still_reads_them_and_nothing_else_is() -> None:
    rules = STACKS["direct"].properties("Lake")["LifecycleConfiguration"]["Rules"]
    (archive,) = (rule for rule in rules if "Transitions" in rule)
    assert archive["Prefix"] == "sessions/"
    assert archive["ObjectSizeGreaterThan"] == "131072"
    assert archive["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": "90"}]


def test_what_was_overwritten_or_deleted_stays_for_a_week() -> None:
    lake = STACKS["direct"].properties("Lake")
    assert lake["VersioningConfiguration"] == {"Status": "Enabled"}
    (old,) = (rule for rule in lake["LifecycleConfiguration"]["Rules"] if "NoncurrentVersionExpiration" in rule)
    assert old["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert "Prefix" not in old


def test_an_existing_log_group_is_used_and_not_made() -> None:
    stack = Stack(MakeLogGroup="false", LogGroupName="there")
    assert "LogGroup" not in stack.resources
    assert stack.properties("Subscription")["LogGroupName"] == "there"


@both
def test_every_query_of_insights_is_saved_for_the_log_group(stack: Stack) -> None:
    saved = stack.of_kind("AWS::Logs::QueryDefinition").values()
    assert {each["Name"]: each["QueryString"] for each in saved} == {
        f"analytics/{name}": insights.text(name) for name in insights.names()
    }
    assert [each["LogGroupNames"] for each in saved] == [["/livekit/agents"]] * len(insights.names())


@both
def test_the_dashboard_asks_the_same_queries_and_names_what_is_there(stack: Stack) -> None:
    body = json.loads(stack.properties("Dashboard")["DashboardBody"])
    asked = [each["properties"]["query"].split(" | ", 1) for each in body["widgets"] if each["type"] == "log"]
    known = {" ".join(re.sub(r"(?m)^#.*$", "", insights.text(name)).split()) for name in insights.names()}
    assert [source for source, _ in asked] == ["SOURCE '/livekit/agents'"] * 3
    assert [query for _, query in asked if query not in known] == []


@both
def test_every_alarm_tells_and_silence_is_one(stack: Stack) -> None:
    alarms = stack.of_kind("AWS::CloudWatch::Alarm")
    assert {tuple(each["AlarmActions"]) for each in alarms.values()} == {(stack.read({"Ref": "Alarms"}),)}
    assert [name for name, each in alarms.items() if each["TreatMissingData"] != "notBreaching"] == ["SilenceAlarm"]
    through_kinesis = {"DelayAlarm", "FailedAlarm"} if "Stream" in stack.resources else set()
    assert alarms.keys() == {
        "HotLeadAlarm", "ErrorAlarm", "ThrottleAlarm", "DeadLetterAlarm", "SilenceAlarm", "RejectedAlarm",
        *through_kinesis
    }  # fmt: skip


def test_the_forecast_of_cost_is_about_this_stack() -> None:
    stack = STACKS["direct"]
    alarms = stack.of_kind("AWS::CloudWatch::Alarm").values()
    billed = sum(sum("MetricStat" in metric for metric in each.get("Metrics", ())) or 1 for each in alarms)
    assert billed == monthly_cost._ALARMS
    assert stack.properties("Function")["MemorySize"] / 1024 == monthly_cost._MEMORY_GB
    assert stack.properties("LogGroup")["RetentionInDays"] == str(monthly_cost.Load(1, 1).retention_days)


def test_the_catalogue_is_the_one_that_the_library_describes() -> None:
    stack, location = STACKS["direct"], Location("lake", "")
    first = stack.properties("LinesTable")["TableInput"]["Parameters"]["projection.dt.range"].split(",")[0]
    assert stack.properties("Database")["DatabaseInput"] == glue_tables.database("analytics", location)
    assert stack.properties("LinesTable")["TableInput"] == glue_tables.lines(location, first)
    assert stack.properties("ParquetTable")["TableInput"] == glue_tables.parquet(location)


def test_athena_setup_after_the_stack_makes_the_views_and_sets_the_first_day(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server carries out no Glue, Athena or lifecycle resource of a stack, so the calls are made here."""
    monkeypatch.setattr(period, "today", lambda: date(2026, 1, 10))
    aws.client("s3").put_object(Bucket=bucket, Key="sessions/dt=2026-01-02/room-1.json", Body=b"{}")
    name = f"stack_{bucket[-8:]}"
    stack = Stack(AthenaName=name)
    stack.values |= {"Lake": bucket, "Database": name}
    glue, rule = aws.client("glue"), stack.properties("Lake")["LifecycleConfiguration"]["Rules"][1]
    glue.create_database(DatabaseInput=stack.properties("Database")["DatabaseInput"])
    for table in ("LinesTable", "ParquetTable"):
        glue.create_table(DatabaseName=name, TableInput=stack.properties(table)["TableInput"])
    group = stack.properties("Workgroup")
    configuration = group["WorkGroupConfiguration"]
    configuration["BytesScannedCutoffPerQuery"] = int(configuration["BytesScannedCutoffPerQuery"])
    aws.client("athena").create_work_group(Name=name, Description=group["Description"], Configuration=configuration)
    given = {"ID": rule["Id"], "Filter": {"Prefix": rule["Prefix"]}, "Status": rule["Status"]}
    aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={"Rules": [given | {"Expiration": {"Days": rule["ExpirationInDays"]}}]},
    )
    done = setup.setup(Location(bucket, ""), Athena(database=name, workgroup=name), dry_run=True)
    assert [(each.kind, each.name, each.action, each.detail) for each in done.changes if each.kind != "view"] == [
        ("database", name, "keep", ""),
        ("table", "lines", "update", "Parameters.projection.dt.range: 2025-01-01,NOW+1DAYS -> 2026-01-02,NOW+1DAYS"),
        ("table", "records_parquet", "keep", ""),
        ("workgroup", name, "keep", ""),
        ("lifecycle rule", "analytics-lib: athena-results/ expires", "keep", ""),
    ]
    assert {each.action for each in done.changes if each.kind == "view"} == {"create"}
    assert rule["ExpirationInDays"] == workgroup.RESULTS_DAYS

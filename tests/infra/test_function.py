"""The function as the template sets it up: what it is told, what it may do, and that it needs no more and no less."""

import contextlib
import importlib
import json
import logging
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import botocore.client
import pytest

from analytics_lib import aws
from analytics_lib.delivery import handler
from analytics_lib.errors import AwsError
from analytics_lib.schema import LEAD_MONTHLY_VOLUME, LEAD_TEAM_SIZE
from tests.support.arrivals import Bucket, cloudwatch, kinesis, payload
from tests.support.filter_pattern import metric
from tests.support.template import TEMPLATE, Stack

CHECKOUT = Path(__file__).parents[2]
LEAD = {
    "_event_type": "analytics",
    "_timestamp": 1767350000,
    "_session_id": "room",
    "discovered_signals": {"team_size": 8, "urgency": "high"},
}
LINES = [json.dumps({"analytics": LEAD}), '{"_event_type": "analytics", torn', "an ordinary line"]
# Lambda does these in the role's name, so no code of ours calls them.
BY_LAMBDA = {"logs", "sqs", "kinesis"}


def allowed(stack: Stack) -> list[tuple[str, str]]:
    """Every pair of an action and a resource that the function's role may use."""
    policies = [each["PolicyDocument"] for each in stack.properties("FunctionRole")["Policies"]]
    policies += [each["PolicyDocument"] for each in stack.of_kind("AWS::IAM::Policy").values()]
    return [
        (action, resource)
        for policy in policies
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        for resource in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    ]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The action and resource of every call that is made of AWS from now on."""
    made: list[tuple[str, str]] = []
    plain = botocore.client.BaseClient._make_api_call

    def calling(client: Any, operation: str, arguments: Any) -> Any:
        resource = arguments.get("TopicArn") or f"arn:aws:s3:::{arguments['Bucket']}/{arguments['Key']}"
        made.append((f"{client.meta.service_model.service_name}:{operation}", resource))
        return plain(client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", calling)
    return made


@pytest.fixture
def stack(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack whose bucket and topic are there, and whose environment is this process's."""
    topic = aws.client("sns").create_topic(Name=bucket)["TopicArn"]
    stack = Stack(Delivery="kinesis")
    stack.values |= {"Lake": bucket, "Lake.Arn": f"arn:aws:s3:::{bucket}", "HotLeads": topic}
    for name, value in stack.properties("Function")["Environment"]["Variables"].items():
        monkeypatch.setenv(name, value)
    yield stack
    aws.client("sns").delete_topic(TopicArn=topic)


def test_the_environment_is_what_the_code_reads() -> None:
    code = "".join(file.read_text() for file in (CHECKOUT / "analytics_lib" / "delivery").glob("*.py"))
    told = Stack().properties("Function")["Environment"]["Variables"]
    assert set(re.findall(r"[\"'](ANALYTICS_\w+)[\"']", code)) == told.keys()
    assert told["ANALYTICS_LAKE"] == "s3://lake"
    assert (told["ANALYTICS_MIN_TEAM_SIZE"], told["ANALYTICS_MIN_MONTHLY_VOLUME"]) == (
        str(LEAD_TEAM_SIZE),
        str(LEAD_MONTHLY_VOLUME),
    )


def test_its_code_is_what_make_lambda_makes_and_its_handler_is_there() -> None:
    function = Stack().properties("Function")
    zip_file = (CHECKOUT / "infra" / function["Code"]).resolve().relative_to(CHECKOUT)
    assert re.search(rf"^lambda:.*(\n\t.*)*{re.escape(str(zip_file))}", (CHECKOUT / "Makefile").read_text(), re.M)
    module, _, name = function["Handler"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is handler.handle


def test_it_may_do_what_it_does_and_nothing_else(stack: Stack, calls: list[tuple[str, str]]) -> None:
    assert handler.handle(cloudwatch(*LINES), None) == {"records": 1, "rejected": 1, "skipped": 1}
    granted = allowed(stack)
    assert {action for action, _ in calls} == {"s3:PutObject", "sns:Publish"}
    unused = [
        (action, resource)
        for action, resource in granted
        if not any(action == called and fnmatchcase(used, resource) for called, used in calls)
    ]
    assert {action.split(":")[0] for action, _ in unused} == BY_LAMBDA
    refused = [
        (called, used)
        for called, used in calls
        if not any(action == called and fnmatchcase(used, resource) for action, resource in granted)
    ]
    assert refused == []


def test_what_lambda_does_for_it_is_about_its_own_log_queue_and_stream(stack: Stack) -> None:
    by_lambda = [pair for pair in allowed(stack) if pair[0].split(":")[0] in BY_LAMBDA]
    assert {resource.rsplit(":", 1)[1] for _, resource in by_lambda} == {"functionlogs", "deadletters", "stream"}


def as_lambda_writes(record: logging.LogRecord) -> str:
    """The line in JSON format: each field of `extra` stands beside the message, as in awslambdaric's JsonFormatter."""
    plain = logging.makeLogRecord({}).__dict__.keys()
    extra = {name: value for name, value in record.__dict__.items() if name not in plain | {"message", "asctime"}}
    return json.dumps({"level": record.levelname, "message": record.getMessage(), "logger": record.name} | extra)


@pytest.mark.parametrize("delivery", ["direct", "kinesis"])
def test_the_metrics_count_what_the_handler_logs_and_alarms_watch_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], delivery: str
) -> None:
    refused = "sessions/dt=2026-01-02/refused-1767350000.json"
    services = Bucket(refuses=[refused])
    monkeypatch.setattr(handler, "_client", lambda service: services)
    monkeypatch.setenv("ANALYTICS_LAKE", "s3://lake")
    stack = Stack(Delivery=delivery)
    logged_as = stack.properties("Function")["LoggingConfig"]
    assert logged_as == {"LogGroup": "functionlogs", "LogFormat": "JSON", "ApplicationLogLevel": "INFO"}
    lost = json.dumps(LEAD | {"_session_id": "refused"})
    with caplog.at_level(logged_as["ApplicationLogLevel"]):
        for lines in (
            [*LINES, lost],
            [lost],
            ["an ordinary line"],
            [json.dumps(LEAD | {"_session_id": "b"}), LINES[0]],
        ):
            if delivery == "kinesis":
                handler.handle(kinesis(payload(*lines)))
                continue
            with pytest.raises(AwsError) if lost in lines else contextlib.nullcontext():
                handler.handle(cloudwatch(*lines))
    written = [as_lambda_writes(record) for record in caplog.records if record.name == handler.__name__]
    assert len([line for line in written if '"delivered"' in line]) == 4
    assert capsys.readouterr().out == ""

    filters = stack.of_kind("AWS::Logs::MetricFilter").values()
    assert {each["LogGroupName"] for each in filters} == {"functionlogs"}
    counted = {
        (made["MetricNamespace"], made["MetricName"]): metric(each, [*written, "START RequestId: 1"])
        for each in filters
        for made in each["MetricTransformations"]
    }
    own = {"delivered": [1, 2], "rejected": [1]} | ({"failed": [1, 1]} if delivery == "kinesis" else {})
    assert counted == {("analytics-lib/analytics", name): values for name, values in own.items()}
    alarms = [each for each in stack.of_kind("AWS::CloudWatch::Alarm").values() if each["Namespace"][:3] != "AWS"]
    watched = {
        each["MetricName"]: (each["Statistic"], each["Period"], each["ComparisonOperator"][:4], each["Threshold"])
        for each in alarms
    }
    assert {(each["Namespace"], each["MetricName"]) for each in alarms} == counted.keys()
    assert watched.pop("delivered") == ("Sum", 86400, "Less", 1)
    assert set(watched.values()) == {("Sum", 300, "Grea", 0)}
    assert "s3://lake/rejected/" in stack.properties("RejectedAlarm")["AlarmDescription"]


def test_what_it_gives_up_is_kept_whichever_way_it_came() -> None:
    stack = Stack(Delivery="kinesis")
    queue = {"OnFailure": {"Destination": stack.read({"Fn::GetAtt": ["DeadLetters", "Arn"]})}}
    assert stack.properties("Retries")["DestinationConfig"] == queue
    reader = stack.properties("StreamReader")
    assert reader["DestinationConfig"] == queue
    assert reader["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert reader["BisectBatchOnFunctionError"] is True
    hours = stack.properties("Stream")["RetentionPeriodHours"]
    assert reader["MaximumRecordAgeInSeconds"] < hours * 3600


def test_lines_come_straight_or_through_the_stream() -> None:
    direct, kinesis = Stack(), Stack(Delivery="kinesis")
    assert direct.properties("Subscription")["DestinationArn"].endswith(":function")
    assert "RoleArn" not in direct.properties("Subscription")
    assert kinesis.properties("Subscription")["DestinationArn"].endswith(":stream")
    assert kinesis.properties("Subscription")["RoleArn"].endswith(":streamwriter")
    only = {name for name, each in TEMPLATE["Resources"].items() if each.get("Condition") == "IsThroughKinesis"}
    assert kinesis.resources.keys() - direct.resources.keys() == only
    assert direct.resources.keys() <= kinesis.resources.keys()

"""The template as a CloudFormation service carries it out: moto's, without the types of resource that it lacks."""

import io
import json
import zipfile

import boto3
import pytest

from analytics_lib.delivery import handler
from tests.support.arrivals import cloudwatch
from tests.support.template import TEMPLATE

LACKING = {  # moto says "not supported" of these, which fails the test for any other; or knows only their names
    "AWS::Athena::WorkGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::Logs::SubscriptionFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
}


def packaged(bucket: str) -> str:
    """The template after `aws cloudformation package`, with a function that does nothing."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("analytics_lib/delivery/handler.py", "")
    boto3.client("s3").put_object(Bucket=bucket, Key="lambda.zip", Body=code.getvalue())
    template = json.loads(json.dumps(TEMPLATE, default=str))
    resources = {name: each for name, each in template["Resources"].items() if each["Type"] not in LACKING}
    resources["Function"]["Properties"]["Code"] = {"S3Bucket": bucket, "S3Key": "lambda.zip"}
    outputs = {name: each for name, each in template["Outputs"].items() if name != "Dashboard"}
    return json.dumps({**template, "Resources": resources, "Outputs": outputs})


@pytest.mark.slow
@pytest.mark.parametrize("delivery", ["direct", "kinesis"])
def test_the_stack_is_made_and_its_function_finds_its_lake(
    bucket: str, delivery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, name = boto3.client("cloudformation"), bucket.replace("lake-", "stack-")
    parameters = {"Delivery": delivery, "LogGroupName": name, "LeadsEmail": "a@b.example", "RetentionDays": "30"}
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    capabilities = ["CAPABILITY_NAMED_IAM"]
    client.create_stack(StackName=name, TemplateBody=packaged(bucket), Capabilities=capabilities, Parameters=given)
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert outputs["Function"] == f"{name}-delivery"
    (group,) = boto3.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["retentionInDays"] == 30

    function = boto3.client("lambda").get_function_configuration(FunctionName=outputs["Function"])
    for variable, value in function["Environment"]["Variables"].items():
        monkeypatch.setenv(variable, str(value))
    record = {"_event_type": "analytics", "_timestamp": 1767350000, "_session_id": "room"}
    done = handler.handle(cloudwatch(json.dumps({"analytics": record})), None)
    assert done == {"records": 1, "rejected": 0, "skipped": 0}
    lake = outputs["Data"].removeprefix("s3://")
    assert function["Environment"]["Variables"]["ANALYTICS_LAKE"] == outputs["Data"]
    stored = boto3.client("s3").list_objects_v2(Bucket=lake)["Contents"]
    assert [each["Key"] for each in stored] == ["sessions/dt=2026-01-02/room-1767350000.json"]
    mappings = boto3.client("lambda").list_event_source_mappings(FunctionName=outputs["Function"])[
        "EventSourceMappings"
    ]
    assert [each["BatchSize"] for each in mappings] == ([100] if delivery == "kinesis" else [])

"""The stations between agent and lake, each as it should be and broken."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics_lib import aws
from analytics_lib.cli import doctor_aws
from analytics_lib.location import Location
from tests.support.wild import session

NOW = datetime.now(UTC)
PATTERN = '?"_event_type" ?"analytics_data"'
ROLE = "arn:aws:iam::123456789012:role/delivery"


class Stack:
    """A log group, a function and a lake; each station is put there by the test."""

    def __init__(self, bucket: str) -> None:
        self.group = f"agents-{uuid.uuid4().hex[:8]}"
        self.function = f"deliver-{uuid.uuid4().hex[:8]}"
        self.bucket = bucket
        self.lake = f"s3://{bucket}/lake"
        self.logs = aws.client("logs")
        self.stream = ""
        self.arn = f"arn:aws:lambda:us-east-1:123456789012:function:{self.function}"

    def has_group(self, *, retention: int | None = 30) -> None:
        self.logs.create_log_group(logGroupName=self.group)
        if retention:
            self.logs.put_retention_policy(logGroupName=self.group, retentionInDays=retention)
        self.logs.create_log_stream(logGroupName=self.group, logStreamName="worker")

    def logged(self, at: datetime, line: str = "") -> None:
        message = line or json.dumps({"analytics": session(_timestamp=at.timestamp())})
        event = {"timestamp": round(at.timestamp() * 1000), "message": message}
        self.logs.put_log_events(logGroupName=self.group, logStreamName="worker", logEvents=[event])

    def has_filter(self) -> None:
        """Through Kinesis: a filter to a function has moto look for Docker."""
        aws.client("kinesis").create_stream(StreamName=self.function, ShardCount=1)
        described = aws.client("kinesis").describe_stream_summary(StreamName=self.function)
        self.stream = described["StreamDescriptionSummary"]["StreamARN"]
        self.logs.put_subscription_filter(
            logGroupName=self.group, filterName="records", filterPattern=PATTERN, destinationArn=self.stream,
            roleArn=ROLE,
        )  # fmt: skip

    def has_function(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Said, not made: moto would run it, with Docker."""
        mapping = {"EventSourceArn": self.stream, "FunctionArn": self.arn}
        monkeypatch.setattr(
            aws.client("lambda"),
            "list_event_source_mappings",
            lambda *, EventSourceArn: {"EventSourceMappings": [mapping] * (EventSourceArn == self.stream)},  # noqa: N803
        )

    def counted(self, **metrics: int) -> None:
        for name, value in metrics.items():
            aws.client("cloudwatch").put_metric_data(
                Namespace="AWS/Lambda",
                MetricData=[
                    {
                        "MetricName": name,
                        "Dimensions": [{"Name": "FunctionName", "Value": self.function}],
                        "Timestamp": NOW - timedelta(hours=1),
                        "Value": value,
                    }
                ],
            )

    def stored(self, day: str = "2026-02-01") -> None:
        key = f"lake/sessions/dt={day}/room-1-1.json"
        aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=b"{}\n")

    def findings(self) -> dict[str, tuple[bool, str]]:
        return {
            found.subject: (found.works, found.text)
            for found in doctor_aws.examine(self.group, Location.parse(self.lake))
        }


@pytest.fixture
def stack(bucket: str) -> Stack:
    return Stack(bucket)


def test_a_way_that_works_is_told_station_by_station(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.has_group()
    stack.has_filter()
    stack.has_function(monkeypatch)
    stack.logged(NOW - timedelta(hours=5))
    stack.logged(NOW, "starting worker")
    stack.stored()
    stack.counted(Invocations=12, Errors=0)
    found = stack.findings()
    lake = found.pop("lake")
    assert lake[0]
    assert re.fullmatch(rf"{stack.lake}, newest day 2026-02-01, written \d+ seconds ago", lake[1])
    assert found == {
        "log group": (True, f"{stack.group}, kept 30 days"),
        "subscription filter": (True, f"records to {stack.stream}"),
        "session lines": (True, "the last one is 5 hours old"),
        "delivery function": (True, f"{stack.function}: 12 invocations, 0 errors in 24 hours"),
    }


def test_without_the_group_nothing_else_is_looked_at(stack: Stack) -> None:
    stack.logs.create_log_group(logGroupName=f"{stack.group}-2")
    assert stack.findings() == {
        "log group": (
            False,
            f"there is no log group {stack.group} in us-east-1 (but {stack.group}-2). Check the region and the name, "
            "and let LiveKit Cloud forward to it: analytics-lib livekit secrets",
        )
    }


def test_a_group_without_retention_filter_and_records_says_what_to_do(stack: Stack) -> None:
    stack.has_group(retention=None)
    found = stack.findings()
    assert found["log group"] == (True, f"{stack.group}, kept for ever: set a retention")
    works, text = found["subscription filter"]
    assert not works
    assert f"then run analytics-lib backfill --log-group {stack.group} --data {stack.lake}" in text
    assert found["session lines"][0] is False
    assert found["session lines"][1].startswith("no session record in 7 days. If there were sessions, look for")
    assert found["lake"] == (False, f"{stack.lake} is no lake: nothing lies under {stack.lake}/sessions/dt=YYYY-MM-DD/")
    assert "delivery function" not in found


def test_a_stream_that_no_function_reads_is_told(stack: Stack) -> None:
    stack.has_group()
    stack.has_filter()
    works, text = stack.findings()["delivery function"]
    assert not works
    assert text.startswith(f"none receives from {stack.stream}: deploy infra/template.yaml")


def test_errors_of_the_function_are_told_with_where_to_look(stack: Stack) -> None:
    way = doctor_aws._Way(stack.group, Location.parse(stack.lake))
    way.destinations = [stack.arn]
    stack.counted(Invocations=12, Errors=3)
    works, text = way.function()
    assert not works
    assert text.startswith(f"{stack.function}: 12 invocations, 3 errors in 24 hours; see why: aws logs tail")


@pytest.mark.parametrize(("days", "age"), [(0.2, "4 hours"), (3, "3 days")])
def test_session_lines_are_looked_for_in_longer_and_longer_times(stack: Stack, days: float, age: str) -> None:
    stack.has_group()
    stack.logged(NOW - timedelta(days=days))
    assert stack.findings()["session lines"] == (True, f"the last one is {age} old")


def test_a_lake_that_lags_behind_the_lines_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.has_group()
    stack.stored()
    stack.logged(NOW - timedelta(minutes=20))
    monkeypatch.setattr(doctor_aws, "datetime", _Later)  # two hours on, when the object is older than the line
    stack.logged(NOW + timedelta(minutes=100))
    works, text = stack.findings()["lake"]
    assert not works
    assert (
        "newest day 2026-02-01, written 2 hours ago, before the last session line: look at the stations above" in text
    )


def test_days_far_ahead_do_not_count_as_the_newest(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.has_group()
    stack.stored("2999-01-01")
    assert stack.findings()["lake"] == (True, f"{stack.lake}, newest day none")
    monkeypatch.setattr(doctor_aws, "datetime", _Later)
    stack.stored()
    stack.logged(NOW)
    works, text = stack.findings()["lake"]
    assert works is True
    assert "newest day 2026-02-01, written 2 hours ago" in text


class _Later(datetime):
    @classmethod
    def now(cls, zone: Any = None) -> "datetime":
        return datetime.now(zone) + timedelta(hours=2, seconds=1)

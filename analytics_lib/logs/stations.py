"""What AWS says of each station between a log group and the lake: the group, its filters, the function, the writing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from analytics_lib import aws
from analytics_lib.delivery.lines import lake_object
from analytics_lib.location import Location
from analytics_lib.logs.group import asking, events


@dataclass(frozen=True, slots=True)
class Filter:
    """A subscription filter: which lines go where, `destination` being an ARN."""

    name: str
    pattern: str
    destination: str


def region() -> str:
    """The region in which log groups are looked for."""
    return str(aws.client("logs").meta.region_name)


def groups(prefix: str) -> dict[str, int | None]:
    """The log groups whose names begin so, and for how many days each keeps its lines; None: for ever."""
    with asking(prefix, "looking for"):
        pages = aws.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        return {each["logGroupName"]: each.get("retentionInDays") for page in pages for each in page["logGroups"]}


def filters(group: str) -> list[Filter]:
    """The group's subscription filters. Raises AwsError."""
    with asking(group, "asking for the subscription filters of"):
        listed = aws.client("logs").describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    return [Filter(each["filterName"], each["filterPattern"], each["destinationArn"]) for each in listed]


def newest_record(group: str, pattern: str, since: datetime) -> datetime | None:
    """When the last line was logged that holds a session record and passes the filter's pattern. Raises AwsError."""
    logged = events(group, startTime=int(since.timestamp() * 1000), filterPattern=pattern)
    newest_ms = max((each["timestamp"] for each in logged if _is_record(each)), default=None)
    return None if newest_ms is None else datetime.fromtimestamp(newest_ms / 1000, UTC)


def _is_record(event: dict[str, Any]) -> bool:
    found = lake_object(event["message"], event["timestamp"])
    return found is not None and not found.rejected


def receivers(destinations: Iterable[str]) -> list[str]:
    """The destinations, and the functions that read those of them that are streams, as ARNs. Raises AwsError."""
    arns = list(destinations)
    for stream in [arn for arn in arns if ":kinesis:" in arn]:
        with aws.explained(f"asking which functions read {stream}", "lambda"):
            reading = aws.client("lambda").list_event_source_mappings(EventSourceArn=stream)
        arns += [each["FunctionArn"] for each in reading["EventSourceMappings"]]
    return arns


def last_day(metric: str, function: str, until: datetime) -> int:
    """The sum of a Lambda function's metric, e.g. Errors, over 24 hours. Raises AwsError."""
    with aws.explained(f"asking for the {metric.lower()} of {function}", "cloudwatch"):
        points = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName=metric, Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=until - timedelta(days=1), EndTime=until, Period=86_400, Statistics=["Sum"],
        )["Datapoints"]  # fmt: skip
    return round(sum(float(point["Sum"]) for point in points))


def written(location: Location, day: date | None) -> datetime | None:
    """When the day's folder was last written to; None where nothing lies in it. Raises AwsError."""
    folder = f"sessions/dt={day}/"
    with aws.explained(f"listing {location.url(folder)}"):
        listed = aws.client("s3").get_paginator("list_objects_v2")
        pages = listed.paginate(Bucket=location.bucket, Prefix=location.key(folder))
        return max((each["LastModified"] for page in pages for each in page.get("Contents", ())), default=None)

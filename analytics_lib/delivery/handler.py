"""The Lambda function: `analytics_lib.delivery.handler.handle`.

ANALYTICS_LAKE is the lake's place, `s3://BUCKET/PREFIX`; ANALYTICS_HOT_LEADS_TOPIC an SNS topic's ARN, if hot leads are
to be announced. It needs the actions s3:PutObject and, with a topic, sns:Publish.
"""

import functools
import logging
import os
from typing import Any

from analytics_lib.delivery import hot_leads
from analytics_lib.delivery.events import of_cloudwatch, of_kinesis
from analytics_lib.delivery.writing import SIDE_BY_SIDE, Delivered, deliver
from analytics_lib.errors import SettingsError, UsageError
from analytics_lib.location import Location

_log = logging.getLogger(__name__)


def handle(event: dict[str, Any], context: object = None) -> dict[str, Any]:
    """Deliver the log events of a CloudWatch Logs subscription or of a Kinesis stream.

    A subscription: how many lines held a record, were rejected and skipped. Raises AwsError where an object could not
    be written, after all others are: the event comes again, and keys make that safe. Kinesis: `batchItemFailures`, the
    records to send again. Raises SettingsError for ANALYTICS_LAKE, UsageError or ValueError for another event.
    """
    lake = _lake()
    s3 = _client("s3")
    announce = hot_leads.Announcer(lambda: _client("sns")) if os.environ.get(hot_leads.TOPIC) else None
    if "awslogs" in event:
        done = deliver(of_cloudwatch(event), lake, s3, announce)
        _count(done)
        done.raise_failures()
        return {"records": done.records, "rejected": done.rejected, "skipped": done.skipped}
    if all("kinesis" in each for each in event.get("Records", [{}])):
        done = deliver(of_kinesis(event), lake, s3, announce)
        _count(done)
        if error := done.error():
            _log.error("%s", error)
        failed = frozenset().union(*(failure.origins for failure in done.failures))
        numbers = [each["kinesis"]["sequenceNumber"] for each in event["Records"]]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers if number in failed]}
    raise UsageError("the event has neither `awslogs` (CloudWatch Logs) nor `Records` (Kinesis); check the trigger")


def _lake() -> Location:
    place = os.environ.get("ANALYTICS_LAKE", "")
    if not place:
        raise SettingsError("ANALYTICS_LAKE is not set; set it to the lake's place, s3://BUCKET/PREFIX")
    try:
        return Location.parse(place)
    except UsageError as error:
        raise SettingsError(f"{place!r} is no place for a lake; set ANALYTICS_LAKE to s3://BUCKET/PREFIX") from error


def _count(done: Delivered) -> None:
    """Log what the alarms count: Lambda's JSON log format makes a field of each of these numbers."""
    counts = {"delivered": done.stored, "rejected": done.rejected, "failed": len(done.failures)}
    _log.info("delivery", extra=counts)


def _client(service: str) -> Any:
    """A client of the service, kept from one invocation to the next while the settings stay."""
    return _made(service, frozenset(item for item in os.environ.items() if item[0].startswith("AWS_")))


@functools.lru_cache(maxsize=4)
def _made(service: str, settings: frozenset[tuple[str, str]]) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        config=Config(
            retries={"mode": "standard", "max_attempts": 3},
            max_pool_connections=SIDE_BY_SIDE,
            connect_timeout=5,
            read_timeout=20,
            user_agent_extra="analytics-lib",
        ),
    )

"""A log group: its events, its errors as sentences with the next step, and the points in time of a period."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from analytics_lib import aws
from analytics_lib.errors import AwsError
from analytics_lib.period import Period

DAY_MS = 86_400_000
_SAME_TOKEN_MOST = 1000  # times in a row
_NEXT_STEPS = {
    "ResourceNotFoundException": "there is no such log group in this account and region; list them with "
    "`aws logs describe-log-groups`, and check AWS_DEFAULT_REGION (LiveKit Cloud forwards to us-west-2 by default)",
    "MalformedQueryException": "a period before the group was made, or older than what it keeps, is refused as well: "
    "ask for later days",
    "LimitExceededException": "too many queries run at once: wait a minute and repeat the command",
}


@contextmanager
def asking(group: str, attempt: str) -> Iterator[None]:
    """Turn what boto3 raises inside into AwsError: what was attempted with the group, and what to do next."""
    try:
        with aws.explained(f"{attempt} log group {group}", "logs"):
            yield
    except AwsError as error:
        if error.code not in _NEXT_STEPS:
            raise
        raise AwsError(f"{error}; {_NEXT_STEPS[error.code]}", error.code) from error


def start_ms(day: date) -> int:
    """The first millisecond of a UTC day, since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def span_ms(period: Period) -> tuple[int, int]:
    """The period's first and last millisecond, since the epoch."""
    return start_ms(period.start), start_ms(period.end) + DAY_MS - 1


def events(group: str, **request: Any) -> Iterator[dict[str, Any]]:
    """The log events that FilterLogEvents gives for the request, in order of time. Raises AwsError.

    A page without events may bear the token that it was asked with, and others follow: boto3's paginator takes that
    for an error.
    """
    request, same = {**request, "logGroupName": group}, 0
    while True:
        with asking(group, "reading the events of"):
            page = aws.client("logs").filter_log_events(**request)
        yield from page["events"]
        token = page.get("nextToken")
        if not token:
            return
        same = same + 1 if token == request.get("nextToken") else 0
        if same == _SAME_TOKEN_MOST or (same and page["events"]):
            raise AwsError(
                f"reading the events of log group {group} failed: CloudWatch Logs leads from a page to the same page "
                "again and again; wait a few minutes and repeat the command"
            )
        request["nextToken"] = token

"""Backfill: what the group logged and the lake lacks is delivered, nothing else, and again is nothing."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics_lib import aws
from analytics_lib.errors import AwsError, LakeError
from analytics_lib.location import Location
from analytics_lib.logs import backfill as module
from analytics_lib.logs.backfill import Filled, backfill
from analytics_lib.period import Period
from analytics_lib.remote import s3
from tests.support.fake_logs import FakeLogs
from tests.support.local_athena.fixtures import Server
from tests.support.wild import session

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
DAYS = Period(NOW.date(), NOW.date() + timedelta(days=1))
FIRST, SECOND = (day.isoformat() for day in DAYS.days())
BEFORE = (NOW.date() - timedelta(days=1)).isoformat()


@pytest.fixture
def group(bucket: str) -> str:
    name = f"agents-{uuid.uuid4().hex}"
    aws.client("logs").create_log_group(logGroupName=name)
    aws.client("logs").create_log_stream(logGroupName=name, logStreamName="worker")
    return name


def log(group: str, *lines: tuple[datetime, object]) -> None:
    """Put lines into the group; a dict is logged as JSON."""
    events = [
        {"timestamp": round(at.timestamp() * 1000), "message": line if isinstance(line, str) else json.dumps(line)}
        for at, line in lines
    ]
    for start in range(0, len(events), 1000):
        some = events[start : start + 1000]
        aws.client("logs").put_log_events(logGroupName=group, logStreamName="worker", logEvents=some)


def record(name: str, at: datetime) -> dict[str, Any]:
    return session(_session_id=name, _timestamp=at.timestamp())


def below(location: Location) -> list[str]:
    return sorted(stored.name for stored in s3.all_below(location, ""))


def three_days(group: str) -> None:
    """Records in three shapes, at both ends of the period and before it; one rejected line, and noise."""
    midnight, noon = datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC), NOW
    log(
        group,
        (midnight - timedelta(milliseconds=1), record("too-early", midnight)),
        (midnight, record("ended-before", midnight - timedelta(seconds=1))),
        (noon, "starting worker"),
        (noon, {"message": "session analytics", "room_id": "RM_9", "analytics": record("nested", noon)}),
        (noon, {"analytics_data": {"session_id": "old"}}),
        (noon, {"_event_type": "analytics", "_session_id": " "}),
        (noon + timedelta(days=1), record("next-day", noon + timedelta(days=1))),
        (midnight + timedelta(days=2), record("too-late", noon)),
    )


def test_what_is_lacking_is_delivered_and_counted_by_the_lake_s_days(group: str, bucket: str) -> None:
    location = Location(bucket, "lake")
    three_days(group)
    told: list[tuple[int, int]] = []
    done = backfill(group, DAYS, location, progress=lambda *hours: told.append(hours))
    assert done.events == 6
    assert done.days == {BEFORE: Filled(1, 1, 0), FIRST: Filled(2, 2, 1), SECOND: Filled(1, 1, 0)}
    assert done.total() == Filled(4, 4, 1)
    assert told == [(0, 48), *[(12, 48)] * 4, (36, 48)]
    noon = round(NOW.timestamp())
    rejected, *records = below(location)
    assert rejected.startswith(f"rejected/dt={FIRST}/")
    assert records == [
        f"sessions/dt={BEFORE}/ended-before-{noon - 43201}.json",
        f"sessions/dt={FIRST}/nested-{noon}.json",
        f"sessions/dt={FIRST}/old-{noon}.json",
        f"sessions/dt={SECOND}/next-day-{noon + 86400}.json",
    ]


def test_a_dry_run_counts_and_writes_nothing_and_a_second_run_has_nothing_to_do(
    group: str, bucket: str, moto_server: Server
) -> None:
    location = Location(bucket, "")
    three_days(group)
    dry = backfill(group, DAYS, location, dry_run=True)
    assert below(location) == []
    assert backfill(group, DAYS, location).days == dry.days
    moto_server.requests(f"{bucket}/", forget=True)
    again = backfill(group, DAYS, location)
    assert moto_server.requests(f"{bucket}/") == {"LIST": 4}  # one a folder: three of records, one of rejected lines
    assert again.total() == Filled(4, 0, 0)


def test_a_record_that_was_logged_twice_is_delivered_once(group: str, bucket: str) -> None:
    log(group, (NOW, record("twice", NOW)), (NOW, record("twice", NOW)))
    assert backfill(group, DAYS, Location(bucket, "")).days == {FIRST: Filled(2, 1, 0)}


def test_a_run_that_was_interrupted_is_completed_by_the_next(group: str, bucket: str) -> None:
    location = Location(bucket, "")
    log(group, *((NOW + timedelta(days=day), record(f"r{day}", NOW + timedelta(days=day))) for day in range(2)))

    def interrupt(hours: int, total: int) -> None:
        if hours >= 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(group, DAYS, location, progress=interrupt)
    assert len(below(location)) == 1
    assert backfill(group, DAYS, location).total() == Filled(2, 1, 0)
    assert len(below(location)) == 2


def test_it_keeps_the_listings_of_a_few_folders_only(bucket: str) -> None:
    folders = module._Folders(Location(bucket, ""))
    assert folders.lack("sessions/dt=2026-01-01", "a")
    assert not folders.lack("sessions/dt=2026-01-01", "a")
    for day in range(2, 10):
        assert folders.lack(f"sessions/dt=2026-01-0{day}", "a")
    assert len(folders._names) == module._FOLDERS_KNOWN
    assert not folders.lack("sessions/dt=2026-01-01", "a")  # which is listed again
    assert folders.lack("sessions/dt=2026-01-01", "b")


def test_a_group_or_a_bucket_that_is_not_there_is_told(group: str, bucket: str) -> None:
    with pytest.raises(
        AwsError, match=r"reading the events of log group nowhere failed: .* there is no such log group"
    ):
        backfill("nowhere", DAYS, Location(bucket, ""))
    log(group, (NOW, record("r", NOW)))
    with pytest.raises(LakeError, match="there is no bucket missing-bucket"):
        backfill(group, DAYS, Location("missing-bucket", ""))


def test_a_page_at_a_time_is_read(group: str, bucket: str) -> None:
    """11,000 lines are two pages of FilterLogEvents."""
    log(group, *((NOW + timedelta(milliseconds=n), "noise") for n in range(11_000)), (NOW, record("r", NOW)))
    done = backfill(group, DAYS, Location(bucket, ""), dry_run=True)
    assert (done.events, done.total()) == (11_001, Filled(1, 1, 0))


@pytest.fixture
def served(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Pages of events, served as CloudWatch Logs beside a bucket."""
    return lambda *pages: FakeLogs(pages=pages).served(monkeypatch)


def event(name: str) -> dict[str, Any]:
    return {"timestamp": round(NOW.timestamp() * 1000), "message": json.dumps(record(name, NOW))}


def test_an_empty_page_that_bears_the_token_it_was_asked_with_is_asked_on(
    served: Callable[..., Any], bucket: str
) -> None:
    again = {"events": [], "nextToken": "A"}
    with served({"events": [event("r1")], "nextToken": "A"}, again, again, {"events": [event("r2")]}) as logs:
        done = backfill("agents", Period(NOW.date(), NOW.date()), Location(bucket, ""))
    assert done.total() == Filled(2, 2, 0)
    assert [request.get("nextToken") for _, request in logs.asked] == [None, "A", "A", "A"]
    assert [name.partition("/r")[2][:1] for name in below(Location(bucket, ""))] == ["1", "2"]


@pytest.mark.parametrize(("page", "requests"), [([], 1001), ([event("r")], 2)])
def test_pages_that_lead_nowhere_end_with_an_error(
    served: Callable[..., Any], bucket: str, page: list[dict[str, Any]], requests: int
) -> None:
    with served({"events": page, "nextToken": "A"}) as logs, pytest.raises(AwsError, match="to the same page again"):
        backfill("agents", DAYS, Location(bucket, ""))
    assert len(logs.asked) == requests

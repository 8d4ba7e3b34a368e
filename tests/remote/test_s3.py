"""A lake on S3: its place, its days, and the objects of a day."""

from datetime import date
from typing import Any

import pytest

from analytics_lib import aws
from analytics_lib.errors import AwsError, LakeError
from analytics_lib.lake.files import Ignored
from analytics_lib.location import Location
from analytics_lib.remote import s3
from analytics_lib.remote.s3 import Day, Stored
from tests.support.slow_s3 import SlowS3, etag

LAKE = Location("bucket", "agents/prod")
DAY = "agents/prod/sessions/dt=2026-02-01"


def test_the_days_are_the_folders_with_a_date_and_everything_else_is_named_with_the_reason(slow_s3: SlowS3) -> None:
    names = ("dt=2026-02-01/a.json", "dt=2024-02-29/_a.json", "dt=2026-02-30/a.json", "room-1/1.json", "README",
             "dt=2026-02-03")  # fmt: skip
    slow_s3.objects |= {f"agents/prod/sessions/{name}": b"" for name in names}
    slow_s3.objects |= {"agents/production/sessions/dt=2026-02-09/a.json": b"", "agents/prod/sessions/": b""}
    days, ignored = s3.days(LAKE)
    assert days == ["2024-02-29", "2026-02-01"]
    assert sorted((found.file, found.reason) for found in ignored) == [
        ("sessions/README", "not a folder named dt=YYYY-MM-DD"),
        ("sessions/dt=2026-02-03", "not a folder named dt=YYYY-MM-DD"),
        ("sessions/dt=2026-02-30", "its name holds no date"),
        ("sessions/room-1", "not a folder named dt=YYYY-MM-DD"),
    ]


def test_the_objects_of_a_day_are_those_that_a_reader_of_files_takes(slow_s3: SlowS3) -> None:
    names = ("b.json", "a b+%.jsonl.gz", "ü\n&.ndjson", "_a.json", ".a.json", "a.txt", "x.json/inner.json",
             "x.json/another.json", "")  # fmt: skip
    slow_s3.objects |= {f"{DAY}/{name}": name.encode() for name in names}
    slow_s3.objects |= {f"{LAKE.prefix}/sessions/dt=2026-01-31/a.json": b"", f"{DAY}x/a.json": b""}
    expected = [
        Day(
            "2026-02-01",
            tuple(Stored(name, etag(name.encode()), len(name.encode())) for name in sorted(names[:3])),
            (
                Ignored("sessions/dt=2026-02-01/.a.json", "its name begins with _ or ."),
                Ignored("sessions/dt=2026-02-01/_a.json", "its name begins with _ or ."),
                Ignored(
                    "sessions/dt=2026-02-01/a.txt", "its name ends in none of .json .jsonl .ndjson, nor these with .gz"
                ),
                Ignored("sessions/dt=2026-02-01/x.json", "a sub-folder"),
            ),
            (3, sum(map(len, ("a.txt", "x.json/inner.json", "x.json/another.json")))),
        ),
        Day("2026-02-02", ()),
    ]
    assert list(s3.list_days(LAKE, ["2026-02-01", "2026-02-02"])) == expected
    assert slow_s3.asked == {"": 1}
    assert [s3.list_day(LAKE, day) for day in ("2026-02-01", "2026-02-02")] == expected


def test_days_are_listed_whole_side_by_side_and_come_in_order(slow_s3: SlowS3) -> None:
    days = [f"2026-01-{number:02}" for number in range(1, 32)]
    slow_s3.objects |= {f"agents/prod/sessions/dt={day}/a.json": b"1" for day in days}
    slow_s3.objects |= {f"agents/prod/sessions/dt=2026-01-03/{number}.json": b"22" for number in range(2000)}
    slow_s3.delay_seconds = 0.03
    found = list(s3.list_days(LAKE, days))
    assert [day.day for day in found] == days
    assert [(day.bytes, len(day.objects)) for day in found[:4]] == [(1, 1), (1, 1), (4001, 2001), (1, 1)]
    assert list(s3.list_days(LAKE, reversed(days))) == found
    assert [s3.lists(objects) for objects in (0, 1000, 2001)] == [1, 1, 3]
    assert slow_s3.most_at_once in range(5, 17)
    assert slow_s3.asked == {"": 2 * (1 + 29 + 2)}  # the first tells two days, the third takes three


def test_a_day_is_whole_though_the_first_answer_ends_beside_its_folder(slow_s3: SlowS3) -> None:
    folder = "agents/prod/sessions/dt=2026-02-02"
    slow_s3.objects |= {f"{folder}-old/{number}.json": b"" for number in range(1500)}  # which sorts before the day
    slow_s3.objects |= {f"{DAY}/a.json": b"1", f"{folder}/b.json": b"2"}
    found = s3.list_days(LAKE, ["2026-02-01", "2026-02-02"])
    assert [[each.name for each in day.objects] for day in found] == [["a.json"], ["b.json"]]


def test_a_day_s_digest_changes_with_name_content_and_size_only() -> None:
    day = Day("2026-02-01", (Stored("a.json", "e1", 1), Stored("b.json", "e2", 2)))
    assert day.digest == Day("2026-02-02", day.objects, (Ignored("x", "y"),)).digest
    others = [(Stored("a.json", "e1", 1),), (Stored("a.json", "e1", 1), Stored("b.json", "e3", 2)),
              (Stored("a.json", "e1", 1), Stored("c.json", "e2", 2))]  # fmt: skip
    assert day.digest not in {Day("2026-02-01", objects).digest for objects in others}


def test_the_newest_day_is_the_last_one_with_an_object_to_read(slow_s3: SlowS3) -> None:
    for name in ("dt=2026-02-01/a.json", "dt=2026-02-02/_a.json", "dt=2026-02-03/x/a.json", "dt=2026-03-01/a.json"):
        slow_s3.objects[f"agents/prod/sessions/{name}"] = b""
    assert s3.newest_day(LAKE) == date(2026, 3, 1)
    assert s3.newest_day(LAKE, date(2026, 2, 28)) == date(2026, 2, 1)
    assert s3.newest_day(LAKE, date(2026, 1, 31)) is None


def test_a_prefix_that_is_no_lake_is_told_from_the_days_themselves(slow_s3: SlowS3) -> None:
    slow_s3.objects |= {"agents/other.json": b"", f"{DAY}/a.json": b""}
    with pytest.raises(LakeError, match=r"s3://bucket/agents is no lake: nothing lies under s3://bucket/agents/sess"):
        s3.days(Location("bucket", "agents"))
    with pytest.raises(LakeError, match=r"holds the days themselves; .*: --data s3://bucket/agents/prod$"):
        s3.days(Location("bucket", "agents/prod/sessions"))


def test_a_place_without_sessions_is_told_to_those_who_may_look_nowhere_else(slow_s3: SlowS3) -> None:
    slow_s3.faults = {"": [200, 200, 403]}
    with pytest.raises(LakeError, match="s3://bucket/agents/prod is no lake"):
        s3.days(LAKE)
    assert slow_s3.asked == {"": 3}


def test_a_refused_list_names_the_place_and_the_permission(slow_s3: SlowS3) -> None:
    slow_s3.faults = {"": [403]}
    with pytest.raises(AwsError, match=r"listing s3://bucket/agents/prod/sessions/ failed: .*action s3:ListBucket"):
        s3.days(LAKE)


def test_a_missing_bucket_and_odd_keys_are_as_on_s3(bucket: str) -> None:
    client: Any = aws.client("s3")
    for name in ("a b+%&<.json", "ü.json"):
        client.put_object(Bucket=bucket, Key=f"{DAY}/{name}", Body=b"{}")
    (day,) = s3.list_days(Location(bucket, "agents/prod"), ["2026-02-01"])
    assert day.objects == (Stored("a b+%&<.json", etag(b"{}"), 2), Stored("ü.json", etag(b"{}"), 2))
    with pytest.raises(LakeError, match="there is no bucket not-there; check its name and the account"):
        s3.days(Location("not-there", ""))


def test_objects_are_removed_batch_by_batch_and_no_other(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_AT_ONCE", 2)
    lake = Location(bucket, "agents")
    for name in ("a", "b &", "c", "d"):
        aws.client("s3").put_object(Bucket=bucket, Key=lake.key(name), Body=b"")
    s3.remove(lake, ["a", "b &", "d"])
    assert [found.name for found in s3.all_below(lake, "")] == ["c"]
    s3.remove(lake, [])


def test_an_object_that_cannot_be_removed_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AwsError, match=r"^removing 1 objects, s3://not-there/a first, failed: NoSuchBucket: "):
        s3.remove(Location("not-there", ""), ["a"])
    refused = {"Errors": [{"Key": "agents/b", "Code": "AccessDenied", "Message": "no"}]}
    monkeypatch.setattr(aws.client("s3"), "delete_objects", lambda **_: refused)
    reason = r"AccessDenied: no \(action s3:DeleteObject\); ask for the permission"
    with pytest.raises(AwsError, match=f"^removing s3://{bucket}/agents/b failed: {reason}"):
        s3.remove(Location(bucket, "agents"), ["a", "b"])

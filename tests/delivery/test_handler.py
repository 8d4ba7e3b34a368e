"""The function as AWS calls it: events in, objects in the lake out, and what is said when that fails."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from analytics_lib import aws
from analytics_lib.delivery import handler
from analytics_lib.delivery.events import log_events
from analytics_lib.delivery.hot_leads import TOPIC
from analytics_lib.delivery.writing import LogEvent, deliver
from analytics_lib.errors import AwsError, SettingsError, UsageError
from analytics_lib.location import Location
from tests.support.arrivals import (
    Bucket,
    ServiceError,
    Topic,
    aggregated,
    cloudwatch,
    enveloped,
    kinesis,
    payload,
    subscription,
)
from tests.support.wild import key, session

LINES = [json.dumps(session(_session_id=f"room-{number}")) for number in range(40)]
KEYS = [key(json.loads(line)) for line in LINES]
CAPTURED = {  # the example in AWS's own documentation of subscription filters
    "awslogs": {
        "data": "H4sIAAAAAAAAAHWPwQqCQBCGX0Xm7EFtK+smZBEUgXoLCdMhFtKV3akI8d0bLYmibvPPN3wz00CJxmQnTO41whwWQRIctmEcB6sQ"
        "bFC3CjW3XW8kxpOpP+OC22d1Wml1qZkQGtoMsScxaczKN3plG8zlaHIta5KqWsozoTYw3/djzwhpLwivWFGHGpAFe7DL68JlBUk+"
        "l7KSN7tCOEJ4M3/qOI49vMHj+zCKdlFqLaU2ZHV2a4Ct/an0/ivdX8oYc1UVX860fQDQiMdxRQEAAA=="
    }
}


# CloudWatch Logs -----------------------------------------------------------------------------------------


def test_each_record_of_a_subscription_s_event_is_stored_and_nothing_is_printed(
    stores: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    event = cloudwatch(*LINES, "Starting agent", '{"_event_type"', enveloped(session(_session_id="a/b")))
    assert handler.handle(event, None) == {"records": 41, "rejected": 1, "skipped": 1}
    assert sorted(stores["s3"].records()) == sorted([*KEYS, key(session(_session_id="a/b"))])
    assert stores["s3"].objects[KEYS[0]] == f"{LINES[0]}\n".encode()
    assert [kept["line"] for kept in stores["s3"].rejected()] == ['{"_event_type"']
    assert capfd.readouterr() == ("", "")


def test_an_event_that_came_twice_changes_nothing(stores: dict[str, Any]) -> None:
    event = cloudwatch(*LINES, '{"_event_type"')
    handler.handle(event, None)
    before = dict(stores["s3"].objects)
    handler.handle(event, object())
    assert stores["s3"].objects == before


def test_of_two_records_with_one_key_the_later_is_stored(stores: dict[str, Any]) -> None:
    copies = [session(close_reason=str(number)) for number in range(50)]
    handler.handle(cloudwatch(*map(json.dumps, copies)), None)
    assert list(stores["s3"].records().values()) == [copies[-1]]


@pytest.mark.parametrize("place", ["s3://lake/agents", "s3://lake/agents/", "s3://lake/a-b/c//"])
def test_the_lake_may_lie_below_a_prefix(stores: dict[str, Any], monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("ANALYTICS_LAKE", place)
    handler.handle(cloudwatch(LINES[0]), None)
    assert list(stores["s3"].objects) == [f"{place.removeprefix('s3://lake/').rstrip('/')}/{KEYS[0]}"]


def test_control_messages_and_events_of_strangers_leave_nothing(stores: dict[str, Any]) -> None:
    nothing = {"records": 0, "rejected": 0, "skipped": 0}
    control = "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."
    assert handler.handle(cloudwatch(control, LINES[0], kind="CONTROL_MESSAGE"), None) == nothing
    assert handler.handle(CAPTURED, None) == nothing | {"skipped": 2}
    assert handler.handle(cloudwatch(), None) == nothing
    assert stores["s3"].objects == {}


def test_a_message_that_is_no_text_harms_no_other(stores: dict[str, Any]) -> None:
    event = cloudwatch(LINES[0], None, 5, [], session(_session_id="object"), LINES[1])
    assert handler.handle(event, None) == {"records": 3, "rejected": 0, "skipped": 3}


@pytest.mark.parametrize("spaces", ["", "\n  "])
def test_a_payload_larger_than_one_piece_arrives_whole(stores: dict[str, Any], spaces: str) -> None:
    long = [json.dumps(session(_session_id=f"room-{n}", note="é😀" * 20_000), ensure_ascii=False) for n in range(40)]
    text = payload(*long, "end").replace(b'{"id"', f'{spaces}{{"id"'.encode())
    assert handler.handle(subscription(gzip.compress(text)), None) == {"records": 40, "rejected": 0, "skipped": 1}
    assert stores["s3"].records()[KEYS[39]]["note"] == "é😀" * 20_000


def test_a_log_event_without_a_usable_time_is_delivered_on_the_first_day(stores: dict[str, Any]) -> None:
    for ms in ("null", '"soon"', "-1", "1e300", "true"):
        text = payload("_event_type", LINES[0]).decode().replace('"timestamp": 1', f'"timestamp": {ms}, "x": 1')
        handler.handle(subscription(gzip.compress(text.encode())), None)
    days = {name.split("/")[1] for name in stores["s3"].objects if name.startswith("rejected/")}
    assert days == {"dt=1970-01-01"}
    assert list(stores["s3"].records()) == [KEYS[0]]


def test_no_more_is_read_than_is_soon_written() -> None:
    bucket, read = Bucket(), 0

    def events() -> Iterator[LogEvent]:
        nonlocal read
        for read in range(5000):
            assert read - len(bucket.objects) <= 1000
            yield LogEvent(json.dumps(session(_session_id=f"room-{read}")), 0)

    assert deliver(events(), Location("lake", ""), bucket).records == len(bucket.objects) == 5000


# What fails ----------------------------------------------------------------------------------------------


def test_a_failed_write_fails_the_batch_after_the_others_are_written(stores: dict[str, Any]) -> None:
    stores["s3"] = Bucket(refuses=KEYS[5:7])
    with pytest.raises(
        AwsError, match=r"2 objects could not be written \(action s3:PutObject\), the first of them s3:"
    ):
        handler.handle(cloudwatch(*LINES), None)
    assert sorted(stores["s3"].objects) == sorted({*KEYS} - {*KEYS[5:7]})
    stores["s3"].refuses = []
    handler.handle(cloudwatch(*LINES), None)
    assert sorted(stores["s3"].objects) == sorted(KEYS)


@pytest.mark.parametrize(
    "data", [b"no gzip", b"", b"[]", b"{}", gzip.compress(b'{"logEvents": 5}', mtime=0), b"\x1f\x8b\x08"]
)
def test_a_subscription_s_event_that_cannot_be_read_is_refused(stores: dict[str, Any], data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^awslogs.data cannot be read: "):
        handler.handle(subscription(data), None)


@pytest.mark.parametrize("cut", [-1, -4, -20, -100])
def test_what_comes_before_the_damage_is_stored_before_it_is_refused(stores: dict[str, Any], cut: int) -> None:
    whole = gzip.compress(payload(*LINES, "x" * 300_000), compresslevel=0)
    with pytest.raises(ValueError, match=r"^awslogs.data cannot be read: "):
        handler.handle(subscription(whole[:cut]), None)
    assert sorted(stores["s3"].objects) == sorted(KEYS)


def test_without_a_lake_the_error_names_the_setting(stores: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANALYTICS_LAKE")
    with pytest.raises(SettingsError, match=r"^ANALYTICS_LAKE is not set; set it to"):
        handler.handle(cloudwatch(LINES[0]), None)
    # the last three are places that every command refuses, so that nobody could read what lies there
    for place in ("lake", "s3://", "s3://lake//x", "https://lake", "s3://lake/a b", "s3://lake/a//b",
                  "s3://lake/sessions/dt=2026-02-01"):  # fmt: skip
        monkeypatch.setenv("ANALYTICS_LAKE", place)
        with pytest.raises(SettingsError, match=r"no place for a lake; set ANALYTICS_LAKE to s3://BUCKET/PREFIX"):
            handler.handle(kinesis(payload(LINES[0])), None)


@pytest.mark.parametrize("event", [{}, {"detail": {}}, {"Records": [{"s3": {}}]}])
def test_an_event_of_another_kind_is_refused(stores: dict[str, Any], event: Any) -> None:
    with pytest.raises(UsageError, match=r"neither `awslogs`"):
        handler.handle(event, None)


# Kinesis -------------------------------------------------------------------------------------------------


def test_a_kinesis_record_holds_a_payload_or_lines_gzipped_or_plain(stores: dict[str, Any]) -> None:
    records = [
        gzip.compress(payload(LINES[0], "Starting agent", LINES[1])),
        payload(LINES[2]),
        gzip.compress(f"\ufeff{LINES[3]}\r\n\n{LINES[4]}\rStarting agent\n".encode()),
        LINES[5].encode(),
        json.dumps(session(_session_id="room-6", logEvents=[{}], messageType="x")).encode(),
        gzip.compress(payload(LINES[7], kind="CONTROL_MESSAGE")),
        b"",
        json.dumps(session(_session_id="late", _timestamp=...)).encode(),
        b"\xff" + LINES[8].encode(),
    ]
    assert handler.handle(kinesis(*records), None) == {"batchItemFailures": []}
    late = key(session(_session_id="late", _timestamp=1769947200))
    assert sorted(stores["s3"].records()) == sorted([*KEYS[:7], late])
    assert [kept["line"] for kept in stores["s3"].rejected()] == [r"\udcff" + LINES[8]]


def test_a_kinesis_record_that_cannot_be_read_is_kept_and_harms_no_other(stores: dict[str, Any]) -> None:
    damaged = gzip.compress(payload(LINES[1]))[:-4]
    event = kinesis(damaged, LINES[0].encode(), b"")
    event["Records"][2]["kinesis"]["data"] = "no base64!"
    assert handler.handle(event, None) == {"batchItemFailures": []}
    assert KEYS[0] in stores["s3"].records()
    kept = sorted((each["line"], each["reason"].split(":")[0]) for each in stores["s3"].rejected())
    reason = "a Kinesis record that cannot be read"
    assert kept == sorted([(event["Records"][0]["kinesis"]["data"], reason), ("no base64!", reason)])


@pytest.mark.parametrize("between", [b"", b"\n", b" \r\n\xef\xbb\xbf"])
@pytest.mark.parametrize("packing", [bytes, gzip.compress])
def test_every_payload_of_a_kinesis_record_is_delivered(stores: dict[str, Any], between: bytes, packing: Any) -> None:
    control = payload(LINES[9], kind="CONTROL_MESSAGE")
    more = payload(LINES[3])[:-1] + b', "policyLevel": "ACCOUNT"}'
    parts = [payload(LINES[0], LINES[1]), control, payload("x" * 300_000, LINES[2]), more, payload(), payload(LINES[4])]
    assert handler.handle(kinesis(b"".join(packing(part + between) for part in parts)), None)
    assert sorted(stores["s3"].records()) == sorted(KEYS[:5])
    assert stores["s3"].rejected() == []


def test_payloads_may_follow_lines(stores: dict[str, Any]) -> None:
    handler.handle(kinesis(f"{LINES[0]}\nStarting agent\n".encode() + payload(LINES[1])), None)
    assert sorted(stores["s3"].records()) == sorted(KEYS[:2])
    assert stores["s3"].rejected() == []


@pytest.mark.parametrize("packing", [bytes, gzip.compress])
@pytest.mark.parametrize("after", [b"junk", b"\njunk\n", b"}", f"\n{LINES[1]}\n".encode(), payload(LINES[2])[:-9]])
def test_a_kinesis_record_with_other_text_after_its_payload_is_kept_whole(
    stores: dict[str, Any], after: bytes, packing: Any
) -> None:
    event = kinesis(packing(payload(LINES[0]) + after + b"\n"), LINES[3].encode())
    assert handler.handle(event, None) == {"batchItemFailures": []}
    expected = {KEYS[0], KEYS[3]} | ({KEYS[1]} if LINES[1].encode() in after else set())
    assert stores["s3"].records().keys() == expected
    assert event["Records"][0]["kinesis"]["data"] in {kept["line"] for kept in stores["s3"].rejected()}


@pytest.mark.parametrize("after", [b"junk", b"\njunk"])
def test_a_subscription_s_event_with_text_after_its_payload_is_refused(stores: dict[str, Any], after: bytes) -> None:
    with pytest.raises(ValueError, match="there is text after its CloudWatch Logs payload"):
        handler.handle(subscription(gzip.compress(payload(LINES[0]) + after)), None)
    assert list(stores["s3"].records()) == KEYS[:1]


def test_an_aggregated_record_is_taken_apart(stores: dict[str, Any]) -> None:
    records = [gzip.compress(payload(LINES[0], LINES[1])), LINES[2].encode(), b"", gzip.compress(LINES[3].encode())]
    assert handler.handle(kinesis(aggregated(*records), LINES[4].encode(), aggregated()), None)
    assert sorted(stores["s3"].records()) == sorted(KEYS[:5])
    assert stores["s3"].rejected() == []


def test_a_user_record_that_cannot_be_stored_names_the_record_it_came_in(stores: dict[str, Any]) -> None:
    stores["s3"] = Bucket(refuses=[KEYS[1]])
    answer = handler.handle(kinesis(aggregated(LINES[0].encode(), payload(LINES[1])), LINES[2].encode()), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def test_a_damaged_user_record_harms_no_other(stores: dict[str, Any]) -> None:
    damaged = gzip.compress(payload(LINES[1]))[:-4]
    handler.handle(kinesis(aggregated(LINES[0].encode(), damaged, LINES[2].encode())), None)
    assert sorted(stores["s3"].records()) == [KEYS[0], KEYS[2]]
    (kept,) = stores["s3"].rejected()
    assert base64.b64decode(kept["line"]) == damaged
    assert kept["reason"].startswith("a Kinesis record that cannot be read: ")


def test_an_aggregated_record_changed_at_any_byte_is_kept_whole(stores: dict[str, Any]) -> None:
    whole = aggregated(LINES[0].encode())
    for at in range(4, len(whole)):
        torn = [whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]]
        handler.handle(kinesis(*torn), None)
        assert stores["s3"].records() == {}
        kept = stores["s3"].rejected()
        assert {base64.b64decode(each["line"]) for each in kept} == {*torn}
        assert all("it is aggregated, and its checksum" in each["reason"] for each in kept)
        stores["s3"].objects.clear()


@pytest.mark.parametrize(("message", "reason"), [
    (b"\x1a\x05\x08\x00", "ends within a field"), (b"\x1a\x02\x08\x00", "one of its user records has no data"),
    (b"\x1a\xff\xff", "ends within a number"), (b"\xff" * 12, "ends within a number"), (b"\x0b", "wire type 3"),
    (b"\x1a\x04\x1a\x7fab", "ends within a field"), (b"\x09\x00", "ends within a field"),
])  # fmt: skip
def test_torn_protocol_buffers_are_kept_with_the_reason(stores: dict[str, Any], message: bytes, reason: str) -> None:
    data = b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()
    assert handler.handle(kinesis(data, LINES[0].encode()), None) == {"batchItemFailures": []}
    assert list(stores["s3"].records()) == [KEYS[0]]
    (kept,) = stores["s3"].rejected()
    assert reason in kept["reason"] and base64.b64decode(kept["line"]) == data


def test_log_events_are_read_from_what_firehose_wrote_gzipped_once_twice_or_not() -> None:
    joined = [payload(LINES[0], LINES[1]), payload("x", kind="CONTROL_MESSAGE"), payload(LINES[2])]
    packed = b"".join(map(gzip.compress, joined))
    for content in (b"".join(joined), packed, gzip.compress(packed)):
        assert [event.message for event in log_events(content, lines=False)] == LINES[:3]


def test_the_kinesis_records_that_could_not_be_stored_are_named_in_order(
    stores: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    stores["s3"] = Bucket(refuses=[KEYS[2], KEYS[12]])
    records = [gzip.compress(payload(*LINES[number : number + 2])) for number in range(0, 20, 2)]
    answer = handler.handle(kinesis(*records, records[1], first=9), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": number} for number in ("10", "15", "19")]}
    assert sorted(stores["s3"].objects) == sorted({*KEYS[:20]} - {KEYS[2], KEYS[12]})
    assert "2 objects could not be written (action s3:PutObject)" in caplog.text


# Hot leads -----------------------------------------------------------------------------------------------

HOT = session(_session_id="hot", team_size=8, urgency=" High", monthly_volume=None)


@pytest.fixture
def topic(stores: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Topic:
    monkeypatch.setenv(TOPIC, "arn:aws:sns:us-east-1:123456789012:hot")
    found: Topic = stores["sns"]
    return found


def test_a_hot_lead_is_announced_once_an_invocation(topic: Topic) -> None:
    handler.handle(cloudwatch(json.dumps(HOT), enveloped(HOT), *LINES, '{"_event_type"'), None)
    assert topic.told == [
        {
            "session_id": "hot",
            "ended_at": "2026-02-01T10:02:00.000Z",
            "team_size": 8,
            "monthly_volume": None,
            "integration_needs": [],
            "urgency": "high",
            "agent_name": "sales",
            "room_id": "RM_1",
            "caller_key": "c0ffee",
            "duration_seconds": 120.0,
            "path": key(HOT),
        }
    ]
    handler.handle(kinesis(payload(json.dumps(HOT))), None)
    assert len(topic.told) == 2


@pytest.mark.parametrize(("signals", "settings", "hot"), [
    ({"team_size": 5}, {}, True), ({"team_size": 4}, {}, False), ({"monthly_volume": 100}, {}, True),
    ({"monthly_volume": "99.5"}, {}, False), ({"team_size": "many", "monthly_volume": None}, {}, False),
    ({"team_size": 5, "urgency": "medium"}, {}, False), ({"discovered_signals": []}, {}, False),
    ({"discovered_signals": ...}, {}, False), ({"team_size": 5}, {"MIN_TEAM_SIZE": "6"}, False),
    ({"monthly_volume": 20}, {"MIN_MONTHLY_VOLUME": "19.5"}, True), ({"team_size": 1}, {"MIN_TEAM_SIZE": ""}, False),
    ({"team_size": None, "monthly_volume": None}, {"MIN_TEAM_SIZE": "0"}, False),
])  # fmt: skip
def test_a_lead_is_hot_as_in_the_report(
    topic: Topic, monkeypatch: pytest.MonkeyPatch, signals: Any, settings: Any, hot: bool
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"ANALYTICS_{name}", value)
    small = {} if "discovered_signals" in signals else {"urgency": "high", "team_size": 1, "monthly_volume": 1}
    handler.handle(cloudwatch(json.dumps(session(**small | signals))), None)
    assert len(topic.told) == hot


def test_a_record_that_could_not_be_stored_is_not_announced(stores: dict[str, Any], topic: Topic) -> None:
    stores["s3"] = Bucket(refuses=[key(HOT)])
    with pytest.raises(AwsError):
        handler.handle(cloudwatch(json.dumps(HOT)), None)
    assert topic.told == []


@pytest.mark.parametrize(("error", "calls"), [(ServiceError("AuthorizationError"), 40), (ConnectionError("no"), 16)])
def test_a_topic_that_fails_does_not_fail_the_delivery(
    stores: dict[str, Any], topic: Topic, error: Exception, calls: int, caplog: pytest.LogCaptureFixture
) -> None:
    topic.error = error
    hot = [json.dumps(HOT | {"_session_id": f"hot-{number}"}) for number in range(40)]
    assert handler.handle(cloudwatch(*hot), None)["records"] == len(stores["s3"].objects) == 40
    assert 1 <= topic.calls <= calls  # no answer at all: nobody asks again, but those who already do
    assert "was stored, but not announced (action sns:Publish): " in caplog.text


def test_a_threshold_that_is_no_number_does_not_fail_the_delivery(
    topic: Topic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ANALYTICS_MIN_TEAM_SIZE", "five")
    assert handler.handle(cloudwatch(json.dumps(HOT)), None)["records"] == 1
    assert "'five'" in caplog.text


# On S3 ---------------------------------------------------------------------------------------------------


def test_it_delivers_to_s3_and_announces_on_sns(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sns, sqs = aws.client("sns"), aws.client("sqs")
    arn, queue = sns.create_topic(Name="hot")["TopicArn"], sqs.create_queue(QueueName="hot")["QueueUrl"]
    name = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=name)
    monkeypatch.setenv("ANALYTICS_LAKE", f"s3://{bucket}/agents")
    monkeypatch.setenv(TOPIC, arn)
    assert handler.handle(cloudwatch(json.dumps(HOT), enveloped(session(_session_id="ünï/😀"))), None)["records"] == 2
    listed = aws.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert sorted(each["Key"] for each in listed) == sorted(
        f"agents/{key(record)}" for record in (HOT, session(_session_id="ünï/😀"))
    )
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(json.loads(message["Body"])["Message"])["session_id"] == "hot"


@pytest.mark.usefixtures("moto_server")
def test_a_bucket_that_is_not_there_is_named_with_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_LAKE", "s3://no-such-lake/agents")
    with pytest.raises(AwsError, match=r"s3://no-such-lake/agents/sessions/.*check the bucket in ANALYTICS_LAKE"):
        handler.handle(cloudwatch(LINES[0]), None)


def test_without_the_permission_the_action_is_named(stores: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise ServiceError("AccessDenied")

    monkeypatch.setattr(stores["s3"], "put_object", refuse)
    with pytest.raises(AwsError, match=r"AccessDenied.*; allow the action s3:PutObject there") as caught:
        handler.handle(cloudwatch(LINES[0]), None)
    assert caught.value.code == "AccessDenied"

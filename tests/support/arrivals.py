"""What AWS hands to the function, made from log lines, and an S3 in memory that can fail."""

import base64
import gzip
import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.wild import at, write

NOON_MS = int(at("2026-02-01T12:00:00") * 1000)

Event = dict[str, Any]


def payload(*lines: Any, at_ms: int = NOON_MS, kind: str = "DATA_MESSAGE") -> bytes:
    """The JSON of CloudWatch Logs around these lines, each a millisecond after the one before."""
    events = [
        {"id": f"{number:056}", "timestamp": at_ms + number, "message": line} for number, line in enumerate(lines)
    ]
    written = {
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "/livekit/agents",
        "logStream": "CA_1",
        "subscriptionFilters": ["sessions"],
        "logEvents": events,
    }
    return json.dumps(written).encode()


def cloudwatch(*lines: Any, at_ms: int = NOON_MS, kind: str = "DATA_MESSAGE") -> Event:
    """The event of a subscription."""
    return subscription(gzip.compress(payload(*lines, at_ms=at_ms, kind=kind)))


def subscription(data: bytes) -> Event:
    return {"awslogs": {"data": base64.b64encode(data).decode()}}


def kinesis(*records: bytes, first: int = 1) -> Event:
    """The event of a stream's batch; sequence numbers count from `first`."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "CA_1",
                    "sequenceNumber": str(number),
                    "data": base64.b64encode(data).decode(),
                    "approximateArrivalTimestamp": NOON_MS / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventID": f"shardId-000000000006:{number}",
            }
            for number, data in enumerate(records, first)
        ]
    }


def aggregated(*records: bytes) -> bytes:
    """The Kinesis record that a producer with aggregation makes of these, with keys and a tag as it may write them."""
    keys = [_field(1, b"CA_1"), _field(2, b"0")]
    tag = _field(4, _field(1, b"name") + _field(2, b"value"))
    users = [_field(3, b"\x08\x00\x10\x00" + _field(3, each) + tag) for each in records]
    message = b"".join([*keys, *users])
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


def _field(number: int, content: bytes) -> bytes:
    size, left = b"", len(content)
    while left > 127:
        size, left = size + bytes([left & 127 | 128]), left >> 7
    return bytes([number << 3 | 2]) + size + bytes([left]) + content


def enveloped(record: Any, key: str = "analytics", **fields: Any) -> str:
    """The line that LiveKit's JSON logging makes of it."""
    return json.dumps({"message": "session analytics", "level": "INFO", "pid": 7} | fields | {key: record})


class ServiceError(Exception):
    """Looks as botocore's ClientError."""

    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code}) when calling the PutObject operation: no")
        self.response = {"Error": {"Code": code}}


class Bucket:
    """The objects by key. Refuses each call whose number `fails_every` divides, though no key twice, and `refuses`."""

    def __init__(self, fails_every: int = 0, refuses: Sequence[str] = ()) -> None:
        self.objects: dict[str, bytes] = {}
        self.fails_every, self.refuses = fails_every, refuses
        self.calls = 0
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803 - boto3's names
        with self._lock:
            self.calls += 1
            unlucky = self.fails_every and self.calls % self.fails_every == 0 and Key not in self._failed
            if unlucky or Key in self.refuses:
                self._failed.add(Key)
                raise ServiceError("SlowDown")
            assert (Bucket, ContentType) == ("lake", "application/json")
            self.objects[Key] = Body

    def records(self) -> dict[str, Any]:
        """The records by key."""
        return {key: json.loads(body) for key, body in self.objects.items() if key.startswith("sessions/")}

    def rejected(self) -> list[Any]:
        """What lies under rejected/, in order of keys."""
        return [json.loads(self.objects[key]) for key in sorted(self.objects) if key.startswith("rejected/")]

    def download(self, root: Path) -> Path:
        """The lake, on disk."""
        return write(root, {"sessions/.keep": b"", **self.objects})


class Topic:
    """Collects what is published; refuses with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[Any] = []
        self.calls = 0
        self.error = error

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> None:  # noqa: N803 - boto3's names
        self.calls += 1
        if self.error:
            raise self.error
        assert (TopicArn, Subject) == ("arn:aws:sns:us-east-1:123456789012:hot", "Hot lead")
        self.told.append(json.loads(Message))

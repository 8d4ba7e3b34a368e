"""Writes what log events leave to the lake on S3: side by side, all that can be written, whatever fails."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from analytics_lib.delivery.lines import LakeObject, lake_object, rejected
from analytics_lib.errors import AwsError
from analytics_lib.location import Location

SIDE_BY_SIDE = 16
_WINDOW_BYTES = 1 << 22  # written before more is read
_WINDOW_OBJECTS = 1000
_NEXT_STEPS = {
    "AccessDenied": "allow the action s3:PutObject there",
    "InvalidAccessKeyId": "check the credentials",
    "NoSuchBucket": "check the bucket in ANALYTICS_LAKE",
}

Announce = Callable[[LakeObject], None]


class LogEvent(NamedTuple):
    """A log line and when it was logged, in milliseconds since the epoch, UTC; 0 where that is unknown.

    `origin` is the sequence number of its Kinesis record. With `damage`, `message` is no line but the data of a whole
    record that cannot be read, for that reason.
    """

    message: str
    timestamp_ms: int
    origin: str = ""
    damage: str = ""


class Failure(NamedTuple):
    """An object that could not be written: its address, the Kinesis records it came from, the service's code, why."""

    url: str
    origins: frozenset[str]
    code: str
    reason: str


@dataclass(slots=True)
class Delivered:
    """How many lines held a record, were rejected, were skipped; which objects could not be written.

    `stored` counts the objects of records that were.
    """

    records: int = 0
    rejected: int = 0
    skipped: int = 0
    stored: int = 0
    failures: list[Failure] = field(default_factory=list)

    def error(self) -> AwsError | None:
        """What to say of the objects that could not be written; None where all were."""
        if not self.failures:
            return None
        url, _, code, reason = self.failures[0]
        step = f"; {_NEXT_STEPS[code]}" if code in _NEXT_STEPS else ""
        return AwsError(
            f"{len(self.failures)} objects could not be written (action s3:PutObject), the first of them {url}: "
            f"{reason}{step}. All others were written; delivering the same again completes them",
            code,
        )

    def raise_failures(self) -> None:
        """Raises AwsError where an object could not be written."""
        if error := self.error():
            raise error


class _Waiting(NamedTuple):
    found: LakeObject
    origins: frozenset[str]


def deliver(events: Iterable[LogEvent], lake: Location, s3: Any, announce: Announce | None = None) -> Delivered:
    """What became of the lines. Each object is written to `lake`; of one key, the last.

    A failed write stops no other. `announce` is told each record that was written. Raises what reading `events` raises,
    once everything before that is written.
    """

    def write(share: list[_Waiting]) -> tuple[int, list[Failure]]:
        stored, failures = 0, []
        for found, origins in share:
            key = lake.key(found.path)
            try:
                s3.put_object(Bucket=lake.bucket, Key=key, Body=found.body, ContentType="application/json")
            except Exception as error:  # whatever it was, the others are still to be written
                answer = getattr(error, "response", {}).get("Error", {})
                code = answer.get("Code") or type(error).__name__
                failures.append(Failure(lake.url(found.path), origins, code, str(error)))
            else:
                stored += not found.rejected
                if announce and not found.rejected:
                    announce(found)
        return stored, failures

    delivered = Delivered()
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for window in _windows(events, delivered):
            shares = (window[n::SIDE_BY_SIDE] for n in range(min(SIDE_BY_SIDE, len(window))))
            for stored, failures in pool.map(write, shares):
                delivered.stored += stored
                delivered.failures += failures
    return delivered


def _windows(events: Iterable[LogEvent], delivered: Delivered) -> Iterator[list[_Waiting]]:
    """The objects to write, some hundred at a time, no key twice among them."""
    window: dict[str, _Waiting] = {}
    size = 0
    try:
        for message, timestamp_ms, origin, damage in events:
            found = rejected(message, timestamp_ms, damage) if damage else lake_object(message, timestamp_ms)
            if not found:
                delivered.skipped += 1
                continue
            delivered.rejected += found.rejected
            delivered.records += not found.rejected
            before = window[found.path].origins if found.path in window else frozenset()
            window[found.path] = _Waiting(found, before | {origin})
            size += len(found.body)
            if size > _WINDOW_BYTES or len(window) == _WINDOW_OBJECTS:
                yield list(window.values())
                window, size = {}, 0
    except Exception:
        yield list(window.values())
        raise
    yield list(window.values())

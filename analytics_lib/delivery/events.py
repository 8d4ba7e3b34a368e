"""The log events in what AWS hands to the function: a CloudWatch Logs subscription, or records of a Kinesis stream."""

import base64
import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from analytics_lib.delivery.writing import LogEvent
from analytics_lib.record import END_OF_TIME_SECONDS

_AT_ONCE_BYTES = 1 << 18  # of a payload, which may be a hundred times as large as what arrived
_LOG_EVENTS = re.compile(r'"logEvents"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_LINE_END = re.compile(r"\r\n|\n|\r")
_DAMAGE = (ValueError, TypeError, EOFError, OSError, RecursionError, zlib.error)  # of base64, gzip and JSON
_decode = json.JSONDecoder().raw_decode


def of_cloudwatch(event: dict[str, Any]) -> Iterator[LogEvent]:
    """The log events of a subscription's event. Raises ValueError where it cannot be read whole."""
    try:
        pieces = _pieces(event["awslogs"]["data"])
        payload = _payload(next(pieces, ""), pieces)
        if payload is None:
            raise ValueError("it holds no CloudWatch Logs payload, a JSON object with `logEvents`")
        yield from (_log_event(each, 0, "") for each in payload)
    except _DAMAGE as error:
        raise ValueError(f"awslogs.data cannot be read: {error}") from error


def of_kinesis(event: dict[str, Any]) -> Iterator[LogEvent]:
    """The log events of all records, in order: each holds a CloudWatch Logs payload or log lines, gzipped or plain.

    A line that is no log event has the time at which its record arrived.
    """
    for arrival in event["Records"]:
        kinesis = arrival["kinesis"]
        origin, data = kinesis["sequenceNumber"], kinesis["data"]
        arrived_ms = _milliseconds(kinesis.get("approximateArrivalTimestamp"), 1000)
        try:
            pieces = _pieces(data)
            head = next(pieces, "")
            payload = _payload(head, pieces)
            lines = _LINE_END.split("".join((head, *pieces))) if payload is None else payload
            yield from (_log_event(each, arrived_ms, origin) for each in lines)
        except _DAMAGE as error:
            yield LogEvent(str(data), arrived_ms, origin, f"a Kinesis record that cannot be read: {error}")


def _pieces(data: str) -> Iterator[str]:
    """The text in the base64, a piece at a time; what is no UTF-8 becomes unpaired surrogates."""
    packed = base64.b64decode(data, validate=True)
    plain = io.BytesIO(packed)
    file = cast("BinaryIO", gzip.GzipFile(fileobj=plain)) if packed.startswith(b"\x1f\x8b") else plain
    return codecs.iterdecode(iter(lambda: file.read(_AT_ONCE_BYTES), b""), "utf-8", "surrogateescape")


def _payload(head: str, pieces: Iterator[str]) -> Iterator[object] | None:
    """The log events of a CloudWatch Logs payload, none for a control message; None where the text is no payload."""
    found = _LOG_EVENTS.search(head)
    if not found:
        return None
    try:
        header = json.loads(head[: found.end()] + "]}")
    except (ValueError, RecursionError):
        return None
    if "_event_type" in header:  # a record may have a field of that name
        return None
    return iter(()) if header.get("messageType") == "CONTROL_MESSAGE" else _elements(head, found.end(), pieces)


def _elements(text: str, at: int, pieces: Iterator[str]) -> Iterator[object]:
    """The elements of the array that begins at `at`, decoded one at a time: memory never holds all of them."""
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        try:
            element, at = _decode(text, at)
        except ValueError:
            if text.startswith("]", at):
                break
            if not (piece := next(pieces, "")):
                raise
            text, at = text[at:] + piece, 0
        else:
            yield element
    for _ in pieces:  # to the end: only there a damaged gzip shows
        pass


def _log_event(found: object, arrived_ms: int, origin: str) -> LogEvent:
    event = found if isinstance(found, dict) else {"message": found}
    message = event.get("message", "")
    text = message if isinstance(message, str) else json.dumps(message)
    return LogEvent(text, _milliseconds(event.get("timestamp"), 1) or arrived_ms, origin)


def _milliseconds(value: object, factor: int) -> int:
    """The time in milliseconds; 0 where it is none, or out of range."""
    known = isinstance(value, int | float) and 0 <= value * factor < END_OF_TIME_SECONDS * 1000
    return int(value * factor) if known else 0  # type: ignore[operator]

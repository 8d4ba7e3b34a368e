"""The log events in what AWS hands to the function: a CloudWatch Logs subscription, or records of a Kinesis stream."""

import base64
import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Generator, Iterator
from typing import Any, cast

from analytics_lib.delivery.aggregated import user_records
from analytics_lib.delivery.writing import LogEvent
from analytics_lib.record import END_OF_TIME_SECONDS

_AT_ONCE_BYTES = 1 << 18  # of a payload, which may be a hundred times as large as what arrived
_LOG_EVENTS = re.compile(r'"logEvents"\s*:\s*\[')
_HEADER = 1 << 14  # characters at most before a payload's log events
_BLANKS = re.compile(r"[ \t\r\n\ufeff]*")
_BETWEEN = re.compile(r"[\s,]*")
_LINE_END = re.compile(r"\r\n|\n|\r")
_DAMAGE = (ValueError, TypeError, EOFError, OSError, RecursionError, zlib.error)  # of base64, gzip and JSON
_decode = json.JSONDecoder().raw_decode


def of_cloudwatch(event: dict[str, Any]) -> Iterator[LogEvent]:
    """The log events of a subscription's event. Raises ValueError where it cannot be read whole."""
    try:
        yield from log_events(base64.b64decode(event["awslogs"]["data"], validate=True), lines=False)
    except _DAMAGE as error:
        raise ValueError(f"awslogs.data cannot be read: {error}") from error


def of_kinesis(event: dict[str, Any]) -> Iterator[LogEvent]:
    """The log events of all records, in order, those of aggregated records one user record after the other.

    A record that cannot be read, or has other text after a payload, comes as well, whole, as one that cannot be read;
    of an aggregated one that can be taken apart, the user record. A line that is no log event has the time at which
    its record arrived.
    """
    for arrival in event["Records"]:
        kinesis = arrival["kinesis"]
        origin, data = kinesis["sequenceNumber"], kinesis["data"]
        arrived_ms = _milliseconds(kinesis.get("approximateArrivalTimestamp"), 1000)
        try:
            records = user_records(base64.b64decode(data, validate=True))
        except _DAMAGE as error:
            yield _damaged(str(data), arrived_ms, origin, error)
            continue
        for each in records:
            try:
                yield from log_events(each, arrived_ms, origin)
            except _DAMAGE as error:
                yield _damaged(base64.b64encode(each).decode(), arrived_ms, origin, error)


def _damaged(data: str, arrived_ms: int, origin: str, error: Exception) -> LogEvent:
    return LogEvent(data, arrived_ms, origin, f"a Kinesis record that cannot be read: {error}")


def log_events(content: bytes, arrived_ms: int = 0, origin: str = "", *, lines: bool = True) -> Iterator[LogEvent]:
    """The log events of the content, gzipped or plain: CloudWatch Logs payloads, joined, and where allowed log lines.

    A line, and a log event without a time, has that of its arrival. Raises what damage there is, after all that
    comes before it: ValueError, EOFError, OSError, zlib.error.
    """
    yield from (_log_event(each, arrived_ms, origin) for each in _found(_pieces(content), lines))


def _pieces(content: bytes) -> Iterator[str]:
    """The text in the content, a piece at a time; what is no UTF-8 becomes unpaired surrogates."""
    file: io.BufferedIOBase = io.BytesIO(content)
    for _ in range(2):  # Firehose may have gzipped what CloudWatch had
        reader = io.BufferedReader(cast("io.RawIOBase", file))
        is_packed = reader.peek(2).startswith(b"\x1f\x8b")
        file = gzip.GzipFile(fileobj=reader, mode="rb") if is_packed else reader
    return codecs.iterdecode(iter(lambda: file.read(_AT_ONCE_BYTES), b""), "utf-8", "surrogateescape")


def _found(pieces: Iterator[str], lines: bool) -> Iterator[object]:
    """The log events of all payloads in the text and, if there may be `lines`, those before and after them.

    Raises ValueError, after everything else, for text after a payload; without `lines`, for all but payloads.
    """
    text, at, payloads, follows = "", 0, 0, False
    while True:
        at = _BLANKS.match(text, at).end()  # type: ignore[union-attr]
        if len(text) - at < _HEADER and (piece := next(pieces, "")):
            text, at = text[at:] + piece, 0
        elif at == len(text):
            break
        elif opened := _payload(text, at):
            payloads += 1
            text, at = yield from _elements(text, opened[0], pieces, opened[1])
        elif not lines:
            break
        else:
            if not (end := _LINE_END.search(text, at)):
                text, at = "".join((text[at:], *pieces)), 0
                end = _LINE_END.search(text)
            follows = payloads > 0
            yield text[at : end.start() if end else len(text)]
            at = end.end() if end else len(text)
    if not (lines or payloads):
        raise ValueError("it holds no CloudWatch Logs payload, a JSON object with `logEvents`")
    if follows or at < len(text):
        raise ValueError("there is text after its CloudWatch Logs payload")


def _payload(text: str, at: int) -> tuple[int, bool] | None:
    """Where the log events of the payload that begins at `at` do, and whether they count; None where none begins."""
    found = _LOG_EVENTS.search(text, at, at + _HEADER) if text.startswith("{", at) else None
    if not found:
        return None
    try:
        header = json.loads(text[at : found.end()] + "]}")
    except (ValueError, RecursionError):
        return None
    if "_event_type" in header:  # a record may have a field of that name
        return None
    return found.end(), header.get("messageType") != "CONTROL_MESSAGE"


def _elements(text: str, at: int, pieces: Iterator[str], wanted: bool) -> Generator[object, None, tuple[str, int]]:
    """The elements of the array that begins at `at`, decoded one at a time: memory never holds all of them.

    Returns the text and where in it the object that holds the array has ended.
    """
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        try:
            if text.startswith("]", at):
                return text, at + _decode('{"":[' + text[at:])[1] - len('{"":[')
            element, at = _decode(text, at)
        except ValueError:
            if not (piece := next(pieces, "")):
                raise
            text, at = text[at:] + piece, 0
        else:
            if wanted:
                yield element


def _log_event(found: object, arrived_ms: int, origin: str) -> LogEvent:
    event = found if isinstance(found, dict) else {"message": found}
    message = event.get("message", "")
    text = message if isinstance(message, str) else json.dumps(message)
    return LogEvent(text, _milliseconds(event.get("timestamp"), 1) or arrived_ms, origin)


def _milliseconds(value: object, factor: int) -> int:
    """The time in milliseconds; 0 where it is none, or out of range."""
    known = isinstance(value, int | float) and 0 <= value * factor < END_OF_TIME_SECONDS * 1000
    return int(value * factor) if known else 0  # type: ignore[operator]

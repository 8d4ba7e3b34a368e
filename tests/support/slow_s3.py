"""An S3 with one bucket that answers late, or badly: LIST and GET over HTTP, for tests and a benchmark of sync."""

import asyncio
import hashlib
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

from analytics_lib import aws

_ERRORS = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}
_PAGE = 1000


class SlowS3:
    """The objects by key, which tests may change at any time.

    `faults[key]` are answers that come before the true one: an HTTP status, or "cut", an answer that breaks off.
    `asked` counts the requests of each key; the empty key is LIST. `most_at_once` requests waited side by side.
    """

    def __init__(self, objects: dict[str, bytes], delay_seconds: float = 0.0) -> None:
        self.objects = objects
        self.delay_seconds = delay_seconds
        self.faults: dict[str, list[int | str]] = {}
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.endpoint = ""

    def answer(self, target: str) -> tuple[bytes, bool]:
        """The response to GET of that URL, and whether the connection ends with it."""
        url = urlsplit(target)
        key = unquote(url.path).lstrip("/").partition("/")[2]
        self.asked[key] += 1
        fault = self.faults[key].pop(0) if self.faults.get(key) else None
        if not key and fault in (None, 200):
            return _response(200, self._listing({name: values[0] for name, values in parse_qs(url.query).items()}))
        if fault is None and key not in self.objects:
            fault = 404
        if isinstance(fault, int):
            return _response(fault, f"<Error><Code>{_ERRORS[fault]}</Code><Message>no</Message></Error>".encode())
        whole, _ = _response(200, self.objects[key], f'ETag: "{etag(self.objects[key])}"\r\n')
        return (whole[:-1], True) if fault == "cut" else (whole, False)

    def _listing(self, query: dict[str, str]) -> bytes:
        prefix, token = query.get("prefix", ""), bytes.fromhex(query.get("continuation-token", "")).decode()
        after = max(token, query.get("start-after", ""))
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        folders: set[str] = set()
        if "delimiter" in query:
            folders = {key[: key.index("/", len(prefix)) + 1] for key in keys if "/" in key[len(prefix) :]}
            keys = [key for key in keys if "/" not in key[len(prefix) :]]
        keys = [key for key in keys if key > after]
        found = [f"<CommonPrefixes><Prefix>{quote(each)}</Prefix></CommonPrefixes>" for each in sorted(folders)]
        found += [
            f"<Contents><Key>{quote(key)}</Key><ETag>&quot;{etag(self.objects[key])}&quot;</ETag>"
            f"<Size>{len(self.objects[key])}</Size></Contents>"
            for key in keys[:_PAGE]
        ]
        if keys[_PAGE:]:
            found.append(f"<NextContinuationToken>{keys[_PAGE - 1].encode().hex()}</NextContinuationToken>")
        found.append(f"<IsTruncated>{'true' if keys[_PAGE:] else 'false'}</IsTruncated>")
        return f"<ListBucketResult><EncodingType>url</EncodingType>{''.join(found)}</ListBucketResult>".encode()


def etag(content: bytes) -> str:
    """The ETag of an object that was uploaded in one piece."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _response(status: int, body: bytes, headers: str = "") -> tuple[bytes, bool]:
    head = f"HTTP/1.1 {status} said\r\nDate: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body, False


class _Connection(asyncio.Protocol):
    def __init__(self, store: SlowS3, connected: "set[_Connection]") -> None:
        self.store, self.connected, self.received = store, connected, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.connected.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.connected.discard(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            self.store.at_once += 1
            self.store.most_at_once = max(self.store.most_at_once, self.store.at_once)
            asyncio.get_running_loop().call_later(self.store.delay_seconds, self.answer, target)

    def answer(self, target: str) -> None:
        self.store.at_once -= 1
        response, ends = self.store.answer(target)
        self.transport.write(response)
        if ends:
            self.transport.close()


@contextmanager
def serving(store: SlowS3) -> Iterator[SlowS3]:
    """The store answers at `.endpoint`, from a thread of this process."""
    loop, connected = asyncio.new_event_loop(), set[_Connection]()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> asyncio.Server:
        return await loop.create_server(lambda: _Connection(store, connected), "127.0.0.1", 0, backlog=200)

    async def stop() -> None:
        server.close()
        for connection in list(connected):
            connection.transport.abort()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    store.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield store
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def slow_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowS3]:
    """An empty one, for boto3 in this test, which repeats refused requests at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with serving(SlowS3({})) as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        aws.client.cache_clear()
        yield store
        aws.client.cache_clear()


def main(objects: int, delay_seconds: float) -> None:
    """Serve that many objects of 5 kB below s3://bucket/sessions/dt=2026-01-01/ until standard input ends."""
    keys = (f"sessions/dt=2026-01-01/room-{number}-1767225600.json" for number in range(objects))
    with serving(SlowS3({key: key.encode().ljust(5000) for key in keys}, delay_seconds)) as store:
        print(store.endpoint, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))

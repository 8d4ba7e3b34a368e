"""The record over HTTP: once it is taken, or given up in time; the log line is there either way."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from analytics_lib.capture import Post, Recorder, posting
from analytics_lib.errors import UsageError
from tests.support.agent_sessions import logged

RECORD = {"_event_type": "analytics", "_timestamp": 1738000000.123, "_session_id": "room a/b", "query": "ü"}
KEY = "sessions/dt=2025-01-27/room%20a%2Fb-1738000000.123.json"


class Service(ThreadingHTTPServer):
    """Answers with the statuses given, in turn, the last one for ever, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self, *statuses: int, wait_seconds: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.statuses = list(statuses)
        self.wait_seconds = wait_seconds
        self.received: list[tuple[dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/analytics"


class Receiver(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        time.sleep(self.server.wait_seconds)
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the standard library's name

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


@contextmanager
def service(*statuses: int, wait_seconds: float = 0.0) -> Iterator[Service]:
    server = Service(*statuses, wait_seconds=wait_seconds)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_PAUSES_SECONDS", (0.01, 0.01))


def test_the_record_is_posted_with_the_token_and_the_key_it_has_in_the_lake() -> None:
    with service(201) as server:
        assert Post(server.url, "secret").send(RECORD)
    ((headers, body),) = server.received
    assert body == RECORD
    assert (headers["authorization"], headers["content-type"]) == ("Bearer secret", "application/json")
    assert headers["idempotency-key"] == KEY


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_passing_fault_is_tried_again_under_the_same_key(status: int) -> None:
    with service(status, status, 200) as server:
        assert Post(server.url, "secret").send(RECORD)
    assert [headers["idempotency-key"] for headers, _ in server.received] == [KEY] * 3


@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (400, 1), (401, 1), (302, 1), (307, 1)])
def test_a_lasting_fault_is_given_up_and_said(status: int, attempts: int, caplog: pytest.LogCaptureFixture) -> None:
    with service(status) as server:
        assert not Post(server.url, "secret").send(RECORD)
    assert len(server.received) == attempts
    (warning,) = caplog.messages
    assert warning.endswith(f"(it answered {status}); its log line has it")
    assert "secret" not in caplog.text


def test_a_service_that_is_not_there_or_not_in_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with service(200) as server:
        gone = server.url
    assert not Post(gone, "secret").send(RECORD)
    monkeypatch.setattr(posting, "LIMIT_SECONDS", 0.5)
    with service(200, wait_seconds=1.0) as server:
        before = time.monotonic()
        assert not Post(server.url, "secret", timeout_seconds=0.3).send(RECORD)
        assert time.monotonic() - before < 1.0
    assert len(caplog.messages) == 2


@pytest.mark.parametrize(
    "url",
    ["http://api.example.com/a", "ftp://localhost/a", "https://", "//host", "", "https://host:port/", "http://localhost.example.com",
     "https://exa\nmple.com", "http://127.0.0.1.example.com/", "file:///etc/passwd"],
)  # fmt: skip
def test_another_address_is_refused_where_it_is_written(url: str) -> None:
    with pytest.raises(UsageError, match="no address to post records to"):
        Post(url, "secret")


@pytest.mark.parametrize("token", ["", "two\nlines", "schlüssel"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(UsageError) as raised:
        Post("https://api.example.com/analytics", token)
    assert not token or token not in str(raised.value)


def test_the_token_does_not_show() -> None:
    assert "secret" not in repr(Post("http://localhost:8080/", "secret"))


@pytest.mark.parametrize("status", [200, 500])
def test_the_log_line_is_the_record_whether_or_not_it_is_posted(status: int) -> None:
    with service(status) as server, logged() as records:
        recorder = Recorder(session_id="room", post=Post(server.url, "secret"))
        recorder.finish("error")
        asyncio.run(recorder.flush())
    assert [body for _, body in server.received][:1] == records
    assert len(records) == 1


def test_posting_does_not_hold_up_the_agent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with service(200, wait_seconds=0.5) as server:
        recorder = Recorder(post=Post(server.url, "secret"))
        before = time.perf_counter()
        recorder.finish()
        assert time.perf_counter() - before < 0.2
        asyncio.run(recorder.flush())
    assert len(server.received) == 1

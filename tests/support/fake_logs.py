"""A CloudWatch Logs over HTTP that gives Insights queries and pages of events as a test wants them."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from analytics_lib import aws


class FakeLogs:
    """`statuses` of a query, and `pages` of events, are told in turn, the last one for ever.

    With `refusal` no query starts. `asked` are the requests.
    """

    def __init__(
        self,
        *statuses: str,
        rows: Sequence[dict[str, str]] = (),
        pages: Sequence[dict[str, Any]] = (),
        refusal: str = "",
    ) -> None:
        self.statuses = list(statuses)
        self.rows = rows
        self.pages = list(pages)
        self.refusal = refusal
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.asked]

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append((operation, request))
        if operation == "StartQuery":
            refused = {"__type": self.refusal, "message": "said AWS"}
            return (400, refused) if self.refusal else (200, {"queryId": "q-1"})
        if operation == "StopQuery":
            return 200, {"success": True}
        if operation == "FilterLogEvents":
            return 200, self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        rows = [[{"field": name, "value": value} for name, value in row.items()] for row in self.rows]
        statistics = {"recordsMatched": 2.0, "recordsScanned": 7.0, "bytesScanned": 2_000_000.0}
        return 200, {"status": status, "results": rows, "statistics": statistics}

    @contextmanager
    def served(self, monkeypatch: pytest.MonkeyPatch) -> Iterator["FakeLogs"]:
        """For boto3 in this test."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, found = fake.answer(self.headers["X-Amz-Target"].partition(".")[2], request)
                body = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", f"http://127.0.0.1:{server.server_port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        aws.client.cache_clear()
        try:
            yield self
        finally:
            aws.client("logs").close()
            aws.client.cache_clear()
            server.shutdown()
            server.server_close()

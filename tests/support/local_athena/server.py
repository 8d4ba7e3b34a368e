"""Moto's server over HTTP, which counts the requests that reach its S3."""

import json
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, unquote

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

REQUESTS = "/local-athena/requests"
# Moto lists its own folder twice a request, which is a fifth of the request's time.
_MODULES = tuple(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: _MODULES


class CountingApplication:
    """Moto's application; GET and DELETE of `REQUESTS?prefix=bucket/folder/` tell and forget the requests there."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.seen: Counter[tuple[str, str]] = Counter()
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == REQUESTS:
            prefix = parse_qs(environ["QUERY_STRING"]).get("prefix", [""])[0]
            body = json.dumps(self.counted(prefix, forget=environ["REQUEST_METHOD"] == "DELETE"))
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body.encode()]
        if "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            with self.lock:
                self.seen[kind_and_path(environ)] += 1
        return self.moto(environ, start_response)

    def counted(self, prefix: str, *, forget: bool) -> dict[str, int]:
        with self.lock:
            found = {key: n for key, n in self.seen.items() if key[1].startswith(prefix)}
            if forget:
                for key in found:
                    del self.seen[key]
        total: Counter[str] = Counter()
        for (kind, _), n in found.items():
            total[kind] += n
        return dict(total)


def kind_and_path(environ: dict[str, Any]) -> tuple[str, str]:
    """GET, HEAD, PUT, POST, DELETE or LIST, and what it was asked of: bucket/key or bucket/prefix."""
    path = environ["PATH_INFO"].lstrip("/").encode("latin-1").decode("utf-8", "replace")
    bucket, _, key = path.partition("/")
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    if environ["REQUEST_METHOD"] == "GET" and not key and not query.keys() & {"location", "versioning", "acl"}:
        return "LIST", f"{bucket}/{unquote(query.get('prefix', [''])[0])}"
    return environ["REQUEST_METHOD"], path


class QuietHandler(MotoRequestHandler):
    """Says nothing about requests that went well or were the client's fault."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if str(code).startswith("5"):
            super().log_request(code, size)


def serve(port: int = 0) -> BaseWSGIServer:
    """A moto server on this machine, answering from a thread of its own; `.server_port` is its port."""
    server = make_server("127.0.0.1", port, CountingApplication(), threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    return server

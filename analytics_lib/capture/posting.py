"""Post: sends the record to a service over HTTP, beside the log line."""

import json
import logging
import time
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from analytics_lib.errors import UsageError
from analytics_lib.record import object_key

LIMIT_SECONDS = 6.0  # for all attempts together; LiveKit gives its shutdown callbacks 10
_PAUSES_SECONDS = (0.2, 0.8)  # before the second attempt and the third
_LOCAL = ("localhost", "127.0.0.1", "::1")
_LOG = logging.getLogger("analytics_lib.capture")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could carry the token to another host, or out of https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """None: the redirect is an error."""


@dataclass(frozen=True)
class Post:
    """Where to post records: an https address (http to this machine only) and a bearer token.

    Raises UsageError for others, so make it where the agent's module is loaded, not in a call.
    """

    url: str
    token: str = field(repr=False)
    timeout_seconds: float = 2.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            allowed = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
            usable = allowed and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if not usable or not self.url.isascii() or not self.url.isprintable():
            raise UsageError(f"{self.url!r} is no address to post records to; use https://... (http: localhost only)")
        if not self.token or not self.token.isascii() or not self.token.isprintable():
            raise UsageError("the token for posting records is empty or has characters that no HTTP header can carry")

    def send(self, record: dict[str, Any]) -> bool:
        """True once the service took the record; else the log line is the record, and a warning says why.

        Blocks for at most about six seconds: up to three attempts, each with the same Idempotency-Key, the key of the
        record in the lake. Answers of 408, 429 and 5xx and failed connections are tried again.
        """
        give_up_at = time.monotonic() + LIMIT_SECONDS
        reason = ""
        for pause in (0.0, *_PAUSES_SECONDS):
            left = give_up_at - time.monotonic() - pause
            if left <= 0:
                break
            time.sleep(pause)
            try:
                self._attempt(record, min(self.timeout_seconds, left))
                return True
            except HTTPError as error:
                error.close()
                reason = f"it answered {error.code}"
                if error.code < 500 and error.code not in (408, 429):
                    break
            except Exception as error:  # whatever it is, the agent goes on, and the log line is there
                reason = f"{type(error).__name__}: {error}"
        _LOG.warning("the session's record was not posted to %s (%s); its log line has it", self.url, reason)
        return False

    def _attempt(self, record: dict[str, Any], timeout_seconds: float) -> None:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": object_key(record["_session_id"], record["_timestamp"]),
        }
        body = json.dumps(record).encode()
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")
        urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout_seconds).close()

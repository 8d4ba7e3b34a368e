"""Fixtures: `moto_server` (S3, Glue ...), `local_athena` (that, and SQL on a real Trino) and `bucket` in either.

There is one Trino a test run. The first worker that collects a test marked `athena` starts it in a process of its own,
which ends when the run's first process has ended; every worker finds it by a file in the run's temporary folder.
"""

import json
import os
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from analytics_lib import aws
from tests.support.local_athena import trino

_ROOT = Path(__file__).parents[3]
_SECONDS = 180
OUTSIDE = {  # so that no test finds credentials or settings of whoever runs it
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Server:
    """A server that answers as AWS, at `endpoint`."""

    endpoint: str

    def requests(self, prefix: str, *, forget: bool = False) -> dict[str, int]:
        """The requests S3 got below `bucket/folder/`, e.g. {"GET": 2, "LIST": 1}; `forget` sets them to none."""
        url = f"{self.endpoint}/local-athena/requests?prefix={quote(prefix)}"
        request = urllib.request.Request(url, method="DELETE" if forget else "GET")
        with urllib.request.urlopen(request) as reply:
            counted: dict[str, int] = json.load(reply)
        return counted


@pytest.fixture(scope="session")
def _moto() -> Iterator[Server]:
    from tests.support.local_athena import athena, glue, server

    glue.install()
    athena.install(None)
    running = server.serve()
    yield Server(f"http://127.0.0.1:{running.server_port}")
    urllib.request.urlopen(f"http://127.0.0.1:{running.server_port}/moto-api/reset", data=b"").close()
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="session")
def _stack(tmp_path_factory: pytest.TempPathFactory) -> Server:
    if lacking := trino.missing():
        refuse = pytest.fail if os.environ.get("ANALYTICS_REQUIRE_ATHENA") == "1" else pytest.skip
        refuse(lacking)
    state = start(tmp_path_factory)
    until = time.monotonic() + _SECONDS
    while not state.exists():
        if time.monotonic() > until:
            pytest.fail(f"the local Athena did not start; see {state.with_suffix('.log')}")
        time.sleep(0.1)
    told = json.loads(state.read_text())
    if "error" in told:
        pytest.fail(told["error"])
    return Server(told["endpoint"])


def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Start the run's local Athena unless it was started; the file that will tell its endpoint."""
    common, run = tmp_path_factory.getbasetemp(), os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common, run = common.parent, os.getppid()
    state = common / "local-athena.json"
    try:
        os.close(os.open(common / "local-athena.started", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return state
    log = os.open(state.with_suffix(".log"), os.O_CREAT | os.O_WRONLY)
    command = [sys.executable, "-m", "tests.support.local_athena", "--state", str(state), "--watch", str(run)]
    # Not subprocess: nobody in this process waits for its end.
    os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", 'cd "$0" && exec "$@"', str(_ROOT), *command],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
        setsid=True,
    )
    os.close(log)
    return state


def start_early(session: pytest.Session) -> None:
    """Start the local Athena while other tests run, if a test of this run wants it and the machine has a Trino."""
    wanted = any(item.get_closest_marker("athena") for item in session.items)
    if wanted and not session.config.option.collectonly and trino.missing() is None:
        start(session.config._tmp_path_factory)


@pytest.fixture
def moto_server(_moto: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """S3, Glue and Athena's workgroups on this machine, for boto3 in this test. No SQL runs."""
    yield from _used(_moto, monkeypatch)


@pytest.fixture
def local_athena(_stack: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An Athena on this machine that runs SQL, with S3 and Glue, for boto3 in this test. Other tests use it, too."""
    yield from _used(_stack, monkeypatch)


def _used(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    aws.client.cache_clear()
    yield server
    aws.client.cache_clear()


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> str:
    """A new bucket's name, in the server that the test uses."""
    request.getfixturevalue("local_athena" if "local_athena" in request.fixturenames else "moto_server")
    name = f"lake-{uuid.uuid4().hex}"
    s3: Any = aws.client("s3")
    s3.create_bucket(Bucket=name)
    return name

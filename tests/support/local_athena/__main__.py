"""The command: start the stack and keep it until Ctrl-C, or fetch Trino for it."""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import boto3

from tests.support.local_athena import athena, glue, server, trino

_LAKE = "demo-lake"


def main() -> None:
    """Read the arguments and do as they say."""
    arguments = argparse.ArgumentParser(prog="python -m tests.support.local_athena", description=__doc__)
    arguments.add_argument("--fetch", action="store_true", help="fetch Trino, and no more")
    arguments.add_argument("--port", type=int, default=0, help="where to listen (a free port)")
    arguments.add_argument("--state", type=Path, help="a file to write the endpoint to once queries run")
    arguments.add_argument("--watch", type=int, help="end when the process with this number has ended")
    arguments.add_argument("--samples", type=Path, help=f"a lake to upload to s3://{_LAKE}")
    asked = arguments.parse_args()
    if asked.fetch:
        trino.fetch()
    if lacking := trino.missing():
        raise SystemExit(lacking)
    if not asked.fetch:
        warnings.filterwarnings("error", category=UserWarning, module="moto")  # of what it leaves out
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with tempfile.TemporaryDirectory(prefix="local-athena-") as folder:
            _run(asked, Path(folder))


def _run(asked: argparse.Namespace, folder: Path) -> None:
    glue.install()
    endpoint = f"http://127.0.0.1:{server.serve(asked.port).server_port}"
    engine = trino.Trino(endpoint, folder)
    try:
        athena.install(engine)
        engine.wait()
        if asked.samples:
            _upload(endpoint, asked.samples)
        _tell(asked.state, endpoint=endpoint)
        if not asked.state:
            print(_HELP.format(endpoint=endpoint, lake=_LAKE), flush=True)
        while asked.watch is None or _alive(asked.watch):
            time.sleep(1)
    except KeyboardInterrupt:
        print("\nStopped.")
    except TimeoutError as error:
        _tell(asked.state, error=str(error))
        raise SystemExit(str(error)) from None
    finally:
        engine.stop()


def _tell(state: Path | None, **facts: str) -> None:
    if state:
        complete = state.with_suffix(".new")
        complete.write_text(json.dumps(facts))
        complete.rename(state)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _upload(endpoint: str, lake: Path) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    s3.create_bucket(Bucket=_LAKE)
    for file in sorted(lake.glob("sessions/dt=*/*")):
        s3.upload_file(str(file), _LAKE, str(file.relative_to(lake)))


_HELP = """\
An Athena with the samples in s3://{lake} listens. In another terminal:

  export AWS_ENDPOINT_URL={endpoint}
  export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
  export AWS_DEFAULT_REGION=us-east-1

  .venv/bin/analytics-lib athena setup --data s3://{lake}
  .venv/bin/analytics-lib report lead_funnel --engine athena --data s3://{lake}

Ctrl-C ends it, and what it holds is gone.
"""

if __name__ == "__main__":
    main()

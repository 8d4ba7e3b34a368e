"""How much faster `sync` is than one object after the other, from a server that takes 20 ms to answer."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from analytics_lib import aws
from analytics_lib.location import Location
from analytics_lib.period import Period
from analytics_lib.remote.s3 import list_day
from analytics_lib.remote.sync import sync
from benchmarks import measure

_OBJECTS, _ONE_AFTER_THE_OTHER = 5000, 250
_DELAY_SECONDS = 0.02
_DAY = date(2026, 1, 1)


def measured() -> dict[str, float]:
    """Milliseconds an object of `sync` and of one after the other, and the peak memory of `sync`."""
    return dict(json.loads(measure.run(sys.executable, "-m", "benchmarks.sync")))


def _served() -> str:
    """What `_measure` says. It runs in a child of this small process: a child's peak begins with its parent's size."""
    command = [sys.executable, "-m", "tests.support.slow_s3", str(_OBJECTS), str(_DELAY_SECONDS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin and server.stdout
        return measure.run(sys.executable, "-m", "benchmarks.sync", server.stdout.readline().strip())


def _measure(endpoint: str) -> dict[str, float]:
    os.environ |= {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    location = Location("bucket", "")
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure.seconds(lambda: sync(location, Path(folder, "synced"), Period(_DAY, _DAY)))
        unit = 1 if sys.platform == "darwin" else 1024  # bytes of one unit of ru_maxrss
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
        single = measure.seconds(lambda: _one_after_the_other(location, Path(folder)))
    return {"ms": seconds / _OBJECTS * 1000, "single_ms": single / _ONE_AFTER_THE_OTHER * 1000, "mb": memory}


def _one_after_the_other(location: Location, folder: Path) -> None:
    for stored in list_day(location, str(_DAY)).objects[:_ONE_AFTER_THE_OTHER]:
        key = location.key(f"sessions/dt={_DAY}/{stored.name}")
        answer = aws.client("s3").get_object(Bucket=location.bucket, Key=key)
        (folder / stored.name).write_bytes(answer["Body"].read())


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1])) if sys.argv[1:] else _served())

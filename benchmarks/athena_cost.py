"""`python -m benchmarks.athena_cost`: what a year of the three reports costs on Athena, before and after compaction.

A few days of 1,000 sessions of 5 kB are put on the local Athena (tests/support/local_athena: S3 by moto, SQL by a real
Trino).
The bytes that queries scan there and the requests that reach S3 are counted; Athena's own requests nobody tells, so
Trino's stand for them. All grow with the days, but for what the library itself asks of `sessions/`, once a report. Then

    usd = each query's bytes, 10 MB at least, * price of a TB + GETs * price of a GET + LISTs * price of a LIST
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import timedelta
from pathlib import Path

import analytics_lib
from analytics_lib import aws, prices
from analytics_lib.cli.progress import Progress
from analytics_lib.engines.athena import AthenaEngine
from analytics_lib.location import Location
from analytics_lib.reports import catalogue
from analytics_lib.samples.generator import LAST_DAY, write_samples
from analytics_lib.settings import Athena
from analytics_lib.upkeep import setup
from analytics_lib.upkeep.compaction import compact
from analytics_lib.workspace import Lake
from tests.support.compare import assert_same_rows

GOAL_USD = 0.04
_YEAR_DAYS = 365
_PLACE = Athena("cost", "cost", fresh=True, max_usd=100)
_LOCATION = Location("analytics-lib-cost", "lake")


@dataclass(frozen=True)
class Bill:
    """What queries took: how many, bytes of all, GET and LIST requests."""

    queries: int
    bytes: float
    gets: float
    lists: float

    def __add__(self, other: "Bill") -> "Bill":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Bill(*(one + another for one, another in pairs))

    def grown(self, days: float, queries: int = 1) -> "Bill":
        """With that many times the days and the queries."""
        return Bill(self.queries * queries, *(each * days * queries for each in (self.bytes, self.gets, self.lists)))

    def usd(self) -> float:
        """At the prices of us-east-1; the queries of a report read about the same."""
        asked = prices.load()
        return self.queries * asked.query_usd(self.bytes / self.queries) + asked.requests_usd(self.gets, self.lists)

    def __str__(self) -> str:
        return (
            f"{self.queries:>3} queries {self.bytes / 1e6:>10,.1f} MB {self.gets:>10,.0f} GET {self.lists:>7,.0f} LIST "
            f"{self.usd():>8.4f} USD"
        )


def main() -> None:
    """Put the lake there, compact it, run the reports, print. Exits 1 where a year costs too much."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.athena_cost", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--days", type=int, default=7, help="days of 1,000 sessions of 5 kB (default: 7, a whole week)")
    days: int = parser.parse_args().days
    with tempfile.TemporaryDirectory(prefix="analytics-lib-cost-") as folder, local_athena() as endpoint:
        root = Path(folder)
        write_samples(root, days=days, sessions_per_day=1000, bytes_per_session=5000)
        _upload(root)
        setup.setup(_LOCATION, _PLACE)
        json_year = _raw_query(endpoint, days).grown(_YEAR_DAYS / days, _queries())
        before = _requests(endpoint)
        with Progress("days compacted") as progress:
            done = compact(_LOCATION, _PLACE, _engine().execute, progress=progress)
        requests = _since(before, endpoint)
        measured, year = Bill(0, 0, 0, 0), Bill(0, 0, 0, 0)
        for name in catalogue.names():
            queries, own = _report(name, root, endpoint, days)
            print(f"measured, Parquet, {name:<16} {queries + own}")
            measured += queries + own
            year += queries.grown((_YEAR_DAYS + catalogue.get(name).lookback_days) / days) + own
    print(f"measured, Parquet, all              {measured}")
    print(f"a year, Parquet                     {year}")
    print(f"a year, JSON, as one query measured {json_year}")
    print(f"{done.text()}; requests: {', '.join(f'{number:,} {kind}' for kind, number in sorted(requests.items()))}")
    print(f"compacting a year, once: {done.cost_usd * _YEAR_DAYS / days:.2f} USD")
    print(f"goal for a year of Parquet: {GOAL_USD} USD: {'ok' if year.usd() <= GOAL_USD else 'TOO MUCH'}")
    sys.exit(year.usd() > GOAL_USD)


@contextmanager
def local_athena() -> Iterator[str]:
    """Within it boto3 talks to a local Athena of its own, at that endpoint."""
    with tempfile.TemporaryDirectory(prefix="analytics-lib-cost-") as folder:
        state = Path(folder, "state.json")
        stack = subprocess.Popen([sys.executable, "-m", "tests.support.local_athena", "--state", state])
        try:
            while not state.exists():
                if stack.poll() is not None:
                    raise SystemExit("the local Athena did not start; fetch it with: make trino")
                time.sleep(0.2)
            endpoint: str = json.loads(state.read_text())["endpoint"]
            region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
            keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
            os.environ.update(AWS_ENDPOINT_URL=endpoint, **region, **keys)
            yield endpoint
        finally:
            stack.terminate()
            stack.wait()


def _engine() -> AthenaEngine:
    return AthenaEngine(_LOCATION, _PLACE)


def _queries() -> int:
    return sum(len(catalogue.get(name).sql_files()) for name in catalogue.names())


def _upload(root: Path) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket=_LOCATION.bucket)

    def put(path: Path) -> None:
        key = _LOCATION.key(path.relative_to(root).as_posix())
        client.put_object(Bucket=_LOCATION.bucket, Key=key, Body=path.read_bytes())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, (root / "sessions").rglob("*.json")))


def _raw_query(endpoint: str, days: int) -> Bill:
    """One query that reads the raw lines; every other reads as much of them."""
    before = _requests(endpoint)
    period = f"dt BETWEEN '{LAST_DAY - timedelta(days=days - 1)}' AND '{LAST_DAY}'"
    result = _engine().execute(f"SELECT COUNT(*) AS sessions FROM sessions WHERE {period}", "a count")
    took = _since(before, endpoint)
    return Bill(1, result.bytes_scanned, took["sessions/ GET"], took["sessions/ LIST"])


def _report(name: str, root: Path, endpoint: str, days: int) -> tuple[Bill, Bill]:
    """What a report's queries take, and what the library asks besides. Raises AssertionError where DuckDB differs."""
    period = {"start": LAST_DAY - timedelta(days=days - 1), "end": LAST_DAY}
    before = _requests(endpoint)
    found = Lake(str(_LOCATION), _engine()).report(name, **period)
    took = _since(before, endpoint)
    expected = analytics_lib.open(root, engine="duckdb").report(name, **period).document()["tables"]
    for table, rows in found.document()["tables"].items():
        assert_same_rows(f"{name}.{table}", rows, expected[table], list(found.report.table(table).columns))
    queries = found.facts["queries"]
    scanned = sum(query["bytes_scanned"] for query in queries)
    own = Bill(0, 0, took["sessions/ GET"], took["sessions/ LIST"])
    return Bill(len(queries), scanned, took["parquet/ GET"], took["parquet/ LIST"]), own


def _since(before: Counter[str], endpoint: str) -> Counter[str]:
    return _requests(endpoint) - before


def _requests(endpoint: str) -> Counter[str]:
    """The requests to the lake so far, e.g. `sessions/ GET`."""
    total: Counter[str] = Counter()
    for folder in ("sessions/", "parquet/"):
        prefix = urllib.parse.quote(f"{_LOCATION.bucket}/{_LOCATION.key(folder)}")
        with urllib.request.urlopen(f"{endpoint}/local-athena/requests?prefix={prefix}") as reply:
            total.update({f"{folder} {kind}": number for kind, number in json.load(reply).items()})
    return total


if __name__ == "__main__":
    main()

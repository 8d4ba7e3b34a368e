"""`python -m benchmarks.athena_overhead`: what a report on Athena takes beside the queries, on the local Athena.

The overhead of a run is its wall time without that of its longest query, as Athena tells it; polling is what a query
takes from its submission to its rows beyond that. Only a calm machine gives figures worth reading.
"""

import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from analytics_lib import aws
from analytics_lib.location import Location
from analytics_lib.settings import Athena, samples
from analytics_lib.upkeep import setup
from benchmarks import measure
from benchmarks.athena_cost import local_athena
from tests.support.on_athena import uploaded, whole_days

_GOAL_SECONDS, _GOAL_POLLING_SECONDS = 0.7, 0.25
_RUNS = 7
_BUCKET = "analytics-lib-overhead"


def main() -> None:
    """Put the samples there, run a report some times, print. Exits 1 where a goal is missed."""
    with tempfile.TemporaryDirectory(prefix="analytics-lib-overhead-") as folder, local_athena():
        root = Path(folder)
        aws.client("s3").create_bucket(Bucket=_BUCKET)
        lake = uploaded(whole_days(samples(), root / "lake"), _BUCKET)
        setup.setup(lake, Athena())
        runs = [_run(lake, root / "csv") for _ in range(_RUNS + 1)][1:]  # the first one warms Trino up
    overhead, polling = median(run[0] for run in runs), max(run[1] for run in runs)
    print(f"report lead_funnel beside its longest query, median of {_RUNS}: {overhead:.2f} s (goal {_GOAL_SECONDS})")
    print(f"a query from submission to rows, beyond its own time, at most: {polling:.2f} s ({_GOAL_POLLING_SECONDS})")
    sys.exit(overhead > _GOAL_SECONDS or polling > _GOAL_POLLING_SECONDS)


def _run(lake: Location, output: Path) -> tuple[float, float]:
    command = Path(sys.executable).with_name("analytics-lib")
    words = ("report", "lead_funnel", "--engine", "athena", "--data", str(lake), "--fresh", "--format", "csv")
    seconds = measure.seconds(lambda: measure.run(command, *words, "--output", output))
    queries = json.loads((output / "facts.json").read_text())["queries"]
    found = aws.client("athena").batch_get_query_execution(QueryExecutionIds=[query["query_id"] for query in queries])
    told = {
        each["QueryExecutionId"]: each["Statistics"]["TotalExecutionTimeInMillis"] / 1000
        for each in found["QueryExecutions"]
    }
    return seconds - max(told.values()), max(query["seconds"] - told[query["query_id"]] for query in queries)


if __name__ == "__main__":
    main()

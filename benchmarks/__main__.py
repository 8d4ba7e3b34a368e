"""`python -m benchmarks`: prints each figure beside its goal, as ratios within one run. See --help."""

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import analytics_lib
from analytics_lib.cli.progress import Progress
from analytics_lib.errors import AnalyticsError
from analytics_lib.reports import catalogue
from analytics_lib.samples.generator import LAST_DAY, write_samples
from benchmarks import delivery, measure, sync
from tests.support.compare import assert_same_reports

_RUNS, _COMMAND_RUNS = 3, 5
_CHECKED_DAYS = 7  # a plain-Python reading of the whole lake would take an hour


@dataclass(frozen=True)
class Figure:
    """One measured figure; `goal` is the most that it may be, None where it only informs."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    def __str__(self) -> str:
        measured = f"{self.name:<54} {self.value:>6.{0 if self.unit == 'MB' else 2}f} {self.unit}"
        if self.goal is None:
            return measured
        return f"{measured:<64} {self.goal:>5g} {self.unit:<2}  {'ok' if self.value <= self.goal else 'TOO MUCH'}"


def main() -> None:
    """Write the lake where it is missing, check the results on part of it, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed and memory on a large lake.")
    parser.add_argument("--days", type=int, default=365, help="days of 1,000 sessions of 5 kB (default: 365, 1.9 GB)")
    parser.add_argument("--lake", type=Path, help="where the lake is, or is written (default: below the temp folder)")
    arguments = parser.parse_args()
    lake = arguments.lake or Path(tempfile.gettempdir(), "analytics-lib-benchmark", f"{arguments.days}-days")
    try:
        with Progress(f"days written to {lake}") as progress:
            write_samples(lake, days=arguments.days, sessions_per_day=1000, bytes_per_session=5000, progress=progress)
        start, end = LAST_DAY - timedelta(days=arguments.days - 1), LAST_DAY
        checksum = _checksum(lake, max(start, end - timedelta(days=_CHECKED_DAYS - 1)), end)
        figures = [*_ratios(lake, str(start), str(end)), *_commands(lake, str(end)), *_sync(), *_delivery()]
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; the days written so far are kept")
    except AnalyticsError as error:
        sys.exit(str(error))
    print(f"\n{'figure':<54} {'measured':>9} {'goal':>8}", *figures, sep="\n")
    print("\nR is the time in which two processes read all bytes; if it varies much, measure again. The newest days,")
    print(
        f"{_CHECKED_DAYS} at most, give the tables of tests/support/reference.py; SHA-256 of their counts: {checksum}"
    )


def _say(doing: str) -> None:
    if sys.stderr.isatty():
        print(f"{doing} ...", file=sys.stderr, flush=True)


def _checksum(lake: Path, start: date, end: date) -> str:
    """The SHA-256 of all counts in the three reports. Exits where a plain-Python reading gives other tables."""
    _say(f"comparing the reports of {start} to {end} with a plain-Python reading")
    try:
        assert_same_reports(lake, str(start), str(end))  # numbers to 1e-9, counts exactly
    except AssertionError as error:
        sys.exit(f"WRONG RESULTS: {start} to {end} of {lake} differ from tests/support/reference.py: {error}")
    opened = analytics_lib.open(lake, engine="duckdb")
    reports = [opened.report(name, start=start, end=end).document()["tables"] for name in catalogue.names()]
    values = (value for tables in reports for rows in tables.values() for row in rows for value in row.values())
    counts = [value for value in values if type(value) is int]
    return hashlib.sha256(json.dumps(counts).encode()).hexdigest()


def _ratios(lake: Path, start: str, end: str) -> list[Figure]:
    measure.read_all_bytes(lake)  # warms the caches
    units, runs = [], []
    for number in range(1, _RUNS + 1):  # in turns, so that both meet the same machine
        _say(f"three reports from raw files, run {number} of {_RUNS}")
        units.append(measure.seconds(lambda: measure.read_all_bytes(lake)))
        runs.append(measure.reports(lake, start, end))
    unit = median(units)
    return [
        Figure(f"R: reading all bytes ({min(units):.2f} to {max(units):.2f} s)", unit, "s"),
        Figure("days parsed and loaded", median(run["load_seconds"] for run in runs) / unit, "R"),
        Figure("three reports from raw files", median(run["seconds"] for run in runs) / unit, "R", 8),
        Figure("peak memory of the process that asks", max(run["parent_mb"] for run in runs), "MB", 400),
        Figure("peak memory of a reading process", max(run["worker_mb"] for run in runs), "MB", 400),
    ]


def _commands(lake: Path, day: str) -> list[Figure]:
    one_day = ("--data", str(lake.resolve()), "--start", day, "--end", day, "--format", "json")
    figures = []
    for name, goal, words in (
        ("report lead_funnel, one day of the lake", 0.6, ("report", "lead_funnel", *one_day)),
        ("report lead_funnel, the samples", 0.8, ("report", "lead_funnel", "--format", "json")),
        ("--help", 0.15, ("--help",)),
    ):
        _say(f"analytics-lib {' '.join(words)}")
        command = partial(measure.run, Path(sys.executable).with_name("analytics-lib"), *words)
        command()
        taken = [measure.seconds(command) for _ in range(_COMMAND_RUNS)]
        figures.append(Figure(f"analytics-lib {name}", median(taken), "s", goal))
    return figures


def _sync() -> list[Figure]:
    _say("sync of 5,000 objects from a server that takes 20 ms to answer")
    found = sync.measured()
    return [
        Figure(f"an object, one after the other (sync: {found['ms']:.2f} ms)", found["single_ms"], "ms"),
        Figure("sync of 5,000 objects, part of that", found["ms"] / found["single_ms"], "", 0.1),
        Figure("peak memory of sync", found["mb"], "MB", 150),
    ]


def _delivery() -> list[Figure]:
    _say("delivery of a million records, 10,000 log events at a time, to an S3 that takes no time")
    found = delivery.measured(1_000_000)
    return [
        Figure(
            f"delivery of 10,000 log events ({found['records_per_second']:,.0f} a second)", found["seconds"], "s", 1
        ),
        Figure("peak memory of the delivery function", found["mb"], "MB", 128),
        Figure("first import of the delivery function", found["import_ms"] / 1000, "s", 0.15),
    ]


if __name__ == "__main__":
    main()

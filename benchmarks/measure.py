"""What is measured, each in processes of its own, so that one figure cannot spoil the next."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import Process
from pathlib import Path

import analytics_lib
from analytics_lib.lake import files
from analytics_lib.reports import catalogue

PROCESSES = 2
_AT_ONCE_BYTES = 1 << 16


def seconds(work: Callable[[], object]) -> float:
    """How long it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def read_all_bytes(root: Path) -> None:
    """Two processes read every file of the lake and do nothing else."""
    days, _ = files.day_folders(root)
    readers = [Process(target=_read_days, args=(root, days[number::PROCESSES])) for number in range(PROCESSES)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
        if reader.exitcode:
            raise SystemExit(f"reading the bytes of {root} failed")


def _read_days(root: Path, days: list[str]) -> None:
    for day in days:
        folder = os.open(root / "sessions" / f"dt={day}", os.O_RDONLY)
        for name in os.listdir(folder):
            file = os.open(name, os.O_RDONLY, dir_fd=folder)
            while len(os.read(file, _AT_ONCE_BYTES)) == _AT_ONCE_BYTES:
                pass
            os.close(file)
        os.close(folder)


def command(*words: str) -> None:
    """Run one command of analytics-lib to its end."""
    script = Path(sys.executable).with_name("analytics-lib")
    done = subprocess.run([script, *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"analytics-lib {' '.join(words)} failed:\n{done.stderr}")


def reports(root: Path, start: str, end: str) -> dict[str, float]:
    """Seconds and peak memory of the three reports from raw files, measured in a fresh process."""
    ask = [sys.executable, "-m", "benchmarks.measure", str(root), start, end]
    done = subprocess.run(ask, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise SystemExit(f"the reports on {root} failed")
    return dict(json.loads(done.stdout))


def _reports(root: Path, start: str, end: str) -> dict[str, float]:
    started = time.perf_counter()
    lake = analytics_lib.open(root, engine="duckdb")
    lake.engine.counts(lake.period(start, end))
    loaded = time.perf_counter()
    for name in catalogue.names():
        lake.report(name, start=start, end=end)
    return {
        "load_seconds": loaded - started,
        "seconds": time.perf_counter() - started,
        "parent_mb": _peak_mb(resource.RUSAGE_SELF),
        "worker_mb": _peak_mb(resource.RUSAGE_CHILDREN),  # of the largest child
    }


def _peak_mb(who: int) -> float:
    peak = resource.getrusage(who).ru_maxrss  # bytes on a Mac, KiB elsewhere
    return (peak if sys.platform == "darwin" else peak * 1024) / 1e6


if __name__ == "__main__":
    print(json.dumps(_reports(Path(sys.argv[1]), *sys.argv[2:])))

"""What is measured, each in processes of its own, so that one figure cannot spoil the next."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import Process
from pathlib import Path

import analytics_lib
from analytics_lib.lake import files
from analytics_lib.reports import catalogue

_PROCESSES, _AT_ONCE_BYTES = 2, 1 << 16
_PROCESSES_MEASURED = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN  # of children: the largest


def seconds(work: Callable[[], object]) -> float:
    """How long it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def read_all_bytes(root: Path) -> None:
    """Two processes read every file of the lake and do nothing else."""
    days, _ = files.day_folders(root)
    readers = [Process(target=_read_days, args=(root, days[number::_PROCESSES])) for number in range(_PROCESSES)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    if any(reader.exitcode for reader in readers):  # half an R would make every ratio wrong
        raise SystemExit(f"reading the bytes of {root} failed")


def _read_days(root: Path, days: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    for day in days:
        folder = os.open(root / "sessions" / f"dt={day}", os.O_RDONLY)
        for name in os.listdir(folder):
            file = os.open(name, os.O_RDONLY, dir_fd=folder)
            while len(os.read(file, _AT_ONCE_BYTES)) == _AT_ONCE_BYTES:
                pass
            os.close(file)
        os.close(folder)


def run(*words: str | Path) -> str:
    """What a command prints, run to its end."""
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))} failed:\n{done.stderr}")
    return done.stdout


def reports(root: Path, start: str, end: str) -> dict[str, float]:
    """Seconds and peak memory of the three reports from raw files, measured in a fresh process."""
    return dict(json.loads(run(sys.executable, "-m", "benchmarks.measure", root.resolve(), start, end)))


def _reports(root: Path, start: str, end: str) -> dict[str, float]:
    started = time.perf_counter()
    lake = analytics_lib.open(root, engine="duckdb")
    lake.engine.counts(lake.period(start, end))
    loaded = time.perf_counter()
    for name in catalogue.names():
        lake.report(name, start=start, end=end)
    ended = time.perf_counter()
    unit = 1 if sys.platform == "darwin" else 1024  # bytes of one unit of ru_maxrss
    parent, worker = (resource.getrusage(who).ru_maxrss * unit / 1e6 for who in _PROCESSES_MEASURED)
    return {"load_seconds": loaded - started, "seconds": ended - started, "parent_mb": parent, "worker_mb": worker}


if __name__ == "__main__":
    print(json.dumps(_reports(Path(sys.argv[1]), *sys.argv[2:])))

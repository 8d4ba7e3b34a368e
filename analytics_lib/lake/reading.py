"""Reads the days of a period into flat Arrow tables, in this process or, where there are many files, in several."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pyarrow as pa

from analytics_lib.errors import LakeError
from analytics_lib.lake.reader import DayCounts, read_day
from analytics_lib.lake.tables import Tables
from analytics_lib.scratch import Scratch

Progress = Callable[[int, int], None]  # days done, days in all

_BATCH_ROWS = 25_000
_FILES_WORTH_A_WORKER = 4_000  # below, starting processes takes longer than it saves


@dataclass(frozen=True, slots=True)
class Batch:
    """Some whole days: their counts and the rows of the two flat tables."""

    counts: dict[str, DayCounts]
    sessions: pa.Table
    calls: pa.Table


def read(root: Path, days: Sequence[str], progress: Progress | None = None) -> Iterator[Batch]:
    """Every day once, a batch of days at a time. Broken files and lines are counted, never raised."""
    workers = min(_processors(), len(days))
    if workers > 1 and _has_many_files(root, days):
        yield from _read_with_workers(root, days, workers, progress or _quiet)
        return
    done = 0
    for batch in batches(root, days):
        done += len(batch.counts)
        (progress or _quiet)(done, len(days))
        yield batch


def batches(root: Path, days: Sequence[str]) -> Iterator[Batch]:
    """Read the days in this process."""
    with _collector_paused():
        tables, counts = Tables(), {}
        for day in days:
            counts[day] = read_day(root, day, tables)
            if tables.rows >= _BATCH_ROWS:
                yield Batch(counts, *tables.finish())
                tables, counts = Tables(), {}
        if counts:
            yield Batch(counts, *tables.finish())


@contextmanager
def _collector_paused() -> Iterator[None]:
    """The reader makes millions of objects and no cycles; looking for some takes a third of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _quiet(done: int, total: int) -> None:
    pass


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_many_files(root: Path, days: Sequence[str]) -> bool:
    count = 0
    for day in days:
        with suppress(OSError):  # whoever reads the day will say so
            count += len(os.listdir(root / "sessions" / f"dt={day}"))
        if count > _FILES_WORTH_A_WORKER:
            return True
    return False


def _read_with_workers(root: Path, days: Sequence[str], workers: int, progress: Progress) -> Iterator[Batch]:
    """Each worker reads every n-th day and hands its rows over as Arrow files, which pickling would double in time."""
    done, running = 0, workers
    said: SimpleQueue[dict[str, object] | None] = SimpleQueue()
    with Scratch() as folder:
        processes: list[subprocess.Popen[str]] = []
        try:
            for number in range(workers):
                processes.append(_start(root, days[number::workers], folder / str(number)))
                Thread(target=_listen, args=(processes[-1], said), daemon=True).start()
            while running:
                message = said.get()
                if message is None:
                    running -= 1
                    continue
                batch = _handed_over(message)
                done += len(batch.counts)
                progress(done, len(days))
                yield batch
        finally:
            for process in processes:
                process.kill()
                process.wait()
    if done < len(days):
        raise LakeError(f"a reading process ended early, with {len(days) - done} of {len(days)} days unread in {root}")


def _start(root: Path, days: Sequence[str], prefix: Path) -> "subprocess.Popen[str]":
    package = str(Path(__file__).parents[2])
    search = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "analytics_lib.lake.reading"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": search, "OPENBLAS_NUM_THREADS": "1"},  # numpy's threads would only spin
        start_new_session=True,  # Ctrl-C reaches this process, which stops its workers
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:  # one that died at once is missed when its days are
        json.dump({"root": str(root), "days": list(days), "prefix": str(prefix)}, process.stdin)
    return process


def _listen(process: "subprocess.Popen[str]", said: "SimpleQueue[dict[str, object] | None]") -> None:
    assert process.stdout is not None
    with process.stdout, suppress(ValueError):  # the last line of a process that was killed may be torn
        for line in process.stdout:
            said.put(json.loads(line))
    said.put(None)


def _work() -> None:
    """A reading process: days come in on standard input, a line goes out for each batch that was written."""
    job = json.load(sys.stdin)
    for number, batch in enumerate(batches(Path(job["root"]), job["days"])):
        print(json.dumps(_hand_over(batch, f"{job['prefix']}-{number}")), flush=True)


def _hand_over(batch: Batch, prefix: str) -> dict[str, object]:
    """Write a batch's tables beside `prefix`; the message that `_handed_over` turns into the batch again."""
    paths = []
    for name, table in (("sessions", batch.sessions), ("calls", batch.calls)):
        paths.append(f"{prefix}-{name}.arrow")
        with pa.OSFile(paths[-1], "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    return {"counts": {day: asdict(counts) for day, counts in batch.counts.items()}, "paths": paths}


def _handed_over(message: dict) -> Batch:  # type: ignore[type-arg]
    tables = []
    for path in message["paths"]:
        tables.append(pa.ipc.open_file(pa.memory_map(path)).read_all())
        os.unlink(path)
    return Batch({day: DayCounts(**counts) for day, counts in message["counts"].items()}, *tables)


if __name__ == "__main__":
    _work()

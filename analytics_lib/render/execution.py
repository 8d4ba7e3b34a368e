"""Notebooks executed by papermill, each in a kernel of its own, side by side.

A thread for each kernel does the talking; the caller's thread takes what they report, so `progress` is called
there and Ctrl-C arrives there.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

from analytics_lib.scratch import Scratch

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

Progress = Callable[[str, int, int], None]

_GRACE_SECONDS = 10.0  # for kernels to stop their queries on the server
_MARKER = "papermill-error-cell-tag"


class CellError(Exception):
    """A notebook did not run to its end: the cell at which it stopped, and why."""

    def __init__(self, job: "Job", *reason: str) -> None:
        self.job, self.reason = job, " ".join(": ".join(filter(None, reason)).split())
        self.place = "no cell"
        if job.cell is not None:
            first = str(job.notebook.cells[job.cell].source).strip().partition("\n")[0]
            self.place = f"cell {job.cell + 1} (`{first}`)"
        super().__init__(self.reason)


class Job:
    """One notebook to execute with these parameters, its kernel working in `folder`."""

    def __init__(self, name: str, path: Path, folder: Path, parameters: Mapping[str, object]) -> None:
        self.name, self.path, self.folder, self.parameters = name, path, folder, parameters
        self.notebook: Any = None  # as far as it is executed
        self.cell: int | None = None  # the last one that was begun
        self.seconds = 0.0
        self._kernel: AsyncKernelManager | None = None
        self._stopped = False

    def execute(self, room: Path, report: Callable[[tuple[str, int, int]], None]) -> None:
        """Runs every cell, the kernel's sockets in `room`. Raises CellError; the kernel is gone in any case."""
        from jupyter_core.utils import ensure_event_loop
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError

        def begin(cell: Any, cell_index: int) -> None:
            if self._stopped:
                raise CellError(self, "stopped")
            self.cell = cell_index
            report((self.name, cell_index, len(self.notebook.cells)))

        began = time.monotonic()
        try:
            with closing(ensure_event_loop()):
                self._papermill(self._kernel_class(room), begin)
        except PapermillExecutionError as error:
            raise CellError(self, error.ename, error.evalue) from None
        except DeadKernelError:
            raise CellError(self, "the kernel died") from None
        except CellError:
            raise
        except Exception as error:
            raise CellError(self, type(error).__name__, str(error)) from error
        if any(cell.metadata.papermill.exception for cell in self.notebook.cells):
            raise CellError(self, "SystemExit")  # with status 0, which papermill takes for success
        report((self.name, len(self.notebook.cells), len(self.notebook.cells)))
        self.seconds = time.monotonic() - began

    def signal(self, number: signal.Signals) -> None:
        """Sends it to the kernel and the processes that it started; no further cell is begun."""
        self._stopped = True
        process = getattr(self._kernel and self._kernel.provisioner, "process", None)
        if process and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)  # Jupyter makes every kernel the leader of a group

    def _papermill(self, kernel_class: "type[AsyncKernelManager]", begin: Callable[[Any, int], None]) -> None:
        self.folder.mkdir()
        try:
            papermill().execute_notebook(
                str(self.path),
                None,
                parameters=self.parameters,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                on_notebook_start=lambda notebook: setattr(self, "notebook", notebook),
                on_cell_start=begin,
                resources={"metadata": {"path": str(self.folder)}},  # `cwd` would be that of all threads
                kernel_manager_class=kernel_class,
                shutdown_kernel="immediate",
                force_raise_errors=True,
                coalesce_streams=True,
            )
        finally:
            if self.notebook:  # papermill puts cells in to show an error: without them the others keep their numbers
                cells = self.notebook.cells
                cells[:] = [cell for cell in cells if _MARKER not in cell.metadata.get("tags", [])]

    def _kernel_class(self, room: Path) -> "type[AsyncKernelManager]":
        """This very Python, whatever kernels the user has installed under its name; no other user can listen."""
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager

        job, file = self, str(room / f"{self.name}.json")

        class Kernel(AsyncKernelManager):
            def __init__(self, **options: Any) -> None:
                specs = KernelSpecManager(kernel_dirs=[])
                super().__init__(kernel_spec_manager=specs, transport="ipc", connection_file=file, **options)
                # A kernel is killed in the end, and removes nothing by itself.
                environment = {**os.environ, "TMPDIR": str(room)}
                self.start_kernel = partial(self.start_kernel, stdout=DEVNULL, stderr=DEVNULL, env=environment)
                job._kernel = self

        return Kernel


def execute(jobs: Sequence[Job], progress: Progress | None) -> None:
    """Runs every cell of every job. Raises the first CellError; no kernel is left running, whatever happens."""
    room = Scratch()  # for sockets, whose paths must be short, and for whatever the kernels keep in a temporary folder
    events: SimpleQueue[tuple[str, int, int] | Future[None]] = SimpleQueue()
    pool = ThreadPoolExecutor(min(4, (os.cpu_count() or 1) + 1))
    futures: list[Future[None]] = []
    waiting = len(jobs)
    try:
        for job in jobs:
            futures.append(pool.submit(job.execute, room.path, events.put))
            futures[-1].add_done_callback(events.put)
        while waiting:
            event = events.get()
            if isinstance(event, Future):
                event.result()
                waiting -= 1
            elif progress:
                progress(*event)
    finally:
        _stop(pool, jobs, futures)
        room.remove()


def _stop(pool: ThreadPoolExecutor, jobs: Sequence[Job], futures: "Sequence[Future[None]]") -> None:
    """Interrupts the running cells as the stop button does (a query on Athena ends by that), then kills."""
    pool.shutdown(wait=False, cancel_futures=True)
    try:
        for job in jobs:
            job.signal(signal.SIGINT)
        wait([future for future in futures if future.running()], _GRACE_SECONDS)
    finally:
        for job in jobs:
            job.signal(signal.SIGKILL)
        pool.shutdown()


def papermill() -> Any:
    """The module papermill.

    jsonschema, which it loads, builds a grammar for a format that notebooks do not use where it finds
    rfc3987_syntax (it comes with JupyterLab), which takes 1.5 seconds. It does without when the import fails.
    """
    absent: Any = None
    sys.modules.setdefault("rfc3987_syntax", absent)
    try:
        import papermill
    finally:
        if sys.modules["rfc3987_syntax"] is None:
            del sys.modules["rfc3987_syntax"]
    logging.getLogger("papermill").addHandler(logging.NullHandler())  # else Python prints what it logs
    return papermill

"""Notebooks executed by papermill, each in a kernel of its own, several at once.

A worker thread for each kernel does the talking; the caller's thread takes what they report, so `progress` is
called there and Ctrl-C arrives there. It then interrupts the running cells, as the stop button does (a query
on Athena is cancelled by that), waits, and kills what is left.
"""

import errno
import logging
import os
import queue
import re
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics_lib.errors import MissingExtraError
from analytics_lib.render.notebook import Source

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

GRACE_SECONDS = 3.0
ERROR_MARKER = "papermill-error-cell-tag"
ENVIRONMENT_ERROR = re.compile(r"\[Errno (\d+)\] (.*)", re.DOTALL)

Event = tuple["Job", int, int]


class CellError(Exception):
    """A notebook did not run to its end: in which cell (None: in no cell, no kernel came up), and why."""

    def __init__(self, job: "Job", index: int | None, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.job = job
        self.number = None if index is None else index + 1
        source = "" if index is None or job.executed is None else str(job.executed.cells[index].source)
        self.line = next((line.strip() for line in source.splitlines() if line.strip()), "")
        text = " ".join(message.split())
        self.reason = f"{kind}: {text}" if text else kind
        system = ENVIRONMENT_ERROR.match(message) if kind == "OSError" else None
        full = system and int(system[1]) in (errno.ENOSPC, errno.EDQUOT)
        self.disk_full = OSError(int(system[1]), system[2]) if system and full else None


class Job:
    """One notebook to execute, its kernel working in `folder`, with temporary files in `room`."""

    def __init__(self, source: Source, folder: Path, room: Path) -> None:
        self.source, self.name, self.folder = source, source.name, folder
        self.room = room / source.name
        self.executed: NotebookNode | None = None
        self.seconds = 0.0
        self._cell: int | None = None
        self._kernel: AsyncKernelManager | None = None
        self._stopped = False

    def text(self) -> str:
        """The notebook as far as it is executed, as JSON."""
        import nbformat

        json = nbformat.writes(self.executed, version=4)
        return f"{json}\n"

    def execute(self, libraries: "Future[Any]", report: Callable[[Event], None]) -> None:
        """Runs every cell. Raises CellError; whatever happens, the kernel is gone afterwards."""
        began = time.monotonic()
        try:
            with _event_loop(), self._running_kernel() as kernel:
                self._run_cells(kernel, libraries.result(), report)
                cells = self._check()
                report((self, cells, cells))
                self.seconds = time.monotonic() - began
        except CellError:
            raise
        except Exception as error:
            if "kernel died" in str(error).lower():
                raise CellError(self, self._cell, "the kernel died", self._last_words()) from error
            raise CellError(self, self._cell, type(error).__name__, str(error)) from error

    def interrupt(self) -> None:
        """Asks the running cell to stop, as Ctrl-C does; no further cell is begun."""
        self._stopped = True
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Ends the kernel and every process that it started."""
        self._stopped = True
        self._signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def _run_cells(self, kernel: "AsyncKernelManager", papermill: Any, report: Callable[[Event], None]) -> None:
        def keep(notebook: "NotebookNode") -> None:
            self.executed = notebook

        def cell_starts(cell: "NotebookNode", cell_index: int) -> None:
            if self._stopped:
                raise CellError(self, None, "stopped", "")
            self._cell = cell_index
            report((self, cell_index, len(self.executed.cells) if self.executed else 0))

        path = str(self.source.path.absolute()).replace("{", "{{").replace("}", "}}")  # papermill formats it
        with suppress(papermill.exceptions.PapermillExecutionError):  # `_check` sees this, and sees more
            papermill.execute_notebook(
                path,
                None,
                parameters=self.source.injected,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                km=kernel,
                on_notebook_start=keep,
                on_cell_start=cell_starts,
                force_raise_errors=True,
                coalesce_streams=True,
            )

    def _check(self) -> int:
        """The number of cells. Raises CellError for the first that failed or never ran (`sys.exit(0)`)."""
        assert self.executed is not None
        cells = self.executed.cells
        cells[:] = [cell for cell in cells if ERROR_MARKER not in cell.metadata.get("tags", [])]
        for index, cell in enumerate(cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            for output in cell.outputs:
                if output.output_type == "error":
                    raise CellError(self, index, output.ename, output.evalue)
            if cell.execution_count is None:
                raise CellError(self, index, "the cell was not executed", "")
        return len(cells)

    @contextmanager
    def _running_kernel(self) -> "Iterator[AsyncKernelManager]":
        """A kernel of this very Python, whatever kernels the user has installed under the same name."""
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_core.utils import run_sync

        clients: list[Any] = []

        class Manager(AsyncKernelManager):
            """Remembers its clients, which papermill leaves open when the kernel is not its own."""

            def client(self, **options: Any) -> Any:
                clients.append(super().client(**options))
                return clients[-1]

        self.room.mkdir()
        kernel = Manager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            connection_file=str(self.room / "kernel.json"),
            # Files, not ports: two kernels that start together can be given the same port.
            transport="tcp" if sys.platform == "win32" else "ipc",
        )
        started = run_sync(kernel.start_kernel)
        settings = {"IPYTHONDIR": str(self.room), "TMPDIR": str(self.room)}
        try:
            with self._log.open("wb") as log:
                started(cwd=str(self.folder), env={**os.environ, **settings}, stdout=log, stderr=log)
            self._kernel = kernel
            yield kernel
        finally:
            with suppress(Exception):  # at once: its files are written, asking it to leave takes half a second
                run_sync(kernel.shutdown_kernel)(now=True)
            self._kernel = None

    @property
    def _log(self) -> Path:
        return self.room / "kernel.log"

    def _last_words(self) -> str:
        """The last line that a kernel wrote past Jupyter: a crash in C code, say, leaves its message."""
        with suppress(OSError):
            lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    def _signal(self, number: int) -> None:
        """To the kernel and the processes that it started, if it is running."""
        provisioner = getattr(self._kernel, "provisioner", None)
        process, group = getattr(provisioner, "process", None), getattr(provisioner, "pgid", None)
        if process is None or process.poll() is not None:
            return
        with suppress(OSError):
            os.killpg(group, number) if group else process.send_signal(number)


def execute(
    jobs: Sequence[Job], *, progress: Callable[[str, int, int], None] | None, at_once: int | None
) -> Generator[Job, None, None]:
    """The jobs as they are done. Raises the first CellError; then, or when closed early, stops the others."""
    _load_jupyter_client()
    events: queue.SimpleQueue[Event | Future[None]] = queue.SimpleQueue()
    libraries: Future[Any] = Future()
    pool = ThreadPoolExecutor(at_once or min(len(jobs), (os.cpu_count() or 1) + 1, 4), "analytics-report")
    running = {pool.submit(job.execute, libraries, events.put): job for job in jobs}
    for future in running:
        future.add_done_callback(events.put)
    waiting = len(running)
    try:
        libraries.set_result(_load_papermill())  # while the kernels boot
        while waiting:
            event = events.get()
            if isinstance(event, Future):
                event.result()
                waiting -= 1
                yield running[event]
            elif progress:
                progress(event[0].name, event[1], event[2])
    except BaseException:
        libraries.cancel()
        for job in jobs:
            job.interrupt()
        raise
    finally:
        _end(pool, running)


def _end(pool: ThreadPoolExecutor, running: "dict[Future[None], Job]") -> None:
    """Waits for the interrupted kernels a moment, then kills them."""
    pool.shutdown(wait=False, cancel_futures=True)
    try:
        wait([future for future in running if future.running()], GRACE_SECONDS)
    finally:
        for job in running.values():
            job.kill()
        pool.shutdown()


@contextmanager
def _event_loop() -> Iterator[None]:
    """The loop in which Jupyter's asynchronous calls run in this thread."""
    from jupyter_core.utils import ensure_event_loop

    loop = ensure_event_loop()
    try:
        yield
    finally:
        loop.close()


def _load_jupyter_client() -> None:
    """All that starts a kernel, imported in one thread: two that import the same can see half a module."""
    try:
        import ipykernel.kernelspec  # noqa: F401
        import jupyter_client.kernelspec
        import jupyter_client.manager
        import jupyter_client.provisioning  # noqa: F401
    except ImportError as error:
        raise _missing(error) from error


def _load_papermill() -> Any:
    """The module papermill; nbconvert is loaded too.

    jsonschema, which both load, builds a grammar for a format that notebooks do not use where it finds
    rfc3987_syntax (it comes with JupyterLab): 1.5 of 2.5 seconds. It does without when the import fails.
    """
    unwanted = "rfc3987_syntax" not in sys.modules
    if unwanted:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        import nbconvert.exporters.html  # noqa: F401
        import papermill
    except ImportError as error:
        raise _missing(error) from error
    finally:
        if unwanted:
            del sys.modules["rfc3987_syntax"]
    logging.getLogger("papermill").addHandler(logging.NullHandler())  # else Python prints what it logs
    return papermill


def _missing(error: ImportError) -> MissingExtraError:
    return MissingExtraError(
        f"Reports need {error.name or error}, which is not installed. "
        f"Install it: pip install 'analytics_lib[analytics]'"
    )

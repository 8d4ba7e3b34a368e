"""Notebooks in, reports out: executed by papermill, shown as HTML pages, put into place all together or not.

    run ── notebook.read ──> execution.execute (a kernel each) ──> page.write ──> staging.Staging.commit

Importing this package is cheap: papermill and nbconvert are loaded while the kernels boot.
"""

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analytics_lib.errors import NotebookError, OutputError
from analytics_lib.render import execution, notebook, staging

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Rendered:
    """One finished report: where it lies, the facts that its notebook saved, how long it took."""

    name: str
    page: Path
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def run(
    names: Sequence[str],
    output: Path,
    parameters: Mapping[str, object],
    *,
    notebooks: Path,
    progress: Progress | None = None,
    at_once: int | None = None,
) -> list[Rendered]:
    """The reports `names`, made from `<notebooks>/NAME.ipynb` into `<output>/NAME/`: all of them, or none.

    A folder holds `NAME.html`, the executed `NAME.ipynb`, a PNG for each figure, and what the notebook saves
    to its parameter `output`, which is its working folder: a CSV for each table and `facts.json`. `progress`
    is called in the caller's thread with name, cells done, cells in all. `at_once` kernels run side by side
    (default: one more than there are cores, at most four).

    Raises ParameterError for a parameter that a notebook does not declare; NotebookError for a notebook that
    is missing or fails (what ran of it is then `<output>/failed/NAME.ipynb`); OutputError when `output`
    cannot be written. After any error, Ctrl-C included, `output` holds the reports of the last good run.
    """
    sources = [notebook.read(notebooks, name, parameters) for name in dict.fromkeys(names)]
    if not sources:
        return []
    with _quiet(), staging.staged(output) as stage, _scratch() as room:
        jobs = [execution.Job(source, stage.folder(source.name), room) for source in sources]
        try:
            with closing(execution.execute(jobs, progress=progress, at_once=at_once)) as executed:
                made = [_finish(job, stage) for job in executed]
        except execution.CellError as failure:
            raise _explained(failure, stage) from None
        stage.commit([job.name for job in made])
    order = [source.name for source in sources]
    return sorted(made, key=lambda rendered: order.index(rendered.name))


def _finish(job: execution.Job, stage: staging.Staging) -> Rendered:
    """Page and figures of an executed notebook, written to its staging folder and checked."""
    from analytics_lib.render import page  # late: its caller has loaded nbconvert while the kernels booted

    began = time.monotonic()
    with staging.explained(stage.output):
        facts = _facts(job)
        saved = stage.final(job.name, job.text())
        page.write(job.name, saved, job.folder, {**job.source.parameters, **facts})
    seconds = job.seconds + time.monotonic() - began
    folder = stage.output / job.name
    return Rendered(job.name, folder / f"{job.name}.html", folder, facts, seconds)


def _facts(job: execution.Job) -> dict[str, Any]:
    path = job.folder / "facts.json"
    try:
        facts = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except ValueError as error:
        raise NotebookError(f"{job.source.path} saved a facts.json that is no JSON: {error}.") from error
    return facts if isinstance(facts, dict) else {}


def _explained(failure: execution.CellError, stage: staging.Staging) -> NotebookError | OutputError:
    """The message for a person; what ran of the notebook is kept under `failed/`."""
    job = failure.job
    if failure.disk_full:
        return OutputError(staging.explanation(stage.output, failure.disk_full))
    kept = stage.fail(job.name, stage.final(job.name, job.text())) if job.executed else None
    where = f"cell {failure.number} of {kept or job.source.path}" if failure.number else str(job.source.path)
    line = f", which begins with `{failure.line}`" if failure.line else ""
    after = f"To look into it: jupyter lab {kept}" if kept else "No copy of it could be kept."
    return NotebookError(
        f"Report {job.name} failed in {where}{line}:\n  {failure.reason}\n"
        f"No report in {stage.output} was changed. {after}"
    )


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for sockets, logs and temporary files of the kernels, on the system's own temporary disk."""
    with staging.explained(Path("the folder for temporary files")):
        room = TemporaryDirectory(prefix="analytics-", ignore_cleanup_errors=True)
    with room as path:
        yield Path(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the warnings that Jupyter's libraries give one another from the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""Notebooks in, reports out: executed by papermill, shown by nbconvert, put into place all together or not at all.

`run` calls execution.execute (a kernel each, side by side), then page.write, then staging.commit.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analytics_lib.errors import AnalyticsError, NotebookError, OutputError, ParameterError
from analytics_lib.render import execution, staging
from analytics_lib.render.execution import Job, Progress

# Set by `run` alone, where a notebook declares it: its kernel works in the folder of the report.
_OUTPUT = "output"


@dataclass(frozen=True)
class Rendered:
    """One finished report: where it lies, the facts that its notebook saved, how long its cells took."""

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
) -> list[Rendered]:
    """The reports `names`, made from `<notebooks>/NAME.ipynb` into `<output>/NAME/`: all of them, or none.

    A folder holds `NAME.html`, the executed `NAME.ipynb`, a PNG for each figure, and what the notebook saves
    to its parameter `output`: a CSV for each table and `facts.json`. `progress` is called in the caller's
    thread with name, cells done, cells in all.

    Raises ParameterError for a parameter that a notebook does not declare; NotebookError for a notebook that
    is missing or fails (what ran of it is then `<output>/failed/NAME.ipynb`); OutputError when `output`
    cannot be written. After any error, Ctrl-C included, `output` holds the reports of the last good run.
    """
    given = {name: _parameters(_notebook(notebooks, name), parameters) for name in names}
    with staging.staged(output) as stage:
        jobs = [Job(name, _notebook(notebooks, name), stage / name, given[name]) for name in given]
        try:
            execution.execute(jobs, progress)
        except execution.CellError as failure:
            raise _explained(failure, output) from None
        with staging.explained(output):
            made = [_finish(job, output) for job in jobs]
            staging.commit(stage, output, list(given))
    return made


def _notebook(notebooks: Path, name: str) -> Path:
    path = notebooks / f"{name}.ipynb"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in notebooks.glob("*.ipynb"))) or "none"
        raise NotebookError(f"There is no notebook {path} for the report {name!r}. Notebooks there: {known}.")
    return path


def _parameters(path: Path, given: Mapping[str, object]) -> dict[str, object]:
    """The parameters for papermill, which by itself would only warn of one that the notebook does not declare."""
    try:
        declared = execution.papermill().inspect_notebook(str(path))
    except Exception as error:  # whatever nbformat and papermill raise for files that are no notebooks
        raise NotebookError(f"{path} cannot be read as a notebook: {type(error).__name__}: {error}") from error
    allowed = [name for name in declared if name != _OUTPUT]
    for name in given:
        if name not in allowed:
            raise ParameterError(
                f"{path} has no parameter {name!r}. Allowed: {', '.join(allowed) or 'none'}; "
                f"its cell tagged `parameters` declares them."
            )
    return {**given, _OUTPUT: "."} if _OUTPUT in declared else dict(given)


def _finish(job: Job, output: Path) -> Rendered:
    from analytics_lib.render import page

    saved = job.folder / "facts.json"
    facts = json.loads(saved.read_text("utf-8")) if saved.exists() else {}
    page.write(job.notebook, job.name, job.folder, facts)
    folder = output / job.name
    return Rendered(job.name, folder / f"{job.name}.html", folder, facts, job.seconds)


def _explained(failure: execution.CellError, output: Path) -> AnalyticsError:
    """The error for a person; what ran of the notebook is kept under `failed/`."""
    job = failure.job
    kept = staging.keep_failed(output, job.name, job.notebook)
    kind = OutputError if "No space left on device" in failure.reason else NotebookError
    return kind(
        f"Report {job.name} failed in {failure.place} of {kept or job.path}:\n  {failure.reason}\n"
        f"No report in {output} was changed. To look into it: jupyter lab {kept or job.path}"
    )

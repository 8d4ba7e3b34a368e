"""A report's notebook before it runs: is it there, is it one, which parameters does it take."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics_lib.errors import NotebookError, ParameterError

# Set for every notebook that declares it, and by nobody else: the kernel works in the folder of the report.
OUTPUT = "output"


@dataclass(frozen=True)
class Source:
    """A notebook that can be run with these parameters."""

    name: str
    path: Path
    parameters: dict[str, object]
    takes_output: bool

    @property
    def injected(self) -> dict[str, object]:
        """The parameters as papermill gets them."""
        return {**self.parameters, OUTPUT: "."} if self.takes_output else dict(self.parameters)


def read(notebooks: Path, name: str, parameters: Mapping[str, object]) -> Source:
    """The notebook `<notebooks>/<name>.ipynb`.

    Raises NotebookError when it is missing, is no notebook or has no cell tagged `parameters`, ParameterError
    when that cell does not assign one of `parameters` (papermill would only warn).
    """
    path = notebooks / f"{name}.ipynb"
    if Path(name).name != name or name.startswith(".") or name == "failed" or not path.is_file():
        known = ", ".join(sorted(found.stem for found in notebooks.glob("*.ipynb"))) or "none"
        raise NotebookError(f"There is no notebook {path} for the report {name!r}. Notebooks there: {known}.")
    declared = list(_assigned(_parameters_cell(path), path))
    allowed = [parameter for parameter in declared if parameter != OUTPUT]
    for parameter in parameters:
        if parameter not in allowed:
            raise ParameterError(
                f"{path} has no parameter {parameter!r}. Allowed: {', '.join(allowed) or 'none'}; "
                f"its cell tagged `parameters` declares them."
            )
    return Source(name, path, dict(parameters), OUTPUT in declared)


def _parameters_cell(path: Path) -> str:
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        tagged = [cell["source"] for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookError(f"{path} cannot be read as a notebook: {type(error).__name__}: {error}.") from error
    if not tagged:
        raise NotebookError(
            f"{path} has no cell tagged `parameters`, so nothing could be passed to it. In JupyterLab, add "
            f"the tag to the cell with its parameters (property inspector, cog wheels at the right)."
        )
    return "".join(tagged[0])


def _assigned(code: str, path: Path) -> Iterator[str]:
    """The names that the cell assigns at its top level."""
    try:
        statements = ast.parse(code).body
    except SyntaxError as error:
        raise NotebookError(
            f"The parameters cell of {path} is not Python: {error.msg}, line {error.lineno}."
        ) from error
    for statement in statements:
        targets: list[Any] = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))

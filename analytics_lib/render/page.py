"""An executed notebook shown as one self-contained HTML page, and its figures as PNG files."""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import mistune
import nbformat
from nbconvert.exporters.html import HTMLExporter
from traitlets.config import Config

from analytics_lib import phrases
from analytics_lib.period import Period

_TEMPLATES = Path(__file__).parent.parent / "templates"
# The first of these that an output has is shown; there is no script, SVG or widget among them.
_SHOWN = ["image/png", "text/html", "text/markdown", "text/plain"]


def write(notebook: Any, name: str, folder: Path, facts: Mapping[str, Any]) -> None:
    """Makes `NAME.ipynb`, `NAME.html` and a PNG for each figure; `facts` may hold the period's `start` and `end`."""
    (folder / f"{name}.ipynb").write_text(nbformat.writes(notebook) + "\n", "utf-8")
    _write_figures(notebook, folder)
    untyped: Any = HTMLExporter
    exporter = untyped(
        config=Config({"NbConvertBase": {"display_data_priority": _SHOWN}}),
        template_name="report",
        extra_template_basedirs=[str(_TEMPLATES)],
    )
    # What a notebook computes can hold what a caller said: HTML in it is shown as text.
    exporter.register_filter("markdown", mistune.create_markdown(escape=True, plugins=["table"]))
    page, _ = exporter.from_notebook_node(notebook, resources={"report": _about(notebook, name, facts)})
    (folder / f"{name}.html").write_text(page, "utf-8")


def _write_figures(notebook: Any, folder: Path) -> None:
    """A PNG for each figure, under the name that its metadata gives, or else its number."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    for number, output in enumerate(figures, 1):
        given = output.metadata.get("image/png", {}).get("name") or f"figure-{number}"
        stem = re.sub(r"[^\w-]+", "-", given).strip("-")
        file = folder / f"{stem}.png"
        if file.exists():
            file = folder / f"{stem}-{number}.png"
        file.write_bytes(base64.b64decode(output.data["image/png"]))


def _about(notebook: Any, name: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """What the template shows around the cells: title, period, and what made the page when."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^# +(.+?) *$", text, re.MULTILINE)
    title, period = heading[1] if heading else name, ""
    if "start" in facts and "end" in facts:
        days = Period(date.fromisoformat(facts["start"]), date.fromisoformat(facts["end"]))
        title, period = f"{title}, {days}", phrases.days(days)
    return {
        "title": title,
        "period": period,
        "generator": f"analytics-lib {metadata.version('analytics_lib')}",
        "made_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }

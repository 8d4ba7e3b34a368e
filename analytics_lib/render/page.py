"""An executed notebook shown as one self-contained HTML page, and its figures as PNG files."""

import base64
import binascii
import functools
import html
import re
import struct
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from analytics_lib.errors import NotebookError
from analytics_lib.render import text

TEMPLATES = Path(__file__).parent.parent / "templates"
HEADING = re.compile(r"^#[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
CAPTION = re.compile(r"<caption[^>]*>(.*?)</caption>", re.DOTALL | re.IGNORECASE)
TAG = re.compile(r"<[^>]*>")
# The first of these that an output has is shown; there is no script, SVG or widget among them.
SHOWN = ["image/png", "text/html", "text/markdown", "text/plain"]
KINDS = ("answer", "notice", "remark")


def write(name: str, notebook_json: str, folder: Path, facts: Mapping[str, object]) -> None:
    """Makes `NAME.ipynb`, `NAME.html` and a PNG for each figure in `folder`.

    `facts` may have `start` and `end`, ISO dates, the period that title and header name. Raises NotebookError
    for a figure that is no PNG and for a page that came out empty.
    """
    import nbformat

    notebook = nbformat.reads(notebook_json, as_version=4)
    (folder / f"{name}.ipynb").write_text(notebook_json, "utf-8")
    heading = _take_heading(notebook) or name.replace("_", " ").capitalize()
    _describe(notebook, name, folder, TAG.sub("", text.inline(heading)))
    page, _ = _exporter().from_notebook_node(notebook, resources={"report": _report(heading, facts)})
    if "<title>" not in page or "</html>" not in page:
        raise NotebookError(f"The page of {name} came out empty. Is {TEMPLATES / 'report'} complete?")
    (folder / f"{name}.html").write_text(page, "utf-8")


def _take_heading(notebook: Any) -> str:
    """The first markdown cell's `# heading`, taken out of it: the page shows it above everything else."""
    first = next((cell for cell in notebook.cells if cell.cell_type == "markdown"), None)
    found = HEADING.search(first.source) if first else None
    if not first or not found:
        return ""
    first.source = first.source[: found.start()] + first.source[found.end() :]
    return found[1]


def _report(heading: str, facts: Mapping[str, object]) -> dict[str, str]:
    """What the template shows around the cells."""
    start, end = _day(facts.get("start")), _day(facts.get("end"))
    title, period = html.unescape(TAG.sub("", text.inline(heading))), ""
    if start and end:
        title = f"{title}, {start} to {end}" if start != end else f"{title}, {start}"
        period = f'<time datetime="{start}">{_long(start)}</time>'
        if start != end:
            period += f' to <time datetime="{end}">{_long(end)}</time>'
        period += ", UTC"
    now = datetime.now(UTC)
    return {
        "title": title,
        "heading_html": text.inline(heading),
        "period_html": period,
        "generator": f"analytics-lib {_version()}",
        "made_at": now.strftime("%Y-%m-%dT%H:%MZ"),
        "made_on": f"{_long(now.date())}, {now:%H:%M} UTC",
    }


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _long(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _version() -> str:
    try:
        return metadata.version("analytics_lib")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _describe(notebook: Any, name: str, folder: Path, title: str) -> None:
    """Writes the figures, and notes in each output's metadata what the template needs to show it well."""
    taken: set[str] = set()
    tables = figures = remarks = 0
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        shown = next((kind for kind in SHOWN if kind in output.get("data", {})), "")
        given = output.get("metadata", {}).get(shown, {})
        if shown == "image/png":
            figures += 1
            png = _png(output.data["image/png"], name)
            output.metadata["report"] = _figure(png, given, f"Figure {figures} of {title}")
            stem = _free(given.get("name") or f"figure-{figures}", taken)
            (folder / f"{stem}.png").write_bytes(png)
        elif shown == "text/html":
            tables += 1
            caption = CAPTION.search(output.data["text/html"])
            words = " ".join(html.unescape(TAG.sub("", caption[1])).split()) if caption else ""
            output.metadata["report"] = {"label": f"Table {tables}: {words}" if words else f"Table {tables}"}
        elif shown == "text/markdown":
            remarks += 1
            kind = given.get("kind", "answer" if remarks == 1 else "remark")
            output.metadata["report"] = {"kind": kind if kind in KINDS else "remark"}


def _png(encoded: str, name: str) -> bytes:
    try:
        png = base64.b64decode("".join(encoded.split()), validate=True)
    except binascii.Error:
        png = b""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        raise NotebookError(f"A figure of report {name} is no PNG picture.")
    return png


def _figure(png: bytes, given: Mapping[str, Any], otherwise: str) -> dict[str, Any]:
    """Alternative text and size on the page: as the notebook gives them, else the picture's own size."""
    pixels_wide, pixels_high = struct.unpack(">II", png[16:24])
    width = int(given.get("width") or pixels_wide)
    alt = " ".join(str(given.get("alt") or otherwise).split())
    return {"alt": alt, "width": width, "height": round(width * pixels_high / pixels_wide)}


def _free(name: str, taken: set[str]) -> str:
    """A file name like `name` that no other figure of the page has."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "figure"
    number, free = 1, stem
    while free in taken:
        number += 1
        free = f"{stem}-{number}"
    taken.add(free)
    return free


@functools.cache
def _exporter() -> Any:
    from nbconvert.exporters.html import HTMLExporter
    from traitlets.config import Config

    untyped: Any = HTMLExporter
    exporter = untyped(
        config=Config({"NbConvertBase": {"display_data_priority": SHOWN}}),
        template_name="report",
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.register_filter("report_cell", text.authors)
    exporter.register_filter("report_output", text.outputs)
    return exporter

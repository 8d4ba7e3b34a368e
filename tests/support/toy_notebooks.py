"""Small notebooks for tests of what executes and shows notebooks; they need none of the analytics stack."""

import base64
import struct
import zlib
from pathlib import Path

PARAMETERS = 'data = ""\nstart = "2026-01-01"\nmin_team_size = 5\noutput = "."'
FACTS = """
import json
from pathlib import Path
Path(output, "facts.json").write_text(json.dumps({"start": start, "end": "2026-01-31", "records": 600}))
Path(output, "stages.csv").write_text(f"stage,sessions\\nsession,{min_team_size}\\n")
None
"""


def png(width: int = 40, height: int = 20) -> bytes:
    """A blue rectangle."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x0b\x5c\xad" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def shows(bundle: dict[str, str], metadata: dict[str, object] | None = None) -> str:
    """A cell that displays a mimebundle."""
    return f"from IPython.display import display\ndisplay({bundle!r}, raw=True, metadata={metadata or {}!r})"


def chart(name: str = "funnel", alt: str = "Of 600 sessions 112 were qualified") -> str:
    """A cell that displays a figure as the library's charts do."""
    picture = {"image/png": base64.b64encode(png()).decode(), "text/plain": "<Chart>"}
    return shows(picture, {"image/png": {"alt": alt, "name": name}})


def table(caption: str, columns: int = 3, value: str = "12") -> str:
    """A cell that displays a table as the library's tables do."""
    head = "".join(f'<th scope="col">column_{number}</th>' for number in range(columns))
    row = f'<td class="number">{value}</td>' * columns
    body = f"<thead><tr>{head}</tr></thead><tbody><tr>{row}</tr></tbody>"
    page = f"<table><caption>{caption}</caption>{body}</table>"
    return shows({"text/html": page, "text/plain": caption})


def answer(markdown: str) -> str:
    """A cell that displays a computed sentence."""
    return shows({"text/markdown": markdown, "text/plain": markdown})


def write(folder: Path, name: str, *code: str, title: str = "Lead funnel", parameters: str = PARAMETERS) -> None:
    """`<folder>/<name>.ipynb`: a heading, the parameters cell, these cells of code."""
    import nbformat  # here and in test_notebooks.py only: it takes as long as collecting all tests
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell(f"# {title}\n\nWhich sessions were leads?"), first, *map(new_code_cell, code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / f"{name}.ipynb")

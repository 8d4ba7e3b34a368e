"""The real notebooks: executed on the samples, on an empty lake and on a hostile one, and their pages looked at."""

import ast
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import analytics_lib
from analytics_lib import render, resources
from analytics_lib.reports import catalogue
from tests.support.browser import check_page, chromium
from tests.support.wild import at, call, lake_of, session

pytestmark = pytest.mark.slow
NOTEBOOKS = resources.path("notebooks")
SAMPLES = resources.path("data", "samples")
DAYS = {"start": "2026-01-01", "end": "2026-01-30"}
# What belongs into the library, where it is tested.
LOGIC = (
    ast.For, ast.AsyncFor, ast.While, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "$a_b^{2}$", "a\x00b", "‮evil", "x" * 5000,
    "a\nb\tc", "ツール💥", "%s {0} \\frac{1}{2}", "[x](javascript:alert(1))", "'; DROP TABLE sessions; --", "`| # *",
)  # fmt: skip


def hostile_lake(root: Path) -> Path:
    for number, text in enumerate(HOSTILE):
        calls = [call(text, query=text, results_found=False), call(text, error=text), call(text)]
        lake_of(
            root,
            session(
                _session_id=text,
                _timestamp=at("2026-01-20T10:00:00") + number,
                tool_calls=calls,
                integration_needs=[text],
                team_size=50,
                close_reason=text,
                agent_name=text,
                room_id=text,
                caller_key=text,
            ),
        )
    (root / "sessions" / "dt=2026-01-20" / "<b>broken.json").write_text("{")
    return root


@pytest.fixture(scope="module", params=["samples", "empty", "hostile"])
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[render.Rendered]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "lake" / "sessions").mkdir(parents=True)
    root = {
        "samples": lambda: SAMPLES,
        "empty": lambda: folder / "lake",
        "hostile": lambda: hostile_lake(folder / "lake"),
    }
    given = {"data": str(root[request.param]()), "engine": "duckdb", **DAYS}
    return render.run(catalogue.names(), folder / "reports", given, notebooks=NOTEBOOKS)


def test_a_page_shows_no_warning_of_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "file" / "x"))  # as where no home can be written to
    given = {"data": str(hostile_lake(tmp_path / "lake")), "engine": "duckdb", **DAYS}
    for report in render.run(catalogue.names(), tmp_path / "reports", given, notebooks=NOTEBOOKS):
        cells = json.loads((report.folder / f"{report.name}.ipynb").read_text())["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert [output for output in outputs if output["output_type"] == "stream"] == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.mark.browser
def test_every_page_is_without_fault_and_small_enough_to_mail(browser: Any, rendered: list[render.Rendered]) -> None:
    for report in rendered:
        check_page(browser, report.page)
        assert report.page.stat().st_size < 1_500_000


def test_every_figure_and_table_of_a_report_has_its_file(rendered: list[render.Rendered]) -> None:
    for report in rendered:
        definition = catalogue.get(report.name)
        made = {path.name for path in report.folder.iterdir()}
        tables = {f"{table.name}.csv" for table in definition.tables}
        figures = {f"{name}.png" for name in definition.figures}
        assert made == tables | figures | {f"{report.name}.html", f"{report.name}.ipynb", "facts.json"}


def test_the_csv_files_hold_the_library_s_tables(tmp_path: Path) -> None:
    found = analytics_lib.open(SAMPLES, "duckdb").report("lead_funnel", **DAYS)
    found.save(tmp_path)
    document = found.document()
    for name, rows in document.pop("tables").items():
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
        assert header == list(found.tables[name])
        assert len(lines) == len(rows)
    assert json.loads((tmp_path / "facts.json").read_text()) == document | {"data": found.facts["data"]}


def test_explore_runs_as_it_is(tmp_path: Path) -> None:
    import papermill

    papermill.execute_notebook(
        NOTEBOOKS / "explore.ipynb", tmp_path / "explore.ipynb", {"data": str(SAMPLES)}, progress_bar=False
    )


def logic(source: str) -> list[str]:
    """The loops, comprehensions and functions in a cell."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, LOGIC)]
    return [f"line {node.lineno}: {type(node).__name__}" for node in nodes]


@pytest.mark.parametrize(
    "source",
    ["for a in b: c", "while a: b", "def a(): b", "async def a(): b", "class A: b", "a = lambda: b", "[a for a in b]",
     "c({a for a in b})", "{a: a for a in b}", "c(a for a in b)", "if a:\n    for b in c: d", "a; \\\nb = lambda: c"],
)  # fmt: skip
def test_logic_in_a_cell_is_found(source: str) -> None:
    assert logic(source)


def test_notebooks_hold_no_outputs_no_loops_no_functions_and_no_sql_but_to_explore() -> None:
    import nbformat

    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, nbformat.NO_CONVERT)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                assert cell.outputs == []
                assert cell.execution_count is None
                assert logic(cell.source) == [], path
                if path.name != "explore.ipynb":
                    assert ".sql(" not in cell.source, path
                    assert "SELECT" not in cell.source.upper(), path
        assert sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) == 1, path

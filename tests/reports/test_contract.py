"""What every report keeps to: its files, its tables on any lake, its figures. A new report is listed by itself."""

import importlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest

import analytics_lib
from analytics_lib.reports import catalogue
from analytics_lib.reports.found import Found
from tests.support import reference
from tests.support.wild import call, lake_of, session

CHECKOUT = Path(__file__).parents[2]
SAMPLES = CHECKOUT / "data" / "samples"
NAMES = catalogue.names()
LAKES = ("empty", "one session", "samples")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Found]:
    """What each report finds in each lake, by (report, lake)."""
    (empty := tmp_path_factory.mktemp("lake") / "sessions").mkdir()
    one = lake_of(tmp_path_factory.mktemp("one"), session(team_size=9, tool_calls=[call(query="price", error="late")]))
    lakes = {name: analytics_lib.open(root) for name, root in zip(LAKES, (empty.parent, one, SAMPLES), strict=True)}
    return {(name, lake): opened.report(name) for lake, opened in lakes.items() for name in NAMES}


def every_figure() -> list[tuple[str, str]]:
    return [(name, figure) for name in NAMES for figure in catalogue.get(name).figures]


def test_the_three_reports_of_the_contract_are_there() -> None:
    assert {"duration_trends", "lead_funnel", "tool_failures"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_a_module_with_a_question_sql_files_and_a_notebook(name: str) -> None:
    report = catalogue.get(name)
    assert importlib.import_module(f"analytics_lib.reports.{name}").REPORT is report
    assert report.name == name
    assert report.question.endswith("?")
    assert report.title
    wanted = [CHECKOUT / file for file in report.sql_files()]
    wanted.append(CHECKOUT / "notebooks" / f"{name}.ipynb")
    assert [str(path.relative_to(CHECKOUT)) for path in wanted if not path.is_file()] == []


@pytest.mark.parametrize("name", NAMES)
def test_its_notebook_takes_its_parameters_shows_its_figures_and_is_stripped(name: str) -> None:
    cells = json.loads((CHECKOUT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    (parameters,) = (cell for cell in code if "parameters" in cell["metadata"].get("tags", []))
    values: dict[str, object] = {}
    exec("".join(parameters["source"]), values)
    report = catalogue.get(name)
    assert {each.name: values.get(each.name) for each in report.parameters} == {
        each.name: each.default for each in report.parameters
    }
    assert {"data", "engine", "start", "end", "output"} <= values.keys()
    shown = "".join(line for cell in code for line in cell["source"])
    assert [figure for figure in report.figures if f'chart("{figure}")' not in shown] == []
    assert [cell["outputs"] or cell["execution_count"] for cell in code] == [None] * len(code)


@pytest.mark.parametrize("name", [name for name in NAMES if name in reference.COLUMNS])
def test_its_tables_and_columns_are_the_contract_s_in_order(name: str) -> None:
    declared = {table.name: tuple(table.columns) for table in catalogue.get(name).tables}
    assert declared == {table: tuple(columns) for table, columns in reference.COLUMNS[name].items()}
    assert list(declared) == list(reference.COLUMNS[name])


@pytest.mark.parametrize("lake", LAKES)
@pytest.mark.parametrize("name", NAMES)
def test_its_tables_are_typed_on_any_lake(name: str, lake: str, found: Mapping[tuple[str, str], Found]) -> None:
    report, tables = catalogue.get(name), found[name, lake].tables
    assert list(tables) == [table.name for table in report.tables]
    for table in report.tables:
        frame = tables[table.name]
        expected = {column: kind.dtype for column, kind in table.columns.items()}
        assert frame.dtypes.astype(str).to_dict() == expected, table.name
        assert list(frame.index) == list(range(len(frame))), table.name


@pytest.mark.parametrize("lake", LAKES)
@pytest.mark.parametrize("name", NAMES)
def test_it_answers_and_warns_in_sentences_on_any_lake(
    name: str, lake: str, found: Mapping[tuple[str, str], Found]
) -> None:
    for sentence in (found[name, lake].answer, found[name, lake].caveats):
        assert sentence.endswith(".")
        assert "nan" not in sentence.lower().split()
        assert "<NA>" not in sentence


@pytest.mark.parametrize("name", NAMES)
def test_its_rates_lie_between_0_and_1_in_their_bounds(name: str, found: Mapping[tuple[str, str], Found]) -> None:
    for frame in found[name, "samples"].tables.values():
        for low in (column for column in frame if column.endswith("_low")):
            rate = frame[low.removesuffix("_low")]
            bounds = frame[[low, low.replace("_low", "_high")]].dropna()
            inside = rate[bounds.index].between(bounds.iloc[:, 0] - 1e-12, bounds.iloc[:, 1] + 1e-12)
            assert inside.all()
            assert bounds.isin([math.inf]).sum().sum() == 0


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_in_json_has_the_contract_s_keys_and_no_nan(
    name: str, found: Mapping[tuple[str, str], Found]
) -> None:
    for lake in LAKES:
        document = json.loads(json.dumps(found[name, lake].document(), allow_nan=False))
        assert list(document) == [
            "report", "engine", "start", "end", "parameters", "newest_day", "records", "rejected", "duplicates",
            "bytes_scanned", "tables",
        ]  # fmt: skip


@pytest.mark.parametrize(("name", "figure"), every_figure())
def test_every_figure_draws_on_any_lake_and_says_its_finding(
    name: str, figure: str, found: Mapping[tuple[str, str], Found]
) -> None:
    for lake in LAKES:
        chart = found[name, lake].chart(figure)
        assert chart.name == figure
        assert len(chart.alt) > 20
        assert not {"nan", "<NA>", "None"} & set(chart.alt.replace(".", " ").split())
        assert chart.png().startswith(b"\x89PNG\r\n")


def test_a_dollar_in_a_query_is_no_formula_wherever_it_stands(tmp_path: Path) -> None:
    texts = ("p1", "p2", "is it $10% or $20 a month", "cost $5_ or $6", "$$", "zz")
    calls = [call(text, query=text, results_found=False) for text in texts]
    lake = analytics_lib.open(lake_of(tmp_path, session(tool_calls=calls)), "duckdb")
    found = lake.report("tool_failures")
    assert all(found.chart(name).png() for name in found.report.figures)

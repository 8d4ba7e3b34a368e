"""Every SQL file under sql/: what it says about itself, that it runs as it stands, that two engines understand it."""

import re
from pathlib import Path

import pytest

from analytics_lib import sqlfile
from analytics_lib.engines.duckdb import DuckDBEngine
from analytics_lib.period import Period, parse_date
from analytics_lib.reports import catalogue

CHECKOUT = Path(__file__).parents[2]
SQL = CHECKOUT / "sql"
FILES = sorted(str(file.relative_to(SQL)) for file in SQL.glob("*/*.sql") if file.parent.name != "insights")  # no SQL
SAMPLE_PERIOD = Period(parse_date("2026-01-01"), parse_date("2026-01-30"))

# What Trino and DuckDB both have, with the same meaning; json_format and regexp_replace are macros on DuckDB.
FUNCTIONS = {
    "ABS", "ARRAY_AGG", "AVG", "CARDINALITY", "CAST", "CHR", "COALESCE", "COUNT", "DATE_DIFF", "EXTRACT", "FLOOR",
    "GREATEST", "JSON_FORMAT", "LOWER", "MAX", "MIN", "NULLIF", "REGEXP_REPLACE", "REPLACE", "ROW_NUMBER",
    "SPLIT_PART", "STRPOS", "SUBSTR", "SUM", "TRY_CAST", "UNNEST",
}  # fmt: skip
WORDS_BEFORE_A_PARENTHESIS = {
    "AND", "AS", "BETWEEN", "BY", "DISTINCT", "EXISTS", "FILTER", "FROM", "IN", "JOIN", "NOT", "ON", "OR", "OVER",
    "SELECT", "THEN", "USING", "VALUES", "WHEN", "WHERE", "WITH",
}  # fmt: skip
ONE_ENGINE_ONLY = {
    "a cast with ::": r"::",
    "GROUP BY ALL or ORDER BY ALL": r"\bBY\s+ALL\b",
    "QUALIFY": r"\bQUALIFY\b",
    "FILTER with OVER": r"\bFILTER\s*\((?:[^()]|\([^()]*\))*\)\s*OVER\b",
    "every column at once": r"\bSELECT\s+(?:DISTINCT\s+)?\*|\.\*",
    "EXCLUDE or REPLACE of columns": r"\*\s*(?:EXCLUDE|REPLACE)\b",
    "a list or struct literal, or an index": r"[\[\]{}]",
    "a lambda": r"->|\blambda\b",
    "ILIKE, SIMILAR TO or a regular expression's operator": r"\bILIKE\b|\bSIMILAR\s+TO\b|!?~",
    "LIMIT with OFFSET": r"\bLIMIT\b.*\bOFFSET\b",
    "a join that is not spelled out": r"\b(?:ASOF|POSITIONAL|SEMI|ANTI|NATURAL|LATERAL)\b",
    "integer division": r"//",
    "FROM first": r"\A\s*FROM\b|\(\s*FROM\b",
}
STAGED = re.compile(r"WITH staged AS \(.*?(CASE.*?END) AS stage\b", re.DOTALL)


def text(path: str) -> str:
    return (SQL / path).read_text(encoding="utf-8")


def code(sql: str) -> str:
    """The SQL without comments, and texts and quoted names empty."""
    return re.sub(
        r"--[^\n]*|/\*.*?\*/|('|\")(?:(?!\1).|\1\1)*\1", lambda found: "''" if found[1] else "", sql, flags=re.DOTALL
    )


def header(sql: str) -> list[str]:
    lines = sql.splitlines()
    return lines[: next(number for number, line in enumerate(lines) if not line.startswith("--"))]


def functions(sql: str) -> set[str]:
    """Names before a parenthesis; those of common table expressions and column lists are none."""
    own = set(re.findall(r"\bAS\s+(\w+)\s*\(", code(sql)))
    called = {name for name in re.findall(r"\b([A-Za-z_]\w*)\s*\(", code(sql)) if name not in own}
    return {name.upper() for name in called} - WORDS_BEFORE_A_PARENTHESIS


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return DuckDBEngine(CHECKOUT / "data" / "samples")


def test_every_table_has_its_file_and_every_file_its_table() -> None:
    declared = {file for name in catalogue.names() for file in catalogue.get(name).sql_files()}
    assert declared == {f"sql/{file}" for file in FILES}


@pytest.mark.parametrize("path", FILES)
def test_the_header_says_purpose_grain_and_columns(path: str) -> None:
    lines = header(text(path))
    assert re.fullmatch(r"-- [A-Z].{10,}[.?]", lines[0]), "the first line says in a sentence what the file is for"
    assert [sum(line.startswith(start) for line in lines[1:]) for start in ("-- Grain: ", "-- Columns: ")] == [1, 1]


@pytest.mark.parametrize("path", FILES)
def test_it_runs_as_it_stands_and_finds_something_in_the_samples(path: str, engine: DuckDBEngine) -> None:
    frame = engine.query(text(path), SAMPLE_PERIOD, path).frame
    assert len(frame) > 0


@pytest.mark.parametrize("path", FILES)
def test_its_samples_are_the_period_of_the_sample_lake_and_the_report_s_defaults(path: str) -> None:
    report = catalogue.get(path.partition("/")[0])
    defaults = {parameter.name: parameter.default for parameter in report.parameters}
    days = {"start": SAMPLE_PERIOD.start, "end": SAMPLE_PERIOD.end}
    before = {"window_start": SAMPLE_PERIOD.widened(report.lookback_days).start}
    assert sqlfile.bind(text(path), {**days, **before, **defaults}, path) == text(path)


@pytest.mark.parametrize("report", catalogue.names())
def test_every_parameter_of_a_report_is_used_in_its_files(report: str) -> None:
    used = {name for path in FILES if path.startswith(f"{report}/") for name in sqlfile.parameters(text(path))}
    declared = {parameter.name for parameter in catalogue.get(report).parameters}
    assert used - {"start", "end", "window_start"} == declared


@pytest.mark.parametrize("path", FILES)
def test_every_read_of_a_view_is_filtered_by_literal_days(path: str) -> None:
    sql = re.sub(r"--[^\n]*", "", text(path))
    reads = re.findall(r"\b(?:FROM|JOIN)\s+(?:sessions|tool_calls)\b", sql)
    day = r"'\d{4}-\d\d-\d\d'"
    filtered = re.findall(
        rf"\bFROM\s+(?:sessions|tool_calls)\s+WHERE\s+dt BETWEEN /\*:(?:window_)?start\*/ {day} AND /\*:end\*/ {day}",
        sql,
    )
    assert len(reads) == len(filtered) > 0


@pytest.mark.parametrize("path", FILES)
def test_it_uses_only_functions_that_both_engines_have(path: str) -> None:
    assert functions(text(path)) - FUNCTIONS == set()


@pytest.mark.parametrize("path", FILES)
def test_it_keeps_off_what_one_engine_only_understands(path: str) -> None:
    found = code(text(path))
    assert [name for name, pattern in ONE_ENGINE_ONLY.items() if re.search(pattern, found, re.DOTALL)] == []


@pytest.mark.parametrize("path", FILES)
def test_rows_come_in_an_order(path: str, engine: DuckDBEngine) -> None:
    several = len(engine.query(text(path), SAMPLE_PERIOD, path).frame) > 1
    assert not several or re.search(r"\bORDER BY [^()]+;\s*\Z", code(text(path)))


def test_the_stages_are_told_apart_by_the_same_words_in_every_file() -> None:
    spelled = {path: STAGED.search(text(path)) for path in FILES if "AS stage" in text(path)}
    assert len(spelled) >= 5
    assert {path: re.sub(r"\s+", " ", found[1]) for path, found in spelled.items() if found} == dict.fromkeys(
        spelled, re.sub(r"\s+", " ", next(found[1] for found in spelled.values() if found))
    )


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT a::INT FROM t", ["a cast with ::"]),
        ("SELECT COUNT(*) FILTER (WHERE f(x) > 0) OVER (ORDER BY x)", ["FILTER with OVER"]),
        ("SELECT DISTINCT * FROM t GROUP BY ALL", ["GROUP BY ALL or ORDER BY ALL", "every column at once"]),
        ("SELECT COUNT(*) * 2, '::', \"[x]\" -- QUALIFY", []),
    ],
)
def test_the_list_above_finds_what_it_is_for(sql: str, names: list[str]) -> None:
    assert [name for name, pattern in ONE_ENGINE_ONLY.items() if re.search(pattern, code(sql), re.DOTALL)] == names


def test_the_functions_of_a_file_are_found() -> None:
    sql = "WITH a AS (SELECT median(x) FROM t CROSS JOIN UNNEST(y) AS n (z)) SELECT 'f(1)', Sum(x) /* g(1) */ FROM a"
    assert functions(sql) == {"MEDIAN", "UNNEST", "SUM"}

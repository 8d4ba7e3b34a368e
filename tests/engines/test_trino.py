"""Statements for Athena: what only reads, and the views cut to the days asked for."""

from datetime import date

import pytest

from analytics_lib.engines import trino
from analytics_lib.engines.trino import Statement, own_lines, with_json
from analytics_lib.errors import StatementError
from analytics_lib.period import Period

DAYS = Period(date(2026, 1, 1), date(2026, 1, 2))
CUT = "WHERE dt BETWEEN '2026-01-01' AND '2026-01-02')"
BEGIN = "-- the query\n"
VIEWS = f'sessions AS (SELECT * FROM "db".sessions {CUT}, tool_calls AS (SELECT * FROM "db".tool_calls {CUT}'
NAMED = VIEWS
for name, listed in trino.VIEWS.items():
    NAMED = NAMED.replace(f"{name} AS (SELECT *", f"{name} ({listed}) AS (SELECT {listed}")


def shown(sql: str) -> str:
    return Statement(sql, "the query").showing(DAYS, "db")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", f"WITH {VIEWS}\n{BEGIN}SELECT 1"),
        ("-- why\nSELECT 1;\n-- end", f"WITH {VIEWS}\n{BEGIN}-- why\nSELECT 1"),
        ("SELECT ';' AS a ; ;", f"WITH {VIEWS}\n{BEGIN}SELECT ';' AS a"),
        ("(SELECT 1) UNION ALL (SELECT 2)", f"WITH {VIEWS}\n{BEGIN}(SELECT 1) UNION ALL (SELECT 2)"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", f"WITH {VIEWS},\n{BEGIN}     a AS (SELECT 1) SELECT * FROM a"),
        ("/* x */ with\nRecursive a(n) AS (VALUES 1) TABLE a",
         f"with\nRecursive {NAMED},\n{BEGIN}/* x */     \n          a(n) AS (VALUES 1) TABLE a"),
        ("SHOW TABLES;", "SHOW TABLES"),
        ("describe sessions", "describe sessions"),
    ],
)  # fmt: skip
def test_the_views_show_only_the_days_that_are_asked_for(sql: str, expected: str) -> None:
    assert shown(sql) == expected


@pytest.mark.parametrize("sql", ["SELECT 1\n+ nope", "-- why\nWITH nope"])
def test_what_athena_says_of_a_line_is_told_of_the_line_that_was_written(sql: str) -> None:
    sent = with_json(shown(sql), (True,), ordered=False)
    line = next(number for number, text in enumerate(sent.split("\n"), 1) if "nope" in text)
    column = sent.split("\n")[line - 1].index("nope") + 1
    own = sql.split("\n")[1].index("nope") + 1
    assert own_lines(f"ERROR: line {line}:{column}: bad", sent) == f"ERROR: line 2:{own}: bad"
    assert own_lines("ERROR: line 1:7: bad", sent) == "ERROR: bad"
    assert own_lines("ERROR: line 1:7: bad", sql) == "ERROR: line 1:7: bad"


def test_a_database_s_name_cannot_end_its_quotes() -> None:
    assert 'FROM "a""b".sessions' in Statement("SELECT 1", "q").showing(DAYS, 'a"b')


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("", "holds no statement"),
        ("-- nothing", "holds no statement"),
        ("DROP TABLE lines", "holds DROP"),
        ("INSERT INTO lines SELECT 1", "holds INSERT"),
        ("UNLOAD (SELECT 1) TO 's3://x/'", "holds UNLOAD"),
        ("EXPLAIN ANALYZE INSERT INTO t SELECT 1", "holds EXPLAIN"),
        ("'SELECT'", "holds 'SELECT'"),
        ("SELECT 1; DROP TABLE lines", "holds more than one statement"),
        ("SELECT 1; -- ;\n;SELECT 2", "holds more than one statement"),
    ],
)
def test_what_does_more_than_read_is_refused(sql: str, found: str) -> None:
    with pytest.raises(StatementError, match="only one reading statement is run") as error:
        Statement(sql, "the query")
    assert f"the query {found}" in str(error.value)


@pytest.mark.parametrize(
    "sql",
    [
        "WITH sessions AS (SELECT 1) SELECT * FROM sessions",
        'WITH a (x) AS (SELECT 1, (2)), "Tool_Calls" AS (SELECT 3) SELECT 4',
    ],
)
def test_a_with_query_of_a_view_s_name_is_refused(sql: str) -> None:
    with pytest.raises(StatementError, match="gives its WITH query the name of a view"):
        Statement(sql, "the query")


def test_the_views_names_may_stand_anywhere_else() -> None:
    Statement("WITH a AS (SELECT 1 AS sessions FROM sessions, tool_calls) SELECT a.sessions, a FROM a", "q")


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT 1 ORDER BY 1", True),
        ("SELECT 1 ORDER BY 1 LIMIT 5", False),
        ("SELECT 1 FROM (SELECT 2 ORDER BY 1)", False),
        ("SELECT 'ORDER BY' -- ORDER BY", False),
        ('SELECT "limit" FROM a order\nby 1', True),
    ],
)
def test_a_query_that_sorts_all_its_rows_is_known(sql: str, ordered: bool) -> None:
    assert Statement(sql, "q").ordered is ordered


def test_nested_columns_come_as_json_in_the_order_of_the_query() -> None:
    assert with_json("SELECT a, b FROM t ORDER BY a", (False, True), ordered=True) == (
        "SELECT c0, json_format(CAST(c1 AS JSON)) AS c1 FROM (\n"
        "SELECT a, b FROM t ORDER BY a\nOFFSET 0\n) AS answer (c0, c1)"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM lines",
        "SELECT 1 FROM sessions AS s JOIN Records ON TRUE",
        'SELECT 1 FROM (SELECT 2 FROM "records_raw") AS a',
        "SELECT 1 FROM analytics.sessions",
        'SELECT 1 FROM a."b".tool_calls',
    ],
)
def test_what_would_show_other_days_is_refused(sql: str) -> None:
    with pytest.raises(StatementError, match="past the days asked for; read sessions or tool_calls"):
        Statement(sql, "q")


def test_every_mention_of_a_view_counts_as_a_scan_of_it() -> None:
    sql = (
        "SELECT COUNT(*) AS records FROM sessions AS s JOIN Tool_Calls AS c ON c.dt = s.dt ORDER BY 'sessions', records"
    )
    assert [Statement(each, "q").scans for each in (sql, "SELECT 1")] == [2, 1]

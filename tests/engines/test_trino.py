"""Statements for Athena: what only reads, and the views cut to the days asked for."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_lib.engines import trino
from analytics_lib.engines.trino import Statement, own_lines, with_json
from analytics_lib.errors import StatementError
from analytics_lib.period import Period

DAYS = Period(date(2026, 1, 1), date(2026, 1, 2))
PAST = "past the days asked for; read sessions or tool_calls"
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
        ('SELECT 1 AS ";"', f'WITH {VIEWS}\n{BEGIN}SELECT 1 AS ";"'),
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
        "SELECT 1 FROM sessions, lines",
        "SELECT 1 FROM sessions AS s (a, b), -- more\n UNNEST(ARRAY[1, 2]) AS u (x), db.Sessions",
        "SELECT 1 FROM sessions CROSS JOIN tool_calls, records",
        "SELECT 1 FROM sessions AS a JOIN tool_calls AS b ON a.dt = b.dt AND a.dt IN ('x', 'y'), records",
        "SELECT 1 FROM sessions JOIN tool_calls USING (dt, session_id), records",
        "SELECT 1 FROM sessions AS limit, lines",
        "SELECT 1 FROM sessions LIMIT, lines",
        "SELECT 1 FROM sessions LIMIT (a, b), lines",
        "SELECT 1 FROM sessions window, lines",
        "SELECT 1 FROM sessions AS a JOIN sessions WINDOW ON TRUE, lines",
        "SELECT 1 FROM UNNEST(ARRAY[1, 2]) WITH ORDINALITY, lines",
        "SELECT 1) FROM lines",
        "TABLE lines",
        'table "LINES"',
        "TABLE analytics.tool_calls",
        "SELECT 1 UNION ALL TABLE lines",
        "SELECT 1 FROM sessions WHERE dt IN (TABLE records)",
        "SELECT 1 FROM TABLE(exclude_columns(input => TABLE(lines), columns => DESCRIPTOR(dt)))",
        "SELECT 1 FROM (lines)",
        "SELECT 1 FROM (((lines)) CROSS JOIN sessions)",
        "SELECT 1 FROM ((sessions CROSS JOIN (db.sessions)))",
        "SELECT 1 FROM sessions JOIN (lines) ON TRUE",
        "SELECT (SELECT COUNT(*) FROM lines)",
        "SELECT EXTRACT(DAY FROM (SELECT MAX(ended_at) FROM sessions, lines))",
        "SELECT LISTAGG(dt, ',') WITHIN GROUP (ORDER BY dt) FROM lines",
        'SELECT 1 AS "distinct" FROM lines',
        "SELECT dt IS DISTINCT FROM dt FROM lines",
        "SELECT 1.5FROM lines",
        "SELECT 2.e0FROM lines",
        "SELECT 1 -- why\rFROM lines",
        "WITH a AS (SELECT 1) (TABLE lines)",
        "WITH lines AS (SELECT * FROM lines) SELECT 1",
        "WITH a AS (SELECT * FROM lines), lines AS (SELECT 1) SELECT 1",
        "WITH lines AS (SELECT 1) SELECT * FROM db.lines",
        "SELECT 1 FROM (WITH lines AS (SELECT 1) TABLE lines), lines",
        "SELECT 1 WHERE 1 IN (SELECT 1 FROM sessions ORDER BY 1, 2) UNION SELECT 2 FROM sessions, lines",
        "WITH RECURSIVE lines (a) AS (SELECT a FROM (WITH lines AS (TABLE lines) SELECT a FROM lines)) TABLE lines",
        "WITH RECURSIVE lines (a) AS (WITH b AS (SELECT * FROM lines), lines AS (SELECT 1) TABLE b) TABLE lines",
        "WITH RECURSIVE records (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM records WHERE n < 3) TABLE records",
        'SELECT * FROM "lines$partitions"',
        'SELECT * FROM analytics."sessions$x"',
        "WITH record\u017f AS (SELECT 1 AS a) SELECT * FROM records",
    ],
)
def test_what_would_show_other_days_is_refused(sql: str) -> None:
    with pytest.raises(StatementError, match=PAST):
        Statement(sql, "q")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT dt AS x, records, s.lines FROM sessions AS s GROUP BY dt, records ORDER BY dt, records LIMIT 5",
        "SELECT EXTRACT(DAY FROM records), TRIM(lines FROM records), SUBSTRING(lines FROM 2) FROM sessions",
        "SELECT dt IS DISTINCT FROM records, lines FROM sessions AS a JOIN sessions AS b ON a.x IS DISTINCT FROM lines",
        "SELECT 1 FROM sessions AS s (records, lines), UNNEST(s.x, lines) AS u (records)",
        "SELECT 1 FROM sessions JOIN tool_calls USING (dt, records) WHERE x IN (1, records)",
        "SELECT 1 FROM sessions AS a JOIN sessions AS b ON a.x = ARRAY[1, records], tool_calls",
        "SELECT SUM(1) OVER lines FROM sessions WINDOW w AS (ORDER BY dt, records), lines AS (w)",
        "SELECT 'FROM lines', \"FROM\" lines -- FROM lines\nFROM sessions /* , lines */",
        "SELECT 1 FROM (VALUES (1, 2), (3, 4)) AS lines (records, b) WHERE lines.b > 3",
        "SELECT 1 FROM sessions WHERE dt > 'x' UNION VALUES 1, records",
        "SELECT 1 FROM sessions EXCEPT VALUES 1, records",
        "SELECT 1 FROM sessions INTERSECT VALUES 1, records",
        "SHOW CREATE TABLE lines",
        "DESCRIBE analytics.sessions",
        'WITH lines AS (SELECT 1 AS n), "Records" (n) AS (TABLE LINES) SELECT 1 FROM lines, (records)',
        "WITH RECURSIVE days (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM days WHERE n < 3) TABLE days",
        "SELECT 1 FROM (WITH lines AS (SELECT 1) SELECT 1 FROM (SELECT 2 FROM lines))",
    ],
)
def test_a_name_that_is_no_relation_or_the_statement_s_own_is_not_refused(sql: str) -> None:
    Statement(sql, "q")


@pytest.mark.parametrize(
    ("sql", "scans"),
    [
        ("SELECT 1", 1),
        (
            "SELECT COUNT(*) AS sessions FROM sessions AS s JOIN Tool_Calls AS c ON s.dt = c.dt ORDER BY 'x', sessions",
            2,
        ),
        ("SELECT 1 FROM sessions, (sessions), (TABLE tool_calls)", 3),
        ("WITH a AS (SELECT * FROM sessions) SELECT 1", 1),
        ("WITH a AS (SELECT * FROM sessions, sessions) SELECT 1 FROM tool_calls", 1),
        ('WITH a AS (SELECT * FROM sessions) SELECT 1 FROM a, A AS b, "a" AS c', 3),
        ("WITH a (x) AS (SELECT dt FROM sessions), b AS (SELECT 1 FROM a, a) SELECT 1 FROM b, b, a", 5),
        ("WITH a AS (WITH a AS (TABLE sessions) SELECT 1 FROM a, a) SELECT 1 FROM a, a", 4),
        ("WITH a AS (TABLE sessions) SELECT 1 FROM (WITH a AS (SELECT 1 FROM a, a) TABLE a), a", 3),
        ("SELECT 1 FROM (WITH sessions AS (SELECT 1) TABLE sessions), tool_calls", 1),
        ("WITH a AS (TABLE sessions) SELECT 1 FROM b.a, tool_calls", 1),
        ("WITH a AS (TABLE sessions) SELECT 1 FROM a WINDOW w AS () UNION SELECT 1 FROM a", 2),
        ("WITH RECURSIVE a (n) AS (TABLE sessions UNION ALL SELECT 1 FROM a, tool_calls) SELECT 1 FROM a, a", 4),
    ],
)
def test_a_view_counts_as_often_as_it_is_read(sql: str, scans: int) -> None:
    assert Statement(sql, "q").scans == scans


def _more(inner: st.SearchStrategy[tuple[str, int]]) -> st.SearchStrategy[tuple[str, int]]:
    def query(each: list[tuple[str, int]]) -> tuple[str, int]:
        listed = ", ".join(sql for sql, _ in each)
        columns = "1 AS records, EXTRACT(DAY FROM DATE '2026-01-01') AS lines"
        sql = f"(SELECT {columns} FROM {listed} WHERE 1 IN (1, 2) ORDER BY 1, records LIMIT 2) AS q"
        return sql, sum(scans for _, scans in each)

    def named(a: tuple[str, int], b: tuple[str, int], c: tuple[str, int]) -> tuple[str, int]:
        first, second = f"one AS (SELECT 1 AS n FROM {a[0]})", f"two (n) AS (SELECT 1 FROM one, {b[0]}, (one))"
        return f"(WITH {first}, {second} SELECT 1 AS n FROM two, one, {c[0]}) AS w", 3 * a[1] + b[1] + c[1]

    return st.one_of(
        st.builds(lambda each: (f"({each[0]})", each[1]), inner),
        st.builds(lambda a, b: (f"{a[0]} CROSS JOIN {b[0]}", a[1] + b[1]), inner, inner),
        st.builds(lambda a, b: (f"({a[0]} JOIN {b[0]} ON 1 IN (1, 2))", a[1] + b[1]), inner, inner),
        st.builds(query, st.lists(inner, min_size=1, max_size=3)),
        st.builds(named, inner, inner, inner),
    )


RELATIONS = st.recursive(
    st.sampled_from(
        [
            ("sessions", 1),
            ('"Sessions" AS records', 1),
            ("sessions AS s", 1),
            ("(TABLE sessions) AS lines", 1),
            ("UNNEST(ARRAY[1, 2]) AS u (records)", 0),
            ("(VALUES (1, 2), (3, 4)) AS v (lines, records)", 0),
        ]
    ),
    _more,
    max_leaves=8,
)


@given(st.lists(RELATIONS, min_size=1, max_size=3))
def test_scans_are_counted_through_any_nesting(each: list[tuple[str, int]]) -> None:
    sql = f"SELECT 1 FROM {', '.join(sql for sql, _ in each)}"
    assert Statement(sql, "q").scans == max(1, sum(scans for _, scans in each))


@given(RELATIONS, st.sampled_from(["lines", '"Records"', "db.sessions"]), st.data())
def test_one_relation_past_the_days_is_found_in_any_nesting(
    each: tuple[str, int], past: str, data: st.DataObject
) -> None:
    sql = f"SELECT 1 FROM {each[0]}, sessions"
    view = data.draw(st.sampled_from(list(re.finditer(r'"Sessions"|sessions', sql))))
    with pytest.raises(StatementError, match=PAST):
        Statement(sql[: view.start()] + past + sql[view.end() :], "q")

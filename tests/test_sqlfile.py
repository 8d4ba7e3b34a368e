"""Two-way SQL: parameters are comments before sample literals, and binding types and escapes each value."""

from datetime import date

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_lib import sqlfile
from analytics_lib.errors import AnalyticsError, SqlFileError


def bind(sql: str, **values: object) -> str:
    return sqlfile.bind(sql, values, "sql/some/file.sql")  # type: ignore[arg-type]


def selected(sql: str, **values: object) -> object:
    """The one value that DuckDB gives for the bound text."""
    with duckdb.connect() as connection:
        (row,) = connection.execute(bind(sql, **values)).fetchall()
    return row[0]


def test_the_sample_literal_is_replaced_and_the_marker_stays() -> None:
    sql = "WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/\n'2026-01-31' AND n >= /*:n*/5"
    assert bind(sql, start=date(2026, 2, 1), end="2026-02-28", n=7) == (
        "WHERE dt BETWEEN /*:start*/ '2026-02-01' AND /*:end*/\n'2026-02-28' AND n >= /*:n*/7"
    )


def test_every_place_of_a_parameter_is_filled_and_others_may_be_left_over() -> None:
    assert bind("/*:a*/ 1 + /*:a*/ 2", a=9, b="unused") == "/*:a*/ 9 + /*:a*/ 9"
    assert sqlfile.parameters("/*:a*/ 1 + /*:b*/ 'x' -- /*:c*/ 1") == {"a", "b"}


@pytest.mark.parametrize(
    ("value", "literal"),
    [(7, "7"), (-7, "-7"), (10**15, "1000000000000000"), (7.5, "7.5E0"), (-0.25, "-0.25E0"), (5.0, "5.0E0"),
     (1e15, "1000000000000000.0E0"), (1e22, "1E22"), (1e-7, "1E-7"), (2.5e-310, "2.5E-310")],
)  # fmt: skip
def test_numbers_are_written_so_that_both_engines_read_the_same(value: float, literal: str) -> None:
    assert bind("/*:n*/ 5", n=value) == f"/*:n*/ {literal}"


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
def test_a_number_arrives_as_it_was(value: float) -> None:
    assert float(bind("/*:n*/ 5", n=value).removeprefix("/*:n*/ ")) == value


@pytest.mark.parametrize("sample", ["5", "-5", "5.25", "1e3", "-1.5E-3"])
def test_a_sample_number_is_replaced_whole(sample: str) -> None:
    assert bind(f"x >= /*:n*/ {sample} AND y", n=1) == "x >= /*:n*/ 1 AND y"


def test_a_negative_number_after_a_minus_does_not_become_a_comment() -> None:
    assert selected("SELECT 10 -/*:n*/5", n=-3) == 13


HOSTILE = [
    "'; DROP TABLE sessions; --", "''", "'", "\\", "\\'", "/*:start*/ '2026-01-01'", "*/", "--", "$$", "\n", "\u2019",
    "it's", "%_", "😀", "' OR '1'='1", "?", "$1", "{x}",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_text_stays_a_text(value: str) -> None:
    assert selected("SELECT /*:text*/ 'it''s'", text=value) == value


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_any_text_is_one_literal(value: str) -> None:
    bound = bind("/*:t*/ 'x' AND /*:u*/ 'y'", t=value, u=value)
    assert bound == "/*:t*/ '{0}' AND /*:u*/ '{0}'".format(value.replace("'", "''"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '/*:n*/ 5'",
        "SELECT 'it''s /*:n*/ 5'",
        'SELECT "/*:n*/ 5"',
        'SELECT "a""/*:n*/ 5"',
        "SELECT 1 -- /*:n*/ 5",
        "SELECT 1 -- it's\n, '/*:n*/ 5'",
        "SELECT /* /*:n*/ 5",
        "SELECT $$ /*:n*/ 5 $$",
        "SELECT $tag$ ' /*:n*/ 5 $tag$",
        "SELECT /* :n */ 5",
    ],
)
def test_a_marker_in_a_text_a_name_or_a_comment_is_none(sql: str) -> None:
    assert bind(sql) == sql
    assert sqlfile.parameters(sql) == set()


@pytest.mark.parametrize(
    ("sql", "values", "message"),
    [
        ("/*:n*/ 5", {}, "no value was given for the parameter n; given are: none"),
        ("/*:m*/ 5", {"n": 1, "k": 2}, "no value was given for the parameter m; given are: k, n"),
        ("/*:n*/ 5", {"n": None}, "no value was given for the parameter n; given are: none"),
        ("/*:n*/ x", {"n": 1}, "the parameter n has no type; write a sample literal after /*:n*/"),
        ("/*:n*/", {"n": 1}, "the parameter n has no type"),
        ("/*:n*/ 5abc", {"n": 1}, "the parameter n has no type"),
        ("/*:n*/ .5", {"n": 1}, "the parameter n has no type"),
        ("/*:n*/ -- c\n5", {"n": 1}, "the parameter n has no type"),
        ("/*:n*/ TRUE", {"n": True}, "the parameter n has no type"),
        ("/*:*/ 5", {"n": 1}, "no value was given for the parameter ; given are: n"),
        ("/*:n*/ 5", {"n": "five"}, "the parameter n is a number such as 5; 'five' is none"),
        ("/*:n*/ 5", {"n": True}, "the parameter n is a number such as 5; True is none"),
        ("/*:n*/ 5", {"n": float("nan")}, "the parameter n is a number such as 5; nan is none"),
        ("/*:n*/ 5", {"n": float("inf")}, "the parameter n is a number such as 5; inf is none"),
        ("/*:n*/ 5", {"n": date(2026, 1, 1)}, "the parameter n is a number such as 5; "),
        ("/*:n*/ 'x'", {"n": 5}, "the parameter n is a text such as 'x'; 5 is none"),
        ("/*:n*/ 'x'", {"n": ["x"]}, "the parameter n is a text such as 'x'; ['x'] is none"),
    ],
)
def test_what_does_not_fit_is_an_error_with_file_and_parameter(
    sql: str, values: dict[str, object], message: str
) -> None:
    with pytest.raises(SqlFileError) as error:
        bind(sql, **values)
    assert str(error.value).startswith(f"sql/some/file.sql: {message}")


def test_a_file_is_read_by_its_address_and_a_missing_one_is_named() -> None:
    assert sqlfile.read("lead_funnel/daily.sql").startswith("-- How far the sessions")
    with pytest.raises(AnalyticsError, match=r"sql/lead_funnel/nonsense\.sql is missing"):
        sqlfile.read("lead_funnel/nonsense.sql")


@pytest.mark.parametrize(("given_text", "found"), [("007", "007"), ("5", "5")])
def test_a_text_stays_one_where_it_reads_as_a_number(given_text: str, found: str) -> None:
    assert selected("SELECT /*:text*/ 'x'", text=given_text) == found


@pytest.mark.parametrize(("given_text", "found"), [("5", 5), ("-2.5e3", -2500.0)])
def test_a_number_may_come_as_the_command_line_gives_it(given_text: str, found: float) -> None:
    assert selected("SELECT /*:n*/ 5", n=given_text) == found

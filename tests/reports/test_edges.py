"""The edges by name: inline sessions in, whole rows out."""

import shutil
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import analytics_lib
from analytics_lib.errors import ParameterError
from analytics_lib.workspace import Lake
from tests.support.on_athena import set_up
from tests.support.wild import at, call, encode, lake_of, session, write

Tables = dict[str, list[dict[str, Any]]]
STAGES = ("session", "signals", "qualified", "hot")
EDGES = [0.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, None]
NO_RATE = {"qualified_rate": None, "qualified_rate_low": None, "qualified_rate_high": None}
NO_LENGTHS = {
    "sessions": 0, "timed_sessions": 0, "avg_duration": None, "p50_duration": None, "p90_duration": None,
    "p95_duration": None, "total_duration": None, "total_tokens": None, "avg_latency_ms": None,
}  # fmt: skip
ONE_OF_ONE = (0.20654931437723745, 1.0)  # Wilson's bounds
NONE_OF_ONE = (0.0, 0.7934506856227626)


ON_ATHENA = pytest.param("athena", marks=[pytest.mark.athena, pytest.mark.slow])
opened: Callable[[Path], Lake]  # on the engine of the test


@pytest.fixture(params=["duckdb", ON_ATHENA], autouse=True)
def engine(request: pytest.FixtureRequest) -> str:
    """Every test below runs on both engines."""
    global opened
    opened = analytics_lib.open
    if request.param == "athena":
        request.getfixturevalue("local_athena")
        opened = partial(set_up, bucket=request.getfixturevalue("bucket"))
    return str(request.param)


def document(root: Path, report: str, start: str, end: str, **parameters: float) -> dict[str, Any]:
    return opened(root).report(report, start=start, end=end, **parameters).document()


def tables(root: Path, report: str, start: str = "2026-01-31", end: str = "2026-02-01") -> Tables:
    found: Tables = document(root, report, start, end)["tables"]
    return found


def empty_tables(dt: str) -> dict[str, Tables]:
    """Every table of every report for one day without sessions."""
    groups = [(calls, failed) for calls in ("1", "2-3", "4+") for failed in (True, False)]
    return {
        "lead_funnel": {
            "stages": [
                {"stage": stage, "sessions": 0, "share": None, "conversion": None, "conversion_low": None,
                 "conversion_high": None} for stage in STAGES
            ],
            "daily": [{"dt": dt, "sessions": 0, "signals": 0, "qualified": 0, "hot": 0, **NO_RATE}],
            "coverage": [
                {"signal": signal, "known": 0, "share": None}
                for signal in ("team_size", "monthly_volume", "urgency", "integration_needs")
            ],
            "integrations": [],
            "leads": [],
        },
        "duration_trends": {
            "summary": [NO_LENGTHS],
            "daily": [{"dt": dt, **NO_LENGTHS, "p50_duration_7d": None}],
            "hourly": [{"hour": hour, "sessions": 0, "p50_duration": None} for hour in range(24)],
            "weekdays": [{"weekday": day, "sessions": 0, "p50_duration": None} for day in range(1, 8)],
            "distribution": [
                {"from_seconds": low, "to_seconds": high, "sessions": 0}
                for low, high in pairwise(EDGES)
            ],
            "by_stage": [
                {"stage": stage, "sessions": 0, "avg_duration": None, "p50_duration": None, "p90_duration": None}
                for stage in STAGES
            ],
            "close_reasons": [],
        },
        "tool_failures": {
            "by_tool": [],
            "daily": [{"dt": dt, "calls": 0, "failures": 0, "failure_rate": None}],
            "tool_daily": [],
            "errors": [],
            "failing_queries": [],
            "recovery": [],
            "impact": [
                {"calls": calls, "had_failure": failed, "sessions": 0, "qualified": 0, **NO_RATE}
                for calls, failed in groups
            ],
        },
    }  # fmt: skip


REPORTS = tuple(empty_tables(""))


# Nothing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", REPORTS)
def test_an_empty_lake_gives_every_table_with_the_rows_that_always_are(
    report: str, engine: str, tmp_path: Path
) -> None:
    (tmp_path / "sessions").mkdir()
    found = document(tmp_path, report, "2026-02-01", "2026-02-01")
    assert found == {
        "report": report,
        "engine": engine,
        "start": "2026-02-01",
        "end": "2026-02-01",
        "parameters": {"min_team_size": 5, "min_monthly_volume": 100},
        "newest_day": None,
        "records": 0,
        "rejected": 0,
        "duplicates": 0,
        "bytes_scanned": 0,
        "tables": empty_tables("2026-02-01")[report],
    }


@pytest.mark.parametrize("report", REPORTS)
def test_an_empty_period_of_a_full_lake_is_as_empty(report: str, tmp_path: Path) -> None:
    lake_of(tmp_path, session(), session(_timestamp=at("2026-03-01")))
    found = document(tmp_path, report, "2026-02-15", "2026-02-15")
    assert (found["newest_day"], found["records"], found["bytes_scanned"]) == ("2026-03-01", 0, 0)
    assert found["tables"] == empty_tables("2026-02-15")[report]


# One -----------------------------------------------------------------------------------------------------


def test_one_session_in_every_table_of_the_lead_funnel(tmp_path: Path) -> None:
    lake_of(tmp_path, session(team_size=8, urgency=" HIGH", integration_needs=["Slack", " slack", "CRM"]))
    low, high = ONE_OF_ONE
    first = {"stage": "session", "sessions": 1, "share": 1.0, "conversion": 1.0, "conversion_low": None,
             "conversion_high": None}  # fmt: skip
    later = {"sessions": 1, "share": 1.0, "conversion": 1.0, "conversion_low": low, "conversion_high": high}
    rate = {"qualified_rate": 1.0, "qualified_rate_low": low, "qualified_rate_high": high}
    assert tables(tmp_path, "lead_funnel", "2026-02-01") == {
        "stages": [first, *({"stage": stage, **later} for stage in STAGES[1:])],
        "daily": [{"dt": "2026-02-01", "sessions": 1, "signals": 1, "qualified": 1, "hot": 1, **rate}],
        "coverage": [
            {"signal": signal, "known": 1, "share": 1.0}
            for signal in ("team_size", "monthly_volume", "urgency", "integration_needs")
        ],
        "integrations": [{"integration": name, "sessions": 1, "qualified": 1, **rate} for name in ("crm", "slack")],
        "leads": [
            {
                "session_id": "room-1",
                "ended_at": "2026-02-01T10:02:00.000Z",
                "stage": "hot",
                "team_size": 8,
                "monthly_volume": 20.0,
                "urgency": "high",
                "integration_needs": ["Slack", "slack", "CRM"],
                "duration_seconds": 120.0,
                "agent_name": "sales",
                "room_id": "RM_1",
                "caller_key": "c0ffee",
            }
        ],
    }


def test_one_session_in_every_table_of_the_duration_trends(tmp_path: Path) -> None:
    lake_of(tmp_path, session())
    empty = empty_tables("2026-02-01")["duration_trends"]
    lengths = {
        "sessions": 1, "timed_sessions": 1, "avg_duration": 120.0, "p50_duration": 120.0, "p90_duration": 120.0,
        "p95_duration": 120.0, "total_duration": 120.0, "total_tokens": 900, "avg_latency_ms": 640.0,
    }  # fmt: skip
    empty["hourly"][10] = {"hour": 10, "sessions": 1, "p50_duration": 120.0}
    empty["weekdays"][6] = {"weekday": 7, "sessions": 1, "p50_duration": 120.0}  # 2026-02-01 is a Sunday
    empty["distribution"][4]["sessions"] = 1
    empty["by_stage"][1] = {"stage": "signals", "sessions": 1, "avg_duration": 120.0, "p50_duration": 120.0,
                            "p90_duration": 120.0}  # fmt: skip
    assert tables(tmp_path, "duration_trends", "2026-02-01") == {
        **empty,
        "summary": [lengths],
        "daily": [{"dt": "2026-02-01", **lengths, "p50_duration_7d": 120.0}],
        "close_reasons": [{"close_reason": "user_initiated", "sessions": 1, "share": 1.0, "p50_duration": 120.0}],
    }


def test_one_session_in_every_table_of_the_tool_failures(tmp_path: Path) -> None:
    calls = [call(query="Price  LIST", error="timed\n out", duration_ms=100), call("book", duration_ms=3), call()]
    lake_of(tmp_path, session(tool_calls=calls))
    low, high = NONE_OF_ONE
    half = {"failure_rate": 0.5, "failure_rate_low": 0.0945312057, "failure_rate_high": 0.9054687943}
    found = tables(tmp_path, "tool_failures", "2026-02-01")
    for name, bound in (
        ("failure_rate_low", half["failure_rate_low"]),
        ("failure_rate_high", half["failure_rate_high"]),
    ):
        assert found["by_tool"][0].pop(name) == pytest.approx(bound)
    expected = empty_tables("2026-02-01")["tool_failures"]
    expected["impact"][2] = {"calls": "2-3", "had_failure": True, "sessions": 1, "qualified": 0, "qualified_rate": 0.0,
                             "qualified_rate_low": low, "qualified_rate_high": high}  # fmt: skip
    last = "2026-02-01T10:02:00.000Z"
    day = "2026-02-01"
    assert found == {
        **expected,
        "by_tool": [
            {"tool": "search", "calls": 2, "empty": 0, "errors": 1, "cancelled": 0, "failures": 1, "failure_rate": 0.5,
             "sessions_affected": 1, "timed_calls": 1, "p50_duration_ms": 100.0, "p95_duration_ms": 100.0},
            {"tool": "book", "calls": 1, "empty": 0, "errors": 0, "cancelled": 0, "failures": 0, "failure_rate": 0.0,
             "failure_rate_low": low, "failure_rate_high": high, "sessions_affected": 0, "timed_calls": 1,
             "p50_duration_ms": 3.0, "p95_duration_ms": 3.0},
        ],
        "daily": [{"dt": day, "calls": 3, "failures": 1, "failure_rate": pytest.approx(1 / 3)}],
        "tool_daily": [
            {"dt": day, "tool": "book", "calls": 1, "failures": 0, "failure_rate": 0.0},
            {"dt": day, "tool": "search", "calls": 2, "failures": 1, "failure_rate": 0.5},
        ],
        "errors": [{"tool": "search", "error": "timed out", "failures": 1, "sessions": 1, "last_at": last}],
        "failing_queries": [
            {"tool": "search", "query": "price list", "calls": 1, "failures": 1, "empty": 0, "errors": 1, "sessions": 1,
             "last_at": last}
        ],
        "recovery": [{"tool": "search", "failures": 1, "retried": 1, "recovered": 1, "last_calls": 0}],
    }  # fmt: skip


def test_a_session_that_says_nothing_is_a_session(tmp_path: Path) -> None:
    lake_of(tmp_path, {key: value for key, value in session().items() if key.startswith("_")})
    funnel, lengths, calls = (tables(tmp_path, report, "2026-02-01") for report in REPORTS)
    assert [row["sessions"] for row in funnel["stages"]] == [1, 0, 0, 0]
    assert [row["conversion"] for row in funnel["stages"]] == [1.0, 0.0, None, None]
    assert lengths["summary"] == [{**NO_LENGTHS, "sessions": 1}]
    assert lengths["hourly"] == empty_tables("")["duration_trends"]["hourly"]
    reason = {"close_reason": None, "sessions": 1, "share": 1.0, "p50_duration": None}
    assert lengths["close_reasons"] == [reason]
    assert calls == empty_tables("2026-02-01")["tool_failures"]


# Boundaries ----------------------------------------------------------------------------------------------


def ends(moment: str, session_id: str, **fields: object) -> dict[str, object]:
    return session(_timestamp=at(moment), _session_id=session_id, **fields)


def day_counts(root: Path, start: str, end: str) -> list[tuple[str, int]]:
    return [(row["dt"], row["sessions"]) for row in tables(root, "lead_funnel", start, end)["daily"]]


def test_midnight_to_the_millisecond_is_a_boundary_of_day_and_month(tmp_path: Path) -> None:
    lake_of(
        tmp_path,
        ends("2026-01-31T23:59:59.999", "last of January"),
        ends("2026-02-01T00:00:00", "first of February"),
        ends("2026-01-31T23:59:59.999600", "rounds into February"),
        ends("2026-01-31T00:00:00", "first of the 31st"),
        ends("2026-01-30T23:59:59.999", "before"),
    )
    assert day_counts(tmp_path, "2026-01-31", "2026-02-01") == [("2026-01-31", 2), ("2026-02-01", 2)]
    assert day_counts(tmp_path, "2026-01-31", "2026-01-31") == [("2026-01-31", 2)]
    assert day_counts(tmp_path, "2026-02-01", "2026-02-01") == [("2026-02-01", 2)]
    lake = opened(tmp_path)
    frame = lake.sql(
        "SELECT session_id, ended_at FROM sessions ORDER BY dt, session_id", start="2026-01-31", end="2026-02-01"
    )
    assert [(name, str(moment)) for name, moment in frame.itertuples(index=False)] == [
        ("first of the 31st", "2026-01-31 00:00:00+00:00"),
        ("last of January", "2026-01-31 23:59:59.999000+00:00"),
        ("first of February", "2026-02-01 00:00:00+00:00"),
        ("rounds into February", "2026-02-01 00:00:00+00:00"),
    ]


def test_a_session_belongs_to_the_day_it_ended_and_to_the_hour_it_began(tmp_path: Path) -> None:
    lake_of(tmp_path, ends("2026-02-01T00:00:30", "over midnight", duration_seconds=60.001))
    found = tables(tmp_path, "duration_trends")
    assert [(row["dt"], row["sessions"]) for row in found["daily"]] == [("2026-01-31", 0), ("2026-02-01", 1)]
    assert [row for row in found["hourly"] if row["sessions"]] == [{"hour": 23, "sessions": 1, "p50_duration": 60.001}]
    assert [row for row in found["weekdays"] if row["sessions"]] == [
        {"weekday": 6, "sessions": 1, "p50_duration": 60.001}
    ]


def test_the_seven_day_median_reads_six_days_before_the_period_and_no_more(tmp_path: Path) -> None:
    lengths = {"2026-01-25": 1000, "2026-01-26": 10, "2026-01-31": 20, "2026-02-01": 60}
    records = [ends(f"{day}T12:00:00", day, duration_seconds=length) for day, length in lengths.items()]
    found = document(lake_of(tmp_path, *records), "duration_trends", "2026-02-01", "2026-02-02")
    assert [
        (row["dt"], row["sessions"], row["p50_duration"], row["p50_duration_7d"]) for row in found["tables"]["daily"]
    ] == [
        ("2026-02-01", 1, 60.0, 20.0),
        ("2026-02-02", 0, None, 40.0),
    ]
    assert found["records"] == 1
    assert found["tables"]["summary"][0]["sessions"] == 1


@pytest.mark.parametrize(
    ("seconds", "row"), [(0, 0), (9.999, 0), (10, 1), (29.9999, 1), (3599.999, 8), (3600, 9), (90000, 9)]
)
def test_a_length_on_an_edge_belongs_to_the_row_that_begins_there(seconds: float, row: int, tmp_path: Path) -> None:
    found = tables(lake_of(tmp_path, session(duration_seconds=seconds)), "duration_trends")["distribution"]
    assert [number for number, each in enumerate(found) if each["sessions"]] == [row]


def test_thresholds_are_reached_by_being_equal_and_may_have_a_fraction(tmp_path: Path) -> None:
    lake_of(
        tmp_path,
        session(_session_id="team", team_size=5, monthly_volume=None),
        session(_session_id="volume", team_size=None, monthly_volume=99.5),
    )

    def leads(**parameters: float) -> list[str]:
        found = document(tmp_path, "lead_funnel", "2026-02-01", "2026-02-01", **parameters)
        return [row["session_id"] for row in found["tables"]["leads"]]

    assert leads() == ["team"]
    assert leads(min_team_size=5.5) == []
    assert leads(min_team_size=4.5, min_monthly_volume=99.5) == ["team", "volume"]
    assert leads(min_team_size=1e15, min_monthly_volume=0) == ["volume"]
    with pytest.raises(ParameterError, match="min_team_size is a number from 0"):
        leads(min_team_size=-1)


# Names ---------------------------------------------------------------------------------------------------

HOSTILE = [
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE sessions; --",
    "_hidden",
    ".dot",
    "a\nb",
    "😀" * 300,
]


def test_a_session_id_that_is_a_path_html_or_sql_is_a_session_id(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    lake_of(root, *(session(_session_id=name, team_size=9, tool_calls=[call(name, error=name)]) for name in HOSTILE))
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]
    assert len(list((root / "sessions" / "dt=2026-02-01").iterdir())) == len(HOSTILE)
    leads = tables(root, "lead_funnel")["leads"]
    assert [row["session_id"] for row in leads] == sorted(HOSTILE)
    failures = tables(root, "tool_failures")
    assert [row["tool"] for row in failures["by_tool"]] == sorted(HOSTILE)
    assert {row["error"] for row in failures["errors"]} == {name.replace("\n", " ") for name in HOSTILE}


# Folders and copies --------------------------------------------------------------------------------------


def test_a_record_in_the_wrong_folder_counts_on_the_folder_s_day(tmp_path: Path) -> None:
    write(tmp_path, {"sessions/dt=2026-01-31/stray.json": encode(session(team_size=9)).encode()})
    assert day_counts(tmp_path, "2026-01-31", "2026-02-01") == [("2026-01-31", 1), ("2026-02-01", 0)]
    (lead,) = tables(tmp_path, "lead_funnel")["leads"]
    assert lead["ended_at"] == "2026-02-01T10:02:00.000Z"


def test_two_files_with_the_same_record_are_one_session(tmp_path: Path) -> None:
    lake_of(tmp_path, session())
    (stored,) = (tmp_path / "sessions").rglob("*.json")
    shutil.copy(stored, stored.with_name("copy.json"))
    found = document(tmp_path, "tool_failures", "2026-02-01", "2026-02-01")
    assert (found["records"], found["duplicates"]) == (1, 1)
    assert found["tables"]["daily"] == [{"dt": "2026-02-01", "calls": 1, "failures": 0, "failure_rate": 0.0}]
    assert day_counts(tmp_path, "2026-02-01", "2026-02-01") == [("2026-02-01", 1)]


def test_the_same_record_in_two_folders_is_two_sessions(tmp_path: Path) -> None:
    line = encode(session(team_size=9)).encode()
    write(tmp_path, {f"sessions/dt=2026-0{day}/a.json": line for day in ("1-31", "2-01")})
    found = document(tmp_path, "lead_funnel", "2026-01-31", "2026-02-01")
    assert (found["records"], found["duplicates"]) == (2, 0)
    assert [row["sessions"] for row in found["tables"]["stages"]] == [2, 2, 2, 0]
    assert len(found["tables"]["leads"]) == 2


def test_a_room_used_again_on_the_same_day_is_another_session(tmp_path: Path) -> None:
    lake_of(tmp_path, ends("2026-02-01T10:00:00", "room"), ends("2026-02-01T10:00:00.001", "room"))
    assert day_counts(tmp_path, "2026-02-01", "2026-02-01") == [("2026-02-01", 2)]


def test_rejected_lines_are_counted_and_cost_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"sessions/dt=2026-02-01/a.json": b"broken\n" + encode(session()).encode() + b"\n[]"})
    found = document(tmp_path, "lead_funnel", "2026-02-01", "2026-02-01")
    assert (found["records"], found["rejected"]) == (1, 2)

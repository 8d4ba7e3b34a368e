"""The queries of sql/insights/: what they say about themselves, and what they find in lines of every shape."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import analytics_lib
from analytics_lib import settings
from analytics_lib.logs import insights
from analytics_lib.schema import LEAD_MONTHLY_VOLUME, LEAD_TEAM_SIZE
from tests.support.insights import MalformedQueryError, run
from tests.support.wild import REMOVE, at, call, session

SHAPES = ("bare", "analytics", "analytics_data", "old")
ENVELOPE = {"message": "session analytics", "level": "INFO", "name": "analytics_lib.session", "room": "room-1"}
LEAD = {"team_size": 9, "urgency": " High "}


def line(record: dict[str, Any], shape: str = "bare") -> tuple[int, str]:
    """The record's log event; `old` is the design document's own code: no `_event_type`, `session_id`."""
    moment = round(record["_timestamp"] * 1000)
    if shape == "bare":
        return moment, json.dumps(record)
    if shape == "old":
        record = {key: value for key, value in record.items() if key not in ("_event_type", "_session_id")} | {
            "session_id": record["_session_id"]
        }
        shape = "analytics_data"
    return moment, json.dumps({**ENVELOPE, shape: record})


NOISE = [
    (round(at("2026-02-01T10:02:00") * 1000), message)
    for message in ("starting worker", json.dumps(ENVELOPE), '{"_event_type": "other", "_session_id": "x"}', "{broken")
]


def ask(name: str, *lines: tuple[int, str], booleans: str = "number") -> list[dict[str, Any]]:
    """The query's rows as `analytics-lib insights` gives them, unknown values left out."""
    query = insights.text(name)
    kinds = insights.columns(query)
    found = run(query, [*NOISE, *lines], booleans=booleans)
    assert all(row.keys() <= kinds.keys() for row in found)
    return [{key: insights._value(value, kinds[key]) for key, value in row.items()} for row in found]


@pytest.mark.parametrize("name", insights.names())
def test_the_header_says_purpose_shapes_and_columns(name: str) -> None:
    lines = insights.text(name).splitlines()
    assert re.fullmatch(r"# [A-Z].{10,}\.", lines[0])
    assert insights.columns(insights.text(name))
    assert all(word in lines[1] for word in ("bare", "`analytics`", "`analytics_data`"))


@pytest.mark.parametrize("name", insights.names())
def test_it_filters_session_records_before_anything_is_counted(name: str) -> None:
    query = insights.text(name)
    assert query.count(r"| filter event like /^\s*(session_)?analytics\s*$/ and ispresent(session_id)") == 1
    assert "| stats" not in query[: query.index("| filter")]


@pytest.mark.parametrize("name", ["qualified_leads", "hot_leads"])
def test_its_leads_qualify_from_the_thresholds_of_the_reports_on(name: str) -> None:
    assert f"team_size >= {LEAD_TEAM_SIZE} or monthly_volume >= {LEAD_MONTHLY_VOLUME}" in insights.text(name)


def test_every_query_of_the_design_document_is_there() -> None:
    assert insights.names() == [
        "daily_sessions", "failed_tool_calls", "hot_leads", "qualified_leads", "session_duration", "sessions",
    ]  # fmt: skip


@pytest.mark.parametrize("event_type", ["session_analytics", " analytics"])
def test_every_name_of_the_event_is_a_session(event_type: str) -> None:
    lines = [line(session(_event_type=event_type, **LEAD), shape) for shape in ("bare", "analytics")]
    assert [row["session_id"] for row in ask("sessions", *lines)] == ["room-1", "room-1"]


@pytest.mark.parametrize("shape", SHAPES)
def test_sessions_tells_what_every_session_came_to_newest_first(shape: str) -> None:
    later = session(_session_id="room-2", _timestamp=at("2026-02-02T00:00:00.5"), duration_seconds=REMOVE)
    assert ask("sessions", line(session(**LEAD), shape), line(later, shape)) == [
        {
            "@timestamp": "2026-02-02T00:00:00.500Z", "session_id": "room-2", "agent": "sales",
            "reason": "user_initiated", "livekit_room": "RM_1", "team_size": 3, "monthly_volume": 20, "urgency": "low",
        },
        {
            "@timestamp": "2026-02-01T10:02:00.000Z", "session_id": "room-1", "seconds": 120.0, "agent": "sales",
            "reason": "user_initiated", "livekit_room": "RM_1", "team_size": 9, "monthly_volume": 20,
            "urgency": " High ",
        },
    ]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_leads_qualify_by_team_or_volume_and_are_hot_when_urgent(shape: str) -> None:
    lines = [
        line(session(_session_id="team", **LEAD), shape),
        line(session(_session_id="volume", monthly_volume=100, team_size=REMOVE), shape),
        line(session(_session_id="small", team_size=4.5, monthly_volume=99, urgency="high"), shape),
    ]
    assert [row["session_id"] for row in ask("qualified_leads", *lines)] == ["team", "volume"]
    assert ask("hot_leads", *lines) == [
        {
            "@timestamp": "2026-02-01T10:02:00.000Z", "session_id": "team", "team_size": 9, "monthly_volume": 20,
            "livekit_room": "RM_1",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_session_duration_is_that_of_sessions_with_one(shape: str) -> None:
    lines = [line(session(duration_seconds=seconds), shape) for seconds in (10, 20, 90, REMOVE)]
    assert ask("session_duration", *lines) == [
        {"sessions": 4, "avg_seconds": 40.0, "p50_seconds": 20, "p90_seconds": 90, "max_seconds": 90}
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_daily_sessions_are_counted_by_utc_day(shape: str) -> None:
    moments = ("2026-02-01T00:00:00", "2026-02-01T23:59:59.999", "2026-02-02T00:00:00")
    lines = [line(session(_timestamp=at(moment), llm_tokens=100), shape) for moment in moments]
    assert ask("daily_sessions", *lines) == [
        {"day": "2026-02-01", "sessions": 2, "avg_seconds": 120.0, "total_tokens": 200},
        {"day": "2026-02-02", "sessions": 1, "avg_seconds": 120.0, "total_tokens": 100},
    ]


@pytest.mark.parametrize("booleans", ["number", "text"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_failed_call_is_found_not_the_first_only(shape: str, booleans: str) -> None:
    calls = [
        call(query="price", results_found=True),
        call("crm", error="time-out", duration_ms=30, results_found=True),
        call(query="refund", results_found=False, error=" "),
        call(query="late", results_found=False, cancelled=True),
        call("crm", error="gone", cancelled=True),
        call(query="text", results_found="False"),
        {"query": "no tool", "results_found": False},
        call(),
    ]
    lines = [line(session(tool_calls=calls), shape), line(session(tool_calls=REMOVE), shape)]
    found = ask("failed_tool_calls", *lines, booleans=booleans)
    assert [(row["tool"], row.get("query"), row.get("error"), row.get("duration_ms")) for row in found] == [
        ("crm", None, "time-out", 30),
        ("search", "refund", " ", None),
        ("crm", None, "gone", None),
        ("search", "text", None, None),
    ]


def test_on_the_samples_they_say_what_the_reports_say() -> None:
    lake = analytics_lib.open(settings.samples())
    lines = [
        line(json.loads(file.read_text())) for file in sorted(Path(settings.samples()).glob("sessions/dt=*/*.json"))
    ]
    failures = lake.report("tool_failures").tables["by_tool"]["failures"].sum()
    daily = lake.report("duration_trends").tables["daily"]
    leads = lake.report("lead_funnel").tables["stages"].set_index("stage")["sessions"]
    assert len(ask("failed_tool_calls", *lines)) == failures > 100
    assert len(ask("qualified_leads", *lines)) == leads["qualified"] > 100
    assert len(ask("hot_leads", *lines)) == leads["hot"] > 10
    found = ask("daily_sessions", *lines)
    assert [row["sessions"] for row in found] == list(daily["sessions"])
    assert [row["total_tokens"] for row in found] == list(daily["total_tokens"])
    assert [row["avg_seconds"] for row in found] == pytest.approx(list(daily["avg_duration"]))


def test_the_design_document_s_own_queries_find_nothing_after_stats() -> None:
    query = 'stats avg(duration_seconds) as avg_duration\n| filter _event_type = "analytics"'
    assert run(query, [line(session())]) == []


def test_what_insights_refuses_is_refused_here_too() -> None:
    for query in (
        "fields jsonParse(@message) as line, line.x as x",
        "fields @message as a\n| fields @message as a",
        "fields nothing(@message) as a",
        "explode @message",
    ):
        with pytest.raises(MalformedQueryError):
            run(query, [line(session())])

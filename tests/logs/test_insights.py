"""Running an Insights query: waiting, the ends it can come to, cancelling, and values as JSON has them."""

import json
import signal
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from analytics_lib import aws
from analytics_lib.errors import AwsError, QueryError, SqlFileError, UsageError
from analytics_lib.logs import insights
from analytics_lib.logs.group import asking
from analytics_lib.period import Period, parse_date
from tests.support.fake_logs import FakeLogs

DAYS = Period(parse_date("2026-02-01"), parse_date("2026-02-02"))
ROWS = [{"day": "2026-02-01 00:00:00.000", "sessions": "2", "avg_seconds": "120.5", "@ptr": "x"}]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insights, "_POLL_SECONDS", 0.01)


def test_the_answer_has_typed_values_the_declared_columns_and_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    with FakeLogs("Scheduled", "Running", "Complete", rows=ROWS).served(monkeypatch) as logs:
        answer = insights.run("daily_sessions", "agents", DAYS, progress=lambda *counts: told.append(counts))
    assert answer.columns == ("day", "sessions", "avg_seconds", "total_tokens")
    assert answer.rows == [{"day": "2026-02-01", "sessions": 2, "avg_seconds": 120.5, "total_tokens": None}]
    assert (answer.bytes_scanned, answer.complete) == (2_000_000, True)
    assert told == [(2, 7)] * 3
    assert logs.asked[0] == (
        "StartQuery",
        {
            "logGroupName": "agents",
            "startTime": 1769904000,  # 2026-02-01T00:00:00Z
            "endTime": 1770076799,  # 2026-02-02T23:59:59Z
            "limit": 10_000,
            "queryString": insights.text("daily_sessions"),
        },
    )
    assert logs.operations == ["StartQuery", *["GetQueryResults"] * 3]


def test_no_rows_are_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeLogs("Complete").served(monkeypatch):
        assert insights.run("sessions", "agents", DAYS).rows == []


@pytest.mark.parametrize("status", ["Failed", "Timeout", "Cancelled"])
def test_a_query_that_ends_otherwise_is_an_error_with_its_id(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    with FakeLogs("Running", status).served(monkeypatch) as logs, pytest.raises(QueryError) as error:
        insights.run("sessions", "agents", DAYS)
    assert str(error.value) == (
        f"the Insights query sessions over agents, 2026-02-01 to 2026-02-02, ended as {status} (query q-1); repeat it "
        "over fewer days, or look at it in the console under Logs Insights, History"
    )
    assert "StopQuery" not in logs.operations


def test_a_query_that_takes_too_long_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeLogs("Running").served(monkeypatch) as logs, pytest.raises(QueryError, match="longer than --timeout"):
        insights.run("sessions", "agents", DAYS, timeout_seconds=0.05)
    assert logs.asked[-1] == ("StopQuery", {"queryId": "q-1"})


def test_ctrl_c_cancels_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: int) -> None:
        signal.raise_signal(signal.SIGINT)

    with FakeLogs("Running").served(monkeypatch) as logs, pytest.raises(KeyboardInterrupt):
        insights.run("sessions", "agents", DAYS, progress=interrupt)
    assert logs.operations == ["StartQuery", "GetQueryResults", "StopQuery"]


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("AccessDeniedException", "ask for the permission"),
        ("MalformedQueryException", "older than what it keeps"),
    ],
)
def test_a_refusal_names_the_action_and_the_next_step(monkeypatch: pytest.MonkeyPatch, code: str, step: str) -> None:
    with FakeLogs(refusal=code).served(monkeypatch), pytest.raises(AwsError) as error:
        insights.run("sessions", "agents", DAYS)
    assert str(error.value).startswith("starting the Insights query sessions over log group agents failed: ")
    assert "(action logs:StartQuery)" in str(error.value)
    assert step in str(error.value)


def test_too_many_queries_at_once_are_told_to_wait() -> None:
    refused = ClientError({"Error": {"Code": "LimitExceededException", "Message": "said AWS"}}, "StartQuery")
    with pytest.raises(AwsError, match="too many queries run at once: wait a minute"), asking("agents", "starting on"):
        raise refused


def test_a_name_that_is_none_lists_the_names() -> None:
    with pytest.raises(UsageError, match="no Insights query 'nothing'; there are daily_sessions, failed_tool_calls, "):
        insights.run("nothing", "agents", DAYS)


def test_a_log_group_that_is_none_is_told_with_what_to_look_at(moto_server: Any) -> None:
    with pytest.raises(AwsError) as error:
        insights.run("sessions", "nowhere", DAYS)
    assert "there is no such log group in this account and region; list them" in str(error.value)


def test_moto_s_insights_answers_a_query_of_ours(moto_server: Any) -> None:
    logs, group = aws.client("logs"), uuid.uuid4().hex
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = round(time.time() * 1000)
    event = {"timestamp": now, "message": json.dumps({"_event_type": "analytics"})}
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])
    today = parse_date(time.strftime("%Y-%m-%d", time.gmtime(now / 1000)))
    answer = insights.run("sessions", group, Period(today, today))  # moto filters nothing and makes no columns
    assert len(answer.rows) == 1


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("3", "number", 3), ("-3", "number", -3), ("3.0", "number", 3.0), ("1.5E7", "number", 1.5e7),
        ("many", "number", None), ("NaN", "number", None), ("", "text", None), (None, "time", None),
        ("3", "text", "3"), ("2026-02-01 10:02:00.000", "time", "2026-02-01T10:02:00.000Z"),
        ("2026-02-01 00:00:00.000", "date", "2026-02-01"),
    ],
)  # fmt: skip
def test_what_insights_writes_becomes_json(written: str | None, kind: str, value: object) -> None:
    found = insights._value(written, kind)
    assert (found, type(found)) == (value, type(value))


def test_a_query_without_its_columns_is_no_query_of_ours() -> None:
    with pytest.raises(SqlFileError, match="begins with `# Columns:"):
        insights.columns("# Purpose.\nfields @message")

"""The commands livekit secrets, insights, backfill, cost, as typed."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from analytics_lib import aws
from tests.support.fake_logs import FakeLogs
from tests.support.wild import session

ROWS = [
    {"@timestamp": "2026-02-01 10:02:00.000", "session_id": "room-1", "team_size": "9"},
    {"@timestamp": "2026-02-01 09:00:00.000", "session_id": "7", "monthly_volume": "100"},
]


def test_the_command_for_livekit_names_variables_and_no_values(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVALUE")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    done = cli("livekit", "secrets")
    assert done.status == 0
    assert done.out == (
        "lk agent update-secrets \\\n"
        '  --secrets "AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID" \\\n'
        '  --secrets "AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY" \\\n'
        '  --secrets "AWS_REGION=$AWS_DEFAULT_REGION"\n'
    )
    assert "AWS_ACCESS_KEY_ID is set\n" in done.err
    assert "AWS_SECRET_ACCESS_KEY is not set: export AWS_SECRET_ACCESS_KEY=..." in done.err
    assert "AKIAVALUE" not in done.out + done.err


def test_keys_that_expire_are_no_keys_for_livekit(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "short-lived")
    done = cli("livekit", "secrets")
    assert "AWS_SESSION_TOKEN is set: these keys expire" in done.err
    assert "short-lived" not in done.out + done.err


def test_insights_prints_a_table_json_or_csv(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("insights", "hot_leads", "--log-group", "agents", "--start", "2026-02-01", "--end", "2026-02-01")
    with FakeLogs("Complete", rows=ROWS).served(monkeypatch):
        table, as_json, as_csv = (cli(*words, "--format", format_) for format_ in ("table", "json", "csv"))
    assert [done.status for done in (table, as_json, as_csv)] == [0, 0, 0]
    assert table.out.splitlines()[0].split() == [
        "@timestamp", "session_id", "team_size", "monthly_volume", "livekit_room",
    ]  # fmt: skip
    assert json.loads(as_json.out)[1] == {
        "@timestamp": "2026-02-01T09:00:00.000Z", "session_id": "7", "team_size": None, "monthly_volume": 100,
        "livekit_room": None,
    }  # fmt: skip
    assert as_csv.out.splitlines()[1] == "2026-02-01T10:02:00.000Z,room-1,9,,"
    assert table.err == "hot_leads over agents, 2026-02-01 to 2026-02-01: 2.0 MB scanned\n"


def test_insights_tells_a_wrong_name_and_a_wrong_date(cli: Any) -> None:
    wrong = cli("insights", "leads", "--log-group", "agents")
    assert (wrong.status, wrong.out) == (2, "")
    assert "there is no Insights query 'leads'; there are daily_sessions, failed_tool_calls, hot_leads" in wrong.err
    assert cli("insights", "sessions", "--log-group", "agents", "--start", "yesterday").status == 2
    assert cli("insights", "sessions").status == 2


def test_insights_says_when_there_may_be_more_rows(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeLogs("Complete", rows=ROWS[:1] * 10_000).served(monkeypatch):
        done = cli("insights", "hot_leads", "--log-group", "agents", "--format", "csv")
    assert "Insights gives 10,000 rows at most: ask for fewer days" in done.err


def test_backfill_tells_what_is_missing_by_day_and_delivers_it(cli: Any, bucket: str) -> None:
    logs, group, now = aws.client("logs"), uuid.uuid4().hex, datetime.now(UTC).timestamp()
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="worker")
    event = {"timestamp": round(now * 1000), "message": json.dumps(session(_timestamp=now))}
    logs.put_log_events(logGroupName=group, logStreamName="worker", logEvents=[event])
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    words = ("backfill", "--log-group", group, "--start", day, "--end", day, "--data", f"s3://{bucket}/lake")
    dry, wet, again = cli(*words, "--dry-run"), cli(*words), cli(*words)
    counted = f"{day}  records         1  missing         {{}}  rejected      0\n"
    end = f"of 1 records and 0 rejected lines to s3://{bucket}/lake: 1 log events of {group}, {day} to {day}\n"
    assert (dry.status, dry.out) == (0, counted.format(1) + "would deliver 1 " + end)
    assert (wet.status, wet.out) == (0, counted.format(1) + "delivered 1 " + end)
    assert (again.status, again.out) == (0, counted.format(0) + "delivered 0 " + end)


def test_backfill_needs_a_place_on_s3(cli: Any) -> None:
    done = cli("backfill", "--log-group", "agents", "--data", "lake")
    assert done.status == 2
    assert "'lake' is no place" in done.err


def test_cost_prints_each_item_with_its_formula_and_the_totals(cli: Any) -> None:
    done = cli("cost", "--sessions-per-day", "1000", "--bytes-per-session", "5000")
    assert (done.status, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    assert first.startswith("USD a month in us-east-1, prices of 20")
    assert "    0.0760  log ingestion: 0.1521 GB (30,417 sessions x 5,000 bytes) x 0.5 USD" in lines
    assert lines[-2].endswith("in all, with queries on JSON; without archive")


def test_cost_as_json_has_items_totals_and_the_prices_date(cli: Any) -> None:
    found = json.loads(cli("cost", "--sessions-per-day", "20", "--format", "json").out)
    assert found.keys() == {"load", "region", "prices_date", "prices_source", "items", "total_usd_per_month"}
    assert found["load"]["sessions_per_day"] == 20
    assert found["items"][0].keys() == {"item", "choice", "formula", "usd_per_month"}
    always = sum(item["usd_per_month"] for item in found["items"] if item["choice"] in ("always", "parquet"))
    assert found["total_usd_per_month"]["parquet"] == pytest.approx(always)
    assert cli("cost", "--sessions-per-day", "-1").status == 2

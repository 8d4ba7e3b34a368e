"""All the way: a real agent's output -> log event -> delivery function -> S3 -> the three reports."""

import base64
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import analytics_lib
from analytics_lib.delivery.handler import handle
from tests.support.local_athena.fixtures import Server

pytestmark = pytest.mark.slow
CHECKOUT = Path(__file__).parents[1]
TALKS = ("hot", "failing", "silent", "crashing")


@pytest.fixture(scope="module")
def output() -> list[str]:
    """What the agent's process printed: four sessions between other lines."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANALYTICS_", "LIVEKIT_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "examples.offline", *TALKS],
        cwd=CHECKOUT, env=clean, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def packed(lines: list[str]) -> bytes:
    """The lines as CloudWatch Logs hands them to a subscriber."""
    events = [{"id": str(number), "timestamp": int(time.time() * 1000), "message": line}
              for number, line in enumerate(lines)]  # fmt: skip
    payload = {"messageType": "DATA_MESSAGE", "logGroup": "agent", "logStream": "1", "logEvents": events}
    return gzip.compress(json.dumps(payload).encode())


def by_subscription(lines: list[str]) -> None:
    event = {"awslogs": {"data": base64.b64encode(packed(lines)).decode()}}
    assert handle(event, None) == {"records": 4, "rejected": 0, "skipped": len(lines) - 4}


def by_kinesis(lines: list[str]) -> None:
    half = len(lines) // 2
    records = [
        {"kinesis": {"sequenceNumber": str(number), "data": base64.b64encode(packed(part)).decode()}}
        for number, part in enumerate((lines[:half], lines[half:]))
    ]
    assert handle({"Records": records}, None) == {"batchItemFailures": []}


@pytest.mark.parametrize("deliver", [by_subscription, by_kinesis])
def test_the_reports_say_what_the_agent_did(
    deliver: Callable[[list[str]], None],
    output: list[str],
    moto_server: Server,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake_url = f"s3://{bucket}/agents"
    monkeypatch.setenv("ANALYTICS_LAKE", lake_url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    deliver(output)
    deliver(output)  # at least once: the same again changes nothing
    lake = analytics_lib.open(lake_url)
    today: date = datetime.now(UTC).date()
    days: dict[str, Any] = {"start": date.fromordinal(today.toordinal() - 1), "end": today}

    funnel = lake.report("lead_funnel", **days)
    assert {name: funnel.facts[name] for name in ("records", "rejected", "duplicates")} == {
        "records": 4, "rejected": 0, "duplicates": 0,
    }  # fmt: skip
    assert funnel.tables["stages"]["sessions"].tolist() == [4, 1, 1, 1]
    (lead,) = funnel.document()["tables"]["leads"]
    assert (lead["session_id"], lead["team_size"], lead["urgency"], lead["integration_needs"], lead["agent_name"]) == (
        "hot 1", 8, "high", ["salesforce"], "lead-qualifier",
    )  # fmt: skip

    lengths = lake.report("duration_trends", **days).tables["summary"].iloc[0]
    assert (lengths["sessions"], lengths["timed_sessions"]) == (4, 4)
    assert lengths["total_tokens"] == 120 * (4 + 4 + 0 + 2)  # the model's answers in each talk

    failures = lake.report("tool_failures", **days).document()["tables"]
    counted = {row["tool"]: (row["calls"], row["empty"], row["errors"], row["failures"]) for row in failures["by_tool"]}
    assert counted == {
        "search_knowledge": (3, 1, 0, 1),
        "find_customer": (1, 1, 0, 1),
        "book_demo": (1, 0, 1, 1),
        "send_fax": (1, 0, 1, 1),
        "remember_lead": (1, 0, 0, 0),
    }
    assert [row["error"] for row in failures["errors"] if row["tool"] == "book_demo"] == [
        "the calendar is full on Monday; ask [email] or [phone]"
    ]
    assert {row["query"] for row in failures["failing_queries"]} == {"refunds of [email]", "doe", "monday", "[phone]"}

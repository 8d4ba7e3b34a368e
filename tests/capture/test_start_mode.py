"""A worker as in production: LiveKit's processes and logging; what it prints is what CloudWatch gets."""

import json
from typing import Any

import pytest

from analytics_lib import record as reading
from tests.support.agent_sessions import worker_output


@pytest.fixture
def agent_output() -> list[str]:
    return worker_output()


def sessions(lines: list[str]) -> dict[str, dict[str, Any]]:
    """Conversation -> its line."""
    found = [line for line in map(json.loads, lines) if "analytics" in line]
    names = [line["analytics"]["_session_id"].split()[0] for line in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found, strict=True))


@pytest.mark.slow
def test_every_session_leaves_one_line_that_is_whole(agent_output: list[str]) -> None:
    found = sessions(agent_output)
    assert found.keys() == {"hot", "failing", "crashing", "long", "silent"}
    for line in found.values():
        assert reading.read(line["analytics"]) is not None
        assert (line["message"], line["level"], line["room"]) == (
            "session analytics",
            "INFO",
            line["analytics"]["_session_id"],
        )
        assert line["room_id"] == line["analytics"]["room_id"]


@pytest.mark.slow
def test_the_records_say_what_the_agents_did(agent_output: list[str]) -> None:
    found = {name: line["analytics"] for name, line in sessions(agent_output).items()}
    outcomes = {
        name: [(call["tool"], call.get("results_found"), call.get("error")) for call in record["tool_calls"]]
        for name, record in found.items()
    }
    unknown = outcomes["failing"].pop(2)
    assert (unknown[0], unknown[2][:25]) == ("send_fax", "Unknown function: send_fa")
    assert outcomes.pop("long") == [("search_knowledge", False, None)]
    assert outcomes == {
        "hot": [("search_knowledge", None, None), ("remember_lead", None, None)],
        "failing": [
            ("search_knowledge", False, None),
            ("find_customer", False, None),
            ("book_demo", None, "the calendar is full on Monday; ask [email] or [phone]"),
        ],
        "crashing": [("search_knowledge", None, None)],
        "silent": [],
    }
    assert found["hot"]["discovered_signals"] == {
        "team_size": 8,
        "urgency": "high",
        "integration_needs": ["salesforce"],
    }
    assert [record["metrics_summary"].get("llm_tokens") for record in found.values()].count(480) == 2


@pytest.mark.slow
def test_a_line_is_never_longer_than_a_container_s_runtime_keeps_whole(agent_output: list[str]) -> None:
    lengths = {
        name: len(json.dumps(line, ensure_ascii=False).encode()) for name, line in sessions(agent_output).items()
    }
    assert max(lengths.values()) <= 15_000
    assert lengths["long"] > 14_000
    assert sessions(agent_output)["long"]["analytics"]["_truncated"] is True

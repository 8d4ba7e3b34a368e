"""One session, one record: every field of the contract, from a real AgentSession with real tools."""

import asyncio
import datetime
import hashlib
import hmac
import json
import logging
import time
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, JobContext, RunContext, StopResponse, ToolError, function_tool
from livekit.agents.llm import ToolFlag
from livekit.agents.testing import fake_job_context
from livekit.agents.voice.events import CloseEvent, CloseReason

from analytics_lib import record as reading
from analytics_lib.capture import Recorder
from examples.agent import LeadQualifier
from tests.support.agent_sessions import Record, calls, held, logged, shut_down


def agent_with(*tools: Any) -> Agent:
    return Agent(instructions="", tools=list(tools))


def answering(output: Any) -> Agent:
    """An agent whose tool `search` gives this back."""

    @function_tool
    async def search(query: str) -> Any:
        """Search."""
        return output

    return agent_with(search)


def searched(output: Any, **recorder: Any) -> dict[str, Any]:
    """The call of a tool `search` that gave this back, as the record has it."""
    (record,) = held(answering(output), [("search", {"query": "q"})], recorder=Recorder(**recorder))
    (call,) = calls(record)
    assert (call.pop("tool"), call.pop("query")) == ("search", "q")
    return call


def test_a_session_leaves_one_record_with_every_field_that_is_known() -> None:
    recorder = Recorder(agent_name="lead-qualifier", agent_version="1.4.0")
    agent = LeadQualifier(recorder)
    remembered = {"team_size": 8, "urgency": "HIGH", "integration": "salesforce"}
    before = time.time()
    (record,) = held(
        agent,
        [("search_knowledge", {"query": "salesforce"}), ("search_knowledge", {"query": "prices"})],
        [("remember_lead", remembered)],
        recorder=recorder,
    )
    assert before <= record.pop("_timestamp") <= time.time() + 0.001
    assert 0 < record["duration_seconds"] < 30
    assert [call["offset_seconds"] >= 0 and call["duration_ms"] >= 0 for call in record["tool_calls"]] == [True] * 3
    assert calls(record) == [
        {"tool": "search_knowledge", "query": "salesforce"},
        {"tool": "search_knowledge", "query": "prices", "results_found": False},
        {"tool": "remember_lead", "query": '{"team_size":8,"urgency":"HIGH","integration":"salesforce"}'},
    ]
    assert record.pop("metrics_summary").keys() == {"llm_tokens", "avg_latency_ms"}
    assert record.pop("room_id").startswith("RM_")
    assert record.pop("duration_seconds") > 0
    assert record.pop("tool_calls")
    assert record == {
        "_event_type": "analytics",
        "_session_id": "fake-room",
        "discovered_signals": {"team_size": 8, "urgency": "high", "integration_needs": ["salesforce"]},
        "agent_name": "lead-qualifier",
        "agent_version": "1.4.0",
        "close_reason": "user_initiated",
    }


def test_a_session_in_which_nothing_happened_leaves_a_record() -> None:
    (record,) = held(agent_with())
    assert (record["tool_calls"], record["discovered_signals"], record["metrics_summary"]) == ([], {}, {})
    assert reading.read(record) is not None


def test_tokens_are_those_that_the_models_used_and_latency_the_mean_of_the_answers() -> None:
    (record,) = held(answering(["x"]), [("search", {"query": "q"})], [("search", {"query": "q"})])
    assert record["metrics_summary"]["llm_tokens"] == 4 * 120  # two turns, each a call and an answer
    assert 0 < record["metrics_summary"]["avg_latency_ms"] < 10_000


def test_the_spoken_latency_counts_before_that_of_the_text() -> None:
    recorder, session = attached()
    for metrics in ({"llm_node_ttft": 0.1}, {"e2e_latency": 0.4, "llm_node_ttft": 0.1}, {"e2e_latency": 0.6}, {}):
        session.emit("conversation_item_added", SimpleNamespace(item=SimpleNamespace(metrics=metrics)))
    session.emit("conversation_item_added", SimpleNamespace(item=SimpleNamespace()))  # a handoff has no metrics
    assert finished(recorder)["metrics_summary"] == {"avg_latency_ms": 500.0}


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ('{"query": "prices", "language": "en"}', "prices"),
        ('{"topic": "prices", "limit": 5}', "prices"),
        ('{"topic": "prices", "language": "de", "limit": 5}', '{"topic":"prices","language":"de","limit":5}'),
        ('{"query": {"all": ["a", "ü"]}}', '{"all":["a","ü"]}'),
        ('{"limit": 5}', '{"limit":5}'),
        ("{}", None),
        ("", None),
        ('{"query": " "}', None),
        ("not json", "not json"),
        ('{"query": "torn \\ud83d"}', "torn ?"),
    ],
)
def test_the_query_is_what_was_asked_of_the_tool(arguments: str, query: str | None) -> None:
    recorder, session = attached()
    start_call(session, arguments=arguments)
    (call,) = finished(recorder)["tool_calls"]
    assert call.get("query") == query


@pytest.mark.parametrize("output", [None, "", " \n", "[]", [], {}, (), "null"])
def test_an_empty_output_is_no_result(output: Any) -> None:
    assert searched(output) == {"results_found": False}


@pytest.mark.parametrize("output", ["found", ["x"], {"total": 0}, 0, False])
def test_of_any_other_output_it_is_not_known(output: Any) -> None:
    assert searched(output) == {}


@pytest.mark.parametrize(
    ("output", "found"),
    [({"total": 0}, False), ({"total": 2}, True), ('{"total": 3}', True), ("no such key", None)],
)
def test_a_rule_says_of_the_output_whether_it_holds_results(output: Any, found: bool | None) -> None:
    expected = {} if found is None else {"results_found": found}
    assert searched(output, results_found={"search": lambda output: output["total"] > 0}) == expected


def test_a_rule_is_given_what_the_tool_returned_and_its_text_where_that_is_a_text() -> None:
    given: list[Any] = []
    for output in ([1, "a"], "plain", "[broken", None, "(" * 5_000, "[" + "1," * 50_000 + "]", ("a", None)):
        searched(output, results_found={"search": given.append})
    assert given == [[1, "a"], "plain", "[broken", None, "(" * 5_000, "[" + "1," * 50_000 + "]", ("a", None)]


def test_what_the_tool_says_of_itself_goes_before_its_rule_and_its_output() -> None:
    recorder = Recorder(results_found={"search": lambda _: True})

    @function_tool
    async def search(query: str) -> str:
        """Search."""
        recorder.found(False)
        return "nothing of that name"

    (record,) = held(agent_with(search), [("search", {"query": "q"})], recorder=recorder)
    assert calls(record) == [{"tool": "search", "query": "q", "results_found": False}]


def test_calls_side_by_side_each_speak_for_themselves() -> None:
    recorder = Recorder()

    @function_tool
    async def search(query: str) -> str:
        """Search."""
        await asyncio.sleep(0.05)
        recorder.found(query == "two")
        return "text"

    @function_tool
    async def look(context: RunContext, name: str) -> str:
        """Look, in a thread."""
        await asyncio.to_thread(recorder.found, name == "four", context)
        return "text"

    asked = [("search", {"query": "one"}), ("search", {"query": "two"}), ("look", {"name": "three"})]
    (record,) = held(agent_with(search, look), [*asked, ("look", {"name": "four"})], recorder=recorder)
    assert [(call["query"], call["results_found"]) for call in calls(record)] == [
        ("one", False),
        ("two", True),
        ("three", False),
        ("four", True),
    ]


def test_a_word_about_no_call_that_is_known_is_not_pinned_on_another(caplog: pytest.LogCaptureFixture) -> None:
    recorder, session = attached()
    recorder.found(False)
    start_call(session, call_id="1")
    start_call(session, call_id="2")
    recorder.found(False)
    assert [call.get("results_found") for call in finished(recorder)["tool_calls"]] == [None, None]
    assert caplog.text.count("pass the RunContext") == 2


def test_an_error_is_recorded_with_its_own_words_which_livekit_keeps_from_the_model() -> None:
    @function_tool
    async def search(query: str) -> str:
        """Search."""
        raise {"a": ValueError("upstream timed out"), "b": ToolError("ask again"), "c": KeyError()}[query]

    (record,) = held(agent_with(search), *([("search", {"query": query})] for query in "abc"))
    assert calls(record) == [
        {"tool": "search", "query": "a", "error": "upstream timed out"},
        {"tool": "search", "query": "b", "error": "ask again"},
        {"tool": "search", "query": "c", "error": "an error without a message"},
    ]


def test_calls_that_never_began_are_recorded_in_their_place() -> None:
    asked = [("search", {"query": "1"})], [("invented", {"query": "2"})], [("search", {})], [("search", {"query": "4"})]
    (record,) = held(answering(["x"]), *asked)
    assert ["offset_seconds" in call for call in record["tool_calls"]] == [True, False, True, True]
    found = calls(record)
    assert [call.get("query") for call in found] == ["1", "2", None, "4"]
    assert found[1].pop("error").startswith("Unknown function: invented")
    assert found[2].keys() == {"tool", "error"}


def test_a_stop_is_an_empty_output_and_a_handoff_is_not() -> None:
    @function_tool
    async def stop() -> None:
        """Stop."""
        raise StopResponse

    @function_tool
    async def transfer() -> Agent:
        """Hand over."""
        return agent_with(transfer)

    (record,) = held(agent_with(stop, transfer), [("stop", {})], [("transfer", {})])
    assert calls(record) == [{"tool": "stop", "results_found": False}, {"tool": "transfer"}]


def test_a_tool_that_reports_progress_is_one_call_until_it_returns() -> None:
    @function_tool
    async def search(context: RunContext, query: str) -> list[str]:
        """Search."""
        await context.update("searching")
        await asyncio.sleep(0.2)
        return []

    async def end(session: AgentSession, job: JobContext) -> None:
        await asyncio.sleep(0.4)
        await session.aclose()

    (record,) = held(agent_with(search), [("search", {"query": "q"})], end=end)
    assert record["tool_calls"][0]["duration_ms"] >= 200
    assert calls(record) == [{"tool": "search", "query": "q", "results_found": False}]


def test_a_call_that_the_session_s_end_interrupted_was_cancelled() -> None:
    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def search(context: RunContext, query: str) -> str:
        """Search."""
        await context.update("searching")
        await asyncio.sleep(60)
        return "never"

    (record,) = held(agent_with(search), [("search", {"query": "q"})])
    assert calls(record) == [{"tool": "search", "query": "q", "cancelled": True}]


def test_a_call_that_never_ended_was_cancelled() -> None:
    recorder, session = attached()
    start_call(session)
    assert calls(finished(recorder)) == [{"tool": "search", "query": "q", "cancelled": True}]


@pytest.mark.parametrize("reason", list(CloseReason))
def test_the_close_reason_is_livekit_s(reason: CloseReason) -> None:
    async def end(session: AgentSession, job: JobContext) -> None:
        await session._aclose_impl(reason=reason)

    (record,) = held(agent_with(), end=end)
    assert record["close_reason"] == reason.value


def test_a_job_that_shuts_down_closes_its_session_first() -> None:
    async def end(session: AgentSession, job: JobContext) -> None:
        """Nothing: the shutdown callbacks follow, LiveKit's and the recorder's."""

    (record,) = held(answering(["x"]), [("search", {"query": "q"})], end=end)
    assert record["close_reason"] == "job_shutdown"
    assert len(record["tool_calls"]) == 1


def test_a_session_that_never_started_leaves_a_record_at_the_job_s_end() -> None:
    async def crash() -> None:
        with fake_job_context() as job:
            Recorder(agent_version="2").attach(AgentSession())
            await shut_down(job, "job crashed")

    with logged() as records:
        asyncio.run(crash())
    assert [(record["close_reason"], record["agent_version"]) for record in records] == [("job crashed", "2")]


def test_a_session_that_hangs_while_it_closes_leaves_a_record_in_time(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_lib.capture.recorder._CLOSE_SECONDS", 0.2)

    class Hanging:
        usage = SimpleNamespace(model_usage=[])

        def on(self, event: str, handler: Any) -> None:
            pass

        async def aclose(self) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cut_short.append(time.monotonic())
                raise

    cut_short: list[float] = []

    async def hang() -> float:
        with fake_job_context() as job:
            Recorder().attach(Hanging())
            before = time.monotonic()
            await shut_down(job, "room disconnected")
            assert cut_short == []
            return time.monotonic() - before

    with logged() as records:
        assert asyncio.run(hang()) < 5
    assert [record["close_reason"] for record in records] == ["room disconnected"]
    assert "the session did not close" in caplog.text


def test_a_hook_that_fails_costs_its_part_only(caplog: pytest.LogCaptureFixture) -> None:
    class Older(Session):
        def on(self, event: str, handler: Any) -> None:
            if event in ("close", "agent_state_changed"):
                raise ValueError(event)
            super().on(event, handler)

    async def crash() -> None:
        with fake_job_context() as job:
            session = Older()
            Recorder().attach(session)
            start_call(session)
            await shut_down(job, "job crashed")

    with logged() as records:
        asyncio.run(crash())
    assert [(record["close_reason"], len(record["tool_calls"])) for record in records] == [("job crashed", 1)]
    assert caplog.text.count("_listen failed") == 2


def test_names_of_any_length_leave_room_for_the_envelope_that_repeats_them() -> None:
    async def crash() -> None:
        with fake_job_context() as job:
            job.job.room.name = "ü" * 3_000
            job.job.agent_name = "a" * 3_000
            _, session = attached()
            start_call(session, arguments='{"query": "' + "y" * 20_000 + '"}')
            await shut_down(job)

    with logged() as records:
        asyncio.run(crash())
    (record,) = records
    assert len(record["_session_id"].encode()) <= 1_000
    assert record["_session_id"].startswith("ü" * 400)
    assert 4_000 < len(json.dumps(record, ensure_ascii=False).encode()) <= 14_000 - 9_000
    other = Recorder(session_id="ü" * 3_001)
    assert finished(other)["_session_id"] != record["_session_id"]


def test_the_end_is_logged_once_however_often_it_is_told() -> None:
    recorder, session = attached()
    with logged() as records:
        for _ in range(3):
            session.emit("close", CloseEvent(reason=CloseReason.ERROR))
            recorder.finish("again")
    assert [record["close_reason"] for record in records] == ["error"]


def test_the_record_is_logged_also_where_the_agent_logs_warnings_only() -> None:
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        assert finished(Recorder(session_id="room"))["_session_id"] == "room"
    finally:
        root.setLevel(level)


def test_outside_a_job_the_session_gets_an_id_of_its_own() -> None:
    first, second = finished(attached()[0]), finished(attached()[0])
    assert first["_session_id"].startswith("session-")
    assert first["_session_id"] != second["_session_id"]
    assert finished(Recorder(session_id=" call-7 "))["_session_id"] == "call-7"


def test_the_caller_is_a_salted_hash_of_the_number_that_outlives_a_hang_up() -> None:
    salted = Recorder(caller_salt="pepper")
    _, session = attached(salted)
    caller = SimpleNamespace(identity="sip_+14155552671", attributes={"sip.phoneNumber": "+14155552671"})
    session.room_io = SimpleNamespace(linked_participant=caller)
    session.emit("agent_state_changed", SimpleNamespace())
    session.room_io = SimpleNamespace(linked_participant=None)
    expected = hmac.new(b"pepper", b"+14155552671", hashlib.sha256).hexdigest()[:32]
    assert finished(salted)["caller_key"] == f"c_{expected}"


def test_a_caller_without_a_number_is_known_by_identity_and_without_a_salt_by_nothing() -> None:
    keys = {}
    for salt in ("", "pepper", "salt"):
        recorder, session = attached(Recorder(caller_salt=salt))
        caller = SimpleNamespace(identity="user-7", attributes={})
        session.room_io = SimpleNamespace(linked_participant=caller)
        keys[salt] = finished(recorder).get("caller_key")
    assert keys[""] is None
    assert len({keys["pepper"], keys["salt"], "user-7"}) == 3


def test_signals_are_typed_by_the_schema() -> None:
    recorder = Recorder()
    recorder.signals.update(team_size="8", monthly_volume=200, integration_needs="salesforce", urgency=" High ")
    assert finished(recorder)["discovered_signals"] == {
        "team_size": 8,
        "monthly_volume": 200,
        "integration_needs": ["salesforce"],
        "urgency": "high",
    }
    recorder = Recorder()
    recorder.signals.update(team_size=8.0, monthly_volume=None, integration_needs={"slack"})
    assert finished(recorder)["discovered_signals"] == {"team_size": 8, "integration_needs": ["slack"]}


def test_signals_that_the_schema_cannot_type_are_kept_and_named(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    recorder.signals.update(team_size="eight", monthly_volume=float("nan"), teamsize=9, urgency="low")
    assert finished(recorder)["discovered_signals"] == {
        "team_size": "eight",
        "monthly_volume": "nan",
        "teamsize": 9,
        "urgency": "low",
    }
    assert "['monthly_volume', 'team_size', 'teamsize']" in caplog.text
    assert "eight" not in caplog.text


def test_personal_data_is_taken_out_of_queries_and_errors_unless_one_asks_for_it() -> None:
    @function_tool
    async def search(query: str) -> str:
        """Search."""
        raise ValueError(f"no {query}")

    asked = [("search", {"query": "jane@example.com"})]
    (record,) = held(agent_with(search), asked)
    assert calls(record) == [{"tool": "search", "query": "[email]", "error": "no [email]"}]
    (record,) = held(agent_with(search), asked, recorder=Recorder(redact=None))
    assert calls(record)[0]["query"] == "jane@example.com"
    (record,) = held(agent_with(search), asked, recorder=Recorder(redact=str.upper))
    assert calls(record)[0]["query"] == "JANE@EXAMPLE.COM"


def test_a_redaction_that_fails_keeps_the_text_out(caplog: pytest.LogCaptureFixture) -> None:
    recorder, session = attached(Recorder(redact=lambda text: 1 / 0))  # type: ignore[arg-type, return-value]
    start_call(session)
    assert calls(finished(recorder))[0]["query"] == "[not redacted, so not recorded]"
    assert "its redaction failed" in caplog.text


def test_a_part_that_fails_costs_that_part_only(caplog: pytest.LogCaptureFixture) -> None:
    recorder, session = attached()
    start_call(session)
    session.usage = None
    recorder.signals = None  # type: ignore[assignment]
    session.emit("tool_execution_updated", SimpleNamespace())
    session.emit("function_tools_executed", SimpleNamespace())
    session.emit("conversation_item_added", SimpleNamespace())
    record = finished(recorder)
    assert (record["discovered_signals"], record["metrics_summary"], len(record["tool_calls"])) == ({}, {}, 1)
    assert "is missing from its record" in caplog.text


def test_when_nothing_can_be_made_of_a_session_its_identity_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, _ = attached()
    monkeypatch.setattr(recorder, "_calls", [object()])
    assert finished(recorder).keys() == {"_event_type", "_timestamp", "_session_id", "duration_seconds"}


def test_values_of_any_kind_neither_raise_nor_lose_the_record() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no")

    cyclic: dict[str, Any] = {}
    cyclic["self"] = cyclic
    recorder, session = attached()
    recorder.signals.update(
        {
            "at": datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC),
            "infinite": float("inf"),
            "huge": 10**5000,
            "odd": Odd(),
            "raw": b"\xff\x00",
            "cyclic": cyclic,
            "torn": "\ud83d",
            ("tuple", "key"): {1: {2}},
            "reason": CloseReason.ERROR,
            "length": datetime.timedelta(seconds=90),
            "long": "x" * 1_000_000,
            "many": list(range(100_000)),
        }
    )
    start_call(session, arguments='{"query": "' + "y" * 1_000_000 + '"}')
    record = finished(recorder)
    signals = record["discovered_signals"]
    assert record["_truncated"] is True
    assert all(path.startswith("discovered_signals.") for path in reading.unknown_fields(record))
    assert len(calls(record)[0]["query"]) > 1_000
    assert signals["at"] == "2026-01-31T12:00:00+00:00"
    assert signals["infinite"] == "inf"
    assert (signals["odd"], signals["raw"]) == ("<Odd that cannot be shown>", "\ufffd\x00")
    assert (signals["torn"], signals["reason"], signals["length"]) == ("?", "error", "0:01:30")
    assert signals["('tuple', 'key')"] == {"1": [2]}
    assert reading.read(record) is not None


def test_a_tool_event_and_the_line_cost_the_agent_little() -> None:
    best_event, best_line = 1.0, 1.0
    for _ in range(5):
        recorder, session = attached()
        recorder.signals.update(team_size=8, integration_needs=["salesforce"], urgency="high")
        before = time.perf_counter()
        for number in range(20):
            start_call(session, call_id=str(number), arguments='{"query": "how to create templates in +1 minute"}')
            end_call(session, call_id=str(number), message="['an article']")
        best_event = min(best_event, (time.perf_counter() - before) / 40)
        with logged():
            before = time.perf_counter()
            recorder.finish("error")
            best_line = min(best_line, time.perf_counter() - before)
    assert best_event <= 50e-6
    assert best_line <= 2e-3


class Session:
    """An AgentSession's events without LiveKit's work around them; handlers that raise are found out."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
        self.usage: Any = SimpleNamespace(model_usage=[])
        self.room_io: Any = SimpleNamespace(linked_participant=None)

    def on(self, event: str, handler: Any) -> None:
        self.handlers[event] = handler

    def emit(self, event: str, argument: Any) -> None:
        self.handlers[event](*[argument][: event != "agent_state_changed"])


def attached(recorder: Recorder | None = None) -> tuple[Recorder, Session]:
    recorder, session = recorder or Recorder(), Session()
    recorder.attach(session)
    return recorder, session


def start_call(session: Session, call_id: str = "1", arguments: str = '{"query": "q"}') -> None:
    call = SimpleNamespace(name="search", arguments=arguments, call_id=call_id, created_at=0.0)
    update = SimpleNamespace(type="tool_call_started", function_call=call)
    session.emit("tool_execution_updated", SimpleNamespace(update=update))


def end_call(session: Session, call_id: str, message: str | None) -> None:
    update = SimpleNamespace(type="tool_call_ended", call_id=call_id, status="done", message=message)
    session.emit("tool_execution_updated", SimpleNamespace(update=update))


def finished(recorder: Recorder) -> Record:
    with logged() as records:
        recorder.finish("user_initiated")
    (record,) = records
    return record

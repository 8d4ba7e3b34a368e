"""Conversations: how a call to the sample business goes, and the session record that it leaves.

What failed has consequences: a caller who got no answer tells less, and while the CRM is down many calls
break off. The new agent version asks better, finds more and answers faster.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from random import Random
from typing import Any

from analytics_lib.lake.business import (
    BROWSING,
    LARGE,
    NEW_VERSION,
    OLD_VERSION,
    Business,
    Caller,
    Day,
    hour_of_call,
    log_normal,
    pick,
)
from analytics_lib.lake.wording import (
    ACCOUNT_LOOKUPS,
    ANSWERED,
    DEMO_SLOTS,
    PRICE_QUESTIONS,
    UNANSWERED,
    spellings,
)

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CRM_DOWN_ERRORS = (
    "503 Service Unavailable: CRM gateway has no healthy upstream",
    "503 Service Unavailable: CRM gateway has no healthy upstream",
    "timed out after 10 s waiting for the CRM",
)


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    queries: tuple[tuple[str, ...], ...]  # by question, its spellings
    median_ms: float
    error: str
    error_rate: float = 0.01
    empty_rate: float = 0.04
    says_found: bool = True


def _asked(*questions: str) -> tuple[tuple[str, ...], ...]:
    return tuple(spellings(question) for question in questions)


SEARCH = _Tool("unleash_search_knowledge", _asked(*ANSWERED), 430, "search index returned 502 Bad Gateway")
CRM = _Tool("crm_lookup", _asked(*ACCOUNT_LOOKUPS), 270, "CRM rate limit exceeded, retry later", 0.015)
PRICING = _Tool(
    "calculate_pricing",
    _asked(*PRICE_QUESTIONS),
    120,
    "unknown plan",
    0.008,
    empty_rate=0.0,
    says_found=False,
)
BOOKING = _Tool("book_demo", _asked(*DEMO_SLOTS), 640, "calendar service did not answer", 0.02, 0.07)
_GAPS = _asked(*UNANSWERED)


@dataclass(slots=True)
class Conversation:
    """The tool calls so far; `seconds` is how long the call has lasted."""

    seconds: float
    calls: list[dict[str, Any]] = field(default_factory=list)
    unanswered: int = 0
    broken_off: bool = False


def session_records(business: Business, day: date) -> Iterator[dict[str, Any]]:
    """The records of the sessions that ended on that UTC day, in no order. Who was cut off may call again."""
    today, stream = business.day(day), business.stream(day, "talks")
    midnight_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    ended_ms, calls_again = 0, None
    for _ in range(business.number_of_sessions(stream, today)):
        later_ms = ended_ms + int((180 + 900 * stream.random()) * 1000)
        if calls_again is not None and later_ms < midnight_ms + 86_400_000:
            caller, ended_ms = calls_again, later_ms
        else:
            caller = business.caller(stream)
            ended_ms = midnight_ms + int((hour_of_call(stream) + stream.random()) * 3_600_000)
        conversation = _converse(stream, caller, today)
        yield _record(stream, caller, today, conversation, ended_ms)
        calls_again = caller if conversation.broken_off and stream.random() < 0.35 else None


def _record(stream: Random, caller: Caller, day: Day, conversation: Conversation, ended_ms: int) -> dict[str, Any]:
    """In the order of the schema; parts may be missing, as in life."""
    signals = _discovered(stream, caller, day, conversation)
    missing = stream.random()
    record: dict[str, Any] = {
        "_event_type": "analytics",
        "_timestamp": ended_ms / 1000,
        "_session_id": f"room_{stream.getrandbits(40):010x}",
    }
    if stream.random() < 0.008:
        record["_session_id"] = "room_showroom"  # a terminal that keeps its room: the id comes again
    if missing > 0.03:
        record["duration_seconds"] = round(conversation.seconds, 1)
    if signals or stream.random() < 0.6:
        record["discovered_signals"] = signals
    if conversation.calls or stream.random() < 0.5:
        record["tool_calls"] = conversation.calls
    if missing < 0.96:
        record["metrics_summary"] = _metrics(stream, day, conversation)
    record["agent_name"] = "after-hours" if day.weekend else "lead-qualifier"
    record["agent_version"] = NEW_VERSION if day.new_version else OLD_VERSION
    record["room_id"] = "RM_" + "".join(pick(stream, _BASE62) for _ in range(12))
    reason = _close_reason(stream, caller, conversation, len(signals))
    if reason is not None or stream.random() < 0.5:
        record["close_reason"] = reason
    if stream.random() < 0.92:
        record["caller_key"] = caller.key
    if stream.random() < 0.85:
        record["language"] = caller.language
    return record


def _converse(stream: Random, caller: Caller, day: Day) -> Conversation:
    talk_seconds = log_normal(stream, caller.kind.talk_seconds, 0.72) * (0.85 if day.weekend else 1.0)
    topics = pick(stream, caller.kind.topics)
    pause = talk_seconds / (topics + 1)
    conversation = Conversation(seconds=4 + 3 * stream.random())
    for topic in range(topics):
        conversation.seconds += pause * (0.5 + 0.7 * stream.random())
        tool, query = _chosen(stream, caller, topic, last=topic == topics - 1)
        _ask(stream, day, conversation, tool, query)
        if conversation.broken_off:
            conversation.seconds += 3 + 15 * stream.random()
            return conversation
    conversation.seconds += pause * (0.6 + 0.8 * stream.random())
    if talk_seconds < 25 and not topics:
        conversation.seconds = talk_seconds  # hung up at once
    return conversation


def _chosen(stream: Random, caller: Caller, topic: int, *, last: bool) -> tuple[_Tool, tuple[str, ...]]:
    """The tool that the agent turns to, and the question in its spellings."""
    draw, preference, gap = stream.random(), stream.random(), stream.random()
    if topic == 0 and caller.kind is not BROWSING and draw < 0.7:
        tool = CRM
    elif last and topic > 0 and draw < 0.45:
        tool = BOOKING
    elif draw > 0.88:
        tool = PRICING
    else:
        tool = SEARCH
        if gap < 0.065:
            return tool, _GAPS[int(preference * preference * len(_GAPS))]
    return tool, tool.queries[int(preference * preference * len(tool.queries))]


def _ask(stream: Random, day: Day, conversation: Conversation, tool: _Tool, query: tuple[str, ...]) -> None:
    """Adds the call of a tool, and its retries after a failure."""
    outcome = ""
    for attempt in range(3):
        outcome = _outcome(stream, day, tool, query, outcome)
        call = _call(stream, day, tool, query, outcome, conversation.seconds)
        conversation.calls.append(call)
        conversation.seconds += call["duration_ms"] / 1000 + 0.5
        if outcome in ("ok", "cancelled"):
            return
        if attempt == 2 or stream.random() > (0.62 if outcome == "error" else 0.4):
            break
        conversation.seconds += 1 + 3 * stream.random()
    conversation.unanswered += 1
    conversation.broken_off = outcome == "error" and stream.random() < (0.65 if tool is CRM else 0.15)


def _outcome(stream: Random, day: Day, tool: _Tool, query: tuple[str, ...], before: str) -> str:
    """`before` is the outcome of the call that is tried again, if any: troubles last."""
    draw = stream.random()
    error_rate, empty_rate = tool.error_rate, tool.empty_rate
    if tool is SEARCH:
        empty_rate = 0.015 if day.new_version else 0.11
        if query in _GAPS:
            empty_rate = 0.97
        elif before == "empty":
            empty_rate = 0.45
    if tool is CRM and day.crm_down:
        error_rate = 0.84
    elif before == "error":
        error_rate = 0.25
    if draw < error_rate:
        return "error"
    if draw < error_rate + (1 - error_rate) * empty_rate:
        return "empty"
    return "cancelled" if stream.random() < 0.035 else "ok"


def _call(
    stream: Random, day: Day, tool: _Tool, query: tuple[str, ...], outcome: str, seconds: float
) -> dict[str, Any]:
    call: dict[str, Any] = {"tool": tool.name, "query": pick(stream, query)}
    milliseconds = log_normal(stream, tool.median_ms * (0.7 if day.new_version else 1.0), 0.45)
    if tool is PRICING and stream.random() < 0.2:
        call["query"] = None
    if outcome == "error":
        down = tool is CRM and day.crm_down
        call["error"] = pick(stream, _CRM_DOWN_ERRORS) if down else tool.error
        if down:
            milliseconds = 10_000 + 40 * stream.random() if call["error"] == _CRM_DOWN_ERRORS[-1] else 90.0
    elif outcome == "cancelled":
        call["cancelled"] = True
        milliseconds *= 0.4
    elif tool.says_found:
        call["results_found"] = outcome == "ok"
    call["duration_ms"] = round(milliseconds, 1)
    call["offset_seconds"] = round(seconds, 1)
    if tool is SEARCH and day.new_version:
        call["cost_usd"] = round(0.0012 + 0.0008 * stream.random(), 5)
    return call


def _discovered(stream: Random, caller: Caller, day: Day, conversation: Conversation) -> dict[str, Any]:
    """What the agent learned: little from those who browse, hang up, got no answer or were cut off."""
    chance = 0.95 if day.new_version else 0.6
    chance *= 0.68**conversation.unanswered * (0.3 if conversation.broken_off else 1.0)
    if caller.kind is BROWSING:
        chance *= 0.2
    if conversation.seconds < 45:
        chance *= 0.35
    signals: dict[str, Any] = {}
    if stream.random() > chance:
        return signals
    for name, value in _facts(stream, caller):
        draw = stream.random()
        if draw < 0.78:
            signals[name] = value
        elif draw < 0.88:
            signals[name] = None
    return signals


def _facts(stream: Random, caller: Caller) -> tuple[tuple[str, object], ...]:
    """What there is to learn, now and then as a language model puts it: a number as text, a capital."""
    as_text, capital = stream.random() < 0.03, stream.random() < 0.04
    needs = [system.title() if capital else system for system in caller.systems]
    facts: tuple[tuple[str, object], ...] = (
        ("team_size", str(caller.team_size) if as_text else caller.team_size),
        ("monthly_volume", f"{caller.monthly_volume}.0" if as_text else caller.monthly_volume),
        ("integration_needs", needs),
        ("urgency", caller.urgency.capitalize() if capital else caller.urgency),
    )
    weeks = ("timeline_weeks", {"high": 2, "medium": 6, "low": 16}[caller.urgency])
    return (*facts, weeks) if stream.random() < 0.18 else facts


def _metrics(stream: Random, day: Day, conversation: Conversation) -> dict[str, Any]:
    tokens = 350 + conversation.seconds * (5 + 2 * stream.random()) + 260 * len(conversation.calls)
    latency = stream.gauss(465 if day.new_version else 640, 60) + 70 * conversation.unanswered
    metrics: dict[str, Any] = {"llm_tokens": int(tokens), "avg_latency_ms": round(max(latency, 180.0), 1)}
    if stream.random() < 0.02:
        metrics["avg_latency_ms"] = None
    return metrics


def _close_reason(stream: Random, caller: Caller, conversation: Conversation, learned: int) -> str | None:
    """Why the session ended, in LiveKit's words (`livekit.agents.CloseReason`)."""
    draw = stream.random()
    if conversation.broken_off:
        return "error" if draw < 0.7 else "participant_disconnected"
    if draw < 0.03:
        return "job_shutdown" if draw < 0.018 else None
    if learned >= 2 and draw < (0.68 if caller.kind is LARGE else 0.55):
        return "task_completed"
    return "user_initiated" if draw > 0.91 else "participant_disconnected"

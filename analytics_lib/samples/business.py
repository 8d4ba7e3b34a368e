"""The sample business: who calls the voice agent of a company that automates documents, and how the calls go.

The story: busy weekdays and office hours, a quiet holiday; half a month before the end a new agent version that
learns and finds more; in the week before the last, `crm_lookup` down for two working days, at the cost of leads;
questions that the knowledge base cannot answer. It is told back from the last day, so that a day does not depend on
how many come before it. Draws come from seeded streams and are rounded: the bytes are the same on every machine.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
_WEEKDAY_LOAD = (1.24, 1.36, 1.30, 1.24, 1.06, 0.42, 0.38)  # Monday first; the mean is 1
_HOLIDAYS = {(1, 1), (5, 1), (12, 25), (12, 26)}
_HOLIDAY_LOAD = 0.3
_HOUR_LOAD = (1, 1, 0, 0, 1, 3, 9, 30, 52, 64, 60, 44, 34, 54, 62, 56, 40, 22, 10, 7, 6, 4, 3, 2)  # UTC
_HOURS = [hour for hour, load in enumerate(_HOUR_LOAD) for _ in range(load)]
_SHARE_OF_REGULARS = 0.2
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Agent(NamedTuple):
    """A version of the voice agent: how well it does."""

    version: str
    learns: float  # chance to learn about a caller who is willing to tell
    finds_nothing: float  # share of the searches
    latency_ms: float


OLD, NEW = Agent("1.4.2", 0.6, 0.14, 640), Agent("1.5.0", 0.94, 0.015, 465)


class Kind(NamedTuple):
    """A sort of caller, `weight` among 100: how they talk, and what there is to learn about them."""

    weight: int
    tells: float  # chance
    talk_seconds: float  # median
    topics: tuple[int, ...]  # what they ask for, in tool calls
    team_size: tuple[int, int]
    documents_per_person: float  # median, a month
    urgency: tuple[str, ...]
    systems: tuple[str, ...]


_KINDS = (
    Kind(29, 0.2, 68, (0, 0, 0, 1, 1), (1, 3), 8, ("low", "low", "medium"), ("gmail",)),
    Kind(36, 1, 195, (1, 1, 1, 2, 2, 3), (1, 4), 11, ("low", "low", "medium", "medium", "high"),
         ("hubspot", "hubspot", "google drive", "zapier", "salesforce")),
    Kind(24, 1, 320, (1, 2, 2, 3, 4), (5, 24), 16, ("low", "medium", "medium", "high", "high"),
         ("salesforce", "salesforce", "hubspot", "slack", "sharepoint", "docusign")),
    Kind(11, 1, 410, (1, 2, 3, 4, 5), (25, 320), 21, ("low", "medium", "medium", "high", "high"),
         ("salesforce", "salesforce", "salesforce", "sharepoint", "microsoft dynamics", "slack", "sap")),
)  # fmt: skip
_CALLERS = [kind for kind in _KINDS for _ in range(kind.weight)]
_LANGUAGES = ("en",) * 11 + ("de",) * 4 + ("fr", "fr", "es", "nl")


class Tool(NamedTuple):
    """A tool of the agent: how it answers and fails. Of its questions, the first ones are asked most."""

    name: str
    median_ms: float
    empty_rate: float
    error_rate: float
    errors: tuple[tuple[str, float], ...]  # text, milliseconds
    questions: tuple[str | None, ...] = (None,)
    breaks_off: float = 0.0  # chance that the session ends where the tool keeps failing


SEARCH = Tool("unleash_search_knowledge", 430, 0.0, 0.01, (("search index returned 502 Bad Gateway", 210),), (
    "how to create templates", "salesforce integration setup", "pricing per document", "approval workflow",
    "merge fields from salesforce into a contract", "hubspot integration", "how long does onboarding take",
    "bulk generate documents from a spreadsheet", "electronic signature included", "import existing word templates",
    "conditional sections in templates", "gdpr and where data is stored", "single sign-on", "api rate limits",
    "generate quotes from an opportunity", "user roles and permissions", "share templates between teams",
    "microsoft dynamics connector", "archive signed contracts in sharepoint", "trial period and cancellation",
    "slack notifications when a document is signed", "version history of a template", "pdf and word output",
))  # fmt: skip
# The knowledge base has nothing on these, however often they are asked: its content gaps.
GAP = SEARCH._replace(empty_rate=0.97, questions=(
    "sap s/4hana connector", "on-premises installation", "hipaa compliance", "vorlagen für verträge auf deutsch",
    "migrate templates from another vendor", "discount for non-profits", "work offline without internet",
))  # fmt: skip
PRICING = Tool("calculate_pricing", 120, 0.0, 0.01, (("unknown plan", 40),), (
    "team plan yearly", "business plan monthly", "enterprise plan with sso", "volume discount",
))  # fmt: skip
BOOKING = Tool("book_demo", 640, 0.06, 0.015, (("calendar service did not answer", 3000),), (
    "demo tomorrow morning", "demo this week", "demo next tuesday", "demo in german",
))  # fmt: skip
CRM = Tool("crm_lookup", 270, 0.03, 0.01, (("CRM rate limit exceeded, retry later", 60),))
_UNREACHABLE = ("503 Service Unavailable: CRM gateway has no healthy upstream", 90.0)
CRM_DOWN = CRM._replace(
    error_rate=0.86,
    errors=(_UNREACHABLE, _UNREACHABLE, ("timed out after 10 s waiting for the CRM", 10_000)),
    breaks_off=0.6,
)


class Caller(NamedTuple):
    """Somebody on the line, known by a salted hash only, and what is true of their team."""

    key: str
    kind: Kind
    language: str
    facts: dict[str, Any]


class Today(NamedTuple):
    """Who answers on a day, and the tools to choose from for the first topic, the last and those between."""

    agent: Agent
    first: Sequence[Tool]
    between: Sequence[Tool]
    last: Sequence[Tool]


class Business:
    """The business of one seed; `sessions_per_day` is a mean over the week."""

    def __init__(self, *, seed: int, sessions_per_day: int, end: date) -> None:
        self._seed, self._sessions_per_day = seed, sessions_per_day
        self._released = end - timedelta(days=15)
        wednesday = end - timedelta(days=end.weekday() + 5)
        self._outage = (wednesday, wednesday + timedelta(days=1))
        stream = Random(f"{seed}/regulars")
        # 0.7: who comes back is larger than who comes once.
        self._regulars = [_caller(stream, stream.random() ** 0.7) for _ in range(2 * sessions_per_day)]

    def sessions(self, day: date) -> Iterator[dict[str, Any]]:
        """The records of the sessions that ended on that UTC day, in no order; None stands for what is unknown."""
        stream, today = Random(f"{self._seed}/{day}/calls"), self._today(day)
        midnight_seconds = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        load = _HOLIDAY_LOAD if (day.month, day.day) in _HOLIDAYS else _WEEKDAY_LOAD[day.weekday()]
        count = int(self._sessions_per_day * load * (0.9 + 0.2 * stream.random()) + stream.random())
        for number in range(count):
            regular = stream.random() < _SHARE_OF_REGULARS
            # Every kind has its share of every day, so that the days differ by what happens on them.
            caller = pick(stream, self._regulars) if regular else _caller(stream, (number + stream.random()) / count)
            ended_at = midnight_seconds + 3600 * (pick(stream, _HOURS) + stream.random())
            yield _session(stream, today, caller, int(ended_at * 1000) / 1000)

    def _today(self, day: date) -> Today:
        agent = NEW if day >= self._released else OLD
        crm = CRM_DOWN if day in self._outage else CRM
        usual = [SEARCH._replace(empty_rate=agent.finds_nothing)] * 35 + [GAP] * 2 + [PRICING] * 4
        return Today(agent, [crm] * 60 + usual, usual, [BOOKING] * 32 + usual)


def pick(stream: Random, options: Sequence[T]) -> T:
    """One of the options, each as likely. One draw, on every version of Python the same."""
    return options[int(stream.random() * len(options))]


def _log_normal(stream: Random, median: float, spread: float) -> float:
    return median * math.exp(stream.gauss(0.0, spread))


def _caller(stream: Random, place: float) -> Caller:
    """A caller of the kind at `place`, from 0 to below 1, among all callers from the smallest to the largest."""
    kind = _CALLERS[int(place * len(_CALLERS))]
    smallest, largest = kind.team_size
    team_size = smallest + int(stream.random() ** 2 * (largest - smallest + 1))
    documents = _log_normal(stream, team_size * kind.documents_per_person, 0.5)
    systems = [pick(stream, kind.systems) for _ in range(1 + int(stream.random() * 2.4))]
    facts = {
        "team_size": team_size,
        "monthly_volume": max(1, int(float(f"{documents:.2g}"))),  # as people say it
        "integration_needs": list(dict.fromkeys(systems)),
        "urgency": pick(stream, kind.urgency),
    }
    return Caller(f"c_{stream.getrandbits(40):010x}", kind, pick(stream, _LANGUAGES), facts)


def _session(stream: Random, today: Today, caller: Caller, ended_at: float) -> dict[str, Any]:
    duration_seconds, calls, unanswered, broken_off = _talk(stream, today, caller.kind)
    chance = today.agent.learns * caller.kind.tells * 0.5**unanswered * (0.2 if broken_off else 1.0)
    learned = stream.random() < chance
    ended = ("task_completed",) * 8 * learned + ("participant_disconnected",) * 10 + ("user_initiated",) * 2 + (None,)
    return {
        "_event_type": "analytics",
        "_timestamp": ended_at,
        "_session_id": f"room_{stream.getrandbits(40):010x}",
        "duration_seconds": round(duration_seconds, 1) if stream.random() < 0.97 else None,
        "discovered_signals": _signals(stream, caller) if learned else None,
        "tool_calls": calls or None,
        "metrics_summary": {
            "llm_tokens": int(350 + duration_seconds * (5 + 2 * stream.random()) + 260 * len(calls)),
            "avg_latency_ms": round(stream.gauss(today.agent.latency_ms, 50) + 70 * unanswered, 1),
        } if stream.random() < 0.96 else None,
        "agent_name": "lead-qualifier",
        "agent_version": today.agent.version,
        "room_id": "RM_" + "".join(pick(stream, _BASE62) for _ in range(12)),
        "close_reason": "error" if broken_off else pick(stream, ended),
        "caller_key": caller.key if stream.random() < 0.92 else None,
        "language": caller.language,
    }  # fmt: skip


def _signals(stream: Random, caller: Caller) -> dict[str, Any]:
    """What the agent learned, now and then as a language model puts it: a number as text, a capital."""
    signals = {name: value if stream.random() < 0.8 else None for name, value in caller.facts.items()}
    if stream.random() < 0.04:
        signals |= {"team_size": str(caller.facts["team_size"]), "urgency": caller.facts["urgency"].title()}
    if stream.random() < 0.15:
        signals["timeline_weeks"] = {"high": 2, "medium": 6, "low": 16}[caller.facts["urgency"]]
    return signals


def _talk(stream: Random, today: Today, kind: Kind) -> tuple[float, list[dict[str, Any]], int, bool]:
    """The length of a session in seconds, its tool calls, how many topics got no answer, whether it broke off."""
    planned_seconds, topics = _log_normal(stream, kind.talk_seconds, 0.72), pick(stream, kind.topics)
    calls: list[dict[str, Any]] = []
    seconds, unanswered = 0.0, 0
    for topic in range(topics):
        choice = today.first if topic == 0 else today.last if topic == topics - 1 else today.between
        tool = pick(stream, choice)
        question = tool.questions[int(stream.random() ** 2 * len(tool.questions))]
        seconds = max(seconds, planned_seconds * (topic + 0.4 + 0.6 * stream.random()) / (topics + 1))
        for _ in range(3):
            call = _call(stream, tool, question, seconds)
            calls.append(call)
            seconds += call["duration_ms"] / 1000 + 1 + 3 * stream.random()
            failed = call["error"] is not None or call["results_found"] is False
            if not failed or stream.random() > 0.55:
                break
        unanswered += failed
        if failed and stream.random() < tool.breaks_off:
            return seconds, calls, unanswered, True
    return max(planned_seconds, seconds), calls, unanswered, False


def _call(stream: Random, tool: Tool, question: str | None, offset_seconds: float) -> dict[str, Any]:
    draw, milliseconds = stream.random(), _log_normal(stream, tool.median_ms, 0.45)
    error, cancelled = None, None
    if draw < tool.error_rate:
        error, milliseconds = pick(stream, tool.errors)
    elif stream.random() < 0.035:
        cancelled, milliseconds = True, milliseconds * 0.4
    return {
        "tool": tool.name,
        "query": _as_transcribed(stream, question) if question else None,
        "results_found": None if error or cancelled else draw - tool.error_rate >= tool.empty_rate,
        "error": error,
        "cancelled": cancelled,
        "duration_ms": round(milliseconds * (0.98 + 0.04 * stream.random()), 1),
        "offset_seconds": round(offset_seconds, 1),
    }


def _as_transcribed(stream: Random, question: str) -> str:
    draw = stream.random()
    return question.capitalize() if draw < 0.15 else question.replace(" ", "  ", 1) if draw < 0.25 else question

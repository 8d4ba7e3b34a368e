"""Recorder: listens to one AgentSession and logs its record, one line, when it ends."""

import asyncio
import contextlib
import functools
import hashlib
import hmac
import logging
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from analytics_lib import record as reading
from analytics_lib.capture import posting
from analytics_lib.capture.calls import Call, Rule, found_by, query_of
from analytics_lib.capture.plain import CUT, LONGEST_RECORD, Plain, fitted, readable, size, typed
from analytics_lib.capture.posting import Post
from analytics_lib.capture.redaction import personal

MESSAGE = "session analytics"
_CLOSE_SECONDS = 2.0  # how long a job's shutdown waits for a session that is still closing
_LONGEST_ID = 1_000  # in bytes of UTF-8
_LONGEST_ITEM = 256  # of what a redaction takes out: a cut may leave that much of one
_SESSIONS = logging.getLogger("analytics_lib.session")
_SESSIONS.setLevel(logging.INFO)  # also where the agent's own level is higher
_LOG = logging.getLogger("analytics_lib.capture")

Handler = TypeVar("Handler", bound=Callable[..., Any])


def _quietly(handler: Handler) -> Handler:
    """The handler, which logs what goes wrong in it and never raises into the agent."""

    @functools.wraps(handler)
    def quiet(self: "Recorder", *arguments: Any, **named: Any) -> Any:
        try:
            return handler(self, *arguments, **named)
        except Exception:
            _LOG.exception("a part of this session is missing from its record: %s failed", handler.__name__)

    return quiet  # type: ignore[return-value]


class Recorder:
    """The record of one session. Make one for each, `attach` it before the session starts; the rest happens by itself.

    `signals` holds what the agent learned about the lead: `recorder.signals.update(team_size=8)`. A tool says that it
    found nothing with `recorder.found(False)`; `results_found` has a rule for tools that should not have to:
    `{"search": lambda output: output["total"] > 0}`. `redact` changes every query and error before it is kept (None:
    they are kept as they are). A `caller_key` is made only with a `caller_salt`. `post` also sends the record by HTTP.
    Without a `session_id` it is the room's name; without an `agent_name`, the one under which the job was dispatched.
    """

    def __init__(
        self,
        *,
        session_id: str = "",
        agent_name: str = "",
        agent_version: str = "",
        caller_salt: str = "",
        results_found: Mapping[str, Rule] | None = None,
        redact: Callable[[str], str] | None = personal,
        post: Post | None = None,
    ) -> None:
        self.signals: dict[str, Any] = {}
        self._names = {"_session_id": session_id, "agent_name": agent_name, "agent_version": agent_version}
        self._salt = caller_salt
        self._rules = results_found or {}
        self._redact = redact
        self._post = post
        self._session: Any = None
        self._closing: asyncio.Future[None] | None = None
        self._repeated: dict[str, str] = {}  # by LiveKit's envelope, beside the record
        self._started = time.monotonic()
        self._calls: list[Call] = []
        self._running: dict[str, Call] = {}  # by call id, until the call ends
        self._unreported: dict[str, Call] = {}  # by call id, until its batch is reported
        self._latencies: dict[str, list[float]] = {"e2e_latency": [], "llm_node_ttft": []}
        self._caller_key = ""
        self._cut = False
        self._finished = False
        self._sending: threading.Thread | None = None

    def attach(self, session: Any) -> None:
        """Listen to the AgentSession and, inside a job, to the job's shutdown. The session's clock starts here."""
        self._session = session
        self._started = time.monotonic()
        self._listen("close", self._on_close)
        self._join_job()
        self._listen("agent_state_changed", self._know_caller)
        self._listen("conversation_item_added", self._on_item)
        self._listen("tool_execution_updated", self._on_tool_update)
        self._listen("function_tools_executed", self._on_tools_executed)

    @_quietly
    def _listen(self, event: str, handler: Any) -> None:
        self._session.on(event, handler)

    @_quietly
    def _join_job(self) -> None:
        agents = sys.modules.get("livekit.agents")  # an agent has loaded it
        job = agents.get_job_context(required=False) if agents else None
        if job is not None:
            job.add_shutdown_callback(self._at_shutdown)
            self._names["_session_id"] = self._names["_session_id"] or job.job.room.name
            self._names["agent_name"] = self._names["agent_name"] or job.job.agent_name
            self._names["room_id"] = job.job.room.sid
            self._repeated = {"room": job.job.room.name, "room_id": job.job.room.sid, "agent_name": job.job.agent_name}

    @_quietly
    def found(self, found: bool, context: Any = None) -> None:
        """Say inside a tool whether it found something.

        In tasks and threads of the tool's own, beside other calls, only `context`, its RunContext, tells which it is.
        """
        info = None
        with contextlib.suppress(RuntimeError):  # no event loop in this thread
            info = context or getattr(asyncio.current_task(), "__livekit_agents_activity_task", None)
        call = self._running.get(getattr(getattr(info, "function_call", None), "call_id", ""))
        if call is None and len(self._running) == 1:
            (call,) = self._running.values()
        if call is None:
            _LOG.warning("recorder.found(%r) belongs to no running call that is known; pass the RunContext", found)
        else:
            call.told = bool(found)

    async def flush(self) -> None:
        """Wait until the record is posted or given up, at most six seconds. A job's shutdown does this by itself."""
        if self._sending is not None:
            await asyncio.to_thread(self._sending.join, posting.LIMIT_SECONDS)

    @_quietly
    def finish(self, close_reason: str = "") -> None:
        """Log the record now, unless that is done: for a session that ends outside LiveKit's events."""
        if self._finished:
            return
        self._finished = True
        ended_at = round(time.time(), 3)
        identity = {
            "_event_type": reading.SESSION_EVENT,
            "_timestamp": ended_at,
            "_session_id": self._name("_session_id") or f"session-{uuid.uuid4().hex}",
            "duration_seconds": round(time.monotonic() - self._started, 3),
        }
        try:
            record = fitted(identity | self._details(close_reason), LONGEST_RECORD - size(self._repeated))
        except Exception:
            _LOG.exception("most of this session is missing from its record")
            record = identity
        _SESSIONS.info(MESSAGE, extra={"analytics": record})
        if self._post is not None:
            self._sending = threading.Thread(target=self._post.send, args=(record,), daemon=True)
            self._sending.start()

    def _details(self, close_reason: str) -> dict[str, Any]:
        self._know_caller()
        for call in self._running.values():
            call.cancelled = True
        calls = sorted(self._calls, key=lambda call: call.made_at)
        details: dict[str, Any] = {
            "discovered_signals": self._typed_signals() or {},
            "tool_calls": [call.record(self._started) for call in calls],
            "metrics_summary": self._metrics() or {},
        }
        names = {name: self._name(name) for name in ("agent_name", "agent_version", "room_id")}
        names |= {"close_reason": readable(close_reason), "caller_key": self._caller_key}
        details |= {name: value for name, value in names.items() if value}
        return details | ({"_truncated": True} if self._cut else {})

    def _name(self, name: str) -> str:
        text = readable(self._names.get(name) or "").strip(reading.BLANKS)
        written = text.encode()
        if len(written) <= _LONGEST_ID:
            return text
        digest = hashlib.sha256(written).hexdigest()[:32]
        return f"{written[: _LONGEST_ID - len(digest) - 1].decode(errors='ignore')}-{digest}"

    @_quietly
    def _typed_signals(self) -> dict[str, Any]:
        plain = Plain()
        signals, odd = typed(plain(dict(self.signals)))
        self._cut |= plain.cut
        if odd:
            _LOG.warning("signals that the schema does not know in this form, kept as they are: %s", odd)
        return signals

    @_quietly
    def _metrics(self) -> dict[str, Any]:
        """Tokens of the language models, and the mean time to an answer: spoken, else to a text's first token."""
        found: dict[str, Any] = {}
        usage = self._session.usage.model_usage if self._session is not None else []
        models = [model for model in usage if model.type == "llm_usage"]
        if models:
            found["llm_tokens"] = sum(model.input_tokens + model.output_tokens for model in models)
        seconds = next(filter(None, self._latencies.values()), None)
        if seconds:
            found["avg_latency_ms"] = round(sum(seconds) / len(seconds) * 1000, 3)
        return found

    @_quietly
    def _know_caller(self) -> None:
        """Hash the caller's number, else identity, as soon as one is linked: LiveKit forgets those who hang up."""
        if self._caller_key or not self._salt or self._session is None:
            return
        with contextlib.suppress(RuntimeError):  # a session without a room
            caller = self._session.room_io.linked_participant
            known_by = caller and (caller.attributes.get("sip.phoneNumber") or caller.identity)
            if known_by:
                digest = hmac.new(self._salt.encode(), known_by.encode(), hashlib.sha256)
                self._caller_key = f"c_{digest.hexdigest()[:32]}"

    @_quietly
    def _on_item(self, event: Any) -> None:
        self._know_caller()
        metrics = getattr(event.item, "metrics", None) or {}
        for name, seconds in self._latencies.items():
            if isinstance(metrics.get(name), int | float) and metrics[name] >= 0:
                seconds.append(metrics[name])

    @_quietly
    def _on_tool_update(self, event: Any) -> None:
        now, update = time.monotonic(), event.update
        if update.type == "tool_call_started":
            call = self._add(update.function_call)
            call.began = now
            self._running[update.function_call.call_id] = self._unreported[update.function_call.call_id] = call
        elif update.type == "tool_call_ended" and (ended := self._running.pop(update.call_id, None)):
            ended.ended = now
            ended.cancelled = update.status == "cancelled"
            if update.status == "error":
                ended.error = self._error(update.message)
            elif update.status == "done":
                ended.silent = update.message is None
                ended.found = found_by(self._rules.get(ended.tool), update.message)

    @_quietly
    def _on_tools_executed(self, event: Any) -> None:
        """Add the calls that never began: a tool that does not exist, arguments that are none, a duplicate."""
        for function_call, output in event.zipped():
            call = self._unreported.pop(function_call.call_id, None)
            known = call is not None and (call.error or call.cancelled or call.ended is None)
            call = call or self._add(function_call)
            if output.is_error and not known:
                call.error, call.found = self._error(output.output), None
            elif call.began is None:
                call.found = found_by(self._rules.get(call.tool), output.output)
            elif call.silent and event.has_agent_handoff:
                call.found = None  # it returned the next agent, which LiveKit reports as nothing

    @_quietly
    def _on_close(self, event: Any) -> None:
        self.finish(event.reason.value)

    async def _at_shutdown(self, reason: str) -> None:
        """The net under `close`, which LiveKit leaves out where closing fails, hangs or the session never started."""
        try:
            if not self._finished:
                await asyncio.sleep(0)  # LiveKit's own close of the session, with its reason, goes first
                self._closing = asyncio.ensure_future(self._session.aclose())
                await asyncio.wait_for(asyncio.shield(self._closing), _CLOSE_SECONDS)  # it goes on after that
        except Exception as error:
            _LOG.warning("the session did not close (%s: %s); its record ends here", type(error).__name__, error)
        finally:
            self.finish(reason)
        await self.flush()

    def _add(self, function_call: Any) -> Call:
        query = self._said(query_of(function_call.arguments))
        call = Call(readable(function_call.name), query, function_call.created_at)
        self._calls.append(call)
        return call

    def _error(self, text: str | None) -> str:
        return self._said(text) or "an error without a message"

    def _said(self, text: str | None) -> str | None:
        """The text as the record may hold it: redacted, and never longer than a record."""
        if not text or not text.strip(reading.BLANKS):
            return None
        said = readable(text[:LONGEST_RECORD])
        if self._redact is not None:
            try:
                said = str(self._redact(said))
            except Exception:
                _LOG.exception("a text is missing from the session's record: its redaction failed")
                return "[not redacted, so not recorded]"
        if len(text) <= LONGEST_RECORD:
            return said
        self._cut = True
        return said[:-_LONGEST_ITEM] + CUT

"""Real sessions without a network: a scripted model, tools, and the lines that the recorder logged."""

import asyncio
import functools
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from livekit.agents import Agent, AgentSession, JobContext
from livekit.agents.testing import fake_job_context

from analytics_lib.capture import Recorder
from examples.offline import ScriptedModel, ToolCall

CHECKOUT = Path(__file__).parent.parent.parent

Record = dict[str, Any]
End = Callable[[AgentSession, JobContext], Awaitable[Any]]


class Lines(logging.Handler):
    """The records logged, as they were handed to the logging of the standard library."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert record.getMessage() == "session analytics"
        self.records.append(record.analytics)


@contextmanager
def logged() -> Iterator[list[Record]]:
    """The list to which every record logged inside is added."""
    lines = Lines()
    logger = logging.getLogger("analytics_lib.session")
    logger.addHandler(lines)
    try:
        yield lines.records
    finally:
        logger.removeHandler(lines)


async def close(session: AgentSession, job: JobContext) -> None:
    await session.aclose()


async def shut_down(job: JobContext, reason: str = "") -> None:
    """What a job process does last: its shutdown callbacks in one gather, then the clean-up."""
    await asyncio.gather(*(callback(reason) for callback in job._shutdown_callbacks))
    await job._on_cleanup()


def held(
    agent: Agent, *turns: list[ToolCall], recorder: Recorder | None = None, end: End = close, **options: Any
) -> list[Record]:
    """The records of one conversation: the model calls these tools, turn by turn, then the session ends."""
    recorder = recorder or Recorder()

    async def conversation() -> None:
        with fake_job_context() as job:
            session: AgentSession = AgentSession(llm=ScriptedModel(list(turns)))
            recorder.attach(session)
            await session.start(agent=agent, record=False)
            for _ in turns:
                await session.run(user_input="go on")
            await end(session, job)
            await shut_down(job, "the job is over")

    with logged() as records:
        asyncio.run(conversation())
    return records


def calls(record: Record) -> list[dict[str, Any]]:
    """The record's calls without their times, which must be there and make sense for every call that ran."""
    found = []
    for call in record["tool_calls"]:
        duration, offset = call.pop("duration_ms", None), call.pop("offset_seconds", None)
        assert duration is None or 0 <= duration < 60_000
        assert offset is None or 0 <= offset <= record["duration_seconds"]
        found.append(call)
    return found


@functools.cache
def worker_output(*names: str) -> list[str]:
    """Standard output, by lines, of a worker in `start` mode that held these conversations of the example, else all."""
    command = [sys.executable, "-m", "examples.offline", *names]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True, timeout=120, encoding="utf-8")
    return done.stdout.splitlines()

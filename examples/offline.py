"""The example agent without a network: `python -m examples.offline` prints what a worker in `start` mode prints.

The worker, its job processes, their sessions, tools and logging are LiveKit's own; only the model is a script, and no
LiveKit server hands out the jobs. One job for each word on the command line: the name of a conversation below.
"""

import asyncio
import json
import sys
from typing import Any

from livekit.agents import AgentServer, AgentSession, JobContext, llm
from livekit.agents.cli.log import setup_logging
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from analytics_lib.capture import Recorder
from examples.agent import LeadQualifier

ToolCall = tuple[str, dict[str, Any]]
# What the model does in each of its turns: the tools that it calls, after which it says "All right."
CONVERSATIONS: dict[str, list[list[ToolCall]]] = {
    "hot": [
        [("search_knowledge", {"query": "how to create templates"})],
        [("remember_lead", {"team_size": 8, "urgency": "high", "integration": "salesforce"})],
    ],
    "failing": [
        [("search_knowledge", {"query": "refunds of jane.doe@example.com"}), ("find_customer", {"name": "Doe"})],
        [("book_demo", {"day": "Monday"}), ("send_fax", {"number": "030 1234567"})],
    ],
    "crashing": [[("search_knowledge", {"query": "salesforce"})]],
    "long": [[("search_knowledge", {"query": "and why? " * 2_000})]],
    "silent": [],
}

server = AgentServer(host="127.0.0.1", port=0, num_idle_processes=0)


class ScriptedModel(llm.LLM):
    """A language model that follows a script: the calls of a turn, then a sentence."""

    def __init__(self, turns: list[list[ToolCall]]) -> None:
        super().__init__()
        self.turns = iter(turns)
        self.answers = 0

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: Any = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        self.answers += 1
        answered = chat_ctx.items[-1].type == "function_call_output"
        calls = [] if answered else next(self.turns, [])
        return _Answer(self, calls, self.answers, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Answer(llm.LLMStream):
    def __init__(self, model: ScriptedModel, calls: list[ToolCall], number: int, **rest: Any) -> None:
        super().__init__(model, **rest)
        self._calls = calls
        self._number = number

    async def _run(self) -> None:
        calls = [
            llm.FunctionToolCall(name=name, arguments=json.dumps(arguments), call_id=f"call_{self._number}_{index}")
            for index, (name, arguments) in enumerate(self._calls)
        ]
        delta = llm.ChoiceDelta(role="assistant", content=None if calls else "All right.", tool_calls=calls)
        self._event_ch.send_nowait(llm.ChatChunk(id=f"answer_{self._number}", delta=delta))
        usage = llm.CompletionUsage(completion_tokens=20, prompt_tokens=100, total_tokens=120)
        self._event_ch.send_nowait(llm.ChatChunk(id=f"answer_{self._number}", usage=usage))


@server.rtc_session(agent_name="lead-qualifier")
async def entrypoint(context: JobContext) -> None:
    """Hold the conversation that the room is named after."""
    name = context.job.room.name.partition(" ")[0]
    recorder = Recorder(agent_name="lead-qualifier", agent_version="1.4.0")
    session = AgentSession(llm=ScriptedModel(CONVERSATIONS[name]))
    recorder.attach(session)
    await session.start(agent=LeadQualifier(recorder), record=False)
    for turn in range(len(CONVERSATIONS[name])):
        await session.run(user_input=f"question {turn + 1}")
    if name == "crashing":
        raise RuntimeError("the agent's own code failed")
    context.shutdown(reason="the conversation is over")


async def _hold(names: list[str]) -> None:
    worker = asyncio.create_task(server.run(unregistered=True))
    started = asyncio.Event()
    server.once("worker_started", started.set)
    await started.wait()
    for number, name in enumerate(names, 1):
        await server.simulate_job(f"{name} {number}", fake_job=True)
    while server.active_jobs:
        await asyncio.sleep(0.1)
    await server.aclose()
    await worker


if __name__ == "__main__":
    setup_logging("INFO", devmode=False, console=False)
    asyncio.run(_hold(sys.argv[1:] or list(CONVERSATIONS)))

"""A LiveKit agent that qualifies leads, with its sessions recorded.

To run it, LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be set: `python -m examples.agent start`.
Without any of them, `python -m examples.offline` holds the same conversations with a scripted model.
"""

import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli, function_tool

from analytics_lib.capture import Recorder

ARTICLES = {"how to create templates": ["Open Templates, choose New."], "salesforce": ["Connect it under Settings."]}

server = AgentServer()


class LeadQualifier(Agent):
    """Answers questions about the product and learns how large the lead's team is."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(instructions="Answer questions about the product. Find out how large the caller's team is.")
        self.recorder = recorder

    @function_tool
    async def search_knowledge(self, query: str) -> list[str]:
        """Search the product's articles."""
        return ARTICLES.get(query, [])

    @function_tool
    async def find_customer(self, name: str) -> str:
        """Look a customer up by name."""
        self.recorder.found(False)  # the words below are not empty, and yet there is no result
        return f"There is no customer {name}."

    @function_tool
    async def remember_lead(self, team_size: int, urgency: str, integration: str) -> str:
        """Note what the caller said about the team, how urgent it is, and which product should be connected."""
        self.recorder.signals.update(team_size=team_size, urgency=urgency, integration_needs=[integration])
        return "noted"

    @function_tool
    async def book_demo(self, day: str) -> str:
        """Book a demo on a day."""
        raise RuntimeError(f"the calendar is full on {day}; ask sales@example.com or +1 415 555 2671")


@server.rtc_session(agent_name="lead-qualifier")
async def entrypoint(context: JobContext) -> None:
    """One job: one room, one session, one record."""
    recorder = Recorder(agent_version="1.4.0", caller_salt=os.environ.get("ANALYTICS_CALLER_SALT", ""))
    session = AgentSession(stt="deepgram/nova-3", llm="openai/gpt-4.1-mini", tts="cartesia/sonic-3")
    recorder.attach(session)
    await session.start(agent=LeadQualifier(recorder), room=context.room)


if __name__ == "__main__":
    cli.run_app(server)

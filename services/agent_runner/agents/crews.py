"""A crew of one agent and one task: made for one run, shared with no other, and told what is data and what is not."""

from collections.abc import Mapping
from typing import Any

from services.agent_runner.agents.data_block import SENTENCE, data_block
from services.agent_runner.agents.definition import Agent, Answers
from services.agent_runner.models.crew_spans import telling
from services.agent_runner.models.lean_crews import lean
from services.agent_runner.models.tenant_model import TenantModel
from services.agent_runner.tools.calls import ToolCalls
from services.agent_runner.tools.crew_tools import crew_tools

# Thoughts and calls of tools before it has to answer.
MOST_STEPS = 8


def description_of(agent: Agent, shown: Mapping[str, Any]) -> str:
    """The task as a model reads it, with what it is about as data."""
    return f"{agent.prompts.description}\n\n{SENTENCE}\n{data_block(shown)}"


async def ask_crew(agent: Agent, model: TenantModel, shown: Mapping[str, Any], tools: ToolCalls) -> Answers:
    """What a model says that may call these tools.

    Raises `ValueError` where that is nothing of the agent's type, and what calling it raises.
    """
    from crewai import Agent as Member
    from crewai import Crew, Process, Task

    prompts = agent.prompts
    model.offer({tool.name: tool.schema for tool in tools.given.values()})
    member = Member(
        role=prompts.role,
        goal=prompts.goal,
        backstory=prompts.backstory,
        llm=model,
        tools=crew_tools(tools),
        max_iter=MOST_STEPS,
        max_retry_limit=0,
        allow_delegation=False,
        cache=False,
        verbose=False,
    )
    task = Task(
        description=description_of(agent, shown),
        expected_output=prompts.expected_output,
        agent=member,
        output_pydantic=agent.output,
    )
    crew = Crew(
        agents=[member],
        tasks=[task],
        process=Process.sequential,
        memory=False,
        cache=False,
        tracing=False,
        verbose=False,
    )
    with telling(model.session.told):
        finished = await lean(crew).akickoff()
    said = getattr(finished, "pydantic", None)
    if not isinstance(said, agent.output):
        raise ValueError(f"the crew gave no {agent.output.__name__}")
    return said

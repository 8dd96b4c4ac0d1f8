"""Agent tasks: whoever asks by agent or capability gets one answer, in time, or the reason why there is none."""

import asyncio

from pydantic import ValidationError

from contracts.agent_tasks import (
    AgentTaskCompleted,
    AgentTaskFailed,
    AgentTaskProgressed,
    AgentTaskRequested,
    AgentTaskStarted,
)
from contracts.agents import AgentRegistered
from contracts.envelope import PLATFORM, Problem
from services.agent_runner.agents import registry
from services.agent_runner.agents.definition import Agent, Question
from services.agent_runner.agents.registry import run_agent
from services.agent_runner.handlers import service
from services.agent_runner.models.tenant_model import Models
from services.chassis.errors import ExpectedFailure
from services.chassis.inventory_sealing import is_sealed
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.sealed_events import opened_request, sealed_answer
from services.chassis.work import Job

# Whoever was not heard of for a few of these is taken for gone.
REGISTER_SECONDS = 300.0
# Of a task's time: what is left is enough for the rules' answer to count.
SHARE_OF_MODELS = 0.8
SEALED = Problem(
    code="inventory_sealed",
    detail="This engagement seals its inventory, so no model is shown what tasks are given; the rules answered alone.",
)


@service.work
async def answer_task(
    event: AgentTaskRequested, job: Job
) -> AgentTaskStarted | AgentTaskProgressed | AgentTaskCompleted | AgentTaskFailed:
    """Run the agent that a task asks for, as long as the task may take."""
    agent, sealed = agent_of(event), event.sealed is not None
    given = inputs_of(agent, opened_request(job.vault, event), quoted=not sealed)
    async with job.reading() as reading:
        # What is sealed in the database is not shown to a model either.
        withheld = SEALED if sealed or await is_sealed(reading, service.metadata, event.tenant) else None

    async def progress(done: int, total: int, message: str) -> None:
        told = {"agent": agent.agent_id, "done": done, "total": total, "message": message}
        await job.tell(AgentTaskProgressed.reply_to(event, **told))

    await job.tell(AgentTaskStarted.reply_to(event, agent=agent.agent_id))
    try:
        async with asyncio.timeout(event.timeout_seconds) as limit:
            result = await run_agent(
                job,
                agent,
                given,
                progress,
                tenant=event.tenant,
                task_id=event.id_of_task,
                flow_id=event.flow_id,
                timeout_seconds=event.timeout_seconds * SHARE_OF_MODELS,
                token_budget=event.token_budget,
                cpu_budget_seconds=event.cpu_budget_seconds,
                withheld=withheld,
            )
    except TimeoutError as error:
        if not limit.expired():
            raise
        detail = f"{agent.title} gave no answer within {event.timeout_seconds:g} s. Try it again with more time."
        raise ExpectedFailure("agent_timed_out", detail) from error
    completed = AgentTaskCompleted.reply_to(event, result=result)
    return sealed_answer(job.vault, completed) if sealed else completed


def agent_of(event: AgentTaskRequested) -> Agent:
    """Who is to do the task; raises `ExpectedFailure` where nobody can."""
    if event.agent is not None:
        agent = registry.AGENTS.get(event.agent)
        if agent is None:
            known = ", ".join(sorted(registry.AGENTS)) or "none"
            raise ExpectedFailure("unknown_agent", f"There is no agent {event.agent!r}. There is: {known}.")
        return agent
    able = [agent for agent in registry.AGENTS.values() if event.task in agent.capabilities]
    if not able:
        known = ", ".join(sorted({each for agent in registry.AGENTS.values() for each in agent.capabilities})) or "none"
        raise ExpectedFailure("unknown_capability", f"No agent has the capability {event.task!r}. There is: {known}.")
    return min(able, key=lambda agent: agent.agent_id)


def inputs_of(agent: Agent, event: AgentTaskRequested, *, quoted: bool = True) -> Question:
    """The inputs as the agent takes them; raises `ExpectedFailure` that names the field, where that may be told."""
    try:
        return agent.input.model_validate(event.inputs)
    except ValidationError as error:
        if not quoted:
            detail = f"{error.error_count()} of the inputs, which are sealed, do not fit what {agent.agent_id} takes."
            raise ExpectedFailure("inputs_do_not_fit", detail) from None
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(["inputs", *map(str, first["loc"])])
        detail = f"{place}: {first['msg']}. {error.error_count()} in all do not fit what {agent.agent_id} takes."
        raise ExpectedFailure("inputs_do_not_fit", detail) from error


@service.every(REGISTER_SECONDS)
async def register_agents(runtime: Runtime) -> None:
    """Tell which agents this runner has, and whether CrewAI is loaded, without which they ask no model."""
    ready = runtime.shared[Models].ready
    agents = [agent.describe(models_ready=ready) for agent in registry.AGENTS.values()]
    async with runtime.database.transaction(PLATFORM) as session:
        await add_events(session, service.metadata, [AgentRegistered(tenant=PLATFORM, agents=agents)])
    runtime.committed()

"""Agents inside the work of flows: a second opinion on what the rules were unsure about, where there is a model."""

from collections.abc import Callable

from contracts.agents import AgentResult
from contracts.envelope import Event, Problem
from services.agent_runner.agents.agent_runs import run_agent
from services.agent_runner.agents.comparing import MOST_ASKED
from services.agent_runner.agents.definition import Agent, Question
from services.agent_runner.agents.registry import AGENTS
from services.agent_runner.models.choice import NOT_CONFIGURED
from services.agent_runner.models.tenant_model import Models, RunContext
from services.agent_runner.tables import Tables
from services.chassis.inventory_sealing import is_sealed
from services.chassis.work import Job

STRATEGIST, PLANNER = AGENTS["migration_strategist"], AGENTS["wave_planner"]
RISK_ASSESSOR = AGENTS["risk_assessor"]


async def advise(job: Job, event: Event, agent: Agent, doubts: Callable[[], Question | None]) -> AgentResult | None:
    """What an agent says to `doubts`; None where the tenant has no model or seals its data, or the rules no doubt.

    A model that is there and does not answer leaves the rules' answer, and the result says why.
    """
    async with job.reading() as reading:
        # What is sealed here is not shown to a model either.
        if await is_sealed(reading, Tables.metadata, event.tenant):
            return None
    context = RunContext(event.tenant, event.flow_id, event.id, agent.agent_id, agent.prompt_version, None, None)
    models = job.shared[Models]
    session = await models.session_for(context, agent.capabilities[0])
    if isinstance(session, Problem) and session.code == NOT_CONFIGURED:
        return None
    question = await job.run(doubts)
    if question is None:
        return None

    async def progress(done: int, total: int, message: str) -> None:
        await job.progress(done, total, f"{agent.title}: {message}")

    result = await run_agent(
        job, agent, question, progress, tenant=event.tenant, task_id=event.id, flow_id=event.flow_id
    )
    if len(result.output["answers"]) <= MOST_ASKED:
        return result
    # What was not asked about, the flow has already.
    said = {answer["key"] for answer in (result.rules_output or {}).get("answers", ())}
    kept = [answer for answer in result.output["answers"] if answer["key"] in said]
    return result.model_copy(update={"output": {"answers": kept}})

"""Which tools a run is given: those that its agent names, as far as this tenant has something to look up."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import exists, select

from services.agent_runner.agents.definition import Agent
from services.agent_runner.pool import AgentPool
from services.agent_runner.tools.calls import Offered, ToolCalls, offered
from services.agent_runner.tools.catalogue import TOOLS
from services.agent_runner.tools.definition import Run


@asynccontextmanager
async def tools_for(agent: Agent, run: Run, deadline: float) -> AsyncIterator[ToolCalls]:
    """The tools of a run, until the block ends; none where the inventory is sealed, for models see nothing of that."""
    pool = run.job.shared[AgentPool]
    if await pool.seals(run.tenant):
        yield ToolCalls()
        return
    async with pool.servers_for(run.tenant, agent.agent_id, deadline) as servers:
        calls = ToolCalls([*await _own(agent, run), *servers.tools], servers.missing, deadline)
        try:
            yield calls
        finally:
            calls.stop()


async def _own(agent: Agent, run: Run) -> Sequence[Offered]:
    """Our tools that have something to say in this run."""
    wanted = [TOOLS[name] for name in agent.tools]
    if not wanted:
        return []
    async with run.job.reading() as session:
        there = (await session.execute(select(*(exists(select(tool.needs)) for tool in wanted)))).one()
    return [offered(tool, run) for tool, is_there in zip(wanted, there, strict=True) if is_there]

"""Agents: which there are, and what one can do."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import func, select

from contracts import rest
from contracts.rest_agents import AgentMonitor, AgentTaskView, AgentView
from services.gateway.agents.requests import agent_named, agents_of, health
from services.gateway.agents.tables import AgentRow, AgentTask
from services.gateway.flows.details import no_flow
from services.gateway.principal import Caller
from services.gateway.routes.access import Reading
from services.gateway.tables import Flow

router = APIRouter(tags=["agents"])

POLL_ACTIVE, POLL_IDLE = 5, 15
SHOWN_TASKS = 200


@router.get("/agents")
async def list_agents(caller: Caller, session: Reading) -> rest.Page[AgentView]:
    """Every agent, by id, all on one page."""
    now = datetime.now(UTC)
    agents = await agents_of(session, caller.tenant)
    return rest.Page(items=[_view(agent, now) for agent in agents])


@router.get("/agents/{agent_id}")
async def show_agent(agent_id: str, caller: Caller, session: Reading) -> AgentView:
    """An agent, what it takes and gives, and how it is."""
    return _view(await agent_named(session, caller.tenant, agent_id), datetime.now(UTC))


@router.get("/polling/agent-monitor/{flow_id}", tags=["polling"])
async def poll_agents(flow_id: UUID, session: Reading) -> AgentMonitor:
    """What agents do for a flow, and in how many seconds to ask again: 5 while tasks wait or run, else 15."""
    of_flow = AgentTask.flow_id == flow_id
    tasks = list(
        await session.scalars(
            select(AgentTask)
            .where(of_flow)
            .order_by(AgentTask.requested_at.desc(), AgentTask.task_id.desc())
            .limit(SHOWN_TASKS)
        )
    )
    if not tasks and await session.scalar(select(Flow.flow_id).where(Flow.flow_id == flow_id)) is None:
        raise no_flow(flow_id)
    counting = select(func.count()).select_from(AgentTask).where(of_flow, AgentTask.ended_at.is_(None))
    active = (await session.execute(counting)).scalar_one()
    return AgentMonitor(
        flow_id=flow_id,
        active=active,
        tasks=[AgentTaskView.model_validate(task) for task in tasks],
        next_poll_seconds=POLL_ACTIVE if active else POLL_IDLE,
    )


def _view(agent: AgentRow, now: datetime) -> AgentView:
    names = set(AgentView.model_fields) - {"health"}
    return AgentView(**{name: getattr(agent, name) for name in names}, health=health(agent, now))

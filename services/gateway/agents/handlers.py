"""The read model of agents and their tasks."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agent_tasks import (
    AgentTaskCancelled,
    AgentTaskCompleted,
    AgentTaskFailed,
    AgentTaskProgressed,
    AgentTaskRequested,
    AgentTaskStarted,
)
from contracts.agents import AgentRegistered
from contracts.envelope import Tenant
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.tenant_sweeps import sweep_tenants
from services.gateway.agents import news as agent_news
from services.gateway.agents import schedules
from services.gateway.agents.requests import due_requests, orphans
from services.gateway.agents.tables import AgentRow
from services.gateway.handlers import service

SWEEP_SECONDS = 1.0
ORPHAN_SECONDS = 5.0
# An answer that was on its way when the flow ended may still come.
ORPHAN_GRACE = timedelta(seconds=10)
_FLOW_TENANTS = text(
    "select distinct client_account_id, engagement_id from gateway.agent_tasks"
    " where ended_at is null and flow_id is not null limit 1000"
)
FORGET_SECONDS = 3600.0
NEWS_KEPT = timedelta(days=1)
MOST_NEWS = 10_000
_FORGET = text("""
    delete from gateway.agent_news news using gateway.agent_news_heads head
    where (head.client_account_id, head.engagement_id) = (news.client_account_id, news.engagement_id)
        and (news.at < :before or news.seq <= head.seq - :most)
""")
_DUE_TENANTS = text(
    "select client_account_id, engagement_id from gateway.agent_tasks"
    " where status = 'scheduled' and start_at <= now() group by 1, 2 order by min(start_at) limit 100"
)
_DUE_SCHEDULES = text(
    "select client_account_id, engagement_id from gateway.agent_schedules"
    " where next_at <= now() group by 1, 2 order by min(next_at) limit 100"
)


@service.on
async def show_agents(event: AgentRegistered, session: AsyncSession) -> None:
    """Know which agents there are, and that their runner was there at the event's time."""
    for agent in sorted(event.agents, key=lambda each: each.agent_id):
        row = {**agent.model_dump(), "last_seen": event.time}
        statement = insert(AgentRow).values(row)
        key = ["client_account_id", "engagement_id", "agent_id"]
        newer = AgentRow.last_seen < statement.excluded.last_seen
        await session.execute(statement.on_conflict_do_update(index_elements=key, set_=row, where=newer))


@service.on
async def show_agent_tasks(
    events: list[
        AgentTaskRequested
        | AgentTaskStarted
        | AgentTaskProgressed
        | AgentTaskCompleted
        | AgentTaskFailed
        | AgentTaskCancelled
    ],
    session: AsyncSession,
) -> None:
    """Show how tasks stand, and tell those who watch."""
    await agent_news.keep(session, events)


@service.every(FORGET_SECONDS)
async def forget_old_news(runtime: Runtime) -> None:
    """Remove what was told a day ago, and of each engagement what is more than it may keep."""
    async with runtime.database.dispatch() as connection:
        await connection.execute(_FORGET, {"before": datetime.now(UTC) - NEWS_KEPT, "most": MOST_NEWS})


@service.every(ORPHAN_SECONDS)
async def cancel_orphans(runtime: Runtime) -> None:
    """End the tasks that went with their flow: the work of a cancelled flow is called back without a word of each."""
    await sweep_tenants(runtime, _FLOW_TENANTS, _cancel_orphans)


@service.every(SWEEP_SECONDS)
async def start_due_tasks(runtime: Runtime) -> None:
    """Ask for the tasks whose time has come."""
    await sweep_tenants(runtime, _DUE_TENANTS, _start_due_tasks)


@service.every(SWEEP_SECONDS)
async def start_due_schedules(runtime: Runtime) -> None:
    """Ask for a task of each schedule whose time has come; after an outage once each, for the latest missed time."""

    async def start(session: AsyncSession, tenant: Tenant) -> None:
        events = await schedules.due_tasks(runtime, session, tenant, datetime.now(UTC))
        await add_events(session, service.metadata, events)

    await sweep_tenants(runtime, _DUE_SCHEDULES, start)


async def _cancel_orphans(session: AsyncSession, tenant: Tenant) -> None:
    cancelled = await orphans(session, tenant, datetime.now(UTC) - ORPHAN_GRACE)
    await agent_news.keep(session, cancelled)
    await add_events(session, service.metadata, cancelled)


async def _start_due_tasks(session: AsyncSession, tenant: Tenant) -> None:
    requests = await due_requests(session, tenant, datetime.now(UTC))
    await agent_news.keep(session, requests)
    await add_events(session, service.metadata, requests)

"""How long agent tasks are kept: those that ended long ago go, and only count from then on."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.configuration import AGENT_TASK_RETENTION_DAYS
from contracts.envelope import Tenant
from services.chassis.configuration import configured
from services.chassis.runtime import Runtime
from services.chassis.tenant_sweeps import sweep_tenants
from services.gateway.agents.news import lock_head
from services.gateway.handlers import service

SWEEP_SECONDS = 3600.0
SWEEP_TASKS = 500

# Nobody can keep tasks for less than a day.
_TENANTS = text(
    "select distinct client_account_id, engagement_id from gateway.agent_tasks"
    " where ended_at < now() - interval '1 day'"
)
_FORGET = text("""
    with old as materialized (
        select task_id from gateway.agent_tasks where ended_at < :before order by ended_at limit :limit
    ), gone as (
        delete from gateway.agent_tasks task using old where task.task_id = old.task_id
        returning (ended_at at time zone 'UTC')::date as day, coalesce(agent, '') as agent,
            coalesce(engine, '') as engine, coalesce(model, '') as model, status
    ), summed as (
        insert into gateway.agent_task_sums as known (day, agent, engine, model, completed, failed, cancelled)
        select day, agent, engine, model, count(*) filter (where status = 'completed'),
            count(*) filter (where status = 'failed'), count(*) filter (where status = 'cancelled')
        from gone group by 1, 2, 3, 4
        on conflict (client_account_id, engagement_id, day, agent, engine, model) do update
        set completed = known.completed + excluded.completed, failed = known.failed + excluded.failed,
            cancelled = known.cancelled + excluded.cancelled
    )
    select count(*) from old
""")


@service.every(SWEEP_SECONDS)
async def forget_old_tasks(runtime: Runtime) -> None:
    """Remove tasks that ended longer ago than their tenant keeps them; what they cost stays in the sums of costs."""
    await sweep_tenants(runtime, _TENANTS, _forget)


async def _forget(session: AsyncSession, tenant: Tenant) -> bool:
    days = await configured(session, service.metadata, tenant, AGENT_TASK_RETENTION_DAYS)
    # Whoever tries a task again holds this, so no task goes while it begins anew.
    await lock_head(session)
    given = {"before": datetime.now(UTC) - timedelta(days=days), "limit": SWEEP_TASKS}
    return bool((await session.execute(_FORGET, given)).scalar_one() == SWEEP_TASKS)

"""What one tenant may run at once: kept as an operator says it, and room that it gives is used at once."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event
from contracts.flows import FlowUpdated
from contracts.lifecycle import TenantLimitsSaved
from services.flow_orchestrator.admission import next_in_queue
from services.flow_orchestrator.batch import Batch
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.handlers import service

_SAVE = text("""
    insert into flow_orchestrator.tenant_limits as known (weight, running_flows, changed_at)
    values (:weight, :running_flows, :changed_at)
    on conflict (client_account_id, engagement_id) do update set weight = excluded.weight,
        running_flows = excluded.running_flows, changed_at = excluded.changed_at
    where known.changed_at < excluded.changed_at
""")


async def save_limits(event: TenantLimitsSaved, session: AsyncSession) -> list[Event]:
    """Hold the tenant to these limits from now on, and begin what they leave room for."""
    row = {"weight": event.weight, "running_flows": event.running_flows, "changed_at": event.time}
    await session.execute(_SAVE, row)
    return (await begin_queued(session)).events


async def begin_queued(session: AsyncSession) -> Batch:
    """Let the tenant's queued flows begin as far as there is room, and say which; normally none queues beside room."""
    batch = await Batch.of(session, await next_in_queue(session, [], 1), datetime.now(UTC))
    await batch.finish()
    return batch


service.subscribe(
    save_limits,
    hears=[TenantLimitsSaved],
    emits=list(dict.fromkeys([FlowUpdated, *(event for each in FLOW_TYPES.all() for event in each.emits())])),
)

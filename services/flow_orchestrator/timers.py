"""The clock of the flows: whoever is due is decided on, by a sweep that never ends."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Tenant
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.tenant_sweeps import sweep_tenants
from services.flow_orchestrator import store
from services.flow_orchestrator.batch import Batch
from services.flow_orchestrator.handlers import service
from services.flow_orchestrator.tables import MASTER

log = structlog.get_logger()

SWEEP_SECONDS = 1.0
SWEEP_FLOWS = 500
UNDECIDABLE_PAUSE = timedelta(minutes=1)

_DUE_TENANTS = text(
    f"select client_account_id, engagement_id from flow_orchestrator.{MASTER} where wake_at <= now()"
    " group by 1, 2 order by min(wake_at) limit 100"
)
_DUE = text(f"select flow_id from flow_orchestrator.{MASTER} where wake_at <= now() order by wake_at limit :limit")


@service.every(SWEEP_SECONDS)
async def decide_overdue_flows(runtime: Runtime) -> None:
    """Let the engine decide every flow one of whose timers is due."""
    await sweep_tenants(runtime, _DUE_TENANTS, _decide_overdue)


async def _decide_overdue(session: AsyncSession, tenant: Tenant) -> None:
    now = datetime.now(UTC)
    due = (await session.execute(_DUE, {"limit": SWEEP_FLOWS})).scalars().all()
    # Flows that another orchestrator has in its hands are looked at again the next time.
    batch = Batch(session, await store.locked(session, due, skip_locked=True), now)
    later: dict[UUID, datetime | None] = {}
    for state in list(batch.states.values()):
        try:
            if not batch.tick(state):
                later[state.flow_id] = state.wake_at
        except Exception:
            # A flow that cannot be decided must not keep the others waiting, nor come back every second.
            log.exception("overdue_flow_failed", flow_id=str(state.flow_id))
            later[state.flow_id] = now + UNDECIDABLE_PAUSE
    await store.move_timers(session, later)
    await add_events(session, service.metadata, await batch.finish())

"""The clock of the flows: whoever has waited too long is decided on, by a sweep that never ends."""

from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import select

from contracts.envelope import Tenant
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.flow_orchestrator.engine import time_out
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.handlers import save, service
from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.tables import MasterFlow

log = structlog.get_logger()

SWEEP_SECONDS = 1.0
SWEEP_FLOWS = 100


@service.every(SWEEP_SECONDS)
async def decide_overdue_flows(runtime: Runtime) -> None:
    """Let the engine decide every flow whose waiting time is over."""
    overdue = (
        select(MasterFlow.client_account_id, MasterFlow.engagement_id, MasterFlow.flow_id)
        .where(MasterFlow.waits_until < datetime.now(UTC))
        .order_by(MasterFlow.waits_until)
        .limit(SWEEP_FLOWS)
    )
    async with runtime.database.dispatch() as connection:
        flows = (await connection.execute(overdue)).all()
    for flow in flows:
        tenant = Tenant(client_account_id=flow.client_account_id, engagement_id=flow.engagement_id)
        try:
            await _decide_overdue_flow(runtime, tenant, flow.flow_id)
        except Exception:
            # One flow that cannot be decided must not keep the others waiting.
            log.exception("overdue_flow_failed", flow_id=str(flow.flow_id))
    if flows:
        runtime.committed()


async def _decide_overdue_flow(runtime: Runtime, tenant: Tenant, flow_id: UUID) -> None:
    async with runtime.database.transaction(tenant) as session:
        locked = select(MasterFlow).where(MasterFlow.flow_id == flow_id).with_for_update(skip_locked=True)
        master = (await session.execute(locked)).scalar_one_or_none()
        if master is None:
            return
        now = datetime.now(UTC)
        decision = time_out(FLOW_TYPES[master.flow_type], FlowState.model_validate(master.state), now)
        if decision is None:
            return
        await save(session, decision, now, None)
        await add_events(session, service.metadata, decision.events)

"""How long histories are kept: the journal of a flow that ended long ago shrinks to how it ended."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import delete, text

from contracts.envelope import Tenant
from services.chassis.runtime import Runtime
from services.flow_orchestrator.handlers import service
from services.flow_orchestrator.tables import MASTER, FlowSchedule

log = structlog.get_logger()

SWEEP_SECONDS = 3600.0
SWEEP_FLOWS = 500
# News about a schedule that was deleted may come so late.
FORGET_SCHEDULES_AFTER = timedelta(days=30)

_TENANTS = text(f"""
    select distinct client_account_id, engagement_id from flow_orchestrator.{MASTER}
    where status in ('completed', 'failed', 'cancelled') and updated_at < :before
""")
# Locked, so that nobody retries a flow while its history goes; those in hand are looked at the next time.
_SHRINK = text(f"""
    with old as materialized (
        select flow_id, revision from flow_orchestrator.{MASTER} master
        where status in ('completed', 'failed', 'cancelled') and updated_at < :before and exists (
            select from flow_orchestrator.flow_journal entry
            where entry.flow_id = master.flow_id and entry.seq < master.revision
        )
        limit :limit for update skip locked
    ), gone as (
        delete from flow_orchestrator.flow_journal entry using old
        where entry.flow_id = old.flow_id and entry.seq < old.revision
    )
    select count(*) from old
""")


_OFF_TENANTS = text("""
    select distinct client_account_id, engagement_id from flow_orchestrator.flow_schedules
    where next_at is null and changed_at < :off_since
""")


@service.every(SWEEP_SECONDS)
async def shrink_old_histories(runtime: Runtime) -> None:
    """Remove journal entries and checkpoints of flows that ended long ago; the last entry says how each ended."""
    before = datetime.now(UTC) - timedelta(days=runtime.settings.history_retention_days)
    async with runtime.database.dispatch() as connection:
        tenants = (await connection.execute(_TENANTS, {"before": before})).all()
    for row in tenants:
        tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
        flows, shrunk = 0, SWEEP_FLOWS
        while shrunk == SWEEP_FLOWS:
            async with runtime.database.transaction(tenant) as session:
                shrunk = (await session.execute(_SHRINK, {"before": before, "limit": SWEEP_FLOWS})).scalar_one()
            flows += shrunk
        if flows:
            log.info("histories_shrunk", tenant=str(tenant), flows=flows)


@service.every(SWEEP_SECONDS)
async def forget_old_schedules(runtime: Runtime) -> None:
    """Remove schedules that have been off, or deleted, for long; whoever switches one on again sends all of it."""
    off_since = datetime.now(UTC) - FORGET_SCHEDULES_AFTER
    async with runtime.database.dispatch() as connection:
        tenants = (await connection.execute(_OFF_TENANTS, {"off_since": off_since})).all()
    for row in tenants:
        tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
        async with runtime.database.transaction(tenant) as session:
            old = (FlowSchedule.next_at.is_(None), FlowSchedule.changed_at < off_since)
            await session.execute(delete(FlowSchedule).where(*old))

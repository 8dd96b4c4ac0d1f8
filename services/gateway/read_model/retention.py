"""How long timelines are shown: that of a flow that ended long ago shrinks to how it ended, as its journal does."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Tenant
from services.chassis.runtime import Runtime
from services.chassis.tenant_sweeps import sweep_tenants
from services.gateway.handlers import service

SWEEP_SECONDS = 3600.0
SWEEP_FLOWS = 500

_TENANTS = text("select distinct client_account_id, engagement_id from gateway.flows where ended_at < :before")
_SHRINK = text("""
    with old as materialized (
        select flow_id, revision from gateway.flows flow
        where ended_at < :before and exists (
            select from gateway.flow_timeline entry where entry.flow_id = flow.flow_id and entry.seq < flow.revision
        )
        limit :limit
    ), gone as (
        delete from gateway.flow_timeline entry using old
        where entry.flow_id = old.flow_id and entry.seq < old.revision
    )
    select count(*) from old
""")


@service.every(SWEEP_SECONDS)
async def shrink_old_timelines(runtime: Runtime) -> None:
    """Remove timeline entries of flows that ended long ago; the last one says how each ended."""
    before = datetime.now(UTC) - timedelta(days=runtime.settings.history_retention_days)

    async def shrink(session: AsyncSession, _: Tenant) -> bool:
        shrunk = (await session.execute(_SHRINK, {"before": before, "limit": SWEEP_FLOWS})).scalar_one()
        return bool(shrunk == SWEEP_FLOWS)

    await sweep_tenants(runtime, _TENANTS.bindparams(before=before), shrink)

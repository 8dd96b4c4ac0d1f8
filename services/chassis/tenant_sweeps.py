"""Sweeps of what the clock decides: tenants that have something due, each in a transaction of its own."""

from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Tenant
from services.chassis.runtime import Runtime

log = structlog.get_logger()


async def sweep_tenants(
    runtime: Runtime, due: TextClause, sweep: Callable[[AsyncSession, Tenant], Awaitable[bool | None]]
) -> None:
    """Let `sweep` do what there is to do for each tenant that `due` finds; it returns whether there may be more."""
    async with runtime.database.dispatch() as connection:
        tenants = (await connection.execute(due)).all()
    for row in tenants:
        tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
        more: bool | None = True
        try:
            while more:
                async with runtime.database.transaction(tenant) as session:
                    more = await sweep(session, tenant)
        except Exception:
            # What is wrong with one tenant's rows must not keep the others waiting.
            log.exception("tenant_not_swept", sweep=sweep.__qualname__, tenant=str(tenant))
    if tenants:
        runtime.committed()

"""The alarm of a log that is not as it was written: it stays until a check of the whole log finds nothing.

It is a metric, part of what the readiness answers, and an error in the service's log that says what to do.
"""

import structlog
from prometheus_client import Metric
from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from contracts.envelope import Tenant
from services.audit.handlers import service
from services.audit.tables import Head
from services.chassis.metrics import gauge

log = structlog.get_logger()

WHAT_TO_DO = (
    "Keep the database as it is and copy it. Find out who could write to it, compare with the checkpoints that were "
    "kept elsewhere, restore what was there. `modernize audit verify` ends the alarm once the whole log fits again."
)
_BROKEN = text("""
    select count(*) as logs, coalesce(extract(epoch from now() - min(broken_since)), 0) as seconds
    from audit.heads where broken_since is not null
""")


async def raise_alarm(session: AsyncSession, tenant: Tenant, detail: str) -> None:
    """Say that a tenant's log is broken, again each time that it is found so; `session` is in the tenant."""
    log.error("audit_log_broken", tenant=str(tenant), detail=detail, what_to_do=WHAT_TO_DO)
    await session.execute(
        update(Head).values(broken_since=func.coalesce(Head.broken_since, func.now()), broken_detail=detail)
    )


async def end_alarm(session: AsyncSession, tenant: Tenant) -> None:
    """Say that the whole log of a tenant fits; `session` is in the tenant."""
    ended = update(Head).where(Head.broken_since.is_not(None)).values(broken_since=None, broken_detail=None)
    if (await session.execute(ended.returning(Head.seq))).first() is not None:
        log.warning("audit_log_fits_again", tenant=str(tenant))


@service.measure
async def count_broken(connection: AsyncConnection) -> list[Metric]:
    """How many logs are broken, and for how long the first of them has been known to be."""
    found = (await connection.execute(_BROKEN)).one()
    logs = gauge("broken_audit_logs", "Audit logs that are not as they were written: alert when it is not 0", [])
    known = gauge("broken_audit_log_seconds", "For how long a broken audit log has been known, the longest", [])
    logs.add_metric([], found.logs)
    known.add_metric([], float(found.seconds))
    return [logs, known]


@service.concern
async def tell_broken(connection: AsyncConnection) -> str | None:
    """What readiness tells of broken logs: the service goes on, for what happens now must be recorded all the same."""
    found = (await connection.execute(_BROKEN)).one()
    return f"{found.logs} audit log(s) are not as they were written. {WHAT_TO_DO}" if found.logs else None

"""What an engagement may use up within 24 hours, and when it may have more."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.configuration import FLOWS_PER_DAY, UPLOAD_BYTES_PER_DAY
from contracts.envelope import Tenant
from services.chassis.configuration import configured
from services.chassis.runtime import Runtime
from services.gateway.handlers import service
from services.gateway.problems import TryLater
from services.gateway.tables import Flow, Upload

WINDOW = timedelta(hours=24)
_ONE_AT_A_TIME = text(
    "select pg_advisory_xact_lock(hashtextextended('quota:' || :what || current_setting('app.engagement_id'), 0))"
)


class QuotaUsedUp(TryLater):
    """An engagement used what it may use a day; it says when enough of that is more than a day ago."""

    status = 429


def wait_for(used: Sequence[tuple[datetime, int]], quota: int, wanted: int, now: datetime) -> timedelta | None:
    """How long until `wanted` more fits into the quota of the `WINDOW` before; None if it never does.

    `used` is what was used when, in any order. Zero means that it fits now.
    """
    if wanted > quota:
        return None
    recent = sorted(each for each in used if each[0] > now - WINDOW)
    total = sum(amount for _, amount in recent)
    for at, amount in recent:
        if total + wanted <= quota:
            break
        total -= amount
        freed = at + WINDOW - now
        if total + wanted <= quota:
            return freed
    return timedelta()


async def bytes_left(gateway: Runtime, tenant: Tenant) -> int | None:
    """What may still be uploaded now, None without a limit; raises `QuotaUsedUp` if that is nothing.

    Only so that nothing is streamed in vain: `check_upload` decides, in the transaction that counts the upload.
    """
    quota = await gateway.configuration.value(tenant, UPLOAD_BYTES_PER_DAY)
    if quota is None:
        return None
    async with gateway.database.transaction(tenant) as session:
        used = await _uploads(session)
    _check(used, quota, 1, "uploads", f"{quota:,} bytes")
    return quota - sum(size for _, size in used)


async def check_upload(session: AsyncSession, tenant: Tenant, size_bytes: int) -> None:
    """Raise `QuotaUsedUp` if a file of this size is too much; holds up other uploads of the tenant until the commit."""
    quota = await configured(session, service.metadata, tenant, UPLOAD_BYTES_PER_DAY)
    if quota is not None:
        await session.execute(_ONE_AT_A_TIME, {"what": "uploads"})
        _check(await _uploads(session), quota, size_bytes, "uploads", f"{quota:,} bytes")


async def check_flow(session: AsyncSession, tenant: Tenant) -> None:
    """Raise `QuotaUsedUp` if one more flow is too much; holds up other starts of the tenant until the commit."""
    quota = await configured(session, service.metadata, tenant, FLOWS_PER_DAY)
    if quota is not None:
        await session.execute(_ONE_AT_A_TIME, {"what": "flows"})
        # Those that flows began by themselves are part of what was asked for.
        started = select(Flow.created_at).where(
            Flow.created_at > datetime.now(UTC) - WINDOW, Flow.parent_flow_id.is_(None)
        )
        _check([(at, 1) for at in await session.scalars(started)], quota, 1, "flows", f"{quota:,} flows")


async def _uploads(session: AsyncSession) -> list[tuple[datetime, int]]:
    recent = select(Upload.uploaded_at, Upload.size_bytes).where(Upload.uploaded_at > datetime.now(UTC) - WINDOW)
    return [(at, size) for at, size in await session.execute(recent)]


def _check(used: Sequence[tuple[datetime, int]], quota: int, wanted: int, what: str, allowed: str) -> None:
    wait = wait_for(used, quota, wanted, datetime.now(UTC))
    detail = f"This engagement may have {what} of {allowed} in 24 hours"
    if wait is None:
        raise QuotaUsedUp(f"quota_of_{what}", f"{detail}, and this alone is more.", seconds=int(WINDOW.total_seconds()))
    if wait:
        seconds = int(wait.total_seconds()) + 1
        raise QuotaUsedUp(
            f"quota_of_{what}", f"{detail}, and has. Try again in {_told(wait)}, or ask for more.", seconds=seconds
        )


def _told(wait: timedelta) -> str:
    minutes = int(wait.total_seconds()) // 60 + 1
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"

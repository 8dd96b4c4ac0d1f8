"""The work table: who holds which piece of long work, until when, and under which fence."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Update, and_, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from contracts.envelope import Tenant
from services.chassis.database import Database
from services.chassis.tables import ServiceMetaData
from services.chassis.telemetry import without_spans


class LeaseLost(Exception):
    """Somebody else took this work over, or it was cancelled: whatever was done here must not count."""


@dataclass(frozen=True)
class Claim:
    """A piece of work that this process holds: the event that asked for it, and the fence it was claimed with."""

    tenant: Tenant
    event_id: UUID
    message: dict[str, Any]
    attempts: int
    fence: int


class Leases:
    """Claims work, keeps hold of it and gives it back."""

    def __init__(self, database: Database, metadata: ServiceMetaData, lease_seconds: float) -> None:
        self._database = database
        self._work = metadata.work
        self.seconds = lease_seconds

    async def claim(self) -> Claim | None:
        """Take a piece of work that nobody holds, if there is one."""
        # The tenant with the least work in progress goes first, so that nobody's backlog starves another's.
        name = self._work.fullname
        statement = text(f"""
            update {name} claimed set
                fence = fence + 1, attempts = attempts + 1, lease_until = now() + make_interval(secs => :lease)
            from (
                select w.client_account_id, w.engagement_id, w.event_id from {name} w
                where w.available_at <= now() and (w.lease_until is null or w.lease_until < now()) and not w.cancelled
                order by (
                    select count(*) from {name} busy
                    where busy.client_account_id = w.client_account_id and busy.lease_until >= now()
                ), w.event_id
                limit 1 for update skip locked
            ) ready
            where claimed.client_account_id = ready.client_account_id
                and claimed.engagement_id = ready.engagement_id and claimed.event_id = ready.event_id
            returning claimed.client_account_id, claimed.engagement_id, claimed.event_id, claimed.event,
                claimed.attempts, claimed.fence
        """)
        async with self._dispatch() as connection:
            row = (await connection.execute(statement, {"lease": self.seconds})).first()
        if row is None:
            return None
        tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
        return Claim(tenant, row.event_id, row.event, row.attempts, row.fence)

    async def extend(self, claim: Claim) -> bool:
        """Hold it for longer; False when it is not ours any more."""
        lease_until = func.now() + timedelta(seconds=self.seconds)
        return await self._change(self._ours(claim).where(~self._work.c.cancelled).values(lease_until=lease_until))

    async def postpone(self, claim: Claim, wait: timedelta) -> None:
        """Give it back after a failed attempt, to be tried again no sooner than after `wait`."""
        await self._change(self._ours(claim).values(lease_until=None, available_at=func.now() + wait))

    async def release(self, claim: Claim) -> None:
        """Give it back unfinished, as if it had not been claimed."""
        await self._change(self._ours(claim).values(lease_until=None, attempts=claim.attempts - 1))

    async def hold(self, session: AsyncSession, claim: Claim) -> None:
        """Lock the work's row in this transaction; raises `LeaseLost` unless it is still ours."""
        statement: Select[tuple[UUID]] = select(self._work.c.event_id).where(self._is_ours(claim))
        statement = statement.where(~self._work.c.cancelled).with_for_update()
        if (await session.execute(statement)).first() is None:
            raise LeaseLost

    async def end(self, session: AsyncSession, claim: Claim) -> None:
        """Take the work's row away, in the transaction of its result."""
        await session.execute(delete(self._work).where(self._is_ours(claim)))

    def _is_ours(self, claim: Claim) -> ColumnElement[bool]:
        columns = self._work.c
        return and_(
            columns.client_account_id == claim.tenant.client_account_id,
            columns.engagement_id == claim.tenant.engagement_id,
            columns.event_id == claim.event_id,
            columns.fence == claim.fence,
        )

    def _ours(self, claim: Claim) -> Update:
        return update(self._work).where(self._is_ours(claim))

    async def _change(self, statement: Update) -> bool:
        async with self._dispatch() as connection:
            return bool((await connection.execute(statement)).rowcount)

    @contextlib.asynccontextmanager
    async def _dispatch(self) -> AsyncIterator[AsyncConnection]:
        with without_spans():
            async with self._database.dispatch() as connection:
                yield connection

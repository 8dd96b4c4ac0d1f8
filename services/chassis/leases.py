"""The work table: who holds which piece of long work, until when, and under which fence."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Delete,
    Row,
    Select,
    Update,
    and_,
    delete,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from contracts.envelope import Event, Tenant
from services.chassis.cancelling import cancelled
from services.chassis.database import Database
from services.chassis.fairness import Lane, Running, Turns
from services.chassis.service import Service
from services.chassis.tables import ServiceMetaData
from services.chassis.telemetry import without_spans

# A process that is frozen while it claims must not keep all others from claiming.
CLAIM_PATIENCE = "5s"
# Of work that only waits for others, so much is done at a time: it takes neither threads nor, meanwhile, connections.
WAITING_SLOTS = 8


_FREE = "work.available_at <= now() and (work.lease_until is null or work.lease_until < now())"
_TAKE_LOCK = text(
    "select set_config('idle_in_transaction_session_timeout', :patience, true),"
    " pg_advisory_xact_lock(hashtextextended(:lock, 0))"
)
# What waits, by client account and priority, and (with no priority) what runs. A loose scan goes from one client and
# priority to the next by the index, however many rows each has.
_LANES = f"""
    with recursive lane as (
        (select client_account_id, priority from {{work}} order by client_account_id desc, priority desc limit 1)
        union all
        select next.* from lane cross join lateral (
            select work.client_account_id, work.priority from {{work}}
            where (work.client_account_id, work.priority) < (lane.client_account_id, lane.priority)
            order by work.client_account_id desc, work.priority desc limit 1
        ) next
    )
    select lane.client_account_id as client, lane.priority, ready.weight, ready.pieces, ready.since
    from lane cross join lateral (
        select count(*) as pieces, min(available_at) as since, (array_agg(weight))[1] as weight from (
            select work.available_at, work.weight from {{work}}
            where work.client_account_id = lane.client_account_id and work.priority = lane.priority and {_FREE}{{kinds}}
            order by work.available_at, work.event_id limit :free
        ) head
    ) ready
    where ready.pieces > 0
    union all
    select client_account_id, null, max(weight), count(*), null from {{work}}
    where lease_until >= now(){{kinds}} group by 1
"""
_CLAIM = f"""
    with ready as materialized (
        select head.* from unnest(cast(:clients as uuid[]), cast(:priorities as int[]), cast(:counts as int[]))
            as lane(client, priority, count)
        cross join lateral (
            select work.client_account_id, work.engagement_id, work.event_id from {{work}}
            where work.client_account_id = lane.client and work.priority = lane.priority and {_FREE}{{kinds}}
            order by work.available_at, work.event_id limit lane.count for update skip locked
        ) head
    )
    update {{work}} set fence = fence + 1, attempts = attempts + 1, lease_until = now() + make_interval(secs => :lease)
    from ready
    where work.client_account_id = ready.client_account_id and work.engagement_id = ready.engagement_id
        and work.event_id = ready.event_id
    returning work.client_account_id, work.engagement_id, work.event_id, work.event, work.attempts, work.fence,
        {{cancelled}} as cancelled
"""
_MINE = """
    unnest(cast(:clients as uuid[]), cast(:engagements as uuid[]), cast(:events as uuid[]), cast(:fences as bigint[]))
    with ordinality as mine(client, engagement, event, fence, position)
    on (work.client_account_id, work.engagement_id, work.event_id, work.fence)
        = (mine.client, mine.engagement, mine.event, mine.fence)
"""
_EXTEND = """
    with held as materialized (
        select work.client_account_id, work.engagement_id, work.event_id from {work} join {mine}
        for update of work skip locked
    )
    update {work} set lease_until = now() + make_interval(secs => :lease) from held
    where work.client_account_id = held.client_account_id and work.engagement_id = held.engagement_id
        and work.event_id = held.event_id
"""
_STILL_MINE = "select mine.position, {cancelled} as cancelled from {work} join {mine}"


class LeaseLost(Exception):
    """Somebody else took this work over, or it was cancelled: whatever was done here must not count."""


class WorkCrashes(Exception):
    """This work took its process down, every time it was tried."""


@dataclass(frozen=True)
class Claim:
    """A piece of work that this process holds: the event that asked for it, and the fence it was claimed with."""

    tenant: Tenant
    event_id: UUID
    message: dict[str, Any] = field(compare=False)
    attempts: int
    fence: int


@dataclass(frozen=True)
class Kinds:
    """The work that one worker of several does: `only` what these events ask for, or all but that."""

    types: tuple[str, ...]
    only: bool

    @property
    def condition(self) -> str:
        """What a row of such work fulfils, with the types as the parameter `kinds`."""
        return f" and work.event_type {'= any' if self.only else '<> all'}(cast(:kinds as text[]))"


def kinds_of(service: Service, *, waits: bool) -> Kinds | None:
    """The work of a service that waits for systems of others, or all that does not; None where it has only one kind."""
    waiting = tuple(each.type_name for one in service.handlers if one.waits for each in one.hears)
    return Kinds(waiting, only=waits) if waiting else None


def work_row(event: Event, message: dict[str, Any]) -> dict[str, Any]:
    """The row that a request for work becomes, under the tenant that was entered."""
    return {
        "event_id": event.id,
        "event_type": event.type_name,
        # What belongs to no flow is cancelled by its own id.
        "flow_id": event.flow_id or event.id,
        "step": event.step,
        "requested_at": event.time,
        "event": message,
        "priority": event.work_priority or 0,
        "weight": event.work_weight or 1,
    }


class Leases:
    """Claims work, keeps hold of it and gives it back."""

    def __init__(
        self,
        database: Database,
        metadata: ServiceMetaData,
        lease_seconds: float,
        tenant_limit: int,
        kinds: Kinds | None = None,
    ) -> None:
        self._database = database
        self._work = metadata.work
        self._lock = {"lock": f"work:{metadata.service}", "patience": CLAIM_PATIENCE}
        self._tenant_limit = tenant_limit
        names = {"work": metadata.work.fullname, "cancelled": cancelled(metadata), "mine": _MINE}
        names["kinds"] = "" if kinds is None else kinds.condition
        self._kinds = {} if kinds is None else {"kinds": list(kinds.types)}
        self._lanes, self._claim, self._extend, self._still_mine = (
            text(statement.format(**names)) for statement in (_LANES, _CLAIM, _EXTEND, _STILL_MINE)
        )
        # nosemgrep: raw-sql - names of ours, no values
        self._not_cancelled = text(f"not {names['cancelled']}")
        self._turns = Turns()
        self.seconds = lease_seconds

    async def claim(self, free: int = 1) -> list[Claim]:
        """Take up to `free` pieces of work that nobody holds, by the turns of their tenants."""
        while True:
            async with self._dispatch() as connection:
                rows = await self._take(connection, free)
                dropped = [row for row in rows if row.cancelled]
                if dropped:
                    keys = [(row.client_account_id, row.engagement_id, row.event_id) for row in dropped]
                    await connection.execute(delete(self._work).where(tuple_(*self._work.primary_key).in_(keys)))
            if len(dropped) < len(rows) or not rows:
                return [_claim(row) for row in rows if not row.cancelled]

    async def _take(self, connection: AsyncConnection, free: int) -> Sequence[Row[Any]]:
        # One process at a time, so that no tenant gets past its limit. A frozen one is cut off.
        await connection.execute(_TAKE_LOCK, self._lock)
        lanes, running = [], {}
        for row in await connection.execute(self._lanes, {"free": free, **self._kinds}):
            if row.priority is None:
                running[row.client] = Running(row.pieces, row.weight)
            else:
                lanes.append(Lane(row.client, row.priority, row.weight, row.pieces, row.since))
        taken = self._turns.take(lanes, running, free, self._tenant_limit)
        if not taken:
            return []
        values = {
            "clients": [lane.client for lane in taken],
            "priorities": [lane.priority for lane in taken],
            "counts": list(taken.values()),
            "lease": self.seconds,
            **self._kinds,
        }
        return (await connection.execute(self._claim, values)).all()

    async def extend(self, claims: Sequence[Claim]) -> dict[Claim, bool]:
        """Hold these for longer; those that are still ours, and whether each is cancelled.

        Rows that are locked, as while a result is written, are left as they are: the lock is the lease.
        """
        keys = {
            "clients": [claim.tenant.client_account_id for claim in claims],
            "engagements": [claim.tenant.engagement_id for claim in claims],
            "events": [claim.event_id for claim in claims],
            "fences": [claim.fence for claim in claims],
        }
        async with self._dispatch() as connection:
            await connection.execute(self._extend, {**keys, "lease": self.seconds})
            rows = (await connection.execute(self._still_mine, keys)).all()
        return {claims[row.position - 1]: row.cancelled for row in rows}

    async def postpone(self, claim: Claim, wait: timedelta) -> None:
        """Give it back after a failed attempt, to be tried again no sooner than after `wait`."""
        await self._change(self._ours(claim).values(lease_until=None, available_at=func.now() + wait))

    async def release(self, claim: Claim) -> None:
        """Give it back unfinished, as if it had not been claimed."""
        await self._change(self._ours(claim).values(lease_until=None, attempts=claim.attempts - 1))

    async def drop(self, claim: Claim) -> bool:
        """Take the row of cancelled work away; False when it is not ours any more."""
        return await self._change(delete(self._work).where(self._is_ours(claim)))

    async def hold(self, session: AsyncSession, claim: Claim) -> None:
        """Lock the work's row in this transaction; raises `LeaseLost` unless it is still ours and not cancelled."""
        statement: Select[tuple[UUID]] = select(self._work.c.event_id).where(self._is_ours(claim))
        statement = statement.where(self._not_cancelled).with_for_update(of=self._work)
        if (await session.execute(statement)).first() is None:
            raise LeaseLost

    async def end(self, session: AsyncSession, claim: Claim) -> None:
        """Take the work's row away, in the transaction of its result; raises `LeaseLost` as `hold` does."""
        statement = delete(self._work).where(self._is_ours(claim), self._not_cancelled)
        if (await session.execute(statement.returning(self._work.c.event_id))).first() is None:
            raise LeaseLost

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

    async def _change(self, statement: Update | Delete) -> bool:
        async with self._dispatch() as connection:
            return bool((await connection.execute(statement)).rowcount)

    @contextlib.asynccontextmanager
    async def _dispatch(self) -> AsyncIterator[AsyncConnection]:
        with without_spans():
            async with self._database.dispatch() as connection:
                yield connection


def _claim(row: Row[Any]) -> Claim:
    tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
    return Claim(tenant, row.event_id, row.event, row.attempts, row.fence)

"""What a forked flow shares with its origin: what was found before the fork stays with the flow that found it."""

from uuid import UUID

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.gateway.read_model.flow_tables import DeletedFlow
from services.gateway.tables import Flow


async def holder(
    session: AsyncSession, flow_id: UUID | None, key: InstrumentedAttribute[UUID], *conditions: ColumnElement[bool]
) -> UUID | None:
    """The flow whose rows of a table a flow shows: its own, else those of the nearest origin that has any.

    `key` is the table's column of the flow's id; `conditions` say which of its rows count, by default all.
    """
    looked_at: UUID | None = flow_id
    while looked_at is not None:
        if await session.scalar(select(exists().where(key == looked_at, *conditions))):
            return looked_at
        looked_at = await _origin(session, looked_at)
    return flow_id


async def is_needed(session: AsyncSession, flow_id: UUID) -> bool:
    """Whether a flow that is still there was forked from this one, or from one that was forked from it."""
    pending = [flow_id]
    while pending:
        looked_at = pending.pop()
        if await session.scalar(select(exists().where(Flow.forked_from == looked_at))):
            return True
        pending += await session.scalars(select(DeletedFlow.flow_id).where(DeletedFlow.forked_from == looked_at))
    return False


async def _origin(session: AsyncSession, flow_id: UUID) -> UUID | None:
    there = select(Flow.forked_from).where(Flow.flow_id == flow_id)
    gone = select(DeletedFlow.forked_from).where(DeletedFlow.flow_id == flow_id)
    origin: UUID | None = await session.scalar(there.union_all(gone))
    return origin

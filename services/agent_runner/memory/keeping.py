"""The table of memories: what is kept, what is forgotten, and what is told of both with the same transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agent_memory import AgentMemoryDropped, AgentMemoryEmbeddingRequested, AgentMemoryStored, Memory
from contracts.envelope import Event
from services.agent_runner.memory.teachings import LESSON, MOST_OF_A_KIND
from services.agent_runner.tables import MemoryRow, Tables
from services.chassis.inventory_sealing import is_sealed

TOLD_AT_ONCE = 200
_KEY = ["client_account_id", "engagement_id", "memory_id"]
# Of a forgotten memory nothing is left but that it was there.
_NOTHING: dict[str, Any] = {"agents": [], "text": "", "by": "", "flow_id": None, "embedder": None, "embedding": None}

News = AgentMemoryStored | AgentMemoryDropped | AgentMemoryEmbeddingRequested


async def keep(
    session: AsyncSession, event: Event, memories: Sequence[Memory], *, revision: int, told_as: int
) -> list[News]:
    """Remember these from now on, unless something newer is known of them; the oldest of a kind make room.

    `revision` orders what their source says, `told_as` what is told of memories. Of an engagement that seals its
    inventory nothing is remembered: people quote host names.
    """
    if not memories or await is_sealed(session, Tables.metadata, event.tenant):
        return []
    rows = [{**each.model_dump(), "revision": revision} for each in memories]
    statement = insert(MemoryRow).values(rows)
    anew: dict[str, Any] = {name: statement.excluded[name] for name in rows[0] if name != "memory_id"}
    anew |= {"forgotten_at": None, "embedder": None, "embedding": None}
    older = MemoryRow.revision < statement.excluded.revision
    upsert = statement.on_conflict_do_update(index_elements=_KEY, set_=anew, where=older)
    kept = set(await session.scalars(upsert.returning(MemoryRow.memory_id)))
    crowded_out: set[UUID] = set()
    for kind in {each.kind for each in memories}:
        crowded_out |= await _crowd_out(session, kind)
    told = [each for each in memories if each.memory_id in kept - crowded_out]
    news: list[News] = [
        AgentMemoryStored.reply_to(event, revision=told_as, memories=told[start : start + TOLD_AT_ONCE])
        for start in range(0, len(told), TOLD_AT_ONCE)
    ]
    if news:
        # Not of the event's flow: what is remembered counts beyond it, and is not called back with it.
        news.append(AgentMemoryEmbeddingRequested(tenant=event.tenant, causation_id=event.id))
    return [*news, *_forgotten(event, told_as, crowded_out - kept, "crowded_out")]


async def _crowd_out(session: AsyncSession, kind: str) -> set[UUID]:
    there = (MemoryRow.kind == kind) & MemoryRow.forgotten_at.is_(None)
    newest = select(MemoryRow.memory_id).where(there).order_by(MemoryRow.at.desc(), MemoryRow.memory_id.desc())
    oldest = delete(MemoryRow).where(there, MemoryRow.memory_id.not_in(newest.limit(MOST_OF_A_KIND)))
    return set(await session.scalars(oldest.returning(MemoryRow.memory_id)))


async def forget_lessons(
    session: AsyncSession, event: Event, lesson_ids: Sequence[UUID], *, revision: int, told_as: int
) -> list[News]:
    """Forget lessons that do not count any more, also those that are told of only later."""
    if not lesson_ids:
        return []
    there = MemoryRow.memory_id.in_(lesson_ids), MemoryRow.forgotten_at.is_(None), MemoryRow.revision < revision
    known = set(await session.scalars(select(MemoryRow.memory_id).where(*there)))
    now = datetime.now(UTC)
    gone = {**_NOTHING, "kind": LESSON, "at": now, "source_event": event.id, "source_type": event.type_name}
    rows = [{**gone, "memory_id": each, "revision": revision, "forgotten_at": now} for each in lesson_ids]
    statement = insert(MemoryRow)
    news = {name: statement.excluded[name] for name in rows[0] if name != "memory_id"}
    older = MemoryRow.revision < statement.excluded.revision
    # Row by row: a statement takes 32,767 values, fewer than an import of lessons that is undone can have.
    upsert = statement.on_conflict_do_update(index_elements=_KEY, set_=news, where=older)
    await (await session.connection()).execute(upsert, rows)
    return list(_forgotten(event, told_as, known, "undone"))


async def forget(
    session: AsyncSession, event: Event, which: ColumnElement[bool] | None, reason: str, *, told_as: int
) -> list[AgentMemoryDropped]:
    """Forget the memories that a condition names, or all."""
    there = MemoryRow.forgotten_at.is_(None) & (true() if which is None else which)
    gone = set(await session.scalars(delete(MemoryRow).where(there).returning(MemoryRow.memory_id)))
    return _forgotten(event, told_as, gone, reason)


def _forgotten(event: Event, told_as: int, memory_ids: set[UUID], reason: str) -> list[AgentMemoryDropped]:
    ordered = sorted(memory_ids)
    return [
        AgentMemoryDropped.reply_to(
            event, revision=told_as, memory_ids=ordered[start : start + TOLD_AT_ONCE], reason=reason
        )
        for start in range(0, len(ordered), TOLD_AT_ONCE)
    ]

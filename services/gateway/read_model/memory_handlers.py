"""The read model of what agents remember."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agent_memory import AgentMemoryDropped, AgentMemoryStored
from services.chassis.inventory_sealing import is_sealed
from services.chassis.runtime import Runtime
from services.gateway.handlers import service
from services.gateway.read_model.memory_tables import MemoryRow

SWEEP_SECONDS = 3600.0
# As long as the inbox knows an event that comes again.
REMEMBER_FORGOTTEN = timedelta(days=30)
NOTHING: dict[str, Any] = {"agents": [], "text": "", "by": "", "flow_id": None}


@service.on
async def show_memories(event: AgentMemoryStored, session: AsyncSession) -> None:
    """Show what agents remember from now on."""
    if await is_sealed(session, service.metadata, event.tenant):
        return
    await _upsert(session, event.revision, [{**each.model_dump(), "forgotten_at": None} for each in event.memories])


@service.on
async def drop_memories(event: AgentMemoryDropped, session: AsyncSession) -> None:
    """Show what agents forgot no more, also where it is told of only later."""
    gone = {**NOTHING, "kind": "", "at": event.time, "source_event": event.id, "source_type": event.type_name}
    rows = [{**gone, "memory_id": each, "forgotten_at": datetime.now(UTC)} for each in event.memory_ids]
    await _upsert(session, event.revision, rows)


async def _upsert(session: AsyncSession, revision: int, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = insert(MemoryRow).values([{**row, "revision": revision} for row in rows])
    news = {name: statement.excluded[name] for name in (*rows[0], "revision") if name != "memory_id"}
    key = ["client_account_id", "engagement_id", "memory_id"]
    older = MemoryRow.revision < statement.excluded.revision
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=news, where=older))


@service.every(SWEEP_SECONDS)
async def let_go_of_forgotten(runtime: Runtime) -> None:
    """Take what is left of memories away that were forgotten long ago."""
    async with runtime.database.dispatch() as connection:
        old = MemoryRow.forgotten_at < datetime.now(UTC) - REMEMBER_FORGOTTEN
        await connection.execute(delete(MemoryRow).where(old))

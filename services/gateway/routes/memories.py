"""What agents remember of what people taught and decided: see it, take it elsewhere, have it forgotten."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import CursorResult, any_, literal, select, update

from contracts import rest
from contracts.agent_memory import AgentMemoryExported, AgentMemoryForgettingRequested, Memory
from contracts.rest_memory import ForgottenView, MemoryDocument, MemoryView
from services.chassis.errors import NotFound
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.read_model.memory_handlers import NOTHING
from services.gateway.read_model.memory_tables import MemoryRow
from services.gateway.routes.access import Gateway, Reading, emit

router = APIRouter(prefix="/memories", tags=["agents"])

_REMEMBERED = select(MemoryRow).where(MemoryRow.forgotten_at.is_(None))


@router.get("")
async def list_memories(
    session: Reading,
    page: Page,
    kind: Annotated[str | None, Query(description="lesson, or the kind of what was decided, such as wave_plan")] = None,
    agent: Annotated[str | None, Query(description="Only what this agent may recall")] = None,
    text: Annotated[str | None, Query(description="Part of the text")] = None,
) -> rest.Page[MemoryView]:
    """What agents remember. Of an inventory that is sealed they remember nothing."""
    statement = _REMEMBERED
    if kind is not None:
        statement = statement.where(MemoryRow.kind == kind)
    if agent is not None:
        statement = statement.where(literal(agent) == any_(MemoryRow.agents))
    if text is not None:
        statement = statement.where(MemoryRow.text.icontains(text, autoescape=True))
    rows, cursor = await page.fetch(session, statement, MemoryRow.memory_id)
    return rest.Page(items=[MemoryView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/document")
async def export_memories(caller: Caller, gateway: Gateway) -> MemoryDocument:
    """All that agents remember in this engagement as one document, oldest first. That it was taken is audited."""
    async with gateway.database.transaction(caller.tenant) as session:
        rows = await session.scalars(_REMEMBERED.order_by(MemoryRow.at, MemoryRow.memory_id))
        document = MemoryDocument(memories=[Memory.model_validate(row, from_attributes=True) for row in rows])
        taken = AgentMemoryExported(
            tenant=caller.tenant,
            memories=len(document.memories),
            exported_by=caller.name,
            subject=caller.subject,
        )
        await emit(session, taken)
    gateway.committed()
    return document


@router.get("/{memory_id}")
async def show_memory(memory_id: UUID, session: Reading) -> MemoryView:
    """One memory, as agents recall it."""
    row = await session.scalar(_REMEMBERED.where(MemoryRow.memory_id == memory_id))
    if row is None:
        raise _not_found(memory_id)
    return MemoryView.model_validate(row)


@router.delete("/{memory_id}")
async def forget_memory(memory_id: UUID, caller: Caller, gateway: Gateway) -> ForgottenView:
    """Have one memory forgotten. What was taught stays taught, and the audit log keeps that it was said."""
    return await _forget(caller, gateway, memory_id)


@router.delete("")
async def forget_memories(caller: Caller, gateway: Gateway) -> ForgottenView:
    """Have all of this engagement forgotten. What was taught stays taught; what is taught later is remembered."""
    return await _forget(caller, gateway, None)


async def _forget(caller: Principal, gateway: Gateway, memory_id: UUID | None) -> ForgottenView:
    statement = update(MemoryRow).where(MemoryRow.forgotten_at.is_(None))
    if memory_id is not None:
        statement = statement.where(MemoryRow.memory_id == memory_id)
    async with gateway.database.transaction(caller.tenant) as session:
        gone = await session.execute(statement.values({**NOTHING, "forgotten_at": datetime.now(UTC)}))
        assert isinstance(gone, CursorResult)
        if memory_id is not None and not gone.rowcount:
            raise _not_found(memory_id)
        request = AgentMemoryForgettingRequested(
            tenant=caller.tenant,
            memory_ids=None if memory_id is None else [memory_id],
            requested_by=caller.name,
            subject=caller.subject,
        )
        await emit(session, request)
    gateway.committed()
    return ForgottenView(forgotten=gone.rowcount)


def _not_found(memory_id: UUID) -> NotFound:
    return NotFound("memory_not_found", f"Agents remember no {memory_id} in this engagement.")

"""For operators: dead letters."""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.operations import DeadLetterDropped, DeadLetterReplayed
from services.chassis.consumer import ATTEMPTS_KEY
from services.chassis.errors import Conflict, NotFound
from services.chassis.outbox import add_directed
from services.gateway.handlers import service
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller
from services.gateway.routes.access import Reading, emit
from services.gateway.tables import DeadLetter

router = APIRouter(tags=["operations"])
EXTERNAL_QUEUE = f"{service.name}.external"


@router.get("/dead-letters")
async def list_dead_letters(
    session: Reading,
    page: Page,
    status: Annotated[Literal["open", "replayed", "dropped"] | None, Query()] = "open",
) -> rest.Page[rest.DeadLetterView]:
    """Events that could not be handled. Messages that were refused at the door belong to the platform's own tenant."""
    statement = select(DeadLetter).where(DeadLetter.status == status)
    rows, cursor = await page.fetch(session, statement, DeadLetter.dead_letter_id)
    return rest.Page(items=[rest.DeadLetterView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/dead-letters/{dead_letter_id}")
async def show_dead_letter(dead_letter_id: UUID, session: Reading) -> rest.DeadLetterDetail:
    """A dead letter with its trace and the event as it came."""
    return rest.DeadLetterDetail.model_validate(await _dead_letter(session, dead_letter_id))


@router.post("/dead-letters/{dead_letter_id}/replay")
async def replay_dead_letter(dead_letter_id: UUID, caller: Caller, once: Creating) -> rest.DeadLetterView:
    """Send the event to the queue it came from, and to no other."""
    async with once.transaction() as session:
        letter = await _open_letter(session, dead_letter_id, "replay")
        if letter.queue == EXTERNAL_QUEUE:
            raise Conflict(
                "not_replayable",
                f"It was refused before it was let in: {letter.reason} Its sender has to send it again.",
            )
        message = {key: value for key, value in letter.message.items() if key != ATTEMPTS_KEY}
        await add_directed(session, service.metadata, letter.queue, message, timedelta())
        letter.status = "replayed"
        await emit(
            session,
            DeadLetterReplayed(
                tenant=caller.tenant, event_id=letter.event_id, queue=letter.queue, replayed_by=caller.name
            ),
        )
        return once.keep(rest.DeadLetterView.model_validate(letter))


@router.post("/dead-letters/{dead_letter_id}/drop")
async def drop_dead_letter(dead_letter_id: UUID, caller: Caller, once: Creating) -> rest.DeadLetterView:
    """Give the event up; it stays listed as dropped, and in the audit log."""
    async with once.transaction() as session:
        letter = await _open_letter(session, dead_letter_id, "drop")
        letter.status = "dropped"
        await emit(
            session,
            DeadLetterDropped(
                tenant=caller.tenant, event_id=letter.event_id, queue=letter.queue, dropped_by=caller.name
            ),
        )
        return once.keep(rest.DeadLetterView.model_validate(letter))


async def _dead_letter(session: AsyncSession, dead_letter_id: UUID) -> DeadLetter:
    letter = await session.scalar(
        select(DeadLetter).where(DeadLetter.dead_letter_id == dead_letter_id).with_for_update()
    )
    if letter is None:
        raise NotFound("dead_letter_not_found", f"There is no dead letter {dead_letter_id} in this engagement.")
    return letter


async def _open_letter(session: AsyncSession, dead_letter_id: UUID, action: str) -> DeadLetter:
    letter = await _dead_letter(session, dead_letter_id)
    if letter.status != "open":
        raise Conflict(
            "not_open", f"Only an open dead letter can be handled; this one was {letter.status}, so no {action}."
        )
    return letter

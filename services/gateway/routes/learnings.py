"""Learning: see what it would change, apply it, take it back, and take it elsewhere."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.envelope import uuid7
from contracts.learning import LearningDecided, LearningDecision, LearningDocument, LearningRequested, Origin, OwnField
from contracts.rest_learning import (
    LearningBody,
    LearningDecisionBody,
    LearningStatus,
    LearningView,
    SavedMappingView,
)
from services.chassis.errors import Conflict, NotFound
from services.gateway.keys import Caller
from services.gateway.learning_document import document_of
from services.gateway.learning_tables import LearningRow, OwnFieldRow, SavedMapping
from services.gateway.pagination import Page
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.fields import own_field_ids, save_field
from services.gateway.routes.lessons import lessons_in_force

router = APIRouter(tags=["learnings"])

# What may be decided on a learning, by its status, and what it is from then on.
_DECISIONS: dict[str, dict[LearningDecision, LearningStatus]] = {
    "proposed": {"apply": "applying", "discard": "discarded"},
    "applied": {"undo": "undoing"},
}
DOCUMENT_BYTES = 16 * 1024**2


@router.post("/learnings", status_code=202, max_body_size=DOCUMENT_BYTES)
async def propose_learning(body: LearningBody, caller: Caller, gateway: Gateway) -> LearningView:
    """Say what is to be learned or forgotten. It counts once its effect was looked at and somebody applied it.

    Ask for the effect with the id, until the status is no longer `considering`.
    """
    learning_id, now = uuid7(), datetime.now(UTC)
    how = "document" if body.document else "feedback" if body.text is not None else "lesson"
    row = {
        "learning_id": learning_id,
        "status": "considering",
        "origin": Origin(how=how, by=caller.name, at=now, text=body.text).model_dump(mode="json"),
        "lessons": [],
        "forgets": [],
        "own_fields": [field.model_dump(mode="json") for field in body.document.fields] if body.document else [],
    }
    async with gateway.database.transaction(caller.tenant) as session:
        learning = (await session.scalars(insert(LearningRow).values(row).returning(LearningRow))).one()
        view = LearningView.model_validate(learning)
        request = LearningRequested(
            tenant=caller.tenant,
            time=now,
            learning_id=learning_id,
            requested_by=caller.name,
            **{name: getattr(body, name) for name in ("source_id", "text", "lessons", "forget", "document")},
        )
        await emit(session, request)
    gateway.committed()
    return view


@router.get("/learnings")
async def list_learnings(
    session: Reading, page: Page, status: Annotated[LearningStatus | None, Query()] = None
) -> rest.Page[LearningView]:
    """Learnings: what people said, and what they decided at the gates of flows."""
    statement = select(LearningRow)
    if status is not None:
        statement = statement.where(LearningRow.status == status)
    rows, cursor = await page.fetch(session, statement, LearningRow.learning_id)
    return rest.Page(items=[LearningView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/learnings/document")
async def export_learnings(session: Reading) -> LearningDocument:
    """All that counts in this engagement as one document: own fields, lessons and sources."""
    mappings = [SavedMappingView.model_validate(row) for row in await session.scalars(select(SavedMapping))]
    own = [OwnField.model_validate(field) for field in await session.scalars(select(OwnFieldRow.field))]
    return document_of(own, await lessons_in_force(session), mappings)


@router.get("/learnings/{learning_id}")
async def show_learning(learning_id: UUID, session: Reading) -> LearningView:
    """A learning with its effect: which saved tables it changes, from what to what."""
    return LearningView.model_validate(await _learning(session, learning_id))


@router.post("/learnings/{learning_id}/decision")
async def decide_learning(
    learning_id: UUID, body: LearningDecisionBody, caller: Caller, gateway: Gateway
) -> LearningView:
    """Apply, discard or undo a learning. Own fields that come with a document are added when it is applied."""
    async with gateway.database.transaction(caller.tenant) as session:
        row = await _learning(session, learning_id, lock=True)
        possible = _DECISIONS.get(row.status, {})
        if body.decision not in possible:
            detail = f"This learning is {row.status}, so it is not possible to {body.decision} it."
            raise Conflict.with_alternatives("not_possible_now", detail, list(possible))
        row.status = possible[body.decision]
        if body.decision == "apply" and row.own_fields:
            there = await own_field_ids(session)
            for field in map(OwnField.model_validate, row.own_fields):
                if field.field_id not in there:
                    await save_field(session, caller, field)
        decided = LearningDecided(
            tenant=caller.tenant, learning_id=learning_id, decision=body.decision, decided_by=caller.name
        )
        await emit(session, decided)
        view = LearningView.model_validate(row)
    gateway.committed()
    return view


async def _learning(session: AsyncSession, learning_id: UUID, *, lock: bool = False) -> LearningRow:
    statement = select(LearningRow).where(LearningRow.learning_id == learning_id)
    row = await session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound("learning_not_found", f"There is no learning {learning_id} in this engagement.")
    return row

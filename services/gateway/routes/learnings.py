"""Learning: see what it would change, apply it, take it back, and take it elsewhere."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.audit_log import ReportExported
from contracts.envelope import uuid7
from contracts.learning import LearningDecided, LearningDecision, LearningDocument, LearningRequested, Origin, OwnField
from contracts.rest_learning import (
    FeedbackBody,
    LearningBody,
    LearningDecisionBody,
    LearningStatus,
    LearningView,
    SavedMappingView,
)
from services.chassis.errors import Conflict, NotFound
from services.gateway.duties import MAPPING, PROPOSED, note_edit, proposal_counts
from services.gateway.idempotency import Creating, Once
from services.gateway.learning_document import document_of
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.read_model.learning_tables import LearningRow, OwnFieldRow, SavedMapping
from services.gateway.read_model.taken_back import take_back_fields
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
async def propose_learning(body: LearningBody, caller: Caller, once: Creating) -> LearningView:
    """Say what is to be learned or forgotten. It counts once its effect was looked at and somebody applied it.

    Ask for the effect with the id, until the status is no longer `considering`.
    """
    return await _asked(body, caller, once, apply=False)


@router.post("/feedback/process", status_code=202)
async def process_feedback(body: FeedbackBody, caller: Caller, once: Creating) -> LearningView:
    """Say what was mapped wrongly: the next import maps it as told.

    It becomes a learning like any other, with its effect: GET /learnings/{learning_id} shows it, once it is no longer
    `considering`, and a decision to `undo` takes it back. What was not understood is `refused`, and says why.
    """
    said = LearningBody(text="\n".join(body.corrections), source_id=body.source_id)
    return await _asked(said, caller, once, apply=True)


async def _asked(body: LearningBody, caller: Principal, once: Once, *, apply: bool) -> LearningView:
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
    async with once.transaction() as session:
        learning = (await session.scalars(insert(LearningRow).values(row).returning(LearningRow))).one()
        view = once.keep(LearningView.model_validate(learning))
        edited = (MAPPING, None) if apply else (PROPOSED, str(learning_id))
        await note_edit(session, caller, edited[0], f"the learning {learning_id}", edited[1])
        request = LearningRequested(
            tenant=caller.tenant,
            time=now,
            learning_id=learning_id,
            requested_by=caller.name,
            apply=apply,
            **{name: getattr(body, name) for name in ("source_id", "text", "lessons", "forget", "document")},
        )
        await emit(session, request)
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
async def export_learnings(caller: Caller, gateway: Gateway) -> LearningDocument:
    """All that counts in this engagement as one document: own fields, lessons and sources.

    That it was taken is in the audit log.
    """
    async with gateway.database.transaction(caller.tenant) as session:
        mappings = [SavedMappingView.model_validate(row) for row in await session.scalars(select(SavedMapping))]
        own = [OwnField.model_validate(field) for field in await session.scalars(select(OwnFieldRow.field))]
        document = document_of(own, await lessons_in_force(session), mappings)
        by = {"subject": caller.subject, "exported_by": caller.name}
        await emit(session, ReportExported(tenant=caller.tenant, what="learnings", format="json", **by))
    gateway.committed()
    return document


@router.get("/learnings/{learning_id}")
async def show_learning(learning_id: UUID, session: Reading) -> LearningView:
    """A learning with its effect: which saved tables it changes, from what to what."""
    return LearningView.model_validate(await _learning(session, learning_id))


@router.post("/learnings/{learning_id}/decision")
async def decide_learning(
    learning_id: UUID, body: LearningDecisionBody, caller: Caller, once: Creating
) -> LearningView:
    """Apply, discard or undo a learning. Own fields come with a document when it is applied, and go when it is undone.

    Those stay that something uses by then; `kept_fields` says what.
    """
    async with once.transaction() as session:
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
                    await save_field(session, caller, field, learning_id)
        if body.decision == "undo":
            kept = await take_back_fields(session, caller, learning_id)
            row.kept_fields = [each.model_dump(mode="json") for each in kept]
        if body.decision != "discard":
            await proposal_counts(session, str(learning_id))
            await note_edit(session, caller, MAPPING, f"the learning {learning_id}")
        decided = LearningDecided(
            tenant=caller.tenant, learning_id=learning_id, decision=body.decision, decided_by=caller.name
        )
        await emit(session, decided)
        return once.keep(LearningView.model_validate(row))


async def _learning(session: AsyncSession, learning_id: UUID, *, lock: bool = False) -> LearningRow:
    statement = select(LearningRow).where(LearningRow.learning_id == learning_id)
    row = await session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound("learning_not_found", f"There is no learning {learning_id} in this engagement.")
    return row

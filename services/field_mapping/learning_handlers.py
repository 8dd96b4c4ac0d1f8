"""Learning: what people say and decide is proposed with its effect, applied, and can be taken back."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.catalog import SOURCE_UNITS, unit_called
from contracts.discovery import TableMapping
from contracts.flows import ApprovalDecided, ApprovalRequested
from contracts.learning import (
    FieldMappingLearned,
    Learning,
    LearningDecided,
    LearningDocument,
    LearningProposed,
    LearningRefused,
    LearningRequested,
    MappingDeleted,
    MappingSaved,
    MappingSourceRenamed,
    Origin,
    OwnFieldDeleted,
    OwnFieldSaved,
    Teaching,
)
from contracts.lifecycle import FlowDeleted
from services.chassis.errors import ExpectedFailure
from services.chassis.work import Job
from services.field_mapping.decisions import confirmed, corrected
from services.field_mapping.documents import headers_in, teachings_in
from services.field_mapping.effects import effect_of
from services.field_mapping.feedback import NotUnderstood, understood
from services.field_mapping.handlers import service
from services.field_mapping.knowledge import (
    applied_learnings,
    change,
    keep_proposals,
    learning_of,
    read_headers,
    read_knowledge,
    read_saved_tables,
    save_headers,
)
from services.field_mapping.learned import forgetting, lessons_in_force, new_lessons
from services.field_mapping.learning_tables import LearningRow, OwnFieldRow, Proposal, SavedMapping
from services.field_mapping.sources import KnownHeader
from services.field_mapping.verdicts import Knowledge, possible_fields

_TENANT = ["client_account_id", "engagement_id"]


@service.work
async def propose_learning(
    event: LearningRequested, job: Job
) -> LearningProposed | FieldMappingLearned | LearningRefused:
    """Work out what a learning changes for every saved table; it counts at once only where that was asked for."""
    async with job.reading() as session:
        known, headers = await read_knowledge(session), await read_headers(session)
        learnings, tables = await applied_learnings(session), await read_saved_tables(session)
    if event.document is not None:
        own = {field.field_id: field for field in (*known.own_fields, *event.document.fields)}
        known = Knowledge(known.lessons, list(own.values()), known.source_names)
    origin = Origin(how=_how(event), by=event.requested_by, at=event.time, text=event.text or event.reason)
    try:
        taught = _teachings(event, known, headers_in(event.document, headers) if event.document else [])
        lessons = new_lessons(event.learning_id, taught, origin)
        forgets = _forgotten(event, learnings, known)
    except ExpectedFailure as refusal:
        return LearningRefused.reply_to(event, learning_id=event.learning_id, problem=refusal.problem)
    learning = Learning(
        learning_id=event.learning_id, status="applied", origin=origin, lessons=lessons, forgets=forgets
    )
    after = Knowledge(lessons_in_force([*learnings, learning]), known.own_fields, known.source_names)
    effect = await job.run(effect_of, tables, known, after)
    session = await job.begin()
    if event.apply:
        return await change(session, event, learning.model_copy(update={"effect": effect}))
    proposed = learning.model_copy(update={"status": "proposed", "effect": effect})
    row = proposed.model_dump(mode="json", include={"status", "origin", "lessons", "forgets", "effect"})
    document = None if event.document is None else event.document.model_dump(mode="json")
    await session.execute(insert(LearningRow).values(learning_id=event.learning_id, document=document, **row))
    return LearningProposed.reply_to(event, learning=proposed)


def _how(event: LearningRequested) -> str:
    if event.document is not None:
        return "document"
    if event.reason is not None:
        return "agent"
    return "feedback" if event.text is not None else "lesson"


def _teachings(
    event: LearningRequested, known: Knowledge, headers: Sequence[KnownHeader]
) -> list[tuple[UUID | None, Teaching]]:
    """What the request teaches; raises `ExpectedFailure` for words and fields that are not known."""
    if event.document is not None:
        taught = teachings_in(event.document, headers)
    elif event.text is not None:
        try:
            taught = [(event.source_id, teaching) for teaching in understood(event.text, known.own_fields)]
        except NotUnderstood as refusal:
            raise ExpectedFailure("not_understood", str(refusal)) from refusal
    else:
        taught = [(event.source_id, teaching) for teaching in event.lessons]
    fields = possible_fields("inventory", known.own_fields) | possible_fields("connections", ())
    for _, teaching in taught:
        check(teaching, fields)
    return taught


def check(teaching: Teaching, fields: frozenset[str]) -> None:
    """Raise `ExpectedFailure` for a teaching that means nothing, naming its column."""
    if teaching.field is not None and teaching.field not in fields:
        detail = f"There is no field {teaching.field!r}. `modernize fields list` shows them all."
        raise ExpectedFailure("unknown_field", detail, column=teaching.column)
    if teaching.verdict not in ("is", "is_not", "in_unit"):
        detail = "A column can be said to be a field (`is`) or not (`is_not`), or to be `in_unit`,"
        raise ExpectedFailure("unknown_verdict", f"{detail} not {teaching.verdict!r}.", column=teaching.column)
    if teaching.verdict == "in_unit" and (teaching.unit is None or unit_called(teaching.unit) != teaching.unit):
        units = ", ".join(unit for units in SOURCE_UNITS.values() for unit in units)
        detail = f"{teaching.unit!r} is no unit of a column. There are {units}."
        raise ExpectedFailure("unknown_unit", detail, column=teaching.column)
    if teaching.verdict == "is_not" and teaching.field is None:
        raise ExpectedFailure("field_missing", "To say what a column is not, name the field.", column=teaching.column)


def _forgotten(event: LearningRequested, learnings: Sequence[Learning], known: Knowledge) -> list[UUID]:
    there = {lesson.lesson_id for lesson in known.lessons}
    if gone := [lesson_id for lesson_id in event.forget if lesson_id not in there]:
        raise ExpectedFailure("lesson_not_found", f"No lesson {gone[0]} counts now, so it cannot be forgotten.")
    return forgetting(learnings, event.forget)


@service.on
async def decide_learning(
    event: LearningDecided, session: AsyncSession
) -> list[FieldMappingLearned | MappingSaved | MappingDeleted] | None:
    """Apply, discard or undo a learning; a decision that does not fit how it stands changes nothing."""
    row = await session.scalar(
        select(LearningRow).where(LearningRow.learning_id == event.learning_id).with_for_update()
    )
    fits = {"apply": "proposed", "discard": "proposed", "undo": "applied"}
    if row is None or row.status != fits[event.decision]:
        return None
    if event.decision == "discard":
        row.status = "discarded"
        return None
    status = "applied" if event.decision == "apply" else "undone"
    told: list[FieldMappingLearned | MappingSaved | MappingDeleted] = []
    if row.document is not None and status == "applied":
        document = LearningDocument.model_validate(row.document)
        told += await save_headers(session, event, headers_in(document, await read_headers(session)))
    if row.document is not None and status == "undone":
        # Those that a file had since then stay: they are known by more than the document.
        came = (SavedMapping.learning_id == event.learning_id, SavedMapping.flow_id.is_(None))
        gone = await session.scalars(delete(SavedMapping).where(*came).returning(SavedMapping.mapping_id))
        told += [MappingDeleted.reply_to(event, mapping_id=each, deleted_by=event.decided_by) for each in gone]
    learning = learning_of(row).model_copy(update={"status": status})
    return [await change(session, event, learning), *told]


class ProposalNotThere(Exception):
    """A decision overtook the question that it answers: it has to be tried again."""


@service.on
async def keep_what_is_asked(event: ApprovalRequested, session: AsyncSession) -> None:
    """Remember what people see who are asked about a mapping: a fork asks what its origin had proposed."""
    if event.kind == "field_mapping":
        mappings = [TableMapping.model_validate(mapping) for mapping in event.details["mappings"]]
        await keep_proposals(session, event.flow_id, mappings)


@service.on
async def forget_proposals(event: FlowDeleted, session: AsyncSession) -> None:
    """Nobody is asked any more what the tables of this flow mean; what was learned from it stays."""
    await session.execute(delete(Proposal).where(Proposal.flow_id == event.flow_id))


@service.on
async def learn_from_decision(event: ApprovalDecided, session: AsyncSession) -> list[FieldMappingLearned] | None:
    """What a person approved or corrected at a flow's gate counts for that source from now on."""
    if event.kind != "field_mapping" or event.decision != "approve":
        return None
    rows = await session.scalars(select(Proposal.mapping).where(Proposal.flow_id == event.flow_id))
    proposed = [TableMapping.model_validate(mapping) for mapping in rows]
    if not proposed:
        raise ProposalNotThere(f"what the flow {event.flow_id} asked about its columns has not been told yet")
    learned = []
    for how, taught in (
        ("approval", confirmed(proposed, event.edits)),
        ("correction", corrected(proposed, event.edits)),
    ):
        if not taught:
            continue
        origin = Origin(how=how, by=event.decided_by, at=event.time, flow_id=event.flow_id, text=event.comment)
        learning_id = uuid5(event.task_id, how)
        learning = Learning(
            learning_id=learning_id, status="applied", origin=origin, lessons=new_lessons(learning_id, taught, origin)
        )
        learned.append(await change(session, event, learning))
    return learned


@service.on
async def keep_own_field(event: OwnFieldSaved | OwnFieldDeleted, session: AsyncSession) -> None:
    """Propose a field of the tenant's own, or no longer; the newest word counts, in whatever order they come."""
    saved = event.field if isinstance(event, OwnFieldSaved) else None
    row = {
        "field_id": event.field.field_id if isinstance(event, OwnFieldSaved) else event.field_id,
        "field": saved.model_dump(mode="json") if saved else None,
        "told_at": event.time,
    }
    statement = insert(OwnFieldRow).values(row)
    newer = OwnFieldRow.told_at < statement.excluded.told_at
    await session.execute(statement.on_conflict_do_update(index_elements=[*_TENANT, "field_id"], set_=row, where=newer))


@service.on
async def rename_source(event: MappingSourceRenamed, session: AsyncSession) -> None:
    """Call a source as people do."""
    await session.execute(
        update(SavedMapping).where(SavedMapping.source_id == event.source_id).values(source_name=event.name)
    )


@service.on
async def forget_mapping(event: MappingDeleted, session: AsyncSession) -> None:
    """Recognise this header no more."""
    await session.execute(delete(SavedMapping).where(SavedMapping.mapping_id == event.mapping_id))

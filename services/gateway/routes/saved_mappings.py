"""How the sources of an engagement are mapped: saved for each header, and as templates to take elsewhere."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.learning import LearningDocument, MappingDeleted, MappingSourceRenamed, OwnField
from contracts.rest_learning import SavedMappingView, TemplateNameBody, TemplateView
from services.chassis.errors import NotFound
from services.gateway.learning_document import document_of
from services.gateway.pagination import Page
from services.gateway.principal import Caller
from services.gateway.read_model.learning_tables import LessonRow, OwnFieldRow, SavedMapping
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.lessons import lessons_in_force

router = APIRouter(tags=["mappings"])


@router.get("/mappings")
async def list_mappings(
    session: Reading,
    page: Page,
    source_id: Annotated[UUID | None, Query(description="Only headers of this source")] = None,
) -> rest.Page[SavedMappingView]:
    """Saved mappings, one for each known header of each source."""
    statement = select(SavedMapping)
    if source_id is not None:
        statement = statement.where(SavedMapping.source_id == source_id)
    rows, cursor = await page.fetch(session, statement, SavedMapping.mapping_id)
    return rest.Page(items=[SavedMappingView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/mappings/{mapping_id}")
async def show_saved_mapping(mapping_id: UUID, session: Reading) -> SavedMappingView:
    """One saved mapping: its columns, and how its header differs from the one before."""
    return SavedMappingView.model_validate(await _mapping(session, mapping_id))


@router.delete("/mappings/{mapping_id}")
async def delete_mapping(mapping_id: UUID, caller: Caller, gateway: Gateway) -> SavedMappingView:
    """Recognise this header no more; lessons of its source stay. Returns the mapping as it was."""
    async with gateway.database.transaction(caller.tenant) as session:
        view = SavedMappingView.model_validate(await _mapping(session, mapping_id))
        await session.execute(delete(SavedMapping).where(SavedMapping.mapping_id == mapping_id))
        await emit(session, MappingDeleted(tenant=caller.tenant, mapping_id=mapping_id, deleted_by=caller.name))
    gateway.committed()
    return view


@router.get("/templates")
async def list_templates(session: Reading) -> rest.Page[TemplateView]:
    """The sources that are recognised, by name; a single page."""
    return rest.Page(items=await _templates(session))


@router.get("/templates/{source_id}")
async def show_template(source_id: UUID, session: Reading) -> LearningDocument:
    """One source as a document: its headers and what was taught about it. Teach it elsewhere with POST /learnings."""
    mappings = await _of_source(session, source_id)
    views = [SavedMappingView.model_validate(mapping) for mapping in mappings]
    lessons = [lesson for lesson in await lessons_in_force(session) if lesson.source_id == source_id]
    wanted = {lesson.field for lesson in lessons}
    own = [OwnField.model_validate(field) for field in await session.scalars(select(OwnFieldRow.field))]
    return document_of([field for field in own if field.field_id in wanted], lessons, views)


@router.put("/templates/{source_id}")
async def rename_template(source_id: UUID, body: TemplateNameBody, caller: Caller, gateway: Gateway) -> TemplateView:
    """Call a source otherwise."""
    async with gateway.database.transaction(caller.tenant) as session:
        await _of_source(session, source_id)
        await session.execute(
            update(SavedMapping).where(SavedMapping.source_id == source_id).values(source_name=body.name)
        )
        told = MappingSourceRenamed(tenant=caller.tenant, source_id=source_id, name=body.name, renamed_by=caller.name)
        await emit(session, told)
        (view,) = [each for each in await _templates(session) if each.source_id == source_id]
    gateway.committed()
    return view


async def _templates(session: AsyncSession) -> list[TemplateView]:
    counts = select(LessonRow.source_id, func.count()).where(LessonRow.in_force).group_by(LessonRow.source_id)
    lessons: dict[UUID | None, int] = {row[0]: row[1] for row in await session.execute(counts)}
    newest: dict[UUID, TemplateView] = {}
    for row in await session.scalars(select(SavedMapping).order_by(SavedMapping.saved_at)):
        headers = 1 + (newest[row.source_id].headers if row.source_id in newest else 0)
        newest[row.source_id] = TemplateView(
            source_id=row.source_id,
            name=row.source_name,
            kind=row.kind,
            family=row.family,
            headers=headers,
            columns=len(row.columns),
            lessons=lessons.get(row.source_id, 0),
        )
    return sorted(newest.values(), key=lambda template: (template.name, template.source_id))


async def _mapping(session: AsyncSession, mapping_id: UUID) -> SavedMapping:
    row = await session.scalar(select(SavedMapping).where(SavedMapping.mapping_id == mapping_id))
    if row is None:
        raise NotFound("mapping_not_found", f"There is no saved mapping {mapping_id} in this engagement.")
    return row


async def _of_source(session: AsyncSession, source_id: UUID) -> list[SavedMapping]:
    rows = list(await session.scalars(select(SavedMapping).where(SavedMapping.source_id == source_id)))
    if not rows:
        raise NotFound("source_not_found", f"This engagement knows no source {source_id}.")
    return rows

"""The lessons that count: ask for them, and see them as a whole."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.rest_learning import LessonAnalysis, LessonView
from services.gateway.learning_analysis import analysis_of
from services.gateway.pagination import Page
from services.gateway.read_model.learning_tables import LessonRow, SavedMapping
from services.gateway.routes.access import Reading

router = APIRouter(tags=["learnings"])


@router.get("/lessons")
async def list_lessons(
    session: Reading,
    page: Page,
    column: Annotated[str | None, Query(description="Part of the column's name")] = None,
    field: Annotated[str | None, Query(description="Id of the field")] = None,
    source_id: Annotated[UUID | None, Query(description="Only lessons for the files of this source")] = None,
) -> rest.Page[LessonView]:
    """Lessons that count."""
    statement = select(LessonRow).where(LessonRow.in_force)
    if column is not None:
        statement = statement.where(LessonRow.column.icontains(column, autoescape=True))
    if field is not None:
        statement = statement.where(LessonRow.field == field)
    if source_id is not None:
        statement = statement.where(LessonRow.source_id == source_id)
    rows, cursor = await page.fetch(session, statement, LessonRow.lesson_id)
    names = await _source_names(session)
    return rest.Page(items=[_view(row, names) for row in rows], next_cursor=cursor)


@router.get("/lessons/analysis")
async def analyse_lessons(session: Reading) -> LessonAnalysis:
    """What was taught as a whole: by field and origin, what differs between sources, what is of no use."""
    columns = await session.scalars(select(SavedMapping.columns))
    names = [column["column"] for saved in columns for column in saved]
    return analysis_of(await lessons_in_force(session), names)


async def lessons_in_force(session: AsyncSession) -> list[LessonView]:
    """All lessons that count."""
    names = await _source_names(session)
    rows = await session.scalars(select(LessonRow).where(LessonRow.in_force).order_by(LessonRow.lesson_id))
    return [_view(row, names) for row in rows]


async def _source_names(session: AsyncSession) -> dict[UUID, str]:
    rows = await session.execute(select(SavedMapping.source_id, SavedMapping.source_name))
    return {row.source_id: row.source_name for row in rows}


def _view(row: LessonRow, names: dict[UUID, str]) -> LessonView:
    view = LessonView.model_validate(row, from_attributes=True)
    return view.model_copy(update={"source_name": names.get(row.source_id) if row.source_id else None})

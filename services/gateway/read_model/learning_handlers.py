"""The read model of learning: what field mapping proposes, learns and saves."""

from typing import Any, cast

from sqlalchemy import Table, delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.learning import (
    FieldMappingLearned,
    Learning,
    LearningProposed,
    LearningRefused,
    Lesson,
    MappingDeleted,
    MappingSaved,
)
from services.gateway.handlers import service
from services.gateway.read_model.learning_tables import LearningRow, LessonRow, SavedMapping

_TENANT = ["client_account_id", "engagement_id"]


@service.on
async def show_proposed_learning(event: LearningProposed, session: AsyncSession) -> None:
    """Show what a learning would change, unless somebody has decided on it since; an agent's is new here."""
    values = _values(event.learning)
    statement = insert(LearningRow).values(learning_id=event.learning.learning_id, own_fields=[], **values)
    undecided = LearningRow.status == "considering"
    await session.execute(
        statement.on_conflict_do_update(index_elements=[*_TENANT, "learning_id"], set_=values, where=undecided)
    )


@service.on
async def show_refused_learning(event: LearningRefused, session: AsyncSession) -> None:
    """Show why a learning was not understood."""
    await session.execute(
        update(LearningRow)
        .where(LearningRow.learning_id == event.learning_id)
        .values(status="refused", problem=event.problem.model_dump(mode="json"))
    )


@service.on
async def show_learned(event: FieldMappingLearned, session: AsyncSession) -> None:
    """Show a learning that was applied or undone, and which lessons count since then."""
    values = _values(event.learning)
    row = {"learning_id": event.learning.learning_id, "own_fields": [], **values}
    statement = insert(LearningRow).values(row)
    await session.execute(statement.on_conflict_do_update(index_elements=[*_TENANT, "learning_id"], set_=values))
    gone: dict[str, Any] = {"source_id": None, "column": "", "verdict": "", "field": None, "origin": {}}
    rows = [
        *({**_lesson(lesson), "in_force": True, "revision": event.revision} for lesson in event.added),
        # Also of a lesson that was not told of yet, so that news that come in the wrong order do not revive it.
        *({"lesson_id": each, **gone, "in_force": False, "revision": event.revision} for each in event.removed),
    ]
    for lesson in rows:
        news = lesson if lesson["in_force"] else {"in_force": False, "revision": event.revision}
        upsert = insert(LessonRow).values(lesson)
        older = LessonRow.revision < upsert.excluded.revision
        await session.execute(
            upsert.on_conflict_do_update(index_elements=[*_TENANT, "lesson_id"], set_=news, where=older)
        )


def _values(learning: Learning) -> dict[str, Any]:
    return learning.model_dump(mode="json", include={"status", "origin", "lessons", "forgets", "effect"})


def _lesson(lesson: Lesson) -> dict[str, Any]:
    return {**lesson.model_dump(exclude={"origin"}), "origin": lesson.origin.model_dump(mode="json")}


@service.on
async def show_saved_mapping(event: MappingSaved, session: AsyncSession) -> None:
    """Show how the files of a source are mapped, as of their newest import."""
    row = {
        **event.model_dump(mode="json", include=set(event.data_fields())),
        "mapping_id": event.mapping_id,
        "source_id": event.source_id,
        "flow_id": event.flow_id,
        "saved_at": event.time,
    }
    statement = insert(SavedMapping).values(row)
    # A source keeps the name that people gave it.
    news = {name: value for name, value in row.items() if name != "source_name"}
    newer = SavedMapping.saved_at < statement.excluded.saved_at
    await session.execute(
        statement.on_conflict_do_update(index_elements=[*_TENANT, "mapping_id"], set_=news, where=newer)
    )


@service.on
async def drop_saved_mapping(event: MappingDeleted, session: AsyncSession) -> None:
    """A saved mapping is gone."""
    table = cast(Table, SavedMapping.__table__)
    await session.execute(delete(table).where(table.c.mapping_id == event.mapping_id))

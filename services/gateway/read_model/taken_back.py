"""The own fields that a document brought: they go when it is undone, but for those that something uses."""

from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.learning import OwnFieldDeleted
from contracts.rest_learning import KeptField
from services.gateway.principal import Principal
from services.gateway.read_model.learning_tables import LearningRow, OwnFieldRow, SavedMapping
from services.gateway.routes.access import emit
from services.gateway.tables import Asset


async def take_back_fields(session: AsyncSession, caller: Principal, learning_id: UUID) -> list[KeptField]:
    """Remove the fields that came with a learning and that nobody has changed since; returns those that are used."""
    came = OwnFieldRow.learning_id == learning_id
    field_ids = list(await session.scalars(select(OwnFieldRow.field_id).where(came).order_by(OwnFieldRow.field_id)))
    kept = []
    for field_id in field_ids:
        reason = await _use_of(session, field_id, learning_id)
        if reason is not None:
            kept.append(KeptField(field_id=field_id, reason=reason))
            continue
        await session.execute(delete(OwnFieldRow).where(OwnFieldRow.field_id == field_id))
        await emit(session, OwnFieldDeleted(tenant=caller.tenant, field_id=field_id, deleted_by=caller.name))
    return kept


async def _use_of(session: AsyncSession, field_id: str, learning_id: UUID) -> str | None:
    """What uses a field beside this learning, in a sentence; None if nothing does."""
    others = LearningRow.status.in_(("applied", "applying")), LearningRow.learning_id != learning_id
    for lessons in await session.scalars(select(LearningRow.lessons).where(*others)):
        if any(lesson["field"] == field_id for lesson in lessons):
            return "Another learning teaches that a column is this field."
    mappings = select(SavedMapping.source_name, SavedMapping.columns).where(SavedMapping.decided)
    for source_name, columns in await session.execute(mappings):
        if any(column["field"] == field_id for column in columns):
            return f"A column of “{source_name}” is mapped to it."
    if await session.scalar(select(exists().where(Asset.attributes[field_id].as_string().is_not(None)))):
        return "Assets have values of it."
    return None

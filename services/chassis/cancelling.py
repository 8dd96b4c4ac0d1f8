"""Cancelling work: a note of what must not run is all that counts; claims, heartbeats and results look it up."""

from sqlalchemy import delete, func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.work import WorkCancelled
from services.chassis.errors import BadRequest
from services.chassis.tables import ServiceMetaData


def cancelled(metadata: ServiceMetaData) -> str:
    """The SQL condition that a row of the table `work` must not run, whether its request came before or after."""
    return f"""exists (
        select from {metadata.cancelled_work.fullname} note
        where note.client_account_id = work.client_account_id and note.engagement_id = work.engagement_id
            and note.flow_id = work.flow_id and note.step in ('', work.step) and note.cancelled_at >= work.requested_at
    )"""


async def cancel_work(metadata: ServiceMetaData, event: WorkCancelled, session: AsyncSession) -> None:
    """Note what is cancelled and remove what nobody has begun; what runs is stopped by those who run it.

    Raises `BadRequest` for an event that names no flow.
    """
    if event.flow_id is None:
        raise BadRequest("work_without_flow", "Work is cancelled by its flow: set `flowid`, and `step` for one step.")
    notes, work = metadata.cancelled_work, metadata.work
    note = insert(notes).values(flow_id=event.flow_id, step=event.step or "", cancelled_at=event.time)
    later = func.greatest(notes.c.cancelled_at, note.excluded.cancelled_at)
    await session.execute(
        note.on_conflict_do_update(index_elements=list(notes.primary_key), set_={"cancelled_at": later})
    )
    unclaimed = or_(work.c.lease_until.is_(None), work.c.lease_until < func.now())
    asked_before = work.c.requested_at <= event.time
    statement = delete(work).where(work.c.flow_id == event.flow_id, asked_before, unclaimed)
    await session.execute(statement if event.step is None else statement.where(work.c.step == event.step))

"""The inbox: its primary key is what makes an event take effect once, however often it is delivered."""

from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.chassis.rows import insert_rows
from services.chassis.tables import ServiceMetaData


async def enter_inbox(session: AsyncSession, metadata: ServiceMetaData, event_ids: Sequence[UUID]) -> set[UUID]:
    """Note these events in the tenant that was entered; returns the ids that were not there yet."""
    once = dict.fromkeys(event_ids)
    # In the order of their keys, so that two batches with the same events wait for each other and cannot deadlock.
    rows = [{"event_id": event_id} for event_id in sorted(once, key=attrgetter("int"))]
    found = await insert_rows(session, metadata.inbox, rows, "on conflict do nothing returning event_id")
    return set(found.scalars())

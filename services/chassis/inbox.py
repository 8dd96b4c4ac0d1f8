"""The inbox: its primary key is what makes an event take effect once, however often it is delivered."""

from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Tenant
from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import ENTER, settings_of


async def enter_inbox(
    session: AsyncSession, metadata: ServiceMetaData, tenant: Tenant, event_ids: Sequence[UUID]
) -> set[UUID]:
    """Enter the tenant and note these events in it, in one round trip; returns the ids that were not there yet."""
    # In the order of their keys, so that two batches with the same events wait for each other and cannot deadlock.
    ids = sorted(dict.fromkeys(event_ids), key=attrgetter("int"))
    found = await session.execute(_note(metadata.inbox.fullname), {**settings_of(tenant), "event_ids": ids})
    return set(found.scalars())


@cache
def _note(inbox: str) -> TextClause:
    # No row reaches the insert before the tenant is entered, and what it fills in and checks comes after that.
    return text(
        f"with entered as materialized ({ENTER}) insert into {inbox} (event_id)"
        " select given.event_id from entered, unnest(cast(:event_ids as uuid[])) as given (event_id)"
        " on conflict do nothing returning event_id"
    )

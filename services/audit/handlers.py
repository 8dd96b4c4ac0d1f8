"""Everything that happens is written down."""

from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.audit_log import AuditCheckpointSigned
from contracts.envelope import Envelope, Tenant
from services.audit.chain import Entry, actor_of, append, genesis, happened_at
from services.audit.tables import Tables
from services.chassis.service import Service

service = Service(Tables.metadata)

_HEAD = text("select seq, hash from audit.heads for update")
_FIRST_HEAD = text("insert into audit.heads (seq, hash) values (0, :genesis) on conflict do nothing")
_APPEND = text("""
    with appended as (
        insert into audit.entries (seq, event_id, event_type, record, hash, flow_id, actor, happened_at)
        select * from unnest(
            cast(:seq as bigint[]), cast(:event_id as uuid[]), cast(:event_type as text[]), cast(:record as text[]),
            cast(:hash as text[]), cast(:flow_id as uuid[]), cast(:actor as text[]), cast(:happened_at as timestamptz[])
        )
    )
    update audit.heads set seq = :last_seq, hash = :last_hash, unsigned = unsigned + :to_sign
""")


@service.on
async def record(events: list[Envelope], session: AsyncSession) -> None:
    """Append events, as they were heard, to their tenant's log."""
    head = await _head(session, events[0].tenant)
    last = Entry(head.seq, "", head.hash)
    written: list[Entry] = []
    for heard in events:
        last = append(last.hash, last.seq + 1, orjson.dumps(heard.message).decode())
        written.append(last)
    rows: dict[str, Any] = {
        "seq": [entry.seq for entry in written],
        "event_id": [heard.id for heard in events],
        "event_type": [heard.type_name for heard in events],
        "record": [entry.record for entry in written],
        "hash": [entry.hash for entry in written],
        "flow_id": [heard.flow_id for heard in events],
        "actor": [actor_of(heard.message) for heard in events],
        "happened_at": [happened_at(heard.message) for heard in events],
    }
    # What only tells of a checkpoint needs none: a log in which nothing else happens would be signed without end.
    to_sign = sum(heard.type_name != AuditCheckpointSigned.type_name for heard in events)
    await session.execute(_APPEND, {**rows, "last_seq": last.seq, "last_hash": last.hash, "to_sign": to_sign})


async def _head(session: AsyncSession, tenant: Tenant) -> Row[Any]:
    """The tenant's newest entry, locked: that gives the entries their order."""
    head = (await session.execute(_HEAD)).one_or_none()
    if head is None:
        await session.execute(_FIRST_HEAD, {"genesis": genesis(tenant)})
        head = (await session.execute(_HEAD)).one()
    return head

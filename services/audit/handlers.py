"""Everything that happens is written down; a check reads it all back."""

from typing import Any

import orjson
from pydantic import ValidationError
from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Envelope, Tenant
from contracts.operations import AuditVerificationCompleted, AuditVerificationRequested
from services.audit.chain import Entry, Verification, append, genesis
from services.audit.tables import LogEntry, Tables
from services.chassis.dead_letters import described
from services.chassis.errors import ExpectedFailure
from services.chassis.service import Service

service = Service(Tables.metadata)

PAGE = 1_000

_HEAD = text("select seq, hash from audit.heads for update")
_FIRST_HEAD = text("insert into audit.heads (seq, hash) values (0, :genesis) on conflict do nothing")
_APPEND = text("""
    with appended as (
        insert into audit.entries (seq, event_id, event_type, record, hash) select * from unnest(
            cast(:seq as bigint[]), cast(:event_id as uuid[]), cast(:event_type as text[]), cast(:record as text[]),
            cast(:hash as text[])
        )
    )
    update audit.heads set seq = :last_seq, hash = :last_hash
""")


@service.on
async def record(events: list[Envelope], session: AsyncSession) -> list[AuditVerificationCompleted]:
    """Append events, as they were heard, to their tenant's log; a request to check it is answered with the finding."""
    head = await _head(session, events[0].tenant)
    last = Entry(head.seq, "", head.hash)
    written: list[Entry] = []
    checks: list[tuple[AuditVerificationRequested, Entry]] = []
    for heard in events:
        last = append(last.hash, last.seq + 1, orjson.dumps(heard.message).decode())
        written.append(last)
        if heard.type_name == AuditVerificationRequested.type_name:
            checks.append((_request(heard), last))
    rows: dict[str, Any] = {
        "seq": [entry.seq for entry in written],
        "event_id": [heard.id for heard in events],
        "event_type": [heard.type_name for heard in events],
        "record": [entry.record for entry in written],
        "hash": [entry.hash for entry in written],
    }
    await session.execute(_APPEND, {**rows, "last_seq": last.seq, "last_hash": last.hash})
    return [await verify(event, session, entry) for event, entry in checks]


async def _head(session: AsyncSession, tenant: Tenant) -> Row[Any]:
    """The tenant's newest entry, locked: that gives the entries their order."""
    head = (await session.execute(_HEAD)).one_or_none()
    if head is None:
        await session.execute(_FIRST_HEAD, {"genesis": genesis(tenant)})
        head = (await session.execute(_HEAD)).one()
    return head


def _request(heard: Envelope) -> AuditVerificationRequested:
    try:
        event = heard.event()
    except ValidationError as error:
        raise ExpectedFailure(*described(error)) from error
    assert isinstance(event, AuditVerificationRequested)
    return event


async def verify(event: AuditVerificationRequested, session: AsyncSession, head: Entry) -> AuditVerificationCompleted:
    """Check the tenant's log from its first entry to `head`, page by page."""
    verification = Verification(event.tenant)
    after = 0
    while True:
        statement = select(LogEntry.seq, LogEntry.record, LogEntry.hash).where(
            LogEntry.seq > after, LogEntry.seq <= head.seq
        )
        rows = (await session.execute(statement.order_by(LogEntry.seq).limit(PAGE))).all()
        if not rows:
            break
        verification.check(Entry(row.seq, row.record, row.hash) for row in rows)
        after = rows[-1].seq
    found = verification.finding(head.seq, head.hash)
    return AuditVerificationCompleted.reply_to(
        event,
        verification_id=event.verification_id,
        valid=found.valid,
        entries=found.entries,
        head=found.head,
        broken_at=found.broken_at,
        detail=found.detail,
    )

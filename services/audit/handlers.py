"""Everything that happens is written down; a check reads it all back."""

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event
from contracts.operations import AuditVerificationCompleted, AuditVerificationRequested
from services.audit.chain import Entry, Verification, append, genesis
from services.audit.tables import Head, LogEntry, Tables
from services.chassis.service import Service

service = Service(Tables.metadata)

PAGE = 1_000


@service.on
async def record(event: Event, session: AsyncSession) -> AuditVerificationCompleted | None:
    """Append the event to its tenant's log; a request to check the log is answered with what the check found."""
    await session.execute(insert(Head).values(seq=0, hash=genesis(event.tenant)).on_conflict_do_nothing())
    head = (await session.execute(select(Head).with_for_update())).scalar_one()
    entry = append(head.hash, head.seq + 1, event.to_cloudevent())
    await session.execute(
        insert(LogEntry).values(
            seq=entry.seq, event_id=event.id, event_type=event.type_name, record=entry.record, hash=entry.hash
        )
    )
    await session.execute(update(Head).values(seq=entry.seq, hash=entry.hash))
    if isinstance(event, AuditVerificationRequested):
        return await verify(event, session, entry)
    return None


async def verify(event: AuditVerificationRequested, session: AsyncSession, head: Entry) -> AuditVerificationCompleted:
    """Check the tenant's log from its first entry to `head`, page by page."""
    verification = Verification(event.tenant)
    after = 0
    while True:
        statement = select(LogEntry.seq, LogEntry.record, LogEntry.hash).where(LogEntry.seq > after)
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

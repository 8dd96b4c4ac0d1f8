"""Everything that happens is written down; a check reads it all back."""

from typing import Any, cast

from sqlalchemy import Table, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event
from contracts.operations import AuditVerificationCompleted, AuditVerificationRequested
from services.audit.chain import Entry, Verification, append, genesis
from services.audit.tables import Head, LogEntry, Tables
from services.chassis.rows import insert_rows
from services.chassis.service import Service

service = Service(Tables.metadata)
entries = cast(Table, LogEntry.__table__)

PAGE = 1_000


@service.on
async def record(events: list[Event], session: AsyncSession) -> list[AuditVerificationCompleted]:
    """Append events to their tenant's log; a request to check the log is answered with what the check found."""
    await session.execute(insert(Head).values(seq=0, hash=genesis(events[0].tenant)).on_conflict_do_nothing())
    head = (await session.execute(select(Head.seq, Head.hash).with_for_update())).one()
    last = Entry(head.seq, "", head.hash)
    rows: list[dict[str, Any]] = []
    checks: list[tuple[AuditVerificationRequested, Entry]] = []
    for event in events:
        last = append(last.hash, last.seq + 1, event.to_json())
        named = {"event_id": event.id, "event_type": event.type_name}
        rows.append({"seq": last.seq, **named, "record": last.record, "hash": last.hash})
        if isinstance(event, AuditVerificationRequested):
            checks.append((event, last))
    await insert_rows(session, entries, rows)
    await session.execute(update(Head).values(seq=last.seq, hash=last.hash))
    return [await verify(event, session, entry) for event, entry in checks]


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

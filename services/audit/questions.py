"""Reading the log: a page of entries by time, type, flow and person, or one entry with its proof."""

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.audit_log import AuditEntriesCompleted, AuditEntriesFailed, AuditEntriesRequested
from contracts.rest_audit import AuditEntryView, FoundEntries, InclusionProof
from services.audit.handlers import service
from services.audit.merkle import inclusion_ranges
from services.audit.tables import LogEntry, SignedCheckpoint
from services.audit.tree_rows import proof_of
from services.chassis.work import Job

KIND = "audit_entries"
# What a page may hold of records, so that whoever shows it can have it in memory.
PAGE_BYTES = 4 * 1024**2


@service.work
async def find_entries(event: AuditEntriesRequested, job: Job) -> AuditEntriesCompleted | AuditEntriesFailed:
    """Answer with the entries that fit, as a file: as an event they would be entries again."""
    async with job.reading() as session:
        found = await _page(session, event)
        if event.seq is not None and found.entries:
            found = found.model_copy(update={"proof": await _proof(session, event.seq)})
    file = await job.blobs.put_bytes(event.tenant, KIND, found.model_dump_json().encode(), "application/json")
    return AuditEntriesCompleted.reply_to(event, found=file, entries=len(found.entries))


async def _page(session: AsyncSession, asked: AuditEntriesRequested) -> FoundEntries:
    entries: list[AuditEntryView] = []
    size = 0
    rows = await session.stream_scalars(_fitting(asked).limit(asked.limit + 1).execution_options(yield_per=50))
    async for row in rows:
        size += len(row.record)
        if len(entries) == asked.limit or (entries and size > PAGE_BYTES):
            await rows.close()
            return FoundEntries(entries=entries, next_after=entries[-1].seq)
        entries.append(AuditEntryView.model_validate(row))
    return FoundEntries(entries=entries)


def _fitting(asked: AuditEntriesRequested) -> Select[LogEntry]:
    statement = select(LogEntry)
    newest_first = asked.order == "newest_first"
    if asked.seq is not None:
        statement = statement.where(LogEntry.seq == asked.seq)
    if asked.types:
        statement = statement.where(LogEntry.event_type.in_(asked.types))
    if asked.of_flow is not None:
        statement = statement.where(LogEntry.flow_id == asked.of_flow)
    if asked.actor is not None:
        statement = statement.where(LogEntry.actor == asked.actor)
    if asked.since is not None:
        statement = statement.where(LogEntry.happened_at >= asked.since)
    if asked.until is not None:
        statement = statement.where(LogEntry.happened_at < asked.until)
    if asked.after is not None:
        statement = statement.where(LogEntry.seq < asked.after if newest_first else LogEntry.seq > asked.after)
    return statement.order_by(LogEntry.seq.desc() if newest_first else LogEntry.seq)


async def _proof(session: AsyncSession, seq: int) -> InclusionProof | None:
    """The proof that the newest checkpoint covers an entry; None where none does yet."""
    newest = await session.scalar(select(SignedCheckpoint).order_by(SignedCheckpoint.size.desc()).limit(1))
    if newest is None or newest.size < seq:
        return None
    return InclusionProof(note=newest.note, path=await proof_of(session, inclusion_ranges(seq - 1, newest.size)))

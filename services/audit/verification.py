"""The check of a log in the database: its entries, its checkpoints, and those that were kept elsewhere."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Tenant
from contracts.operations import AuditVerificationCompleted, AuditVerificationRequested
from services.audit.alarm import end_alarm, raise_alarm
from services.audit.chain import genesis
from services.audit.checking import Finding, LogCheck
from services.audit.checkpoints import NOTES_KIND
from services.audit.handlers import service
from services.audit.notes import stated_size
from services.audit.rows_in_order import RANGE_ENTRIES, read_rows
from services.audit.signing_keys import verifier_keys
from services.audit.tables import Head, SignedCheckpoint
from services.chassis.blobs import BlobDamaged, Blobs
from services.chassis.work import Job


@service.work
async def verify(event: AuditVerificationRequested, job: Job) -> AuditVerificationCompleted:
    """Check the tenant's log from its first entry to the newest that there is when this begins."""
    # Before the log is looked at: what was signed before must be in it.
    kept = [*event.checkpoints, *await _outside(event.tenant, job.blobs)]
    async with job.reading() as session:
        found = await checked(session, event.tenant, kept)
    # What a caller holds it to may be wrong itself.
    if not event.checkpoints:
        session = await job.begin()
        if found.valid:
            await end_alarm(session, event.tenant)
        else:
            await raise_alarm(session, event.tenant, found.detail)
    return AuditVerificationCompleted.reply_to(
        event,
        verification_id=event.verification_id,
        valid=found.valid,
        entries=found.entries,
        head=found.head,
        broken_at=found.broken_at,
        detail=found.detail,
        checkpoints=found.checkpoints,
        signed=found.signed,
    )


async def _outside(tenant: Tenant, blobs: Blobs) -> list[str]:
    """The newest checkpoint in the blob store; one that was tampered with is no note, which the check will say."""
    try:
        newest = await blobs.newest(tenant, NOTES_KIND)
    except BlobDamaged:
        newest = b""
    return [] if newest is None else [newest.decode(errors="replace")]


async def checked(session: AsyncSession, tenant: Tenant, kept: Sequence[str]) -> Finding:
    """What a check finds; `kept` are notes that the log must agree with beside its own checkpoints."""
    newest = await session.scalar(select(func.max(SignedCheckpoint.size))) or 0
    head = (await session.execute(select(Head.seq, Head.hash, Head.signed_seq))).one_or_none()
    seq, head_hash, signed_seq = head if head is not None else (0, genesis(tenant), 0)
    check = LogCheck(tenant, await verifier_keys(session, tenant))
    others = sorted(kept, key=stated_size, reverse=True)
    for start in range(0, max(seq, newest), RANGE_ENTRIES):
        stop = start + RANGE_ENTRIES
        sizes = SignedCheckpoint.size
        listed = select(SignedCheckpoint).where(sizes > start, sizes <= min(stop, max(seq, newest))).order_by(sizes)
        for one in await session.scalars(listed):
            while others and stated_size(others[-1]) <= one.size:
                check.expect(others.pop())
            check.expect(one.note, one.size, one.previous_size)
        while others and stated_size(others[-1]) <= stop:
            check.expect(others.pop())
        await read_rows(session, start, min(stop, seq), check.check)
        if check.broken:
            break
    while others:
        check.expect(others.pop())
    check.signed_up_to(signed_seq)
    return check.finding(seq, head_hash)

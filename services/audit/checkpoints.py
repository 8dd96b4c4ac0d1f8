"""When a log is signed, by the clock and on request, and how that leaves the database."""

import structlog
from sqlalchemy import text

from contracts.audit_log import (
    AuditCheckpointFailed,
    AuditCheckpointRequested,
    AuditCheckpointSigned,
    AuditKeyCreated,
    AuditKeyRequested,
)
from contracts.envelope import Tenant
from services.audit.alarm import raise_alarm
from services.audit.handlers import service
from services.audit.signing import newest_told, prepared, store
from services.audit.signing_keys import made, stored
from services.audit.tree_rows import LogBroken
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.work import Job

log = structlog.get_logger()

CHECKPOINT_SECONDS = 60.0
# Kept in the blob store, too: the owner of the database alone cannot change it there.
NOTES_KIND = "audit_checkpoint"
NOTE_MEDIA_TYPE = "text/plain; charset=utf-8"

_UNSIGNED = text("select client_account_id, engagement_id from audit.heads where unsigned > 0")


@service.every(CHECKPOINT_SECONDS)
async def sign_what_is_new(runtime: Runtime) -> None:
    """Sign every log in which something happened since its last checkpoint."""
    async with runtime.database.dispatch() as connection:
        tenants = (await connection.execute(_UNSIGNED)).all()
    for row in tenants:
        tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
        try:
            await _sign(runtime, tenant)
        except LogBroken as broken:
            async with runtime.database.transaction(tenant) as session:
                await raise_alarm(session, tenant, broken.problem.detail)
        except Exception:
            # One log that cannot be signed now must not keep the others waiting.
            log.exception("audit_log_not_signed", tenant=str(tenant))


async def _sign(runtime: Runtime, tenant: Tenant) -> None:
    async with runtime.database.transaction(tenant) as session:
        statement = await prepared(session, runtime.vault, tenant)
    if statement is None:
        return
    async with runtime.database.transaction(tenant) as session:
        await add_events(session, service.metadata, await store(session, runtime.vault, statement))
    runtime.committed()


@service.work
async def sign_now(
    event: AuditCheckpointRequested, job: Job
) -> list[AuditCheckpointSigned | AuditKeyCreated | AuditCheckpointFailed]:
    """Sign the log as it is."""
    async with job.reading() as session:
        statement = await prepared(session, job.vault, event.tenant)
    session = await job.begin()
    if statement is None:
        return [await newest_told(session, event)]
    return [*await store(session, job.vault, statement, event)]


@service.work
async def replace_key(event: AuditKeyRequested, job: Job) -> AuditKeyCreated:
    """Make the key that signs from now on; what the others signed stays signed."""
    return await stored(await job.begin(), job.vault, made(event.tenant), event, event.tenant)


@service.work
async def keep_outside(event: AuditCheckpointSigned, job: Job) -> None:
    """Write a checkpoint where the database's owner cannot reach it."""
    await job.blobs.put_bytes(event.tenant, NOTES_KIND, event.note.encode(), NOTE_MEDIA_TYPE)

"""The read model about the audit log."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.audit_log import (
    AuditCheckpointFailed,
    AuditCheckpointSigned,
    AuditEntriesCompleted,
    AuditEntriesFailed,
    AuditExportCompleted,
    AuditExportFailed,
    AuditKeyCreated,
)
from contracts.envelope import BlobRef, Event, Tenant
from contracts.operations import AuditVerificationCompleted
from contracts.webhooks import WebhookDeliveryRequested
from services.chassis.runtime import Runtime
from services.gateway.handlers import service
from services.gateway.read_model.audit_tables import AuditCheckpoint, AuditKey, AuditRequest, AuditVerification
from services.gateway.webhooks.deliveries import fan_out

SWEEP_SECONDS = 3600.0
# For how long an answer can be fetched.
KEPT = timedelta(days=7)
_OLD = text("select client_account_id, engagement_id, request_id from gateway.audit_requests where asked_at < :before")


@service.on
async def show_verification(event: AuditVerificationCompleted, session: AsyncSession) -> None:
    """Show what the check of the audit log found."""
    values = event.model_dump(include={*event.data_fields()} - {"verification_id"})
    statement = update(AuditVerification).where(AuditVerification.verification_id == event.verification_id)
    await session.execute(statement.values(status="done", **values))


@service.on
async def show_checkpoint(event: AuditCheckpointSigned, session: AsyncSession) -> list[WebhookDeliveryRequested]:
    """List a checkpoint, tell whoever asked for it, and the endpoints that keep checkpoints elsewhere."""
    row = event.model_dump(include={*event.data_fields()})
    await session.execute(insert(AuditCheckpoint).values(row).on_conflict_do_nothing())
    await _answer(session, event, "checkpoint", answer={"size": event.size})
    return await fan_out(event, session)


@service.on
async def show_key(event: AuditKeyCreated, session: AsyncSession) -> list[WebhookDeliveryRequested]:
    """Offer a public key, tell whoever asked for it, and the endpoints that check signatures elsewhere."""
    row = event.model_dump(include={*event.data_fields()})
    await session.execute(insert(AuditKey).values(row).on_conflict_do_nothing())
    await _answer(session, event, "key", answer={"key_id": event.key_id})
    return await fan_out(event, session)


@service.on
async def show_entries(event: AuditEntriesCompleted, session: AsyncSession) -> None:
    """Offer the entries that were asked for."""
    await _answer(session, event, "entries", answer=event.found.model_dump(mode="json"))


@service.on
async def show_export(event: AuditExportCompleted, session: AsyncSession) -> None:
    """Offer an export for download."""
    answer = event.model_dump(mode="json", include={"file", "entries", "checkpoints"})
    await _answer(session, event, "export", answer=answer)


@service.on
async def show_failure(
    event: AuditEntriesFailed | AuditExportFailed | AuditCheckpointFailed, session: AsyncSession
) -> None:
    """Say why there is no answer."""
    statement = update(AuditRequest).where(AuditRequest.request_id == event.causation_id)
    await session.execute(statement.values(problem=event.problem.model_dump(mode="json")))


async def _answer(session: AsyncSession, event: Event, kind: str, answer: dict[str, object]) -> None:
    statement = update(AuditRequest).where(AuditRequest.request_id == event.causation_id, AuditRequest.kind == kind)
    await session.execute(statement.values(answer=answer))


@service.every(SWEEP_SECONDS)
async def forget_answers(runtime: Runtime) -> None:
    """Remove what was asked of the log a week ago, with the files of the answers; it can be asked again."""
    async with runtime.database.dispatch() as connection:
        rows = (await connection.execute(_OLD, {"before": datetime.now(UTC) - KEPT})).all()
    for row in rows:
        tenant = Tenant(client_account_id=row.client_account_id, engagement_id=row.engagement_id)
        own = AuditRequest.request_id == row.request_id
        async with runtime.database.transaction(tenant) as session:
            answer = await session.scalar(select(AuditRequest.answer).where(own)) or {}
        # Entries are a file, an export has one. The file first: a row without it is found again.
        file = answer.get("file", answer)
        if "key" in file:
            await runtime.blobs.delete(tenant, BlobRef.model_validate(file))
        async with runtime.database.transaction(tenant) as session:
            await session.execute(delete(AuditRequest).where(own))

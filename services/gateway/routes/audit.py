"""The audit log: check it, read it, take it away, and keep what was signed of it elsewhere."""

from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Body
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.audit_log import (
    AuditCheckpointRequested,
    AuditEntriesRequested,
    AuditExported,
    AuditExportRequested,
    AuditKeyRequested,
)
from contracts.envelope import BlobRef, Event, Problem, uuid7
from contracts.operations import AuditVerificationRequested
from contracts.rest_audit import (
    AuditCheckpointView,
    AuditEntriesBody,
    AuditEntriesView,
    AuditExportView,
    AuditKeysView,
    AuditKeyView,
    AuditRequestView,
    AuditVerificationBody,
    FoundEntries,
    RequestStatus,
)
from services.chassis.errors import Conflict, ExpectedFailure, NotFound
from services.gateway.idempotency import Creating, Once
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.read_model.audit_tables import AuditCheckpoint, AuditKey, AuditRequest, AuditVerification
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.reports import FILE_RESPONSE, download

router = APIRouter(prefix="/audit", tags=["audit"])
V = TypeVar("V", AuditEntriesView, AuditExportView, AuditRequestView)
NOTHING_KEPT = AuditVerificationBody()


@router.post("/verifications", status_code=202)
async def verify_audit_log(
    caller: Caller, once: Creating, body: Annotated[AuditVerificationBody, Body()] = NOTHING_KEPT
) -> rest.AuditVerificationView:
    """Have the audit log of this tenant checked from its first entry; ask for the result with the id."""
    verification_id = uuid7()
    async with once.transaction() as session:
        await session.execute(insert(AuditVerification).values(verification_id=verification_id))
        request = AuditVerificationRequested(
            tenant=caller.tenant,
            verification_id=verification_id,
            subject=caller.subject,
            requested_by=caller.name,
            checkpoints=body.checkpoints,
        )
        await emit(session, request)
        return once.keep(rest.AuditVerificationView(verification_id=verification_id, status="running"))


@router.get("/verifications/{verification_id}")
async def show_verification(verification_id: UUID, session: Reading) -> rest.AuditVerificationView:
    """The result of a check of the audit log."""
    statement = select(AuditVerification).where(AuditVerification.verification_id == verification_id)
    row = await session.scalar(statement)
    if row is None:
        raise NotFound("verification_not_found", f"There is no verification {verification_id} in this engagement.")
    return rest.AuditVerificationView.model_validate(row)


@router.post("/entries", status_code=202)
async def ask_audit_entries(body: AuditEntriesBody, caller: Caller, once: Creating) -> AuditEntriesView:
    """Read entries by time, type, flow and person, or one with its proof; ask for them with the id."""
    asked = body.model_dump(exclude={"flow_id"})
    request = AuditEntriesRequested(
        tenant=caller.tenant, subject=caller.subject, requested_by=caller.name, of_flow=body.flow_id, **asked
    )
    return await _ask(once, caller, "entries", request, AuditEntriesView(request_id=request.id, status="running"))


@router.get("/entries/{request_id}")
async def show_audit_entries(request_id: UUID, caller: Caller, gateway: Gateway) -> AuditEntriesView:
    """The entries that were asked for, once the audit service has read them."""
    async with gateway.database.transaction(caller.tenant) as session:
        row = await _request(session, "entries", request_id)
    found = None
    if row.answer is not None:
        content = await gateway.blobs.read_bytes(caller.tenant, BlobRef.model_validate(row.answer))
        found = FoundEntries.model_validate_json(content)
    return AuditEntriesView.model_validate(
        {"request_id": request_id, "status": _status(row), "found": found, "problem": row.problem}
    )


@router.post("/exports", status_code=202)
async def export_audit_log(caller: Caller, once: Creating) -> AuditExportView:
    """Have the log written into one ZIP file that can be verified without this platform.

    It has what the newest checkpoint covers: to have all, ask for one first.
    """
    request = AuditExportRequested(tenant=caller.tenant, subject=caller.subject, requested_by=caller.name)
    view = AuditExportView(request_id=request.id, status="running", requested_by=caller.name)
    return await _ask(once, caller, "export", request, view)


@router.get("/exports/{request_id}")
async def show_audit_export(request_id: UUID, session: Reading) -> AuditExportView:
    """How far an export is."""
    row = await _request(session, "export", request_id)
    answer = row.answer or {}
    file = answer.get("file", {})
    return AuditExportView.model_validate(
        {
            "request_id": request_id,
            "status": _status(row),
            "requested_by": row.requested_by,
            "problem": row.problem,
            **{name: answer.get(name) for name in ("entries", "checkpoints")},
            **{name: file.get(name) for name in ("size_bytes", "sha256")},
        }
    )


@router.get("/exports/{request_id}/file", response_class=StreamingResponse, responses=FILE_RESPONSE)
async def download_audit_export(request_id: UUID, caller: Caller, gateway: Gateway) -> StreamingResponse:
    """The export's ZIP file. That it was taken is in the log from then on."""
    async with gateway.database.transaction(caller.tenant) as session:
        row = await _request(session, "export", request_id)
        if row.problem is not None:
            raise ExpectedFailure.of(Problem.model_validate(row.problem))
        if row.answer is None:
            raise Conflict("export_not_ready", "The export is still being written. Ask for it again in a moment.")
        file = BlobRef.model_validate(row.answer["file"])
        taken = AuditExported(
            tenant=caller.tenant,
            subject=caller.subject,
            exported_by=caller.name,
            export_id=request_id,
            entries=row.answer["entries"],
            sha256=file.sha256,
        )
    response = await download(gateway, caller.tenant, file, "audit-log.zip")
    async with gateway.database.transaction(caller.tenant) as session:
        await emit(session, taken)
    gateway.committed()
    return response


@router.get("/checkpoints")
async def list_audit_checkpoints(session: Reading, page: Page) -> rest.Page[AuditCheckpointView]:
    """What was signed of the log, oldest first. Keep these elsewhere: they are what a rewritten log is held to."""
    rows, cursor = await page.fetch(session, select(AuditCheckpoint), AuditCheckpoint.size)
    return rest.Page(items=[AuditCheckpointView.model_validate(row) for row in rows], next_cursor=cursor)


@router.post("/checkpoints", status_code=202)
async def sign_audit_log(caller: Caller, once: Creating) -> AuditRequestView:
    """Have the log signed as it is, without waiting for the clock."""
    request = AuditCheckpointRequested(tenant=caller.tenant, subject=caller.subject, requested_by=caller.name)
    return await _ask(once, caller, "checkpoint", request, AuditRequestView(request_id=request.id, status="running"))


@router.get("/keys")
async def list_audit_keys(session: Reading) -> AuditKeysView:
    """Every public key that checkpoints of this log are verified with, oldest first. Keep these elsewhere."""
    rows = await session.scalars(select(AuditKey).order_by(AuditKey.made_at))
    return AuditKeysView(keys=[AuditKeyView.model_validate(row) for row in rows])


@router.post("/keys", status_code=202)
async def replace_audit_key(caller: Caller, once: Creating) -> AuditRequestView:
    """Have checkpoints signed with a new key from now on; what the others signed stays signed."""
    request = AuditKeyRequested(tenant=caller.tenant, subject=caller.subject, requested_by=caller.name)
    return await _ask(once, caller, "key", request, AuditRequestView(request_id=request.id, status="running"))


@router.get("/requests/{request_id}")
async def show_audit_request(request_id: UUID, session: Reading) -> AuditRequestView:
    """Whether a checkpoint or a key that was asked for is there."""
    row = await _request(session, None, request_id)
    return AuditRequestView.model_validate({"request_id": request_id, "status": _status(row), "problem": row.problem})


async def _ask(once: Once, caller: Principal, kind: str, request: Event, view: V) -> V:
    row = {"request_id": request.id, "kind": kind, "requested_by": caller.name}
    async with once.transaction() as session:
        await session.execute(insert(AuditRequest).values(row))
        await emit(session, request)
        return once.keep(view)


async def _request(session: AsyncSession, kind: str | None, request_id: UUID) -> AuditRequest:
    row = await session.scalar(select(AuditRequest).where(AuditRequest.request_id == request_id))
    if row is None or kind not in (None, row.kind):
        raise NotFound("audit_request_not_found", f"Nothing was asked of the audit log under {request_id} here.")
    return row


def _status(row: AuditRequest) -> RequestStatus:
    return "failed" if row.problem is not None else "done" if row.answer is not None else "running"

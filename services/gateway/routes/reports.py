"""The report's files."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from contracts.audit_log import ReportExported
from contracts.envelope import BlobRef, Tenant
from contracts.planning import ReportFormat
from services.chassis.errors import NotFound
from services.chassis.runtime import Runtime
from services.gateway.principal import Caller
from services.gateway.routes.access import Gateway, emit
from services.gateway.tables import ReportFile

router = APIRouter(tags=["reports"])
FILE_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {}, "application/*": {}}, "description": "The file"}
}


@router.get("/reports/{flow_id}/{format}", response_class=StreamingResponse, responses=FILE_RESPONSE)
async def download_report(flow_id: UUID, format: ReportFormat, caller: Caller, gateway: Gateway) -> StreamingResponse:
    """The report of a planning flow as HTML, XLSX or JSON. That it was taken is in the audit log."""
    async with gateway.database.transaction(caller.tenant) as session:
        statement = select(ReportFile.file).where(ReportFile.flow_id == flow_id, ReportFile.format == format)
        file = await session.scalar(statement)
    if file is None:
        raise NotFound(
            "report_not_found", f"The flow {flow_id} has no {format} report: it is written when a plan is approved."
        )
    response = await download(gateway, caller.tenant, BlobRef.model_validate(file), f"migration-plan.{format}")
    async with gateway.database.transaction(caller.tenant) as session:
        taken = ReportExported(
            tenant=caller.tenant,
            subject=caller.subject,
            exported_by=caller.name,
            what="report",
            of_flow=flow_id,
            format=format,
        )
        await emit(session, taken)
    gateway.committed()
    return response


async def download(gateway: Runtime, tenant: Tenant, file: BlobRef, name: str) -> StreamingResponse:
    """The answer that is a stored file; raises as `Blobs.stream` does."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(file.size_bytes),
        "ETag": f'"{file.sha256}"',
    }
    content = await _opened(gateway.blobs.stream(tenant, file))
    return StreamingResponse(content, media_type=file.media_type, headers=headers)


async def _opened(chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The same chunks, the first one read: a file that is gone is a problem here and no broken download later."""
    first = await anext(chunks, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        async with contextlib.aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return all_of_them()

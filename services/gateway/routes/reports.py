"""The report's files."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from contracts.envelope import BlobRef
from contracts.planning import ReportFormat
from services.chassis.errors import NotFound
from services.gateway.keys import Caller
from services.gateway.routes.access import Gateway
from services.gateway.tables import ReportFile

router = APIRouter(tags=["reports"])


@router.get(
    "/reports/{flow_id}/{format}",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file"}},
)
async def download_report(flow_id: UUID, format: ReportFormat, caller: Caller, gateway: Gateway) -> StreamingResponse:
    """The report of a planning flow as HTML, XLSX or JSON."""
    async with gateway.database.transaction(caller.tenant) as session:
        statement = select(ReportFile.file).where(ReportFile.flow_id == flow_id, ReportFile.format == format)
        file = await session.scalar(statement)
    if file is None:
        raise NotFound(
            "report_not_found", f"The flow {flow_id} has no {format} report: it is written when a plan is approved."
        )
    blob = BlobRef.model_validate(file)
    content = await _opened(gateway.blobs.stream(caller.tenant, blob))
    headers = {
        "Content-Disposition": f'attachment; filename="migration-plan.{format}"',
        "Content-Length": str(blob.size_bytes),
        "ETag": f'"{blob.sha256}"',
    }
    return StreamingResponse(content, media_type=blob.media_type, headers=headers)


async def _opened(chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The same chunks, the first one read: a file that is gone is a problem here and no broken download later."""
    first = await anext(chunks, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        async with contextlib.aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return all_of_them()

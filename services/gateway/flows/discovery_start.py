"""How a discovery begins, whoever asks for it."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import DiscoveryRequested, ImportFile
from contracts.envelope import BlobRef
from services.chassis.errors import NotFound
from services.gateway.flows.requested_flows import show_requested
from services.gateway.read_model.flow_tables import FlowImport
from services.gateway.tables import Upload


async def with_files(session: AsyncSession, request: DiscoveryRequested) -> DiscoveryRequested:
    """The request with the files of its imports, and the flow shown as asked for; raises `NotFound`.

    The session is in the request's tenant, so another tenant's imports do not exist.
    """
    statement = select(Upload).where(Upload.import_id.in_(request.import_ids))
    uploads = {upload.import_id: upload for upload in (await session.execute(statement)).scalars()}
    files = [_file(uploads, import_id) for import_id in dict.fromkeys(request.import_ids)]
    await show_requested(session, request, "discovery", request.options)
    rows = [{"flow_id": request.flow_id, "import_id": file.import_id} for file in files]
    await session.execute(insert(FlowImport).values(rows).on_conflict_do_nothing())
    return request.model_copy(update={"files": files})


def _file(uploads: dict[UUID, Upload], import_id: UUID) -> ImportFile:
    if import_id not in uploads:
        raise NotFound(
            "import_not_found", f"There is no import {import_id}. Upload the file first: POST /api/v1/imports."
        )
    upload = uploads[import_id]
    return ImportFile(import_id=import_id, file_name=upload.file_name, file=BlobRef.model_validate(upload.file))

"""Tenants, and the files that they upload."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from contracts import rest
from contracts.discovery import ImportUploaded
from contracts.envelope import Tenant, uuid7
from services.chassis.errors import ExpectedFailure
from services.gateway.keys import Caller, Operator
from services.gateway.pagination import Page
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.tables import Engagement, Upload

router = APIRouter(tags=["imports"])

# The stream is cut off at MODERNIZE_UPLOAD_LIMIT_BYTES; the framework's own limit must not come first.
STREAMED = 2**60


@router.post("/engagements", status_code=201)
async def create_engagement(body: rest.EngagementCreate, name: Operator, gateway: Gateway) -> rest.EngagementView:
    """Make a tenant to work in."""
    tenant = Tenant(client_account_id=body.client_account_id or uuid4(), engagement_id=uuid4())
    row = {"client_name": body.client_name, "engagement_name": body.engagement_name}
    async with gateway.database.transaction(tenant) as session:
        await session.execute(insert(Engagement).values(row))
    return rest.EngagementView(**tenant.model_dump(), **row)


@router.get("/engagements/current")
async def show_engagement(caller: Caller, session: Reading) -> rest.EngagementView:
    """The tenant that this request works in."""
    row = (await session.execute(select(Engagement))).scalar_one()
    return rest.EngagementView.model_validate(row)


@router.post(
    "/imports",
    status_code=201,
    max_body_size=STREAMED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload_file(
    request: Request,
    caller: Caller,
    gateway: Gateway,
    file_name: Annotated[str, Query(min_length=1, max_length=255, examples=["inventory.csv"])],
) -> rest.ImportView:
    """Upload a file as the request's body, as `curl --data-binary @FILE` does; it is streamed to storage."""
    import_id = uuid7()
    media_type = request.headers.get("content-type", "application/octet-stream")
    limit = gateway.settings.upload_limit_bytes
    body = _filled(request.stream(), file_name)
    blob = await gateway.blobs.put_stream(caller.tenant, "uploads", body, media_type, limit)
    row = {
        "import_id": import_id,
        "file_name": file_name,
        "size_bytes": blob.size_bytes,
        "sha256": blob.sha256,
        "file": blob.model_dump(mode="json"),
    }
    async with gateway.database.transaction(caller.tenant) as session:
        upload = (await session.execute(insert(Upload).values(row).returning(Upload))).scalar_one()
        view = rest.ImportView.model_validate(upload)
        await emit(session, ImportUploaded(tenant=caller.tenant, import_id=import_id, file_name=file_name, file=blob))
    gateway.committed()
    return view


@router.get("/imports")
async def list_imports(session: Reading, page: Page) -> rest.Page[rest.ImportView]:
    """Uploaded files, oldest first."""
    rows, cursor = await page.fetch(session, select(Upload), Upload.import_id)
    return rest.Page(items=[rest.ImportView.model_validate(row) for row in rows], next_cursor=cursor)


async def _filled(chunks: AsyncIterable[bytes], file_name: str) -> AsyncIterator[bytes]:
    """The chunks as they come; fails where they end without a byte, so that nothing is stored."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        yield chunk
    if size == 0:
        raise ExpectedFailure(
            "empty_file", f"{file_name} is empty. Export it again and check its size.", file_name=file_name
        )

"""The files that a tenant uploads."""

from collections.abc import AsyncIterable, AsyncIterator
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from contracts import rest
from contracts.discovery import ImportUploaded
from contracts.envelope import BlobRef, uuid7
from services.chassis.errors import ExpectedFailure, TooLarge
from services.chassis.outbound import Limits, OutboundFailed
from services.chassis.runtime import Runtime
from services.gateway.idempotency import Creating, Once
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.quotas import bytes_left, check_upload
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.tables import Upload

router = APIRouter(tags=["imports"])

# The stream is cut off at MODERNIZE_UPLOAD_LIMIT_BYTES; the framework's own limit must not come first.
STREAMED = 2**60
LONGEST_NAME = 255
# Of files that are fetched: how long that may take, how long nothing may come, and how many redirects are followed.
FETCH_SECONDS = 600
IDLE_SECONDS = 30
REDIRECTS = 5


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
    once: Creating,
    file_name: Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, examples=["inventory.csv"])],
) -> rest.ImportView:
    """Upload a file as the request's body, as `curl --data-binary @FILE` does; it is streamed to storage."""
    await once.compare_upload(request.stream())
    blob = await _stored(gateway, caller, file_name, request.stream(), request.headers.get("content-type"))
    once.body_is(blob.sha256)
    return await _imported(caller, once, file_name, blob)


@router.post("/imports/url", status_code=201)
async def import_from_url(
    body: rest.ImportFromUrl, caller: Caller, gateway: Gateway, once: Creating
) -> rest.ImportView:
    """Fetch a file over https, at most ten minutes long; it is streamed to storage like an upload."""
    limits = Limits(FETCH_SECONDS, IDLE_SECONDS, gateway.settings.upload_limit_bytes)
    async with gateway.outbound.stream("GET", body.url, limits=limits, redirects=REDIRECTS) as answer:
        if answer.status != 200:
            detail = f"{urlsplit(answer.url).hostname} answered with the status {answer.status} and no file."
            raise OutboundFailed("no_file", detail)
        file_name = body.file_name or unquote(PurePosixPath(urlsplit(answer.url).path).name)
        if not 0 < len(file_name) <= LONGEST_NAME:
            raise ExpectedFailure("no_file_name", "This URL does not end in a file's name. Send one as file_name.")
        blob = await _stored(gateway, caller, file_name, answer.chunks(), answer.headers.get("content-type"))
    return await _imported(caller, once, file_name, blob)


async def _stored(
    gateway: Runtime, caller: Principal, file_name: str, chunks: AsyncIterable[bytes], media_type: str | None
) -> BlobRef:
    limit = gateway.settings.upload_limit_bytes
    left = await bytes_left(gateway, caller.tenant)
    body, kind = _filled(chunks, file_name), media_type or "application/octet-stream"
    if left is not None and left < limit:
        body = _within(body, left)
    return await gateway.blobs.put_stream(caller.tenant, "uploads", body, kind, limit)


async def _imported(caller: Principal, once: Once, file_name: str, blob: BlobRef) -> rest.ImportView:
    import_id = uuid7()
    row = {
        "import_id": import_id,
        "file_name": file_name,
        "size_bytes": blob.size_bytes,
        "sha256": blob.sha256,
        "file": blob.model_dump(mode="json"),
    }
    async with once.transaction() as session:
        await check_upload(session, caller.tenant, blob.size_bytes)
        upload = (await session.execute(insert(Upload).values(row).returning(Upload))).scalar_one()
        await emit(session, ImportUploaded(tenant=caller.tenant, import_id=import_id, file_name=file_name, file=blob))
        return once.keep(rest.ImportView.model_validate(upload))


@router.get("/imports")
async def list_imports(session: Reading, page: Page) -> rest.Page[rest.ImportView]:
    """Uploaded files, oldest first."""
    rows, cursor = await page.fetch(session, select(Upload), Upload.import_id)
    return rest.Page(items=[rest.ImportView.model_validate(row) for row in rows], next_cursor=cursor)


async def _within(chunks: AsyncIterable[bytes], left: int) -> AsyncIterator[bytes]:
    """The chunks as they come; raises `TooLarge` once they are more than the engagement has left today."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > left:
            raise TooLarge(
                "quota_of_uploads",
                f"This engagement may upload {left:,} more bytes today, and the file is larger. None of it was kept.",
            )
        yield chunk


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

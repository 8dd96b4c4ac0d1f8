"""Big data by claim check: files in a local folder, S3, GCS or Azure, each sealed for its tenant and its key.

What can be read of the store, a backup of it or another one's folder, tells sizes and times and nothing else.
"""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from contracts import BlobRef, Tenant
from contracts.envelope import uuid7
from services.chassis.blob_envelopes import Envelopes
from services.chassis.encryption import HEADER_BYTES, CannotOpen, KeyMissing, Vault
from services.chassis.errors import ExpectedFailure, Forbidden, NotFound, TooLarge
from services.chassis.sealed_streams import OpenedStream, SealedStream, sealed_size

if TYPE_CHECKING:
    from obstore import BytesStream

READ_BYTES = 1024**2
# S3 wants multipart parts of 5 MiB at least; two of them in flight is what a write holds in memory.
PART_BYTES = 5 * 1024**2
PARTS_IN_FLIGHT = 2

_NOT_SEALED = "it is not what was sealed under this key"
_KIND = re.compile(r"[a-z0-9_]+")
_KEY_REST = re.compile(r"[a-z0-9_]+/[0-9a-f-]{36}")


class BlobDamaged(ExpectedFailure):
    """What lies in the store is not what its reference describes."""

    status = 500


class Blobs:
    """A blob store. Blobs are written once and never changed; a reference is only given for a complete, durable one."""

    def __init__(self, url: str, vault: Vault) -> None:
        """Open the store at `file:///folder` (made if missing), `s3://`, `gs://`, `az://` or `memory:///`."""
        parts = urlsplit(url)
        self._vault = vault
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._store: ObjectStore = LocalStore(self._folder, mkdir=True) if self._folder else from_url(url)
        self.envelopes = Envelopes(self._store, vault)

    async def put_stream(
        self,
        tenant: Tenant,
        kind: str,
        chunks: AsyncIterator[bytes],
        media_type: str,
        limit_bytes: int | None = None,
    ) -> BlobRef:
        """Store what `chunks` yields, never whole in memory. `kind` is a word such as `upload` or `assets`.

        Raises `TooLarge` past `limit_bytes`. Whatever ends it early, an error in `chunks` too, leaves nothing behind.
        """
        if not _KIND.fullmatch(kind):
            raise ValueError(f"a blob's kind is lower-case letters, digits and underscores, not {kind!r}")
        key = f"{_prefix(tenant)}{kind}/{uuid7()}"
        digest = hashlib.sha256()
        size = 0

        async def sealed() -> AsyncGenerator[bytes, None]:
            nonlocal size
            stream = SealedStream(self._vault, tenant, _purpose(kind), key)
            yield stream.header
            async for chunk in chunks:
                size += len(chunk)
                if limit_bytes is not None and size > limit_bytes:
                    raise TooLarge(
                        "upload_too_large",
                        f"This is larger than the {limit_bytes:,} bytes that are accepted, and none of it was kept. "
                        "Split it, or raise MODERNIZE_UPLOAD_LIMIT_BYTES.",
                    )
                digest.update(chunk)
                for piece in stream.take(chunk):
                    yield piece
            yield stream.end()

        await obstore.put_async(
            self._store, key, sealed(), chunk_size=PART_BYTES, max_concurrency=PARTS_IN_FLIGHT, use_multipart=True
        )
        if self._folder:
            await asyncio.to_thread(_make_durable, self._folder, key)
        return BlobRef(key=key, sha256=digest.hexdigest(), size_bytes=size, media_type=media_type, sealed=True)

    async def put_file(self, tenant: Tenant, kind: str, path: Path, media_type: str) -> BlobRef:
        """Store a copy of a local file."""
        return await self.put_stream(tenant, kind, _file_chunks(path), media_type)

    async def put_bytes(self, tenant: Tenant, kind: str, content: bytes, media_type: str) -> BlobRef:
        """Store something small."""

        async def one() -> AsyncGenerator[bytes, None]:
            yield content

        return await self.put_stream(tenant, kind, one(), media_type)

    async def delete(self, tenant: Tenant, ref: BlobRef) -> None:
        """Remove a blob that nobody needs; one that is gone is no failure. Raises `Forbidden` for another tenant's."""
        _check_owner(tenant, ref)
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, ref.key)

    async def stream(self, tenant: Tenant, ref: BlobRef) -> AsyncGenerator[bytes, None]:
        """Yield the content in chunks of about 1 MiB.

        Raises `Forbidden` for another tenant's reference, `NotFound`, and `BlobDamaged`: at once if the size is wrong,
        at the first chunk that is not as it was written, and after the last chunk if the digest of one that is not
        sealed is wrong, so what was read may be used only when the stream has ended well.
        """
        _check_owner(tenant, ref)
        try:
            result = await obstore.get_async(self._store, ref.key)
        except FileNotFoundError as missing:
            raise _not_found(ref) from missing
        _check_size(ref, result.meta["size"])
        if ref.sealed:
            async with aclosing(self._opened(tenant, ref, result.stream(READ_BYTES))) as opened:
                async for content in opened:
                    yield content
            return
        digest = hashlib.sha256()
        async for chunk in result.stream(READ_BYTES):
            content = bytes(chunk)
            digest.update(content)
            yield content
        if digest.hexdigest() != ref.sha256:
            raise _damaged(ref, "its SHA-256 is not the one recorded when it was written")

    async def _opened(self, tenant: Tenant, ref: BlobRef, chunks: "BytesStream") -> AsyncGenerator[bytes, None]:
        stream: OpenedStream | None = None
        try:
            async for chunk in chunks:
                rest = bytes(chunk)
                if stream is None:
                    header = rest[:HEADER_BYTES]
                    stream = await asyncio.to_thread(self._stream, tenant, _purpose_of(ref), ref.key, header)
                    rest = rest[HEADER_BYTES:]
                for content in stream.take(rest):
                    yield content
            assert stream is not None
            yield stream.end()
        except CannotOpen as refused:
            raise _damaged(ref, _NOT_SEALED) from refused

    def _stream(self, tenant: Tenant, purpose: str, key: str, header: bytes) -> OpenedStream:
        """What opens a blob, by its root key, or where that is gone by the envelope beside; raises `KeyMissing`."""
        try:
            return OpenedStream(self._vault, tenant, purpose, key, header)
        except KeyMissing:
            data_key = self.envelopes.data_key(tenant, key)
            if data_key is None:
                raise
            return OpenedStream(self._vault, tenant, purpose, key, header, data_key)

    def _open_file(self, tenant: Tenant, ref: BlobRef, source: Path, target: Path) -> None:
        """Write the content of a sealed file of the local store to `target`, in one thread and without waiting."""
        try:
            with source.open("rb") as stored, target.open("xb") as file:
                _check_size(ref, os.fstat(stored.fileno()).st_size)
                stream = self._stream(tenant, _purpose_of(ref), ref.key, stored.read(HEADER_BYTES))
                stream.open_file(stored, file, ref.size_bytes)
        except FileNotFoundError as missing:
            raise _not_found(ref) from missing
        except CannotOpen as refused:
            raise _damaged(ref, _NOT_SEALED) from refused

    async def newest(self, tenant: Tenant, kind: str) -> bytes | None:
        """The small blob of a kind that was written last, found without a reference: for who must not trust those.

        None where there is none; raises `BlobDamaged`.
        """
        keys = []
        async for listed in obstore.list(self._store, f"{_prefix(tenant)}{kind}/"):
            keys += [meta["path"] for meta in listed]
        if not keys:
            return None
        # Their names are UUIDs of version 7: the last by name is the last by time.
        key = max(keys)
        stored = bytes(await (await obstore.get_async(self._store, key)).bytes_async())
        try:
            stream = await asyncio.to_thread(self._stream, tenant, _purpose(kind), key, stored[:HEADER_BYTES])
            return b"".join([*stream.take(stored[HEADER_BYTES:]), stream.end()])
        except CannotOpen as refused:
            raise BlobDamaged("blob_damaged", f"Stored data {key} cannot be trusted: {_NOT_SEALED}.") from refused

    async def read_bytes(self, tenant: Tenant, ref: BlobRef) -> bytes:
        """The whole verified content, for small blobs; raises as `stream` does."""
        return b"".join([chunk async for chunk in self.stream(tenant, ref)])

    async def fetch(self, tenant: Tenant, ref: BlobRef, path: Path) -> None:
        """Copy the verified content to a local file, which appears only when complete; raises as `stream` does."""
        partial = path.with_name(f".{path.name}.{uuid7()}")
        file = await asyncio.to_thread(_open_new, partial)
        try:
            try:
                async for chunk in self.stream(tenant, ref):
                    await asyncio.to_thread(file.write, chunk)
            finally:
                await asyncio.to_thread(file.close)
            await asyncio.to_thread(os.replace, partial, path)
        finally:
            with suppress(FileNotFoundError):
                await asyncio.to_thread(partial.unlink)

    @asynccontextmanager
    async def local(self, tenant: Tenant, ref: BlobRef) -> AsyncGenerator[Path, None]:
        """The verified content as a file to read, not to change; it is gone when the `with` ends.

        Raises as `stream` does.
        """
        if self._folder and not ref.sealed:
            _check_owner(tenant, ref)
            path = self._folder / ref.key
            await asyncio.to_thread(_verify, path, ref)
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="modernize-blob-") as folder:
            path = Path(folder) / "blob"
            if self._folder:
                _check_owner(tenant, ref)
                await asyncio.to_thread(self._open_file, tenant, ref, self._folder / ref.key, path)
            else:
                await self.fetch(tenant, ref, path)
            yield path


def _prefix(tenant: Tenant) -> str:
    return f"{tenant.client_account_id}/{tenant.engagement_id}/"


def _purpose(kind: str) -> str:
    return f"blobs.{kind}"


def _purpose_of(ref: BlobRef) -> str:
    return _purpose(ref.key.split("/")[2])


def _check_size(ref: BlobRef, size: int) -> None:
    expected = sealed_size(ref.size_bytes) if ref.sealed else ref.size_bytes
    if size != expected:
        raise _damaged(ref, f"it has {size:,} bytes instead of {expected:,}")


def _check_owner(tenant: Tenant, ref: BlobRef) -> None:
    """Only a key of exactly the written form passes, so no `..` can lead out of the tenant's folder."""
    prefix = _prefix(tenant)
    if not (ref.key.startswith(prefix) and _KEY_REST.fullmatch(ref.key.removeprefix(prefix))):
        raise Forbidden(
            "blob_of_another_tenant",
            "The reference does not belong to this client account and engagement, so it was not opened.",
        )


def _not_found(ref: BlobRef) -> NotFound:
    return NotFound(
        "blob_not_found",
        f"Stored data {ref.key} is missing: it was deleted, or the service looks into another store. "
        "Check MODERNIZE_BLOB_URL and the retention of the store, or import the file again.",
    )


def _damaged(ref: BlobRef, finding: str) -> BlobDamaged:
    return BlobDamaged(
        "blob_damaged",
        f"Stored data {ref.key} cannot be trusted: {finding}. Restore it from a backup, or import the file again.",
    )


def _verify(path: Path, ref: BlobRef) -> None:
    try:
        with path.open("rb") as file:
            _check_size(ref, os.fstat(file.fileno()).st_size)
            if hashlib.file_digest(file, "sha256").hexdigest() != ref.sha256:
                raise _damaged(ref, "its SHA-256 is not the one recorded when it was written")
    except FileNotFoundError as missing:
        raise _not_found(ref) from missing


def _make_durable(folder: Path, key: str) -> None:
    """Flush a local blob and the folders that name it: obstore renames the complete file but never calls fsync."""
    path = folder / key
    for target in (path, *path.parents):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if target == folder:
            return


def _open_new(path: Path) -> BinaryIO:
    return path.open("xb")


async def _file_chunks(path: Path) -> AsyncGenerator[bytes, None]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, READ_BYTES):
            yield chunk
    finally:
        await asyncio.to_thread(file.close)

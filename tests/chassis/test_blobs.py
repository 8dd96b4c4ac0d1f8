import asyncio
import hashlib
import itertools
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import BlobRef, Tenant
from services.chassis.blobs import PART_BYTES, BlobDamaged, Blobs
from services.chassis.encryption import Vault
from services.chassis.errors import Forbidden, NotFound, TooLarge
from tests.chassis.keys_in_memory import Keys

TENANT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=2))
VAULT = Vault(Keys())
OTHER_ENGAGEMENT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=3))


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return Blobs((tmp_path / "the blobs").as_uri() if request.param == "file" else "memory:///", VAULT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def local_blobs(folder: Path) -> Blobs:
    return Blobs(folder.as_uri(), VAULT)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def _chunks(*contents: bytes) -> AsyncGenerator[bytes, None]:
    for content in contents:
        yield content


async def test_what_is_put_comes_back(blobs: Blobs) -> None:
    ref = await blobs.put_bytes(TENANT, "report", b"hello", "text/plain")

    assert ref.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert (ref.size_bytes, ref.media_type) == (5, "text/plain")
    assert await blobs.read_bytes(TENANT, ref) == b"hello"


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    ref = await blobs.put_bytes(TENANT, "report", b"", "text/plain")

    assert await blobs.read_bytes(TENANT, ref) == b""


async def test_the_key_names_the_tenant_and_the_kind(blobs: Blobs) -> None:
    ref = await blobs.put_bytes(TENANT, "upload", b"x", "text/csv")

    account, engagement, kind, identifier = ref.key.split("/")
    assert (account, engagement, kind) == (str(UUID(int=1)), str(UUID(int=2)), "upload")
    assert UUID(identifier).version == 7


async def test_a_file_of_many_parts_comes_back_unchanged(blobs: Blobs, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(2 * PART_BYTES + 17))

    ref = await blobs.put_file(TENANT, "upload", source, "text/csv")
    await blobs.fetch(TENANT, ref, target)

    assert target.read_bytes() == source.read_bytes()


async def test_a_stream_past_the_limit_is_refused_and_leaves_nothing(local_blobs: Blobs, folder: Path) -> None:
    chunks = _chunks(*itertools.repeat(b"x" * 1024**2, 12))

    with pytest.raises(TooLarge, match="11,534,336 bytes") as refused:
        await local_blobs.put_stream(TENANT, "upload", chunks, "text/csv", limit_bytes=11 * 1024**2)

    assert refused.value.problem.code == "upload_too_large"
    assert _files(folder) == []


async def test_exactly_the_limit_is_accepted(blobs: Blobs) -> None:
    ref = await blobs.put_stream(TENANT, "upload", _chunks(b"abc", b"def"), "text/csv", limit_bytes=6)

    assert ref.size_bytes == 6


async def test_an_upload_that_breaks_off_leaves_nothing(local_blobs: Blobs, folder: Path) -> None:
    async def breaking() -> AsyncGenerator[bytes, None]:
        for _ in range(12):
            yield b"x" * 1024**2
        raise ConnectionResetError("client gone")

    with pytest.raises(ConnectionResetError):
        await local_blobs.put_stream(TENANT, "upload", breaking(), "text/csv")

    assert _files(folder) == []


async def test_a_cancelled_upload_leaves_nothing(local_blobs: Blobs, folder: Path) -> None:
    reached = asyncio.Event()

    async def hanging() -> AsyncGenerator[bytes, None]:
        for _ in range(12):
            yield b"x" * 1024**2
        reached.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(local_blobs.put_stream(TENANT, "upload", hanging(), "text/csv"))
    await reached.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload

    async with asyncio.timeout(10):
        while _files(folder):  # noqa: ASYNC110 - the store removes the file in a thread that tells nobody
            await asyncio.sleep(0)


async def test_another_engagement_cannot_open_a_reference(blobs: Blobs) -> None:
    ref = await blobs.put_bytes(TENANT, "upload", b"x", "text/csv")

    with pytest.raises(Forbidden):
        await blobs.read_bytes(OTHER_ENGAGEMENT, ref)
    with pytest.raises(Forbidden):
        async with blobs.local(OTHER_ENGAGEMENT, ref):
            pass


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key.replace("/upload/", "/../upload/"),
        lambda key: key + "/../../x",
        lambda key: "/" + key,
        lambda key: key.replace(str(UUID(int=1)), str(UUID(int=1)) + "0"),
        lambda _: "",
    ],
)
async def test_a_key_of_another_form_is_refused(blobs: Blobs, change: Callable[[str], str]) -> None:
    ref = await blobs.put_bytes(TENANT, "upload", b"x", "text/csv")

    with pytest.raises(Forbidden):
        await blobs.read_bytes(TENANT, ref.model_copy(update={"key": change(ref.key)}))


@pytest.mark.parametrize("update", [{"key": f"{UUID(int=1)}/{UUID(int=2)}/upload/{UUID(int=9)}"}, {"size_bytes": 4}])
async def test_content_that_is_not_what_the_reference_says_is_refused(
    blobs: Blobs, tmp_path: Path, update: dict[str, Any]
) -> None:
    stored = await blobs.put_bytes(TENANT, "upload", b"hello", "text/csv")
    ref = stored.model_copy(update=update)
    content = await obstore.get_async(blobs._store, stored.key)
    await obstore.put_async(blobs._store, ref.key, await content.bytes_async())
    target = tmp_path / "target" / "file"
    target.parent.mkdir()

    with pytest.raises(BlobDamaged):
        await blobs.read_bytes(TENANT, ref)
    with pytest.raises(BlobDamaged):
        await blobs.fetch(TENANT, ref, target)
    with pytest.raises(BlobDamaged):
        async with blobs.local(TENANT, ref):
            pass
    assert _files(target.parent) == []


async def test_a_missing_blob_is_named(blobs: Blobs) -> None:
    ref = BlobRef(
        key=f"{UUID(int=1)}/{UUID(int=2)}/upload/{UUID(int=9)}", sha256="0" * 64, size_bytes=1, media_type="text/csv"
    )

    with pytest.raises(NotFound, match=str(UUID(int=9))):
        await blobs.read_bytes(TENANT, ref)
    with pytest.raises(NotFound):
        async with blobs.local(TENANT, ref):
            pass


async def test_a_blob_is_readable_as_a_file_for_as_long_as_it_is_used(blobs: Blobs) -> None:
    ref = await blobs.put_bytes(TENANT, "upload", b"hello", "text/csv")

    async with blobs.local(TENANT, ref) as path:
        assert path.read_bytes() == b"hello"
    assert not path.exists()


async def test_a_local_blob_is_flushed_before_its_reference_is_given(
    local_blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: set[int] = set()
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        flushed.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)

    ref = await local_blobs.put_bytes(TENANT, "upload", b"hello", "text/csv")

    path = folder / ref.key
    assert {os.stat(target).st_ino for target in (path, path.parent, folder)} <= flushed


@pytest.mark.parametrize("kind", ["", "a/b", "..", "Upload"])
async def test_a_kind_is_one_plain_word(blobs: Blobs, kind: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        await blobs.put_bytes(TENANT, kind, b"x", "text/csv")


@given(contents=st.lists(st.binary(max_size=200), max_size=20))
def test_however_it_is_cut_the_digest_is_that_of_the_whole(contents: list[bytes]) -> None:
    async def round_trip() -> None:
        blobs = Blobs("memory:///", VAULT)
        ref = await blobs.put_stream(TENANT, "upload", _chunks(*contents), "text/csv")
        assert ref.sha256 == hashlib.sha256(b"".join(contents)).hexdigest()
        assert await blobs.read_bytes(TENANT, ref) == b"".join(contents)

    asyncio.run(round_trip())


async def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_failure(blobs: Blobs) -> None:
    ref, other = [await blobs.put_bytes(TENANT, "report", b"hello", "text/plain") for _ in range(2)]
    with pytest.raises(Forbidden):
        await blobs.delete(OTHER_ENGAGEMENT, ref)
    for _ in range(2):
        await blobs.delete(TENANT, ref)
    with pytest.raises(NotFound):
        await blobs.read_bytes(TENANT, ref)
    assert await blobs.read_bytes(TENANT, other) == b"hello"

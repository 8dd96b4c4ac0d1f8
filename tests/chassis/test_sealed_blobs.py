"""Sealed blobs: what was changed, cut, swapped or moved behind our back is found out."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from contracts import BlobRef, Tenant
from services.chassis.blobs import BlobDamaged, Blobs
from services.chassis.encryption import Vault
from services.chassis.sealed_streams import PIECE_BYTES
from tests.chassis.keys_in_memory import Keys

TENANT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=2))
OTHER_ENGAGEMENT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def local_blobs(folder: Path) -> Blobs:
    return Blobs(folder.as_uri(), Vault(Keys()))


PIECE = PIECE_BYTES + 16


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda own, other: own[:-1] + bytes([own[-1] ^ 1]), id="a bit of the last byte"),
        pytest.param(lambda own, other: bytes([own[0] ^ 2]) + own[1:], id="a bit of the first byte"),
        pytest.param(lambda own, other: other, id="another blob of the same size"),
        pytest.param(lambda own, other: own[:25] + other[25:], id="the pieces of another blob"),
        pytest.param(
            lambda own, other: (
                own[:25] + own[25 + PIECE : 25 + 2 * PIECE] + own[25 : 25 + PIECE] + own[25 + 2 * PIECE :]
            ),
            id="two pieces swapped",
        ),
        pytest.param(
            lambda own, other: own[: 25 + PIECE] + own[25 : 25 + PIECE] + own[25 + 2 * PIECE :], id="a piece repeated"
        ),
        pytest.param(
            lambda own, other: own[: 25 + PIECE] + other[25 + PIECE : 25 + 2 * PIECE] + own[25 + 2 * PIECE :],
            id="one piece of another blob",
        ),
    ],
)
async def test_a_sealed_file_changed_behind_our_back_is_found_out(
    local_blobs: Blobs, folder: Path, change: Callable[[bytes, bytes], bytes]
) -> None:
    ref, other = [
        await local_blobs.put_bytes(TENANT, "upload", os.urandom(2 * PIECE_BYTES + 100), "text/csv") for _ in range(2)
    ]
    path = folder / ref.key
    own = path.read_bytes()
    changed = change(own, (folder / other.key).read_bytes())
    assert len(changed) == len(own)
    assert changed != own
    path.write_bytes(changed)

    with pytest.raises(BlobDamaged, match="not what was sealed"):
        await local_blobs.read_bytes(TENANT, ref)


@pytest.mark.parametrize("pieces", [1, 2])
async def test_a_sealed_file_cut_between_two_pieces_is_found_out_whatever_its_reference_says(
    local_blobs: Blobs, folder: Path, pieces: int
) -> None:
    ref = await local_blobs.put_bytes(TENANT, "upload", os.urandom(2 * PIECE_BYTES + 100), "text/csv")
    path = folder / ref.key
    path.write_bytes(path.read_bytes()[: 25 + pieces * PIECE])
    shorter = ref.model_copy(update={"size_bytes": pieces * PIECE_BYTES})

    with pytest.raises(BlobDamaged, match="instead of"):
        await local_blobs.read_bytes(TENANT, ref)
    with pytest.raises(BlobDamaged, match="not what was sealed"):
        await local_blobs.read_bytes(TENANT, shorter)


async def test_the_same_content_of_two_tenants_does_not_look_the_same(local_blobs: Blobs, folder: Path) -> None:
    refs = [
        await local_blobs.put_bytes(tenant, "upload", b"x" * 1000, "text/csv") for tenant in (TENANT, OTHER_ENGAGEMENT)
    ]
    stored = [(folder / ref.key).read_bytes() for ref in refs]

    assert stored[0][25:] != stored[1][25:]
    assert b"xxxx" not in stored[0] + stored[1]
    (folder / refs[0].key).write_bytes(stored[1])
    with pytest.raises(BlobDamaged, match="not what was sealed"):
        await local_blobs.read_bytes(TENANT, refs[0])


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
async def test_content_of_any_size_comes_back(local_blobs: Blobs, size: int) -> None:
    content = os.urandom(size)
    ref = await local_blobs.put_bytes(TENANT, "upload", content, "text/csv")

    assert await local_blobs.read_bytes(TENANT, ref) == content


def unsealed(folder: Path) -> BlobRef:
    """A blob as it was stored before blobs were sealed."""
    key = f"{UUID(int=1)}/{UUID(int=2)}/upload/{UUID(int=7)}"
    (folder / key).parent.mkdir(parents=True)
    (folder / key).write_bytes(b"hello")
    return BlobRef(key=key, sha256=hashlib.sha256(b"hello").hexdigest(), size_bytes=5, media_type="text/csv")


async def test_a_blob_from_before_blobs_were_sealed_is_read_where_it_lies_by_its_digest(
    local_blobs: Blobs, folder: Path
) -> None:
    ref = unsealed(folder)
    assert await local_blobs.read_bytes(TENANT, ref) == b"hello"
    async with local_blobs.local(TENANT, ref) as path:
        assert path == folder / ref.key
    (folder / ref.key).write_bytes(b"jello")
    with pytest.raises(BlobDamaged, match="SHA-256"):
        await local_blobs.read_bytes(TENANT, ref)
    with pytest.raises(BlobDamaged, match="SHA-256"):
        async with local_blobs.local(TENANT, ref):
            pass


async def test_plain_content_cannot_stand_in_for_sealed(local_blobs: Blobs, folder: Path) -> None:
    ref = await local_blobs.put_bytes(TENANT, "upload", b"hello", "text/csv")
    (folder / ref.key).write_bytes(b"x" * (folder / ref.key).stat().st_size)
    with pytest.raises(BlobDamaged):
        await local_blobs.read_bytes(TENANT, ref)
    with pytest.raises(BlobDamaged):
        await local_blobs.read_bytes(TENANT, ref.model_copy(update={"sealed": False}))

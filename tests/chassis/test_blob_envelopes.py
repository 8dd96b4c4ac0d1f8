"""Old root keys retire: the data keys of blobs are wrapped anew, and the blobs stay as they are."""

import os
from pathlib import Path

import pytest

from contracts import BlobRef, Tenant
from services.chassis.blob_envelopes import FOLDER, Wrapped
from services.chassis.blobs import BlobDamaged, Blobs
from services.chassis.encryption import KeyMissing, Vault
from services.chassis.testing import some_tenant
from tests.chassis.keys_in_memory import Keys

TENANT = some_tenant()
CONTENT = os.urandom(1_300_000)


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri() if request.param == "file" else "memory:///"


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def blobs(url: str, keys: Keys) -> Blobs:
    return Blobs(url, Vault(keys))


async def wrapped(blobs: Blobs) -> Wrapped:
    """How far it is after all that can be wrapped was."""
    blobs.envelopes._vault.load()
    return [told async for told in blobs.envelopes.wrap()][-1]


async def put(blobs: Blobs, tenant: Tenant = TENANT, kind: str = "upload") -> BlobRef:
    """A blob of more than one piece."""
    return await blobs.put_bytes(tenant, kind, CONTENT, "text/csv")


async def read_every_way(blobs: Blobs, tenant: Tenant, ref: BlobRef) -> None:
    """Read it as a stream, as a file and as the newest of its kind."""
    assert await blobs.read_bytes(tenant, ref) == CONTENT
    async with blobs.local(tenant, ref) as path:
        assert path.read_bytes() == CONTENT
    assert await blobs.newest(tenant, ref.key.split("/")[2]) == CONTENT


async def test_a_blob_opens_without_the_root_key_that_it_was_written_with(blobs: Blobs, keys: Keys) -> None:
    refs = [await put(blobs), await put(blobs, kind="assets")]
    keys.add(2)
    assert await wrapped(blobs) == Wrapped(2, 0, {})
    new = await put(blobs, kind="reports")
    assert await wrapped(blobs) == Wrapped(3, 0, {})
    del keys.keys[1]
    blobs.envelopes._vault.load()
    for ref in (*refs, new):
        await read_every_way(blobs, TENANT, ref)


async def test_rotation_after_rotation_keeps_every_blob_readable_and_forgets_older_envelopes(
    blobs: Blobs, keys: Keys
) -> None:
    ref = await put(blobs)
    for version in (2, 3, 4):
        keys.add(version)
        assert await wrapped(blobs) == Wrapped(1, 0, {})
        await blobs.envelopes.forget()
        del keys.keys[version - 1]
        blobs.envelopes._vault.load()
        await read_every_way(blobs, TENANT, ref)
        names = [name async for name in blobs.envelopes._keys(f"{FOLDER}/")]
        assert names == [f"{version}/{ref.key}"]


async def test_what_is_wrapped_already_is_not_wrapped_again_by_who_goes_on(blobs: Blobs, keys: Keys) -> None:
    for _ in range(40):
        await blobs.put_bytes(TENANT, "upload", b"x", "text/csv")
    keys.add(2)
    blobs.envelopes._vault.load()
    # Killed after a first chunk: what was written is there, and the next process takes the rest.
    async for told in blobs.envelopes.wrap():
        assert told.left
        break
    first = {name async for name in blobs.envelopes._keys(f"{FOLDER}/2/")}
    assert 0 < len(first) < 40
    assert await wrapped(blobs) == Wrapped(40, 0, {})
    assert len([name async for name in blobs.envelopes._keys(f"{FOLDER}/2/")]) == 40


async def test_a_blob_whose_root_key_is_gone_unwrapped_is_told_with_the_version_it_needs(
    blobs: Blobs, keys: Keys
) -> None:
    ref = await put(blobs)
    keys.add(2)
    lost = keys.keys.pop(1)
    assert await wrapped(blobs) == Wrapped(1, 0, {1: 1})
    with pytest.raises(KeyMissing, match="version 1"):
        await blobs.read_bytes(TENANT, ref)
    keys.keys = {1: lost, **keys.keys}
    assert await wrapped(blobs) == Wrapped(1, 0, {})


async def test_an_envelope_of_another_blob_or_tenant_opens_nothing(tmp_path: Path, keys: Keys) -> None:
    folder = tmp_path / "store"
    blobs, other = Blobs(folder.as_uri(), Vault(keys)), some_tenant()
    refs = [await put(blobs), await put(blobs), await put(blobs, other)]
    keys.add(2)
    await wrapped(blobs)
    del keys.keys[1]
    blobs.envelopes._vault.load()
    own = folder / FOLDER / "2" / refs[0].key
    for stranger in refs[1:]:
        own.write_bytes((folder / FOLDER / "2" / stranger.key).read_bytes())
        with pytest.raises(BlobDamaged):
            await blobs.read_bytes(TENANT, refs[0])

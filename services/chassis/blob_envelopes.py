"""Data keys of blobs wrapped anew, so that an old root key is not needed for them any more; the blobs stay as they are.

A blob's header names the root key that its data key comes from. After a rotation the data key itself is sealed under
the newest root key and kept beside the tenants' folders: `envelopes/<version>/<key of the blob>`. Who reads a blob
whose root key is gone finds its data key there. An envelope's name says what is done, so whoever was killed goes on.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import obstore
from obstore.store import ObjectStore

from contracts.envelope import Tenant
from services.chassis.encryption import FORMAT, HEADER_BYTES, KeyMissing, Vault, sealed_version

FOLDER = "envelopes"
PURPOSE = "blobs.data_key"
# Headers that are read, and envelopes that are written, at a time.
AT_ONCE = 32


@dataclass(frozen=True)
class Wrapped:
    """How far it is: blobs in all, those that were not looked at yet, and those that no root key here opens.

    The last by the version that they need.
    """

    total: int
    left: int
    unopened: Mapping[int, int]


class Envelopes:
    """The wrapped data keys in a blob store."""

    def __init__(self, store: ObjectStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    def data_key(self, tenant: Tenant, key: str) -> bytes | None:
        """The data key of a blob whose root key is gone; None where it was never wrapped anew."""
        for version in sorted(self._vault.versions(), reverse=True):
            try:
                sealed = bytes(obstore.get(self._store, _name(version, key)).bytes())
            except FileNotFoundError:
                continue
            return self._vault.open(tenant, PURPOSE, key, sealed)
        return None

    async def wrap(self) -> AsyncIterator[Wrapped]:
        """Wrap the data keys of all blobs that an older root key sealed; tells from time to time how far it is."""
        version = self._vault.version
        done = {key async for key in self._keys(f"{FOLDER}/{version}/")}
        blobs = [key async for key in self._keys("") if _tenant_of(key) is not None]
        todo = [key for key in blobs if key not in done]
        unopened = Counter[int]()
        for start in range(0, len(todo), AT_ONCE):
            chunk = todo[start : start + AT_ONCE]
            needs = await asyncio.gather(*(self._wrap(key, version) for key in chunk))
            unopened.update(need for need in needs if need is not None)
            yield Wrapped(len(blobs), len(todo) - start - len(chunk), unopened)
        yield Wrapped(len(blobs), 0, unopened)

    async def forget(self) -> None:
        """Remove envelopes of older versions, once none is needed."""
        newest = f"{FOLDER}/{self._vault.version}/"
        async for listed in obstore.list(self._store, f"{FOLDER}/"):
            old = [meta["path"] for meta in listed if not meta["path"].startswith(newest)]
            if old:
                await obstore.delete_async(self._store, old)

    async def _wrap(self, key: str, version: int) -> int | None:
        """Wrap one data key if an older root key opens it; the version that it needs where none here does."""
        tenant = _tenant_of(key)
        assert tenant is not None
        purpose = f"blobs.{key.split('/')[2]}"
        try:
            header = bytes(await obstore.get_range_async(self._store, key, start=0, length=HEADER_BYTES))
        except FileNotFoundError:
            return None
        # What was written before blobs were sealed has no header, and needs no key.
        if len(header) < HEADER_BYTES or header[0] != FORMAT or sealed_version(header) == version:
            return None
        try:
            data_key = self._vault.data_key(tenant, purpose, key, header)
        except KeyMissing:
            earlier = await asyncio.to_thread(self.data_key, tenant, key)
            if earlier is None:
                return sealed_version(header)
            data_key = earlier
        sealed = self._vault.seal(tenant, PURPOSE, key, data_key)
        await obstore.put_async(self._store, _name(version, key), sealed)
        return None

    async def _keys(self, prefix: str) -> AsyncIterator[str]:
        async for listed in obstore.list(self._store, prefix or None):
            for meta in listed:
                yield meta["path"].removeprefix(prefix)


def _name(version: int, key: str) -> str:
    return f"{FOLDER}/{version}/{key}"


def _tenant_of(key: str) -> Tenant | None:
    """The tenant whose blob a key names; None for what is no blob."""
    parts = key.split("/")
    try:
        client, engagement = map(UUID, parts[:2])
    except ValueError:
        return None
    return Tenant(client_account_id=client, engagement_id=engagement) if len(parts) == 4 else None

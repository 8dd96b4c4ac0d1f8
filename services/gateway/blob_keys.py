"""Data keys of blobs are wrapped anew after a rotation of the root keys; the gateway does it for the shared store."""

import asyncio
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from contracts.encryption import BLOBS, EncryptionProgressed, StillNeeded
from contracts.envelope import PLATFORM
from services.chassis.outbox import add_events
from services.chassis.resealing import LOOK_SECONDS, RARELY_SECONDS, SETTLED_SECONDS
from services.chassis.runtime import Runtime
from services.gateway.handlers import service

TELL_SECONDS = 1.0


@dataclass
class _Seen:
    """The newest version that this process knows, since when, when it looks again, and what it told last."""

    version: int = 0
    since: float = 0.0
    next_look: float = 0.0
    told: EncryptionProgressed | None = None
    told_at: float = 0.0


_SEEN: WeakKeyDictionary[Runtime, _Seen] = WeakKeyDictionary()


@service.every(LOOK_SECONDS)
async def wrap_data_keys(runtime: Runtime) -> None:
    """Look for blobs whose data keys an older root key opens. Before the first rotation there is nothing to do."""
    vault, seen = runtime.vault, _SEEN.setdefault(runtime, _Seen())
    await asyncio.to_thread(vault.load)
    now = time.monotonic()
    if len(vault.versions()) < 2 or (vault.version == seen.version and now < seen.next_look):
        return
    if vault.version != seen.version:
        seen.version, seen.since = vault.version, now
    settled = now - seen.since >= SETTLED_SECONDS
    seen.next_look = now + RARELY_SECONDS if settled else now
    async for wrapped in runtime.blobs.envelopes.wrap():
        lost = sum(wrapped.unopened.values())
        told = EncryptionProgressed(
            tenant=PLATFORM,
            service=BLOBS,
            version=seen.version,
            sealed=wrapped.total,
            left=wrapped.left + lost,
            needed=[StillNeeded(version=key, what="blobs", count=n) for key, n in sorted(wrapped.unopened.items())],
        )
        if wrapped.left == 0 or time.monotonic() - seen.told_at > TELL_SECONDS:
            await _tell(runtime, seen, told)
    if settled and vault.version == seen.version:
        # By now every process knows the newest version, so nobody needs what older ones wrapped.
        await runtime.blobs.envelopes.forget()


async def _tell(runtime: Runtime, seen: _Seen, told: EncryptionProgressed) -> None:
    seen.told_at = time.monotonic()
    if seen.told is not None and seen.told.model_dump(include=_SAID) == told.model_dump(include=_SAID):
        return
    async with runtime.database.transaction(PLATFORM) as session:
        await add_events(session, service.metadata, [told])
    runtime.committed()
    seen.told = told


_SAID = {"version", "sealed", "left", "needed"}

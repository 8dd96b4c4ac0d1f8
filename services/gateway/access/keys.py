"""API keys: what systems present, over REST and on the bus."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.access import ROLE_SCOPES
from contracts.envelope import PLATFORM, Tenant
from services.chassis.encryption import KeyMissing, Vault
from services.chassis.runtime import Runtime
from services.chassis.tenancy import enter
from services.gateway.access.bootstrap_key import holder_of_bootstrap_key
from services.gateway.access.identity import Identity
from services.gateway.access.key_format import id_of_key, new_key, new_key_id
from services.gateway.access.tables import ApiKey, ApiKeyPlace

log = structlog.get_logger()

# `last_used_at` is that exact: a key that is busy costs no write a request.
USE_NOTED_EVERY = timedelta(minutes=1)
_USE = "api_keys"


async def holder_of_key(session: AsyncSession, runtime: Runtime, key: str) -> Identity | None:
    """Whose key it is; None for one that is unknown, revoked or expired. Leaves the session in some tenant."""
    found = await holder_of_bootstrap_key(session, runtime.settings, key)
    if found is not None:
        return found
    key_id = id_of_key(key)
    if key_id is None:
        return None
    await enter(session, PLATFORM)
    place = await session.scalar(select(ApiKeyPlace).where(ApiKeyPlace.key_id == key_id))
    if place is None:
        return None
    home = Tenant(client_account_id=place.of_client_account_id, engagement_id=place.of_engagement_id)
    await enter(session, home)
    row = await session.scalar(select(ApiKey).where(ApiKey.key_id == key_id))
    now = datetime.now(UTC)
    if row is None or not counts(row, now) or not _fits(runtime.vault, key, row):
        return None
    if row.last_used_at is None or row.last_used_at < now - USE_NOTED_EVERY:
        # A key in use moves to the newest root key by itself.
        noted = {"last_used_at": now, **digest_of(runtime.vault, key)}
        await session.execute(update(ApiKey).where(ApiKey.key_id == key_id).values(noted))
    return Identity(
        kind="key",
        subject=f"key:{key_id}",
        name=row.name,
        valid_until=row.expires_at,
        home=home,
        # A role that lost a scope takes it from its keys, too.
        scopes=frozenset(row.scopes) & ROLE_SCOPES[row.role],  # type: ignore[index]  # checked when it was made
    )


def digest_of(vault: Vault, key: str) -> dict[str, Any]:
    """What is stored of a key: worth nothing to who has the database and not the root keys."""
    version, digest = vault.digest(_USE, key.encode())
    return {"pepper": version, "digest": digest.hex()}


def _fits(vault: Vault, key: str, row: ApiKey) -> bool:
    try:
        _, digest = vault.digest(_USE, key.encode(), row.pepper)
    except KeyMissing:
        log.warning("api_key_needs_a_root_key_that_is_gone", key_id=row.key_id, version=row.pepper)
        return False
    return hmac.compare_digest(digest.hex(), row.digest)


async def make_key(
    session: AsyncSession, vault: Vault, tenant: Tenant, user_id: UUID | None, values: dict[str, Any]
) -> tuple[str, ApiKey]:
    """A new key and its row with these values; `user_id` is behind it. Leaves the session in the tenant."""
    key_id = new_key_id()
    key = new_key(key_id)
    await enter(session, PLATFORM)
    place = {"of_client_account_id": tenant.client_account_id, "of_engagement_id": tenant.engagement_id}
    await session.execute(insert(ApiKeyPlace).values(key_id=key_id, user_id=user_id, **place))
    await enter(session, tenant)
    row = {"key_id": key_id, **values, **digest_of(vault, key)}
    return key, (await session.scalars(insert(ApiKey).values(row).returning(ApiKey))).one()


def counts(key: ApiKey, now: datetime) -> bool:
    """Whether a key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)

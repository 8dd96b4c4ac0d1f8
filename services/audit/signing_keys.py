"""The keys that sign a tenant's checkpoints: made here, kept sealed, replaced on request and never taken away."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.audit_log import AuditKeyCreated
from contracts.envelope import Event, Tenant
from services.audit.notes import VerifierKey, origin_of
from services.audit.tables import PRIVATE_KEY, SigningKey
from services.chassis.encryption import Vault

SEALED_FOR = PRIVATE_KEY.purpose


@dataclass(frozen=True)
class Signer:
    """A key pair; `new` until it is stored."""

    key: VerifierKey
    private: bytes
    new: bool


def made(tenant: Tenant) -> Signer:
    """A new key pair for a tenant's log."""
    private = Ed25519PrivateKey.generate()
    key = VerifierKey(origin_of(tenant), private.public_key().public_bytes_raw())
    return Signer(key, private.private_bytes_raw(), new=True)


async def signer_of(session: AsyncSession, vault: Vault, tenant: Tenant) -> Signer:
    """The key that signs now: the newest, or a new one where there is none."""
    row = await session.scalar(select(SigningKey).order_by(SigningKey.made_at.desc(), SigningKey.key_id).limit(1))
    if row is None:
        return made(tenant)
    key = VerifierKey(origin_of(tenant), row.public_key)
    return Signer(key, vault.open(tenant, SEALED_FOR, row.key_id, row.sealed_key), new=False)


async def verifier_keys(session: AsyncSession, tenant: Tenant) -> list[VerifierKey]:
    """The public half of every key that ever signed here."""
    keys = await session.scalars(select(SigningKey.public_key).order_by(SigningKey.made_at))
    return [VerifierKey(origin_of(tenant), public) for public in keys]


async def stored(
    session: AsyncSession, vault: Vault, signer: Signer, cause: Event | None, tenant: Tenant
) -> AuditKeyCreated:
    """Keep a new key, and say so."""
    now = datetime.now(UTC)
    row = {
        "key_id": signer.key.key_id,
        "public_key": signer.key.public,
        "sealed_key": vault.seal(tenant, SEALED_FOR, signer.key.key_id, signer.private),
        "made_at": now,
    }
    await session.execute(insert(SigningKey).values(row))
    told = {"key_id": signer.key.key_id, "public_key": signer.key.text, "made_at": now}
    return AuditKeyCreated.model_validate({"tenant": tenant, "causation_id": cause.id if cause else None, **told})

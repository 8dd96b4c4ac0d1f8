"""Opaque tokens: 256 random bits that stand in the database as a digest only."""

import base64
import binascii
import hashlib
import secrets
from uuid import UUID

from contracts.envelope import Tenant

_BYTES = 32


def new_token(kind: str) -> str:
    """A token that nobody can guess; `kind` tells people, and scanners for leaked secrets, what it is."""
    return f"modernize_{kind}_{secrets.token_urlsafe(_BYTES)}"


def digest(token: str) -> str:
    """What is stored of a token: it is random, so a plain digest cannot be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_tenant_token(kind: str, tenant: Tenant) -> str:
    """A token that also says in which tenant its row is to be found."""
    place = tenant.client_account_id.bytes + tenant.engagement_id.bytes
    return f"modernize_{kind}_{_encoded(place + secrets.token_bytes(_BYTES))}"


def tenant_of(token: str) -> Tenant | None:
    """The tenant that a token of `new_tenant_token` names; None for what is no such token."""
    # The encoding has underscores of its own.
    encoded = token.split("_", 2)[-1]
    try:
        value = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        return None
    if len(value) != 32 + _BYTES:
        return None
    return Tenant(client_account_id=UUID(bytes=value[:16]), engagement_id=UUID(bytes=value[16:32]))


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")

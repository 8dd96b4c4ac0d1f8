"""The gateway's tables about people: accounts, invitations, sessions, and how they sign in.

All are rows of the platform's tenant, for a person works for many clients; only invitations and login providers belong
to the tenant that they let people into.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tables import Sealed
from services.chassis.tenancy import TenantRow
from services.gateway.tables import TENANT, Tables

# What the sealed columns hold, and the column that each value is bound to.
PRIVATE_KEY = Sealed("signing_keys.sealed", "kid")
PROVIDER_SECRET = Sealed("login_providers.sealed_secret", "provider_id")


class User(TenantRow, Tables):
    """A person's account."""

    __tablename__ = "users"
    __table_args__ = (Index(None, *TENANT, "email_key", unique=True),)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(comment="The address as it is compared: see emails.email_key")
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    password_hash: Mapped[str | None] = mapped_column(comment="argon2id; null: signs in with a provider only")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class IdentityLink(TenantRow, Tables):
    """An account at a login provider that signs a person in."""

    __tablename__ = "identity_links"
    __table_args__ = (Index(None, *TENANT, "user_id"),)

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_subject: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    linked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Invitation(TenantRow, Tables):
    """Somebody may join this tenant with a role, by a token of which only a digest is kept."""

    __tablename__ = "invitations"
    __table_args__ = (Index(None, *TENANT, "token_digest", unique=True),)

    invitation_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_digest: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="open")
    invited_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class LoginSession(TenantRow, Tables):
    """A person who signed in somewhere: the family of all refresh tokens that came from it."""

    __tablename__ = "login_sessions"
    __table_args__ = (Index(None, *TENANT, "user_id"),)

    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    method: Mapped[str]
    user_agent: Mapped[str | None]
    source: Mapped[str]
    within: Mapped[UUID | None] = mapped_column(comment="The only client account in which it counts; null: everywhere")
    started_at: Mapped[datetime]
    used_at: Mapped[datetime]
    idle_until: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_reason: Mapped[str | None]


class RefreshToken(TenantRow, Tables):
    """A refresh token, good once; only its digest is kept."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        Index(None, *TENANT, "session_id"),
        ForeignKeyConstraint(
            [*TENANT, "session_id"], [f"gateway.login_sessions.{column}" for column in (*TENANT, "session_id")]
        ),
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[UUID]
    issued_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None]


class PasswordReset(TenantRow, Tables):
    """A person may set another password with a token, of which only a digest is kept; a newer one takes its place."""

    __tablename__ = "password_resets"
    __table_args__ = (Index(None, *TENANT, "token_digest", unique=True),)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_digest: Mapped[str]
    expires_at: Mapped[datetime]


class SigningKey(TenantRow, Tables):
    """An Ed25519 key that signs access tokens for a while; its private part is sealed."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    public: Mapped[str] = mapped_column(comment="x of RFC 8037")
    sealed: Mapped[bytes] = mapped_column(LargeBinary, info={"sealed": PRIVATE_KEY})
    signs_from: Mapped[datetime]
    signs_until: Mapped[datetime]


class LoginCounter(TenantRow, Tables):
    """Failed logins in a row, of an account that exists or not, or from a network address."""

    __tablename__ = "login_counters"

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[datetime | None]
    locked_until: Mapped[datetime | None]


class LoginProvider(TenantRow, Tables):
    """An OpenID provider whose people may sign in; its secret is sealed."""

    __tablename__ = "login_providers"

    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[bytes | None] = mapped_column(LargeBinary, info={"sealed": PROVIDER_SECRET})
    redirect_uris: Mapped[list[Any]]
    allowed_domains: Mapped[list[Any]]
    saved_by: Mapped[str]
    saved_at: Mapped[datetime]


class OidcLogin(TenantRow, Tables):
    """A login at a provider that was begun; ended by whoever has the secret of which this is the digest."""

    __tablename__ = "oidc_logins"

    secret_digest: Mapped[str] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    of_client_account_id: Mapped[UUID]
    redirect_uri: Mapped[str]
    expires_at: Mapped[datetime]

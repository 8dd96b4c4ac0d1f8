"""The gateway's tables about who may do what: roles of people, and API keys.

Both are rows of the tenant in which they count: an engagement, a client account as a whole, or the platform. What has
to be found before the tenant is known has a row in the platform's tenant that says where to look.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tables import Peppered
from services.chassis.tenancy import TenantRow
from services.gateway.tables import TENANT, Tables


class Membership(TenantRow, Tables):
    """A role that a person has in this tenant and in what lies below it."""

    __tablename__ = "memberships"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    granted_by: Mapped[str] = mapped_column(comment="Subject")
    granted_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class MembershipPlace(TenantRow, Tables):
    """In the platform's tenant: that a person has a role in another, or in the platform itself."""

    __tablename__ = "membership_places"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    of_client_account_id: Mapped[UUID] = mapped_column(primary_key=True)
    of_engagement_id: Mapped[UUID] = mapped_column(primary_key=True)


# What tells which root keys are needed to check a key; one that is used moves to the newest by itself.
PEPPER_FACTS = "select (client_account_id, engagement_id, pepper, expires_at, revoked_at)"
PEPPERED = Peppered(
    "pepper", "revoked_at is null and (expires_at is null or expires_at > now())", "API keys that were not used since"
)


class ApiKey(TenantRow, Tables):
    """A key of a system; of its secret only a digest is kept."""

    __tablename__ = "api_keys"
    __table_args__ = ({"info": {"peppered": PEPPERED, "dispatch": PEPPER_FACTS}},)

    key_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    digest: Mapped[str]
    pepper: Mapped[int] = mapped_column(BigInteger, comment="Version of the root key that the digest was made with")
    role: Mapped[str]
    scopes: Mapped[list[Any]]
    created_by: Mapped[str] = mapped_column(comment="Subject")
    created_by_name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by_name: Mapped[str | None]
    replaced_by: Mapped[str | None] = mapped_column(comment="The key that it was rotated to")


class ApiKeyPlace(TenantRow, Tables):
    """In the platform's tenant: in which one a key counts, and which person is behind it."""

    __tablename__ = "api_key_places"
    __table_args__ = (Index(None, *TENANT, "user_id"),)

    key_id: Mapped[str] = mapped_column(primary_key=True)
    of_client_account_id: Mapped[UUID]
    of_engagement_id: Mapped[UUID]
    user_id: Mapped[UUID | None] = mapped_column(
        comment="Who made it, or the key that it was made with; null: it goes back to the platform's settings"
    )

"""The gateway's tables about the audit log, which is the audit service's: what was asked of it, what was signed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tenancy import TenantRow
from services.gateway.tables import Tables


class AuditVerification(TenantRow, Tables):
    """A check of the audit log that was asked for."""

    __tablename__ = "audit_verifications"

    verification_id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(server_default="running")
    valid: Mapped[bool | None]
    entries: Mapped[int | None] = mapped_column(BigInteger)
    head: Mapped[str | None]
    broken_at: Mapped[int | None] = mapped_column(BigInteger)
    detail: Mapped[str | None]
    checkpoints: Mapped[int | None] = mapped_column(BigInteger)
    signed: Mapped[int | None] = mapped_column(BigInteger)


class AuditRequest(TenantRow, Tables):
    """Entries, an export, a checkpoint or a key that somebody asked for, and the answer."""

    __tablename__ = "audit_requests"
    __table_args__ = ({"info": {"dispatch": "select (client_account_id, engagement_id, request_id, asked_at)"}},)

    request_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The event that asked")
    kind: Mapped[str]
    requested_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    answer: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]


class AuditCheckpoint(TenantRow, Tables):
    """A tree head of the log that was signed."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    root_hash: Mapped[str]
    key_id: Mapped[str]
    signed_at: Mapped[datetime]
    note: Mapped[str]
    previous_size: Mapped[int] = mapped_column(BigInteger)
    consistency: Mapped[list[Any]]


class AuditKey(TenantRow, Tables):
    """A public key that checkpoints are verified with."""

    __tablename__ = "audit_keys"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[str]
    made_at: Mapped[datetime]

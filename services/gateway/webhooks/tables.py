"""The gateway's tables about webhooks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tables import Sealed
from services.chassis.tenancy import TenantRow
from services.gateway.tables import TENANT, Tables

SECRET = Sealed("webhooks.secret", "webhook_id")


class Webhook(TenantRow, Tables):
    """An endpoint of another system."""

    __tablename__ = "webhooks"

    webhook_id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[str]
    event_types: Mapped[list[Any]] = mapped_column(comment="Empty: all public events")
    description: Mapped[str]
    enabled: Mapped[bool]
    disabled_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    secret: Mapped[bytes] = mapped_column(LargeBinary, comment="Sealed", info={"sealed": SECRET})
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary, comment="Sealed", info={"sealed": SECRET})
    previous_secret_until: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class WebhookDelivery(TenantRow, Tables):
    """An event that an endpoint gets, and how far that is."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        ForeignKeyConstraint(
            [*TENANT, "webhook_id"],
            [f"gateway.webhooks.{name}" for name in (*TENANT, "webhook_id")],
            ondelete="CASCADE",
        ),
        UniqueConstraint(*TENANT, "webhook_id", "event_id"),
        Index(None, "created_at", postgresql_using="brin"),
        {"info": {"dispatch": "select (client_account_id, engagement_id, created_at), delete"}},
    )

    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID]
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(comment="The CloudEvent as it is sent")
    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(comment="How often it was tried in all")
    tries: Mapped[int] = mapped_column(comment="How often since it was last asked for, which says when it comes again")
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime | None]


class WebhookAttempt(TenantRow, Tables):
    """One try to deliver an event."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        ForeignKeyConstraint(
            [*TENANT, "delivery_id"],
            [f"gateway.webhook_deliveries.{name}" for name in (*TENANT, "delivery_id")],
            ondelete="CASCADE",
        ),
    )

    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    attempted_at: Mapped[datetime]
    duration_ms: Mapped[int]
    status_code: Mapped[int | None]
    problem: Mapped[str | None]
    answer: Mapped[str]

"""The gateway's tables about how a tenant's flows are operated: when the clock starts them, and how many at once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tenancy import TenantRow
from services.gateway.tables import Tables


class Schedule(TenantRow, Tables):
    """A flow that the clock starts again and again."""

    __tablename__ = "schedules"

    schedule_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    cron: Mapped[str]
    time_zone: Mapped[str]
    start: Mapped[dict[str, Any]] = mapped_column(comment="What POST /flows would be sent")
    enabled: Mapped[bool]
    saved_by: Mapped[str]
    saved_at: Mapped[datetime]


class Limits(TenantRow, Tables):
    """How much the tenant may run at once, where somebody said so."""

    __tablename__ = "limits"

    weight: Mapped[int]
    running_flows: Mapped[int | None]
    saved_by: Mapped[str]
    saved_at: Mapped[datetime]

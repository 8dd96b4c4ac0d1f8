"""The gateway's table of who edited what is approved later."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tenancy import TenantRow
from services.gateway.tables import TENANT, Tables


class Edit(TenantRow, Tables):
    """Somebody changed what tasks of a kind are about."""

    __tablename__ = "edits"
    __table_args__ = (Index(None, *TENANT, "subject", "kind"), Index(None, *TENANT, "about"))

    edit_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(comment="Of the tasks: field_mapping, wave_plan, …")
    about: Mapped[str | None] = mapped_column(comment="The one task, or the learning that is proposed; else all tasks")
    what: Mapped[str]
    subject: Mapped[str]
    name: Mapped[str]
    edited_at: Mapped[datetime]

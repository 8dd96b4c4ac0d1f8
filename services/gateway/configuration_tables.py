"""The gateway's table about what was configured."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tenancy import TenantRow
from services.gateway.tables import Tables


class ConfigurationHistory(TenantRow, Tables):
    """Every change of a key in this tenant; nobody edits it."""

    __tablename__ = "configuration_history"
    __table_args__ = ({"info": {"grants": "select, insert"}},)

    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    subject: Mapped[str] = mapped_column(comment="Who it was, whatever the name is by now")
    reason: Mapped[str]
    is_set: Mapped[bool]
    secret: Mapped[bool] = mapped_column(comment="Then old and new are null")
    old: Mapped[Any] = mapped_column(JSON, nullable=True)
    new: Mapped[Any] = mapped_column(JSON, nullable=True)

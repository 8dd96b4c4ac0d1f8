"""The gateway's tables about sealing: how far each service is, as it told last."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tenancy import TenantRow
from services.gateway.tables import Tables


class EncryptionProgress(TenantRow, Tables):
    """A service and what it has sealed; rows of the platform itself."""

    __tablename__ = "encryption_progress"

    service: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    sealed: Mapped[int] = mapped_column(BigInteger)
    left: Mapped[int] = mapped_column(BigInteger)
    needed: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::json"))
    told_at: Mapped[datetime]


class InventorySealing(TenantRow, Tables):
    """A service and what it keeps of an engagement's host names and addresses."""

    __tablename__ = "inventory_sealing"

    service: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, comment="Of the setting that it followed")
    sealed: Mapped[bool] = mapped_column(comment="Whether it seals; else it opens")
    rows: Mapped[int] = mapped_column(BigInteger)
    left: Mapped[int] = mapped_column(BigInteger)
    told_at: Mapped[datetime]

"""The audit log: entries that can only be appended, and each tenant's newest hash."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("audit")


class LogEntry(TenantRow, Tables):
    """One event as it was heard; the service's role may insert it, nobody may change it."""

    __tablename__ = "entries"
    __table_args__ = ({"info": {"grants": "select, insert"}},)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(Text)
    record: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))


class Head(TenantRow, Tables):
    """The newest entry of a tenant's log; locking it gives the entries their order."""

    __tablename__ = "heads"
    __table_args__ = ({"info": {"grants": "select, insert, update"}},)

    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(Text)

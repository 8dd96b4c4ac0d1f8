"""The agent runner's tables: which analysis was made by which engine."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, DateTime, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("agent_runner")
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON(none_as_null=True),
        datetime: DateTime(timezone=True),
        str: Text,
    }


class Analysis(TenantRow, Tables):
    """One finished analysis of a flow, and the files that it left."""

    __tablename__ = "analyses"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str]
    outputs: Mapped[dict[str, Any]]
    finished_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

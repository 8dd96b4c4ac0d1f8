"""The gateway's tables about data quality in detail, filled when somebody first asks for a discovery's."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.sealed_rows import SealableRow, Sealing
from services.chassis.tenancy import TenantRow
from services.gateway.tables import TENANT, Tables


class QualityMeasurement(TenantRow, Tables):
    """That a discovery's quality was asked for, and what the inventory is ready for."""

    __tablename__ = "quality_measurements"
    __table_args__ = (Index(None, *TENANT, "request_id"), {"info": {"withheld": ("readiness",)}})

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID]
    readiness: Mapped[list[Any] | None]
    problem: Mapped[dict[str, Any] | None]


class QualityFigure(TenantRow, Tables):
    """One figure: of all assets, of an asset type, or of a source."""

    __tablename__ = "quality_figures"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    measure: Mapped[str]
    of: Mapped[str]
    asset_type: Mapped[str | None]
    source: Mapped[str | None]
    good: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)


class QualityFailure(SealableRow, Tables):
    """An asset or a cell that a figure counts as not good."""

    __tablename__ = "quality_failures"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("name", "value", "reason"))}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    measure: Mapped[str]
    of: Mapped[str]
    asset_type: Mapped[str | None]
    source_rows: Mapped[str]
    asset_uid: Mapped[UUID | None]
    name: Mapped[str | None]
    value: Mapped[str | None]
    reason: Mapped[str]

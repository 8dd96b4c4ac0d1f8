"""The tables of field mapping: what was imported, what its columns mean, and the clean assets."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("field_mapping")
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        datetime: DateTime(timezone=True),
        str: Text,
    }


class ImportedTable(TenantRow, Tables):
    """A table that was read from an uploaded file."""

    __tablename__ = "imported_tables"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    table_id: Mapped[UUID] = mapped_column(primary_key=True)
    import_id: Mapped[UUID]
    file_name: Mapped[str]
    sheet: Mapped[str | None]
    kind: Mapped[str]
    row_count: Mapped[int] = mapped_column(BigInteger)
    problems: Mapped[list[Any]]


class Mapping(TenantRow, Tables):
    """What the columns of a table mean, as it was used for the inventory."""

    __tablename__ = "mappings"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    table_id: Mapped[UUID] = mapped_column(primary_key=True)
    columns: Mapped[list[Any]]


class Asset(TenantRow, Tables):
    """A clean asset of the engagement; importing the same machine again updates its row."""

    __tablename__ = "assets"

    asset_uid: Mapped[UUID] = mapped_column(primary_key=True)
    flow_id: Mapped[UUID]
    name: Mapped[str]
    asset_type: Mapped[str | None]
    environment: Mapped[str | None]
    operating_system: Mapped[str | None]
    application_name: Mapped[str | None]
    cpu_cores: Mapped[int | None] = mapped_column(BigInteger)
    memory_gb: Mapped[float | None]
    storage_gb: Mapped[float | None]
    attributes: Mapped[dict[str, Any]]
    source_rows: Mapped[str]

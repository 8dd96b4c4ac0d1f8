"""The tables of field mapping: what was imported, what its columns mean, and the clean assets."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Boolean, Date, DateTime, Double, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts.catalog import CATALOG, COLUMN_TYPES
from contracts.claim_checks import TECHNOLOGY_FIELDS
from contracts.inventory_sealing import is_sealed_field
from services.chassis.sealed_rows import SealableRow, Sealing
from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow

# Columns of the claim check `contracts.claim_checks.ASSETS` as Postgres stores them.
_COLUMN_TYPES = {
    "String": Text,
    "Int64": BigInteger,
    "Float64": Double,
    "Boolean": Boolean,
    "Date": Date,
    "Datetime": DateTime,
}

SEALING = Sealing(
    columns=("name", *(field for field in CATALOG if is_sealed_field(field))),
    members={"own_fields": is_sealed_field},
)


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("field_mapping")
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        datetime: DateTime(timezone=True),
        str: Text,
    }


class Mapping(TenantRow, Tables):
    """What the columns of a table mean, as it was used for the inventory."""

    __tablename__ = "mappings"
    __table_args__ = ({"info": {"withheld": ("columns",)}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    table_id: Mapped[UUID] = mapped_column(primary_key=True)
    columns: Mapped[list[Any]]
    # The table itself without the profile of its columns, and the version of the rules that read it.
    source: Mapped[dict[str, Any] | None]
    rules_version: Mapped[int | None]


class Asset(SealableRow, Tables):
    """A clean asset of the engagement; importing the same machine again updates its row."""

    __tablename__ = "assets"
    __table_args__ = ({"info": {"sealing": SEALING}},)

    asset_uid: Mapped[UUID] = mapped_column(primary_key=True)
    flow_id: Mapped[UUID]
    name: Mapped[str]
    source_rows: Mapped[str]
    # The flow whose import no longer had it; it is kept, and null again when it comes back.
    vanished_from: Mapped[UUID | None]


# A column for each field of the catalogue: half the work for Postgres of one document that repeats their names.
for _field in CATALOG.values():
    setattr(Asset, _field.id, mapped_column(_COLUMN_TYPES[COLUMN_TYPES.get(_field.type, "String")]))


class IdentityDecision(TenantRow, Tables):
    """What people decided of two assets: they are one machine, or they are not."""

    __tablename__ = "identity_decisions"

    asset_uid: Mapped[UUID] = mapped_column(primary_key=True)
    other_uid: Mapped[UUID] = mapped_column(primary_key=True)
    same: Mapped[bool]
    decided_by: Mapped[str]
    decided_at: Mapped[datetime]


# What the texts of some fields mean, beside the texts.
for _name in TECHNOLOGY_FIELDS:
    setattr(Asset, f"{_name}_product", mapped_column(Text))
    setattr(Asset, f"{_name}_release", mapped_column(Text))

"""The tables of what a tenant taught: learnings in the order they were applied, known sources, fields of its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.sealed_rows import SealableRow, Sealing
from services.chassis.tenancy import TenantRow
from services.field_mapping.tables import Asset, Tables

# What assets have of the fields that their tenant added to the catalogue: {field id: value}.
setattr(Asset, "own_fields", mapped_column(JSON(none_as_null=True), nullable=True))  # noqa: B010 - SQLAlchemy adds it


class LearningRow(TenantRow, Tables):
    """A learning with its lessons; what counts is the fold over the applied ones."""

    __tablename__ = "learnings"

    learning_id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    origin: Mapped[dict[str, Any]]
    lessons: Mapped[list[Any]]
    forgets: Mapped[list[Any]]
    effect: Mapped[dict[str, Any] | None]
    document: Mapped[dict[str, Any] | None] = mapped_column(comment="What was imported: its sources come with it")
    position: Mapped[int | None] = mapped_column(BigInteger, comment="Its place among the applied ones")
    revision: Mapped[int | None] = mapped_column(BigInteger, comment="The tenant's newest change to it")


class SavedMapping(SealableRow, Tables):
    """One version of a source's header, as it was imported and mapped last."""

    __tablename__ = "saved_mappings"
    __table_args__ = (
        Index(None, "client_account_id", "engagement_id", "kind", "family"),
        {"info": {"sealing": Sealing(columns=("profile",)), "withheld": ("columns",)}},
    )

    mapping_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The fingerprint of its header")
    source_id: Mapped[UUID]
    source_name: Mapped[str]
    kind: Mapped[str]
    family: Mapped[str]
    profile: Mapped[dict[str, Any]]
    columns: Mapped[list[Any]]
    flow_id: Mapped[UUID | None]
    learning_id: Mapped[UUID | None] = mapped_column(comment="The import of a document that it came with")
    saved_at: Mapped[datetime]


class Proposal(TenantRow, Tables):
    """What a flow's table was proposed to mean, for learning from what people make of it."""

    __tablename__ = "proposals"
    __table_args__ = ({"info": {"withheld": ("mapping",)}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    table_id: Mapped[UUID] = mapped_column(primary_key=True)
    mapping: Mapped[dict[str, Any]]


class OwnFieldRow(TenantRow, Tables):
    """A field of the tenant's own, as the newest event tells it; none any more where it was deleted."""

    __tablename__ = "own_fields"

    field_id: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[dict[str, Any] | None]
    told_at: Mapped[datetime]

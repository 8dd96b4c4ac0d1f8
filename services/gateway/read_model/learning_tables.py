"""The gateway's tables about learning: the tenants' own fields, and a read model of what field mapping tells."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tenancy import TenantRow
from services.gateway.tables import TENANT, Tables


class OwnFieldRow(TenantRow, Tables):
    """A field that the tenant added to the canonical ones."""

    __tablename__ = "own_fields"

    field_id: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[dict[str, Any]]
    learning_id: Mapped[UUID | None] = mapped_column(comment="The document that it came with, until people change it")
    saved_by: Mapped[str]
    saved_at: Mapped[datetime]


class LearningRow(TenantRow, Tables):
    """A learning as it stands."""

    __tablename__ = "learnings"

    learning_id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    origin: Mapped[dict[str, Any]]
    lessons: Mapped[list[Any]]
    forgets: Mapped[list[Any]]
    effect: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]
    own_fields: Mapped[list[Any]] = mapped_column(comment="Fields that come with its document when it is applied")
    kept_fields: Mapped[list[Any] | None] = mapped_column(comment="Those that stayed when it was undone, and why")


class LessonRow(TenantRow, Tables):
    """A lesson, and whether it counts."""

    __tablename__ = "lessons"
    __table_args__ = (Index(None, *TENANT, "source_id"),)

    lesson_id: Mapped[UUID] = mapped_column(primary_key=True)
    source_id: Mapped[UUID | None]
    column: Mapped[str]
    verdict: Mapped[str]
    field: Mapped[str | None]
    unit: Mapped[str | None]
    origin: Mapped[dict[str, Any]]
    in_force: Mapped[bool]
    revision: Mapped[int] = mapped_column(BigInteger, comment="The change that said so; a newer one wins")


class SavedMapping(TenantRow, Tables):
    """How the files of a source with one header are mapped, as of their newest import."""

    __tablename__ = "saved_mappings"
    __table_args__ = (Index(None, *TENANT, "source_id"), {"info": {"withheld": ("columns",)}})

    mapping_id: Mapped[UUID] = mapped_column(primary_key=True)
    source_id: Mapped[UUID]
    source_name: Mapped[str]
    kind: Mapped[str]
    family: Mapped[str]
    file_name: Mapped[str]
    sheet: Mapped[str | None]
    columns: Mapped[list[Any]]
    drift: Mapped[list[Any]]
    decided: Mapped[bool]
    missing_fields: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::json"))
    flow_id: Mapped[UUID | None]
    saved_at: Mapped[datetime]

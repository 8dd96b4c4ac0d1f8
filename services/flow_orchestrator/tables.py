"""The orchestrator's tables: a master row per flow, a child row in its type's table, and the journal of decisions."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, DateTime, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow

MASTER = "crewai_flow_state_extensions"


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("flow_orchestrator")
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON,
        list[str]: JSON,
        dict[str, int]: JSON,
        datetime: DateTime(timezone=True),
    }


class MasterFlow(TenantRow, Tables):
    """The source of truth about one flow."""

    __tablename__ = MASTER
    __table_args__ = (
        Index(None, "waits_until", postgresql_where=text("waits_until is not null")),
        {"info": {"dispatch": "select"}},
    )

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    flow_type: Mapped[str]
    version: Mapped[int]
    revision: Mapped[int]
    status: Mapped[str]
    current_phase: Mapped[str | None]
    waits_until: Mapped[datetime | None]
    state: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class JournalEntry(TenantRow, Tables):
    """One decision; the primary key is what stops two orchestrators from both taking it."""

    __tablename__ = "flow_journal"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    event_id: Mapped[UUID | None]
    event_type: Mapped[str]
    status: Mapped[str]
    phase: Mapped[str | None]
    note: Mapped[str]


class _Child(TenantRow):
    """What the child rows of all flow types have."""

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    current_phase: Mapped[str | None]


def _belongs_to_master() -> ForeignKeyConstraint:
    columns = ["client_account_id", "engagement_id", "flow_id"]
    return ForeignKeyConstraint(columns, [f"flow_orchestrator.{MASTER}.{column}" for column in columns])


class DiscoveryFlow(_Child, Tables):
    """What a discovery found."""

    __tablename__ = "discovery_flows"
    __table_args__ = (_belongs_to_master(),)

    import_ids: Mapped[list[str]]
    asset_count: Mapped[int | None]
    application_count: Mapped[int | None]
    dependency_count: Mapped[int | None]
    completeness: Mapped[float | None]


class AssessmentFlow(_Child, Tables):
    """What an assessment decided."""

    __tablename__ = "assessment_flows"
    __table_args__ = (_belongs_to_master(),)

    application_count: Mapped[int | None]
    distribution: Mapped[dict[str, int] | None]


class PlanningFlow(_Child, Tables):
    """What a planning planned."""

    __tablename__ = "planning_flows"
    __table_args__ = (_belongs_to_master(),)

    wave_count: Mapped[int | None]
    application_count: Mapped[int | None]


CHILD_TABLES: dict[str, type[DiscoveryFlow | AssessmentFlow | PlanningFlow]] = {
    "discovery": DiscoveryFlow,
    "assessment": AssessmentFlow,
    "planning": PlanningFlow,
}

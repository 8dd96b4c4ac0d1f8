"""The orchestrator's tables: a master row per flow, a child row in its type's table, and the journal of decisions."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, DateTime, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow

# Spelled as Postgres spells them back, so that migrations see no difference.
_RUNS = text("(status = 'running'::text)")
_QUEUED = text("(status = 'queued'::text)")
_HOLDS_KEY = text("(concurrency_key IS NOT NULL)")
_TENANT = ("client_account_id", "engagement_id")

MASTER = "crewai_flow_state_extensions"


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("flow_orchestrator")
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON,
        list[Any]: JSON,
        dict[str, int]: JSON,
        datetime: DateTime(timezone=True),
    }


class MasterFlow(TenantRow, Tables):
    """The source of truth about one flow."""

    __tablename__ = MASTER
    __table_args__ = (
        Index(None, "wake_at", postgresql_where=text("wake_at is not null")),
        Index("ix_flows_running", *_TENANT, "status", postgresql_where=_RUNS),
        Index("ix_flows_queued", *_TENANT, "priority", "created_at", postgresql_where=_QUEUED),
        Index("ix_flows_by_concurrency_key", *_TENANT, "concurrency_key", postgresql_where=_HOLDS_KEY),
        {"info": {"dispatch": "select", "withheld": ("state",)}},
    )

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    flow_type: Mapped[str]
    version: Mapped[int]
    revision: Mapped[int]
    status: Mapped[str]
    current_phase: Mapped[str | None]
    waits_until: Mapped[datetime | None]
    wake_at: Mapped[datetime | None] = mapped_column(comment="No timer is due before; it may be earlier than the next")
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    concurrency_key: Mapped[str | None]
    parent_flow_id: Mapped[UUID | None]
    state: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class JournalEntry(TenantRow, Tables):
    """One decision; the primary key is what stops two orchestrators from both taking it.

    Where a phase had ended the entry holds the state as well: a checkpoint, from which a new flow can be forked.
    """

    __tablename__ = "flow_journal"
    __table_args__ = ({"info": {"withheld": ("checkpoint",)}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    event_id: Mapped[UUID | None]
    event_type: Mapped[str]
    status: Mapped[str]
    phase: Mapped[str | None]
    note: Mapped[str]
    actor: Mapped[str | None]
    checkpoint: Mapped[dict[str, Any] | None]


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


class CollectionFlow(_Child, Tables):
    """What a collection collects for."""

    __tablename__ = "collection_flows"
    __table_args__ = (_belongs_to_master(),)

    discovery_flow_id: Mapped[UUID]


class ModernizationFlow(_Child, Tables):
    """What a modernization brings up to date."""

    __tablename__ = "modernization_flows"
    __table_args__ = (_belongs_to_master(),)

    repository_url: Mapped[str]


CHILD_TABLES: dict[str, str] = {
    "discovery": DiscoveryFlow.__tablename__,
    "assessment": AssessmentFlow.__tablename__,
    "planning": PlanningFlow.__tablename__,
    "collection": CollectionFlow.__tablename__,
    "modernization": ModernizationFlow.__tablename__,
}


class DeletedFlow(TenantRow, Tables):
    """The id of a flow that was deleted: a second request with it, whenever it comes, begins nothing."""

    __tablename__ = "deleted_flows"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)


class FlowSchedule(TenantRow, Tables):
    """A flow that the clock starts again and again."""

    __tablename__ = "flow_schedules"
    __table_args__ = (
        Index(None, "next_at", postgresql_where=text("next_at is not null")),
        {"info": {"dispatch": "select"}},
    )

    schedule_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    cron: Mapped[str]
    time_zone: Mapped[str]
    request_type: Mapped[str]
    request: Mapped[dict[str, Any]]
    next_at: Mapped[datetime | None] = mapped_column(comment="Null while it is switched off")
    last_at: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(comment="What was said before does not count any more")


class TenantLimit(TenantRow, Tables):
    """How much one tenant may run at once, where it differs from the platform's default."""

    __tablename__ = "tenant_limits"

    weight: Mapped[int]
    running_flows: Mapped[int | None]
    changed_at: Mapped[datetime]


class RepairRun(TenantRow, Tables):
    """A look at a tenant's flows that goes on piece by piece, and mends what it finds."""

    __tablename__ = "repair_runs"
    __table_args__ = ({"info": {"dispatch": "select"}},)

    repair_id: Mapped[UUID] = mapped_column(primary_key=True)
    requested_by: Mapped[str | None] = mapped_column(comment="Null: the clock, which looks at live flows only")
    flow_id: Mapped[UUID | None] = mapped_column(comment="Of one flow; null: of all")
    after: Mapped[UUID | None] = mapped_column(comment="The last flow that was looked at")
    flows_checked: Mapped[int]
    repairs: Mapped[list[Any]]

"""The gateway's tables: tenants, uploads, and the read model that the other services' events fill.

The read model has no foreign keys: its events come in any order, and a row whose flow is not known yet is no fault.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts.inventory_sealing import FOUND_BY_ADDRESS, FOUND_BY_NAME, is_sealed_field
from services.chassis.sealed_rows import SealableRow, Sealing
from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import TenantRow

TENANT = ("client_account_id", "engagement_id")
# What the metrics count, and nothing that anybody wrote.
FLOW_FACTS = "select (client_account_id, engagement_id, flow_type, status, created_at, ended_at)"
LETTER_FACTS = "select (service, status)"
ASSET = Sealing(
    columns=("name", "ip_address"),
    members={"attributes": is_sealed_field},
    finds={**dict.fromkeys(FOUND_BY_NAME, "name"), **dict.fromkeys(FOUND_BY_ADDRESS, "address")},
)


class Tables(DeclarativeBase):
    """The tables of this service."""

    metadata = ServiceMetaData("gateway")
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        datetime: DateTime(timezone=True),
        str: Text,
    }


class Engagement(TenantRow, Tables):
    """A tenant that exists: an engagement, or with the nil UUID and without a name of its own the client account."""

    __tablename__ = "engagements"

    client_name: Mapped[str]
    engagement_name: Mapped[str]


class Upload(TenantRow, Tables):
    """A file that arrived."""

    __tablename__ = "uploads"

    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    file: Mapped[dict[str, Any]]
    uploaded_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Flow(TenantRow, Tables):
    """A flow as its newest `flow.updated` tells it."""

    __tablename__ = "flows"
    __table_args__ = (
        Index(None, *TENANT, "parent_flow_id"),
        Index(None, *TENANT, "forked_from", postgresql_where=text("(forked_from IS NOT NULL)")),
        Index(None, *TENANT, "correlation_id", postgresql_where=text("(correlation_id IS NOT NULL)")),
        Index("ix_flows_queued", *TENANT, postgresql_where=text("(status = 'queued'::text)")),
        {"info": {"dispatch": FLOW_FACTS}},
    )

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    flow_type: Mapped[str]
    revision: Mapped[int]
    status: Mapped[str]
    current_phase: Mapped[str | None]
    phases: Mapped[list[Any]]
    progress: Mapped[dict[str, Any] | None]
    waits_for: Mapped[str | None]
    waits_until: Mapped[datetime | None]
    problem: Mapped[dict[str, Any] | None]
    parent_flow_id: Mapped[UUID | None]
    forked_from: Mapped[UUID | None]
    version: Mapped[int | None]
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    concurrency_key: Mapped[str | None]
    correlation_id: Mapped[str | None]
    deadline: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Approval(TenantRow, Tables):
    """A human task; the first decision that finds it pending wins."""

    __tablename__ = "approvals"
    __table_args__ = (Index(None, *TENANT, "flow_id"), {"info": {"withheld": ("details",)}})

    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    flow_id: Mapped[UUID]
    kind: Mapped[str]
    title: Mapped[str]
    details: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="pending")
    assignee: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    remind_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_by_subject: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    comment: Mapped[str | None]
    edits: Mapped[dict[str, Any] | None] = mapped_column(comment="Made before the approval, which another one gives")
    edited_by: Mapped[str | None]


class Mappings(TenantRow, Tables):
    """The mapping of a discovery's columns, as proposed or as decided."""

    __tablename__ = "mappings"
    __table_args__ = ({"info": {"withheld": ("mappings",)}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    decided: Mapped[bool]
    mappings: Mapped[list[Any]]


class Asset(SealableRow, Tables):
    """An asset of a discovery."""

    __tablename__ = "assets"
    __table_args__ = ({"info": {"sealing": ASSET}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    asset_uid: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    asset_type: Mapped[str | None]
    environment: Mapped[str | None]
    operating_system: Mapped[str | None]
    os_version: Mapped[str | None]
    ip_address: Mapped[str | None]
    application_name: Mapped[str | None]
    criticality: Mapped[str | None]
    datacenter: Mapped[str | None]
    lifecycle_status: Mapped[str | None]
    cpu_cores: Mapped[int | None] = mapped_column(BigInteger)
    memory_gb: Mapped[float | None]
    storage_gb: Mapped[float | None]
    attributes: Mapped[dict[str, Any]]
    source_rows: Mapped[str]
    found_by: Mapped[list[str] | None] = mapped_column(ARRAY(Text), comment="Keyed digests, where it is sealed")


class RejectedRow(SealableRow, Tables):
    """A row of a discovery's files that no asset could be made of."""

    __tablename__ = "rejected_rows"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("reason", "raw"))}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    file_name: Mapped[str]
    sheet: Mapped[str | None]
    row: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    raw: Mapped[dict[str, Any]]


class CellProblem(SealableRow, Tables):
    """A cell of a discovery's files that could not be read."""

    __tablename__ = "cell_problems"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("raw", "reason"))}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    file_name: Mapped[str]
    sheet: Mapped[str | None]
    row: Mapped[int | None] = mapped_column(BigInteger)
    column: Mapped[str]
    field: Mapped[str]
    raw: Mapped[str | None]
    reason: Mapped[str]


class Application(SealableRow, Tables):
    """An application of a discovery."""

    __tablename__ = "applications"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("name",), only="inferred")}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    application_uid: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    asset_count: Mapped[int] = mapped_column(BigInteger)
    environment: Mapped[str | None]
    criticality: Mapped[str | None]
    business_owner: Mapped[str | None]
    technical_owner: Mapped[str | None]
    inferred: Mapped[bool]


class Dependency(SealableRow, Tables):
    """A dependency between two applications of a discovery."""

    __tablename__ = "dependencies"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("source_name", "target_name", "evidence"))}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    dependency_id: Mapped[UUID] = mapped_column(primary_key=True)
    source_application_uid: Mapped[UUID]
    target_application_uid: Mapped[UUID]
    source_name: Mapped[str]
    target_name: Mapped[str]
    kind: Mapped[str]
    port: Mapped[int | None] = mapped_column(BigInteger)
    observations: Mapped[int | None] = mapped_column(BigInteger)
    evidence: Mapped[str]


class Treatment(SealableRow, Tables):
    """The treatment that an assessment gave an application."""

    __tablename__ = "treatments"
    __table_args__ = (
        {"info": {"sealing": Sealing(columns=("name", "reason", "suggestion_reason", "risk_suggestion_reason"))}},
    )

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    application_uid: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    strategy: Mapped[str]
    confidence: Mapped[float]
    rule: Mapped[str]
    reason: Mapped[str]
    risk: Mapped[float]
    complexity: Mapped[float]
    engine: Mapped[str]
    suggestion: Mapped[str | None]
    suggestion_reason: Mapped[str | None]
    risk_level: Mapped[str | None]
    risk_reason: Mapped[str | None]
    risk_suggestion: Mapped[str | None]
    risk_suggestion_reason: Mapped[str | None]


class PlannedWave(SealableRow, Tables):
    """A wave of a planning."""

    __tablename__ = "waves"
    __table_args__ = ({"info": {"sealing": Sealing(columns=("application_names", "reason", "suggestions", "risks"))}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    application_names: Mapped[list[Any]]
    asset_count: Mapped[int]
    risk: Mapped[float]
    move_groups: Mapped[int]
    reason: Mapped[str]
    suggestions: Mapped[list[Any]]
    risks: Mapped[list[Any]]


class ReportFile(TenantRow, Tables):
    """One format of a planning's report."""

    __tablename__ = "report_files"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    format: Mapped[str] = mapped_column(primary_key=True)
    file: Mapped[dict[str, Any]]


class DeadLetter(TenantRow, Tables):
    """An event that some service set aside."""

    __tablename__ = "dead_letters"
    __table_args__ = ({"info": {"dispatch": LETTER_FACTS}},)

    dead_letter_id: Mapped[UUID] = mapped_column(primary_key=True)
    service: Mapped[str]
    queue: Mapped[str]
    event_id: Mapped[str]
    event_type: Mapped[str]
    attempts: Mapped[int]
    code: Mapped[str]
    reason: Mapped[str]
    trace: Mapped[str | None]
    message: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="open")
    dead_lettered_at: Mapped[datetime]

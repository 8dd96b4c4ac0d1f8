"""The gateway's tables about flows beside their newest state: what happened, what was refused, what is gone."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.chassis.tenancy import TenantRow
from services.gateway.tables import TENANT, Tables


class FlowEntry(TenantRow, Tables):
    """One decision about a flow, as its `flow.updated` told it."""

    __tablename__ = "flow_timeline"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    cause: Mapped[str]
    cause_id: Mapped[UUID | None] = mapped_column(
        comment="The event that was decided on, such as a request of a person"
    )
    actor: Mapped[str | None]
    phase: Mapped[str | None]
    status: Mapped[str]
    note: Mapped[str]
    checkpoint: Mapped[bool]
    waits_for: Mapped[str | None]
    waits_until: Mapped[datetime | None]


class FlowRefusal(TenantRow, Tables):
    """Something that was asked of a flow and was not possible any more when the orchestrator came to it."""

    __tablename__ = "flow_refusals"

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    after_seq: Mapped[int] = mapped_column(comment="The newest decision that was known then")
    action: Mapped[str]
    requested_by: Mapped[str]
    problem: Mapped[dict[str, Any]]


class DeletedFlow(TenantRow, Tables):
    """A flow that is gone: news of it that comes late does not bring it back."""

    __tablename__ = "deleted_flows"
    __table_args__ = (Index(None, *TENANT, "forked_from", postgresql_where=text("(forked_from IS NOT NULL)")),)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    forked_from: Mapped[UUID | None]
    deleted_by: Mapped[str]
    deleted_at: Mapped[datetime]


class FlowImport(TenantRow, Tables):
    """A file that a discovery reads."""

    __tablename__ = "flow_imports"
    __table_args__ = (Index(None, *TENANT, "import_id"),)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    import_id: Mapped[UUID] = mapped_column(primary_key=True)


class FlowResult(TenantRow, Tables):
    """What a flow hands to those that follow it: references to its files, by the name of what made them."""

    __tablename__ = "flow_results"
    __table_args__ = ({"info": {"withheld": ("result",)}},)

    flow_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    result: Mapped[dict[str, Any]]


class FlowRepairRun(TenantRow, Tables):
    """A repair that was asked for."""

    __tablename__ = "flow_repairs"

    repair_id: Mapped[UUID] = mapped_column(primary_key=True)
    flow_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(server_default="running")
    flows_checked: Mapped[int | None]
    repairs: Mapped[list[Any] | None]

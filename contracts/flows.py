"""What every flow says about itself, whatever its type, and what people decide in it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from contracts.discovery import Value
from contracts.envelope import Event, Problem

FlowTypeName = Literal["discovery", "assessment", "planning"]
FlowStatus = Literal["running", "waiting", "completed", "failed", "cancelled"]
Decision = Literal["approve", "reject"]
ApprovalKind = Literal["field_mapping", "wave_plan"]


class PhaseView(Value):
    """One phase of a flow as people see it."""

    name: str
    status: str = Field(description="An open set: pending, running, waiting, completed, failed, …")
    attempt: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    summary: dict[str, Any] = Field(default={}, description="Counts and outcomes worth showing")


class FlowUpdated(Event, type="flow.updated"):
    """The whole visible state of a flow after a decision; the highest revision wins."""

    flow_type: str = Field(description="An open set: discovery, assessment, planning, …")
    revision: int
    status: str = Field(description="An open set: running, waiting, completed, failed, cancelled, …")
    current_phase: str | None
    phases: list[PhaseView]
    waits_for: str | None = Field(default=None, description="What a flow that is not ended waits for, in words")
    waits_until: datetime | None = None
    parent_flow_id: UUID | None = None
    problem: Problem | None = None
    created_at: datetime


class WorkProgressed(Event, type="work.progressed"):
    """How far a long piece of work is."""

    done: int
    total: int
    message: str


class ApprovalRequested(Event, type="approval.requested"):
    """A person has to decide before the flow goes on."""

    task_id: UUID
    kind: str = Field(description="An open set: field_mapping, wave_plan, …")
    title: str
    details: dict[str, Any] = Field(description="What to decide on: {mappings: […]} or {waves: […], unplanned: {…}}")
    expires_at: datetime | None = None


class ApprovalDecided(Event, type="approval.decided"):
    """The first valid decision on a task."""

    task_id: UUID
    kind: str
    decision: Decision
    edits: dict[str, Any] = Field(default={}, description="For field_mapping: {table_id: {column: field id or null}}")
    decided_by: str
    comment: str | None = None

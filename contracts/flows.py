"""What every flow says about itself, whatever its type, and what people decide in it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from contracts.discovery import Value
from contracts.envelope import Event, Problem

FlowTypeName = Literal["collection", "discovery", "assessment", "planning", "modernization"]
Decision = Literal["approve", "reject"]
ApprovalKind = Literal["field_mapping", "readiness", "wave_plan", "collected_answers", "change_plan"]


class PhaseView(Value):
    """One phase of a flow as people see it."""

    name: str
    status: str = Field(description="An open set: pending, running, waiting, completed, failed, …")
    attempt: int = Field(default=0, description="How often its work was asked for")
    started_at: datetime | None = None
    finished_at: datetime | None = None
    summary: dict[str, Any] = Field(default_factory=dict, description="Counts and outcomes worth showing")
    due: datetime | None = Field(default=None, description="When it is asked again, times out or expires")
    problem: Problem | None = Field(default=None, description="Why its last attempt failed")


class TimelineEntry(Value):
    """One decision about a flow, as its journal has it."""

    seq: int
    at: datetime
    cause: str = Field(description="Type of the event that was decided on, or `clock`")
    actor: str | None = Field(default=None, description="Who caused it, where it was a person")
    phase: str | None = None
    status: str
    note: str
    checkpoint: bool = Field(default=False, description="Whether a new flow can be forked from here")


class FlowUpdated(Event, type="flow.updated"):
    """The whole visible state of a flow after a decision; the highest revision wins."""

    flow_type: str = Field(description="An open set: discovery, assessment, planning, …")
    revision: int
    status: str = Field(description="An open set: queued, running, waiting, paused, completed, failed, cancelled, …")
    current_phase: str | None
    phases: list[PhaseView]
    waits_for: str | None = Field(default=None, description="What a flow that is not ended waits for, in words")
    waits_until: datetime | None = None
    parent_flow_id: UUID | None = None
    problem: Problem | None = None
    created_at: datetime
    version: int | None = None
    priority: int = 0
    started_at: datetime | None = Field(default=None, description="When its first phase began; before that it queued")
    ended_at: datetime | None = None
    deadline: datetime | None = None
    concurrency_key: str | None = None
    correlation_id: str | None = None
    forked_from: UUID | None = None
    entry: TimelineEntry | None = Field(default=None, description="The decision that led here")


class WorkProgressed(Event, type="work.progressed"):
    """How far a long piece of work is."""

    done: int
    total: int
    message: str


class ApprovalRequested(Event, type="approval.requested"):
    """A person has to decide before the flow goes on."""

    task_id: UUID
    kind: str = Field(description="An open set: field_mapping, readiness, wave_plan, …")
    title: str
    details: dict[str, Any] = Field(description="What to decide on, by kind: {mappings: […]}, {phases: […]}, …")
    expires_at: datetime | None = None
    assignee: str | None = Field(default=None, description="Who is asked first; anybody of the tenant may decide")
    remind_at: datetime | None = None


class ApprovalDecided(Event, type="approval.decided"):
    """The first valid decision on a task."""

    task_id: UUID
    kind: str
    decision: Decision
    edits: dict[str, Any] = Field(
        default={}, description="For field_mapping: {table_id: {column: field id, null, or {field, unit}}}"
    )
    decided_by: str
    comment: str | None = None
    decided_by_subject: str | None = Field(default=None, description="Subject, such as user:… or key:…")
    edited_by: str | None = Field(default=None, description="Who made the edits, where another one approved them")


class ApprovalEdited(Event, type="approval.edited"):
    """What a task is about was edited, and is to be approved by somebody else."""

    task_id: UUID
    kind: str
    edits: dict[str, Any]
    edited_by: str = Field(description="Subject")
    edited_by_name: str

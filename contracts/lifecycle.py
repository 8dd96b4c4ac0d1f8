"""What people do with a flow beside deciding its tasks: start it as they like, control it, fork it, mend it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.envelope import Event, Problem

FlowStatus = Literal[
    "created", "scheduled", "queued", "running", "waiting", "paused", "completed", "failed", "cancelled"
]
FlowAction = Literal["start", "pause", "resume", "cancel", "retry", "skip", "migrate", "delete"]

# Which actions a flow of a status takes; whoever refuses one names the others.
LEGAL_ACTIONS: Mapping[str, tuple[FlowAction, ...]] = {
    "created": ("start", "cancel"),
    "scheduled": ("start", "cancel"),
    "queued": ("cancel",),
    "running": ("pause", "cancel", "skip"),
    "waiting": ("pause", "cancel", "retry", "skip"),
    "paused": ("resume", "cancel", "retry", "skip", "migrate"),
    "completed": ("delete",),
    "failed": ("retry", "skip", "migrate", "delete"),
    "cancelled": ("retry", "delete"),
}


class StartOptions(BaseModel):
    """How a flow is started; every flow request takes these."""

    model_config = ConfigDict(frozen=True)

    hold: bool = Field(default=False, description="Create the flow, but begin only when somebody starts it")
    start_at: AwareDatetime | None = Field(default=None, description="Begin no sooner than this")
    deadline: AwareDatetime | None = Field(default=None, description="The flow fails if it has not ended by then")
    priority: int = Field(default=0, ge=-100, le=100, description="Among the waiting flows of a tenant, higher first")
    concurrency_key: str | None = Field(
        default=None, max_length=200, description="Of the tenant's flows with the same key, one runs at a time"
    )
    correlation_id: str | None = Field(default=None, max_length=200, description="The caller's own name for the flow")
    version: int | None = Field(default=None, ge=1, description="Version of the flow type; the newest if absent")


class FlowControlRequested(Event, type="flow_control.requested"):
    """Somebody wants a flow to pause, resume, … ; what follows is `flow.updated`, or `flow_control.refused`."""

    action: str = Field(description="An open set: start, pause, resume, cancel, retry, skip, migrate, delete, …")
    phase: str | None = Field(default=None, description="For retry and skip; absent: the phase that failed or waits")
    version: int | None = Field(default=None, description="For migrate: the version to go on with")
    requested_by: str
    comment: str | None = None


class FlowControlRefused(Event, type="flow_control.refused"):
    """What was asked of a flow is not possible as it stands; nothing changed."""

    action: str
    requested_by: str
    problem: Problem


class FlowForkRequested(Event, type="flow_fork.requested"):
    """Begin a new flow, `flow_id`, from a checkpoint of another."""

    origin_flow_id: UUID
    seq: int = Field(ge=1, description="The checkpoint: number of the journal entry at which a phase had ended")
    requested_by: str


class FlowDeleted(Event, type="flow.deleted"):
    """An ended flow, its history and its checkpoints are gone; the audit log keeps what happened."""

    deleted_by: str


class ChildFlowEnded(Event, type="child_flow.ended"):
    """Told to a parent flow (`flow_id`, `step`): the flow that its phase had begun came to its end."""

    child_flow_id: UUID
    child_flow_type: str
    status: str = Field(description="An open set: completed, failed, cancelled, …")
    outcome: dict[str, Any] = Field(default={}, description="The data of the child's `.completed` event")
    problem: Problem | None = None


class ApprovalReminded(Event, type="approval.reminded"):
    """A task has waited long enough that somebody should be told again."""

    task_id: UUID
    title: str
    assignee: str | None = None
    expires_at: datetime | None = None


class ApprovalWithdrawn(Event, type="approval.withdrawn"):
    """A task is not to be decided any more: its flow was cancelled, went on without it, or it expired."""

    task_id: UUID
    reason: str


class FlowRepairRequested(Event, type="flow_repair.requested"):
    """Look for flows whose rows, work or timers disagree, and mend them; of one flow (`flow_id`) or of the tenant."""

    repair_id: UUID
    requested_by: str


class FlowRepair(BaseModel):
    """One thing that was wrong, and what was done about it."""

    model_config = ConfigDict(frozen=True)

    flow_id: UUID
    code: str
    found: str
    done: str


class FlowRepairCompleted(Event, type="flow_repair.completed"):
    """What a repair found and did; nothing found is the normal case."""

    repair_id: UUID
    flows_checked: int
    repairs: list[FlowRepair]


class FlowScheduleSaved(Event, type="flow_schedule.saved"):
    """A flow is to be started again and again by the clock; saving the same id replaces it."""

    schedule_id: UUID
    name: str
    cron: str = Field(description="Five fields as in crontab(5)")
    time_zone: str = Field(description="IANA name, such as Europe/Berlin")
    request_type: str = Field(description="Type of the event that starts the flow, such as discovery.requested")
    request: dict[str, Any] = Field(description="The data of that event")
    enabled: bool = True
    saved_by: str


class FlowScheduleDeleted(Event, type="flow_schedule.deleted"):
    """A schedule starts no more flows."""

    schedule_id: UUID
    deleted_by: str


class TenantLimitsSaved(Event, type="tenant_limits.saved"):
    """How much of the platform a tenant may use at once."""

    weight: int = Field(ge=1, le=100, description="Its share where tenants compete; 1 is the ordinary one")
    running_flows: int | None = Field(default=None, ge=1, description="Flows at once; absent: the platform's default")
    saved_by: str

"""What the REST interface under /api/v1 takes and gives."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.discovery import TableMapping
from contracts.envelope import Problem
from contracts.flows import PhaseView
from contracts.lifecycle import FlowAction, FlowStatus

T = TypeVar("T")
ApprovalStatus = Literal["pending", "approved", "rejected", "withdrawn"]


class View(BaseModel):
    """What every answer is: fields as named here, read from a row or an object."""

    model_config = ConfigDict(from_attributes=True)


class Page(View, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; null on the last")


class ProblemDetails(View):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:ai-modernize:problem:flow_not_found"])
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str | None = None
    file_name: str | None = None
    row: int | None = None
    column: str | None = None


class EngagementCreate(View):
    """A new engagement of a new or an existing client account."""

    client_name: str = Field(min_length=1, max_length=200, examples=["Contoso Ltd"])
    engagement_name: str = Field(min_length=1, max_length=200, examples=["Data centre exit 2027"])
    client_account_id: UUID | None = Field(default=None, description="Of an existing client account; else a new one")


class EngagementView(View):
    """A tenant: send both ids as headers to work in it."""

    client_account_id: UUID
    engagement_id: UUID
    client_name: str
    engagement_name: str


class ImportFromUrl(View):
    """A file that lies on a web server."""

    url: str = Field(max_length=2048, description="https://…", examples=["https://files.example.com/inventory.csv"])
    file_name: str | None = Field(default=None, min_length=1, max_length=255, description="Else the URL's last part")


class ImportView(View):
    """An uploaded file."""

    import_id: UUID
    file_name: str
    size_bytes: int
    sha256: str
    uploaded_at: datetime


class Progress(View):
    """How far the current work is."""

    done: int
    total: int
    message: str


class FlowView(View):
    """A flow as it stands."""

    flow_id: UUID
    flow_type: str = Field(description="An open set: collection, discovery, assessment, planning, modernization, …")
    revision: int = Field(description="Number of the newest decision; 0 until the orchestrator has taken the flow")
    status: FlowStatus
    current_phase: str | None
    phases: list[PhaseView]
    progress: Progress | None = None
    waits_for: str | None
    waits_until: datetime | None
    problem: Problem | None
    parent_flow_id: UUID | None
    forked_from: UUID | None = None
    version: int | None = Field(default=None, description="Version of the flow type that it runs under")
    priority: int = 0
    concurrency_key: str | None = None
    correlation_id: str | None = None
    deadline: datetime | None = None
    created_at: datetime
    started_at: datetime | None = Field(default=None, description="When its first phase began; before that it queued")
    ended_at: datetime | None = None
    updated_at: datetime


class Refusal(View):
    """Something that was asked of a flow and was not possible any more; nothing changed."""

    request_id: UUID
    at: datetime
    action: str
    requested_by: str
    problem: Problem


class FlowDetail(FlowView):
    """A flow with what belongs to it."""

    next_flow_ids: list[UUID] = Field(default=[], description="Flows that this one started")
    pending_approval_ids: list[UUID] = Field(default=[])
    report_formats: list[str] = Field(default=[], description="Formats of GET /reports/{flow_id}/{format}")
    possible_actions: list[FlowAction] = Field(default=[], description="What can be asked of the flow as it stands")
    last_refusal: Refusal | None = Field(default=None, description="The last request that came too late, if any did")


class FlowPoll(FlowDetail):
    """A flow and when to ask again."""

    next_poll_seconds: int = Field(description="5 while it runs or queues, 15 while it waits, 30 once it ended")


class ApprovalView(View):
    """A decision that a person has to take, or took."""

    task_id: UUID
    flow_id: UUID
    kind: str = Field(description="An open set: field_mapping, wave_plan, collected_answers, change_plan, …")
    title: str
    details: dict[str, Any]
    form: dict[str, Any] = Field(default={}, description="JSON Schema of the `edits` that a decision may have")
    status: ApprovalStatus
    assignee: str | None = Field(default=None, description="Who is asked first; anybody of the engagement may decide")
    expires_at: datetime | None
    remind_at: datetime | None = None
    reminded_at: datetime | None = Field(default=None, description="When somebody was told again")
    withdrawn_reason: str | None = Field(default=None, description="Why nobody needs to decide it any more")
    decided_by: str | None = None
    decided_by_subject: str | None = Field(default=None, description="A person's `user:…`, or a system's `key:…`")
    decided_at: datetime | None = None
    comment: str | None = None
    edits: dict[str, Any] | None = Field(default=None, description="Edits that wait for somebody else's approval")
    edited_by: str | None = None


class ApprovalDecisionBody(View):
    """The decision: approve as proposed, edit what is approved, or reject."""

    decision: Literal["approve", "edit", "reject"] = Field(
        description="`edit` approves with `edits`, which it needs; where duties are "
        "separated it leaves the approval to somebody else",
    )
    edits: dict[str, Any] = Field(
        default={},
        description="What the task's `form` allows; for field_mapping {table_id: {column: canonical field id, null "
        "for 'maps to nothing', or {field, unit}}}",
        examples=[{"0197a6a0-0000-7000-8000-000000000001": {"Tier": "dr_tier", "Size": None, "RAM": {"unit": "MB"}}}],
    )
    comment: str | None = Field(default=None, max_length=2000)


class AssetView(View):
    """A clean asset."""

    asset_uid: UUID
    name: str
    asset_type: str | None
    environment: str | None
    operating_system: str | None
    os_version: str | None
    ip_address: str | None
    application_name: str | None
    criticality: str | None
    datacenter: str | None
    lifecycle_status: str | None
    cpu_cores: int | None
    memory_gb: float | None
    storage_gb: float | None
    attributes: dict[str, Any] = Field(description="The other canonical fields that have a value")
    source_rows: str = Field(description="Where it comes from: <file>[/<sheet>]:<row>, joined by '; '")


class ApplicationView(View):
    """An application and its assets."""

    application_uid: UUID
    name: str
    asset_count: int
    environment: str | None
    criticality: str | None
    business_owner: str | None
    technical_owner: str | None
    inferred: bool


class DependencyView(View):
    """What depends on what."""

    dependency_id: UUID
    source_application_uid: UUID
    target_application_uid: UUID
    source_name: str
    target_name: str
    kind: str
    port: int | None
    observations: int | None
    evidence: str


class MappingsView(View):
    """How the columns of a discovery's files were mapped."""

    flow_id: UUID
    decided: bool = Field(description="Whether the flow goes on with these; else they are a proposal")
    mappings: list[TableMapping]


class RejectedRowView(View):
    """A row that no asset could be made of."""

    file_name: str
    sheet: str | None
    row: int
    reason: str
    raw: dict[str, Any] = Field(description="The filled cells as they came")


class CellProblemView(View):
    """A cell whose value could not be read; the asset exists without it."""

    file_name: str
    sheet: str | None
    row: int | None
    column: str
    field: str
    raw: str | None
    reason: str


class DeadLetterView(View):
    """An event that could not be handled."""

    dead_letter_id: UUID
    service: str
    queue: str
    event_id: str
    event_type: str
    attempts: int
    code: str
    reason: str
    status: Literal["open", "replayed", "dropped"]
    dead_lettered_at: datetime


class DeadLetterDetail(DeadLetterView):
    """A dead letter with its trace and the event as it came."""

    trace: str | None
    message: dict[str, Any]


class AuditVerificationView(View):
    """A check of the audit log."""

    verification_id: UUID
    status: Literal["running", "done"]
    valid: bool | None = None
    entries: int | None = None
    head: str | None = None
    broken_at: int | None = None
    detail: str | None = None
    checkpoints: int | None = Field(default=None, description="Signed checkpoints that agree with the log")
    signed: int | None = Field(default=None, description="Entries that the newest of them covers")

"""What the REST interface takes and gives about agents, their tasks, and what is told while they run."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.agents import AgentResult
from contracts.envelope import Problem
from contracts.rest import View
from contracts.rest_operations import Percentiles

AgentTaskStatus = Literal["scheduled", "queued", "running", "completed", "failed", "cancelled"]
AgentHealth = Literal["ready", "rules_only", "gone"]


class AgentView(View):
    """An agent, what it can do, and how it is."""

    agent_id: str
    title: str
    capabilities: list[str]
    prompt_version: str
    health: AgentHealth = Field(
        description="`ready`: rules and models; `rules_only`: no model can be asked; `gone`: its runner is silent"
    )
    last_seen: datetime = Field(description="When its runner was last heard of")
    input_schema: dict[str, Any] = Field(description="JSON Schema of a task's inputs")
    output_schema: dict[str, Any] = Field(description="JSON Schema of a result's output")


class AgentTaskTerms(View):
    """What a task is given, and how much it may take."""

    inputs: dict[str, Any] = Field(description="What the agent's input schema asks for")
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher ones of a tenant go first")
    timeout_seconds: float = Field(default=45, gt=0, le=600)
    token_budget: int | None = Field(
        default=None, ge=0, le=10_000_000, description="Tokens that models may use for it; 0: rules alone"
    )
    cpu_budget_seconds: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="CPU seconds of rules; once they are spent no model is asked. A step that runs is not interrupted",
    )


class AgentTaskBody(AgentTaskTerms):
    """A task for an agent."""

    capability: str | None = Field(
        default=None, max_length=100, description="Which of the agent's capabilities it takes; absent: its first"
    )
    flow_id: UUID | None = Field(default=None, description="A flow that it belongs to; cancelled with it")
    start_at: AwareDatetime | None = Field(default=None, description="Not before; absent: at once")


class CapabilityTaskBody(AgentTaskBody):
    """A task for whichever agent has the capability and least to do."""

    capability: str = Field(max_length=100, examples=["six_r"])


class AgentScheduleBody(AgentTaskTerms):
    """A task that the clock asks for again and again, of an agent or of whoever has a capability."""

    name: str = Field(min_length=1, max_length=200)
    cron: str = Field(
        max_length=200,
        description="Minute, hour, day of month, month, day of week, as in crontab(5)",
        examples=["0 2 * * *"],
    )
    time_zone: str = Field(default="UTC", max_length=100, description="IANA name", examples=["Europe/Berlin"])
    agent: str | None = Field(
        default=None, max_length=100, description="Who does it; absent: each time who has least to do"
    )
    capability: str | None = Field(
        default=None, max_length=100, description="What it takes; absent: the agent's first capability"
    )


class AgentScheduleView(View):
    """A schedule of tasks, and the next time at which it asks for one."""

    schedule_id: UUID
    name: str
    cron: str
    time_zone: str
    agent: str | None = Field(description="Null: each time whoever has the capability and least to do")
    capability: str
    priority: int
    timeout_seconds: float
    token_budget: int | None
    cpu_budget_seconds: float | None
    paused: bool
    next_at: datetime | None = Field(description="Null while it is paused")
    last_at: datetime | None = Field(description="The time for which it asked last")
    missed: int = Field(description="Times that passed while the platform was away; of each outage the last is made up")
    saved_by: str
    saved_at: datetime


class AgentScheduleDetail(AgentScheduleView):
    """A schedule with what its tasks are given, when it asks next, and for what it has asked."""

    inputs: dict[str, Any]
    next_runs: list[datetime] = Field(description="The next five; none while it is paused")
    task_ids: list[UUID] = Field(description="The newest ten, the last one first; GET /agent-tasks has all")


class AgentTaskProgress(View):
    """How far a task is."""

    done: int
    total: int
    message: str


class AgentTaskView(View):
    """A task as it stands."""

    task_id: UUID
    capability: str
    agent: str | None = Field(description="Who does it; null until somebody begins")
    status: AgentTaskStatus
    attempt: int
    priority: int
    flow_id: UUID | None
    schedule_id: UUID | None
    requested_by: str | None = Field(description="Null where a flow asked")
    requested_at: datetime
    start_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    timeout_seconds: float
    token_budget: int | None
    cpu_budget_seconds: float | None
    progress: AgentTaskProgress | None
    problem: Problem | None = Field(description="Why it failed")
    engine: str | None = Field(description="What answered: rules, or a model")
    model: str | None
    seconds: float | None = Field(description="How long the agent took")


class AgentTaskDetail(AgentTaskView):
    """A task with what it was given and what came of it."""

    inputs: dict[str, Any]
    result: AgentResult | None


class AgentNews(View):
    """Something that happened to a task, and how the task stands since then."""

    seq: int = Field(description="Its number in the engagement, without gaps; the `id` of a server-sent event")
    type: str = Field(description="An open set: agent_task.requested, agent_task.started, agent_task.completed, …")
    at: datetime
    task: AgentTaskView


CostsBy = Literal["agent", "model", "flow", "day"]


class CostLine(View):
    """What model calls of one kind cost."""

    key: str | None = Field(description="The agent, provider/model, flow or day; null for calls of no flow")
    calls: int
    cached: int = Field(description="Of these, answers from the cache, which cost nothing")
    failed: int = Field(description="Of these, calls that gave no answer that counts")
    tokens_in: int
    tokens_out: int
    cost_usd: Decimal


class CostReport(View):
    """What model calls cost, day by day in UTC."""

    by: CostsBy
    since: date
    until: date = Field(description="The last day that counts")
    total: CostLine
    lines: list[CostLine] = Field(description="Days in their order, else the 500 that cost most")


class AgentPerformance(View):
    """How the tasks of an agent did that one engine or model answered, or none."""

    agent: str | None
    engine: str | None
    model: str | None
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None = Field(description="Of those that completed or failed")
    duration: Percentiles | None = Field(description="From their beginning to their end, seconds")


class AgentMonitor(View):
    """What agents do for a flow, and in how many seconds to ask again."""

    flow_id: UUID
    active: int = Field(description="Tasks that wait or run")
    tasks: list[AgentTaskView] = Field(description="The newest 200, the last one first")
    next_poll_seconds: int

"""Agent tasks: a piece of judgement that a flow or a person asks for, answered by an agent or by rules."""

from typing import Any, Self
from uuid import UUID

from pydantic import Field

from contracts.agents import AgentResult
from contracts.envelope import Envelope, Event, Problem


class AgentTaskRequested(Event, type="agent_task.requested"):
    """Do the named task with these inputs."""

    task: str = Field(description="The capability that it takes, an open set: six_r, gap_analysis, change_plan, …")
    inputs: dict[str, Any] = Field(default={})
    task_id: UUID | None = Field(default=None, description="The task's id; absent: the event's")
    attempt: int = Field(default=1, ge=1, description="Grows when a task that ended is tried again")
    agent: str | None = Field(default=None, description="Who is to do it; absent: who has the capability")
    timeout_seconds: float = Field(default=45, ge=0)
    token_budget: int | None = Field(default=None, ge=0, description="Tokens that its models may use; 0: rules alone")
    # Once published as more than 0: of 0 and more, earlier readers were never told. REST has the bound.
    cpu_budget_seconds: float | None = Field(
        default=None, description="CPU seconds after which no further step is begun"
    )
    requested_by: str | None = Field(default=None, description="Who asked, where it was no flow")
    schedule_id: UUID | None = Field(default=None, description="The schedule that asked")
    sealed: str | None = Field(
        default=None, description="The inputs, sealed for the task, where the engagement seals its inventory; base64"
    )

    @property
    def id_of_task(self) -> UUID:
        """The task's id."""
        return self.task_id or self.id


class _OfTask:
    """What is told of a task names it."""

    @classmethod
    def reply_to(cls, event: Event | Envelope, **data: Any) -> Self:
        """As `Event.reply_to`; of a request for a task it also takes which one it is."""
        if isinstance(event, AgentTaskRequested):
            data = {"task": event.task, "task_id": event.id_of_task, "attempt": event.attempt, **data}
        reply: Self = super().reply_to(event, **data)  # type: ignore[misc]  # each class that has this is an Event
        return reply


class AgentTaskStarted(_OfTask, Event, type="agent_task.started"):
    """An agent has begun."""

    task: str
    task_id: UUID
    attempt: int = 1
    agent: str


class AgentTaskProgressed(_OfTask, Event, type="agent_task.progressed"):
    """How far an agent is."""

    task: str
    task_id: UUID
    attempt: int = 1
    agent: str
    done: int
    total: int
    message: str


class AgentTaskCompleted(_OfTask, Event, type="agent_task.completed"):
    """The task is done."""

    task: str
    outputs: dict[str, Any] = Field(default={}, description="The answer of a sender that tells no `result`")
    task_id: UUID | None = None
    attempt: int = 1
    result: AgentResult | None = Field(default=None, description="The answer, and how it came about")
    sealed: str | None = Field(
        default=None, description="What the result says, sealed for the task, where the inputs were sealed; base64"
    )

    @property
    def answer(self) -> dict[str, Any]:
        """What the task put out."""
        return self.outputs if self.result is None else self.result.output


class AgentTaskFailed(_OfTask, Event, type="agent_task.failed"):
    """The task could not be done, and why."""

    task: str
    problem: Problem
    task_id: UUID | None = None
    attempt: int = 1
    agent: str | None = None


class AgentTaskCancelled(Event, type="agent_task.cancelled"):
    """Somebody took the task back; an answer that comes regardless does not count."""

    task: str
    task_id: UUID
    attempt: int = 1
    cancelled_by: str
    reason: str | None = None


class AgentScheduleSaved(Event, type="agent_schedule.saved"):
    """A task is asked for again and again by the clock; told again when that is paused and resumed."""

    schedule_id: UUID
    name: str
    cron: str = Field(description="Five fields as in crontab(5)")
    time_zone: str = Field(description="IANA name, such as Europe/Berlin")
    task: str = Field(description="The capability that it takes")
    agent: str | None = Field(default=None, description="Who does it; absent: who has the capability")
    paused: bool = False
    saved_by: str


class AgentScheduleDeleted(Event, type="agent_schedule.deleted"):
    """A schedule asks for no more tasks."""

    schedule_id: UUID
    deleted_by: str

"""How a task stands after what was told of it; in whatever order the news come."""

from typing import Any
from uuid import UUID

from contracts.agent_tasks import (
    AgentTaskCancelled,
    AgentTaskCompleted,
    AgentTaskFailed,
    AgentTaskProgressed,
    AgentTaskRequested,
    AgentTaskStarted,
)
from services.gateway.agents.tables import AgentTask

AgentTaskEvent = (
    AgentTaskRequested
    | AgentTaskStarted
    | AgentTaskProgressed
    | AgentTaskCompleted
    | AgentTaskFailed
    | AgentTaskCancelled
)
# What ends is what was told first; an answer that comes after a cancellation does not count.
_RANK = {"scheduled": 0, "queued": 1, "running": 2, "completed": 3, "failed": 3, "cancelled": 3}
_STATUS = {
    AgentTaskStarted: "running",
    AgentTaskProgressed: "running",
    AgentTaskCompleted: "completed",
    AgentTaskFailed: "failed",
    AgentTaskCancelled: "cancelled",
}
ENDED = ("completed", "failed", "cancelled")
# The step of tasks that people ask for within a flow; those that a phase asks for have the phase's.
OWN_STEP = "task:"


def id_of(event: AgentTaskEvent) -> UUID | None:
    """The task that an event is about; None where an answer is from before tasks had ids."""
    return event.id_of_task if isinstance(event, AgentTaskRequested) else event.task_id


def new_task(event: AgentTaskEvent) -> AgentTask:
    """A task of which nothing was told yet."""
    task = AgentTask(task_id=id_of(event), capability=event.task, attempt=0, status="queued", priority=0, inputs={})
    task.timeout_seconds, task.requested_at, task.flow_id = 45, event.time, event.flow_id
    return task


def take(task: AgentTask, event: AgentTaskEvent) -> bool:
    """Bring a task up to date; False where the event tells nothing new."""
    if event.attempt < task.attempt:
        return False
    fresh = event.attempt > task.attempt
    if fresh:
        _begin_attempt(task, event.attempt)
    if isinstance(event, AgentTaskRequested):
        return _requested(task, event, fresh=fresh)
    before, after = _RANK[task.status], _RANK[_STATUS[type(event)]]
    further = isinstance(event, AgentTaskProgressed) and _is_further(task, event)
    if not fresh and (after < before or (after == before and not further)):
        _began(task, event)
        return False
    task.status = _STATUS[type(event)]
    if not isinstance(event, AgentTaskCancelled):
        task.started_at = task.started_at or event.time
    if task.status in ENDED:
        task.ended_at = event.time
    _details(task, event)
    return True


def ask(task: AgentTask, event: AgentTaskRequested) -> None:
    """What the request itself says of a task."""
    task.capability, task.inputs = event.task, event.inputs
    task.agent = task.agent or event.agent
    task.priority = event.work_priority or 0
    task.flow_id, task.step, task.schedule_id = event.flow_id, event.step, event.schedule_id
    task.timeout_seconds, task.token_budget = event.timeout_seconds, event.token_budget
    task.cpu_budget_seconds = event.cpu_budget_seconds
    task.requested_by, task.requested_at = event.requested_by, event.time


def _requested(task: AgentTask, event: AgentTaskRequested, *, fresh: bool) -> bool:
    if task.request_id == event.id:
        return False
    ask(task, event)
    task.request_id = event.id
    # One that comes after the news of its beginning fills in what they did not say.
    if task.status != "scheduled":
        return fresh
    task.status = "queued"
    return True


def _begin_attempt(task: AgentTask, attempt: int) -> None:
    task.attempt, task.status, task.agent, task.request_id = attempt, "queued", None, None
    task.started_at = task.ended_at = task.progress = task.result = task.problem = None
    task.engine = task.model = task.seconds = None


def _is_further(task: AgentTask, event: AgentTaskProgressed) -> bool:
    known: dict[str, Any] | None = task.progress
    return task.status == "running" and (known is None or (known["done"], known["total"]) <= (event.done, event.total))


def _began(task: AgentTask, event: AgentTaskEvent) -> None:
    """The news of its beginning fill in, however late, what those of its end did not say."""
    if isinstance(event, AgentTaskStarted):
        task.agent = task.agent or event.agent
        task.started_at = min(task.started_at or event.time, event.time)


def _details(task: AgentTask, event: AgentTaskEvent) -> None:
    if isinstance(event, AgentTaskStarted | AgentTaskProgressed):
        task.agent = event.agent
    if isinstance(event, AgentTaskProgressed):
        task.progress = event.model_dump(mode="json", include={"done", "total", "message"})
    if isinstance(event, AgentTaskFailed):
        task.problem = event.problem.model_dump(mode="json")
    if isinstance(event, AgentTaskCompleted) and event.result is not None:
        result = event.result
        task.result = result.model_dump(mode="json")
        task.agent, task.engine, task.model, task.seconds = result.agent, result.engine, result.model, result.seconds

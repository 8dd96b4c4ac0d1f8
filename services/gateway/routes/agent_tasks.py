"""Tasks for agents: ask, look, cancel, try again."""

from typing import Annotated, get_args
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.agent_tasks import AgentTaskCancelled
from contracts.rest_agents import AgentTaskBody, AgentTaskDetail, AgentTaskStatus, AgentTaskView, CapabilityTaskBody
from contracts.work import WorkCancelled
from services.chassis.errors import Conflict
from services.gateway.agents import news as agent_news
from services.gateway.agents.requests import (
    again,
    agent_named,
    agents_of,
    as_it_travels,
    least_busy,
    new_request,
    task_of,
)
from services.gateway.agents.tables import AgentRow, AgentTask
from services.gateway.agents.task_state import ENDED, OWN_STEP
from services.gateway.flows.details import no_flow
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.tables import Flow

router = APIRouter(tags=["agents"])

RETRYABLE = ("failed", "cancelled")


@router.post("/agents/{agent_id}/tasks", status_code=202)
async def ask_agent(agent_id: str, body: AgentTaskBody, caller: Caller, once: Creating) -> AgentTaskView:
    """Give an agent a task, for now or for later."""
    async with once.transaction() as session:
        agent = await agent_named(session, caller.tenant, agent_id)
        return once.keep(await _ask(session, caller, agent, body))


@router.post("/agent-tasks", status_code=202)
async def ask_by_capability(
    body: CapabilityTaskBody, caller: Caller, gateway: Gateway, once: Creating
) -> AgentTaskView:
    """Give a task to whichever agent has the capability and least to do."""
    async with once.transaction() as session:
        agent = await least_busy(gateway, await agents_of(session, caller.tenant), body.capability)
        return once.keep(await _ask(session, caller, agent, body))


@router.get("/agent-tasks")
async def list_agent_tasks(
    session: Reading,
    page: Page,
    agent: Annotated[str | None, Query(description="Only tasks of this agent")] = None,
    capability: Annotated[str | None, Query(description="Only tasks that take this capability")] = None,
    status: Annotated[AgentTaskStatus | None, Query(examples=list(get_args(AgentTaskStatus)))] = None,
    flow_id: Annotated[UUID | None, Query(description="Only tasks of this flow")] = None,
    schedule_id: Annotated[UUID | None, Query(description="Only tasks that this schedule asked for")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Only tasks that were asked for since then")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only tasks that were asked for before then")] = None,
) -> rest.Page[AgentTaskView]:
    """Tasks, those of flows too, the newest first: in the order in which they were first asked for."""
    statement = select(AgentTask)
    for column, wanted in (
        (AgentTask.agent, agent),
        (AgentTask.capability, capability),
        (AgentTask.status, status),
        (AgentTask.flow_id, flow_id),
        (AgentTask.schedule_id, schedule_id),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if since is not None:
        statement = statement.where(AgentTask.requested_at >= since)
    if until is not None:
        statement = statement.where(AgentTask.requested_at < until)
    rows, cursor = await page.fetch(session, statement, AgentTask.task_id, newest_first=True)
    return rest.Page(items=[AgentTaskView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/agent-tasks/{task_id}")
async def show_agent_task(task_id: UUID, session: Reading) -> AgentTaskDetail:
    """A task with what it was given and what came of it."""
    return AgentTaskDetail.model_validate(await task_of(session, task_id))


@router.post("/agent-tasks/{task_id}/cancel", status_code=202)
async def cancel_agent_task(task_id: UUID, caller: Caller, once: Creating) -> AgentTaskView:
    """Take a task back, also while it runs. An answer that comes regardless does not count."""
    async with once.transaction() as session:
        task = await task_of(session, task_id, lock=True)
        if task.status in ENDED:
            possible = ["retry"] if task.status in RETRYABLE and not _is_of_phase(task) else []
            raise Conflict.with_alternatives("task_ended", f"The task {task_id} is {task.status}.", possible)
        _refuse_phase(task)
        cancelled = AgentTaskCancelled(
            tenant=caller.tenant,
            flow_id=task.flow_id,
            step=task.step,
            task=task.capability,
            task_id=task_id,
            attempt=task.attempt,
            cancelled_by=caller.name,
        )
        if task.request_id is not None:
            reason = f"{caller.name} cancelled the task"
            work = task.flow_id or task.request_id
            await emit(session, WorkCancelled(tenant=caller.tenant, flow_id=work, step=task.step, reason=reason))
        await agent_news.keep(session, [cancelled])
        await emit(session, cancelled)
        return once.keep(AgentTaskView.model_validate(task))


@router.post("/agent-tasks/{task_id}/retry", status_code=202)
async def retry_agent_task(task_id: UUID, caller: Caller, once: Creating) -> AgentTaskView:
    """Try a task that failed or was cancelled again, with the same inputs."""
    async with once.transaction() as session:
        task = await task_of(session, task_id, lock=True)
        _refuse_phase(task)
        if task.status not in RETRYABLE:
            possible = [] if task.status in ENDED else ["cancel"]
            detail = f"The task {task_id} is {task.status}; failed and cancelled ones can be tried again."
            raise Conflict.with_alternatives("task_not_retryable", detail, possible)
        if task.agent is not None:
            await agent_named(session, caller.tenant, task.agent)
        request = await as_it_travels(session, again(task, caller.tenant, caller.name, task.attempt + 1))
        await agent_news.keep(session, [request])
        await emit(session, request)
        return once.keep(AgentTaskView.model_validate(task))


async def _ask(session: AsyncSession, caller: Principal, agent: AgentRow, body: AgentTaskBody) -> AgentTaskView:
    if body.flow_id is not None:
        status = await session.scalar(select(Flow.status).where(Flow.flow_id == body.flow_id))
        if status is None:
            raise no_flow(body.flow_id)
        if status in ENDED:
            raise Conflict("flow_ended", f"The flow {body.flow_id} is {status}: it takes no tasks any more.")
    request, task = await new_request(session, caller.tenant, agent, body, caller.name)
    if request is not None:
        await emit(session, request)
    return AgentTaskView.model_validate(task)


def _is_of_phase(task: AgentTask) -> bool:
    return task.step is not None and not task.step.startswith(OWN_STEP)


def _refuse_phase(task: AgentTask) -> None:
    if _is_of_phase(task):
        detail = f"The task {task.task_id} belongs to a phase of the flow {task.flow_id}. Cancel or retry the flow."
        raise Conflict("task_of_flow", detail)

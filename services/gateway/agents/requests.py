"""Asking agents: who is to do a task, whether its inputs fit, and the event that asks."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from jsonschema_rs import Draft202012Validator
from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agent_tasks import AgentTaskCancelled, AgentTaskRequested
from contracts.envelope import PLATFORM, Tenant, uuid7
from contracts.rest_agents import AgentHealth, AgentTaskBody
from services.chassis.errors import Conflict, ExpectedFailure, NotFound
from services.chassis.runtime import Runtime
from services.chassis.sealed_events import opened_request, sealed_request
from services.chassis.sealed_rows import vault_of
from services.chassis.tenancy import enter
from services.gateway.agents import news as agent_news
from services.gateway.agents.tables import AgentRow, AgentTask
from services.gateway.agents.task_state import OWN_STEP, ask, new_task
from services.gateway.tables import Flow

# A runner registers every five minutes.
GONE_AFTER = timedelta(minutes=11)
# Each waits in a queue that others of the tenant wait in, too.
MOST_ACTIVE = 1_000
SWEEP_TASKS = 200

_LOADS = text("""
    select agent, count(*) as tasks from gateway.agent_tasks
    where ended_at is null and status in ('queued', 'running') and agent = any(:agents) group by agent
""")


async def agents_of(session: AsyncSession, tenant: Tenant) -> list[AgentRow]:
    """Every agent, by id. Leaves the session in `tenant`."""
    await enter(session, PLATFORM)
    agents = list(await session.scalars(select(AgentRow).order_by(AgentRow.agent_id)))
    await enter(session, tenant)
    return agents


async def agent_named(session: AsyncSession, tenant: Tenant, agent_id: str) -> AgentRow:
    """One agent; raises `NotFound`."""
    return named(await agents_of(session, tenant), agent_id)


def named(agents: Sequence[AgentRow], agent_id: str) -> AgentRow:
    """The agent of that id; raises `NotFound`."""
    for agent in agents:
        if agent.agent_id == agent_id:
            return agent
    known = ", ".join(agent.agent_id for agent in agents) or "none"
    raise NotFound("unknown_agent", f"There is no agent {agent_id!r}. There is: {known}.")


def health(agent: AgentRow, now: datetime) -> AgentHealth:
    """How an agent is, by when its runner was last heard of."""
    if now - agent.last_seen > GONE_AFTER:
        return "gone"
    return "ready" if agent.models_ready else "rules_only"


async def least_busy(runtime: Runtime, agents: Sequence[AgentRow], capability: str) -> AgentRow:
    """Of those with a capability who is there and has least to do, for all tenants; raises `ExpectedFailure`."""
    able = [agent for agent in agents if capability in agent.capabilities]
    if not able:
        known = ", ".join(sorted({each for agent in agents for each in agent.capabilities})) or "none"
        raise ExpectedFailure("unknown_capability", f"No agent has the capability {capability!r}. There is: {known}.")
    async with runtime.database.dispatch() as connection:
        rows = await connection.execute(_LOADS, {"agents": [agent.agent_id for agent in able]})
        loads = {row.agent: row.tasks for row in rows}
    return choice(able, loads, datetime.now(UTC))


def choice(able: list[AgentRow], loads: Mapping[str, int], now: datetime) -> AgentRow:
    """Who is there before who is gone, then who has least to do; by name where all are alike."""
    return min(able, key=lambda each: (health(each, now) == "gone", loads.get(each.agent_id, 0), each.agent_id))


def capability_of(agent: AgentRow, wanted: str | None) -> str:
    """The capability that a task takes of an agent; raises `ExpectedFailure` for one that it lacks."""
    if wanted is None:
        return str((agent.capabilities or [agent.agent_id])[0])
    if wanted not in agent.capabilities:
        has = ", ".join(agent.capabilities)
        raise ExpectedFailure("unknown_capability", f"{agent.agent_id} has no capability {wanted!r}; it has: {has}.")
    return wanted


def check_inputs(agent: AgentRow, inputs: dict[str, Any]) -> None:
    """Raise `ExpectedFailure` that names the first field which the agent would not take."""
    errors = list(Draft202012Validator(agent.input_schema).iter_errors(inputs))
    if not errors:
        return
    place = ".".join(["inputs", *(str(part) for part in errors[0].instance_path)])
    # What was sent can be as long as a body.
    reason = errors[0].message if len(errors[0].message) <= 300 else f"{errors[0].message[:300]}…"
    raise ExpectedFailure(
        "inputs_do_not_fit",
        f"{place}: {reason}. {len(errors)} in all do not fit; GET /api/v1/agents/{agent.agent_id} shows the schema.",
    )


async def new_request(
    session: AsyncSession,
    tenant: Tenant,
    agent: AgentRow,
    body: AgentTaskBody,
    requested_by: str,
    schedule_id: UUID | None = None,
) -> tuple[AgentTaskRequested | None, AgentTask]:
    """Keep a new task; returns the event that asks for it, or None where its time has not come.

    Raises `ExpectedFailure` for inputs that do not fit, and `Conflict` where too many tasks wait.
    """
    capability = capability_of(agent, body.capability)
    check_inputs(agent, body.inputs)
    active = select(func.count()).select_from(AgentTask).where(AgentTask.ended_at.is_(None))
    if (await session.execute(active)).scalar_one() >= MOST_ACTIVE:
        detail = f"{MOST_ACTIVE:,} tasks of this engagement wait or run. Send more when some have ended."
        raise Conflict("too_many_tasks", detail)
    task_id = uuid7()
    request = AgentTaskRequested(
        id=task_id,
        tenant=tenant,
        flow_id=body.flow_id,
        step=f"{OWN_STEP}{task_id}" if body.flow_id is not None else None,
        task=capability,
        inputs=body.inputs,
        task_id=task_id,
        agent=agent.agent_id,
        timeout_seconds=body.timeout_seconds,
        token_budget=body.token_budget,
        cpu_budget_seconds=body.cpu_budget_seconds,
        requested_by=requested_by,
        schedule_id=schedule_id,
        work_priority=body.priority,
    )
    request = await as_it_travels(session, request)
    if body.start_at is None or body.start_at <= datetime.now(UTC):
        [task] = await agent_news.keep(session, [request])
        return request, task
    return None, await _scheduled(session, request, body.start_at)


async def _scheduled(session: AsyncSession, request: AgentTaskRequested, start_at: datetime) -> AgentTask:
    request = opened_request(vault_of(session), request)
    task = new_task(request)
    ask(task, request)
    task.attempt, task.status, task.start_at = 1, "scheduled", start_at
    await agent_news.announce(session, request.tenant, "agent_task.scheduled", request.time, task)
    return task


async def as_it_travels(session: AsyncSession, request: AgentTaskRequested) -> AgentTaskRequested:
    """The request as others and the audit log hear it: with its inputs sealed where the tenant asks for that."""
    if not await agent_news.sealing_wanted(session, request.tenant):
        return request
    return sealed_request(vault_of(session), request)


def again(task: AgentTask, tenant: Tenant, requested_by: str | None, attempt: int) -> AgentTaskRequested:
    """The event that asks for a task that is known."""
    return AgentTaskRequested(
        tenant=tenant,
        flow_id=task.flow_id,
        step=task.step,
        task=task.capability,
        inputs=task.inputs,
        task_id=task.task_id,
        attempt=attempt,
        agent=task.agent,
        timeout_seconds=task.timeout_seconds,
        token_budget=task.token_budget,
        cpu_budget_seconds=task.cpu_budget_seconds,
        requested_by=requested_by,
        schedule_id=task.schedule_id,
        work_priority=task.priority,
    )


async def due_requests(session: AsyncSession, tenant: Tenant, now: datetime) -> list[AgentTaskRequested]:
    """The events that ask for the scheduled tasks of a tenant whose time has come."""
    await agent_news.lock_head(session)
    statement = select(AgentTask).where(AgentTask.status == "scheduled", AgentTask.start_at <= now)
    due = await session.scalars(statement.order_by(AgentTask.start_at, AgentTask.task_id).limit(SWEEP_TASKS))
    requests = [again(task, tenant, task.requested_by, task.attempt) for task in due]
    return [await as_it_travels(session, each) for each in requests]


async def orphans(session: AsyncSession, tenant: Tenant, before: datetime) -> list[AgentTaskCancelled]:
    """What ends the tasks of flows that ended before a time: all of cancelled ones, else what phases asked for."""
    await agent_news.lock_head(session)
    statement = (
        select(AgentTask)
        .join(Flow, Flow.flow_id == AgentTask.flow_id)
        .where(AgentTask.ended_at.is_(None), Flow.ended_at < before)
        .where(or_(Flow.status == "cancelled", AgentTask.step.not_like(f"{OWN_STEP}%")))
        .order_by(AgentTask.task_id)
        .limit(SWEEP_TASKS)
    )
    return [
        AgentTaskCancelled(
            tenant=tenant,
            flow_id=task.flow_id,
            step=task.step,
            task=task.capability,
            task_id=task.task_id,
            attempt=task.attempt,
            cancelled_by="the platform",
            reason="Its flow ended.",
        )
        for task in await session.scalars(statement)
    ]


async def task_of(session: AsyncSession, task_id: UUID, *, lock: bool = False) -> AgentTask:
    """A task of the session's tenant; raises `NotFound`."""
    if lock:
        await agent_news.lock_head(session)
    task = await session.scalar(select(AgentTask).where(AgentTask.task_id == task_id))
    if task is None:
        raise NotFound("task_not_found", f"There is no task {task_id} in this engagement.")
    return task

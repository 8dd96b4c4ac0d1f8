"""Tasks that the clock asks for: who is asked, and whether the inputs fit, is looked at again each time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agent_tasks import AgentTaskFailed, AgentTaskRequested
from contracts.envelope import Problem, Tenant, uuid7
from contracts.rest_agents import AgentScheduleBody, AgentTaskBody
from services.chassis import cron
from services.chassis.errors import ExpectedFailure, NotFound
from services.chassis.runtime import Runtime
from services.chassis.sealed_rows import write_rows
from services.gateway.agents import news as agent_news
from services.gateway.agents.requests import (
    agents_of,
    capability_of,
    check_inputs,
    least_busy,
    named,
    new_request,
)
from services.gateway.agents.tables import AgentRow, AgentSchedule

log = structlog.get_logger()

SWEEP_SCHEDULES = 200
# Of one outage; counting a minute's schedule over a year would take seconds.
MOST_MISSED = 10_000


async def new_schedule(
    runtime: Runtime, session: AsyncSession, tenant: Tenant, body: AgentScheduleBody, saved_by: str
) -> AgentSchedule:
    """Keep a schedule; raises `ExpectedFailure`, naming the place, for one whose tasks would fail today."""
    cron.check(body.cron, body.time_zone)
    agent = await _agent(runtime, await agents_of(session, tenant), body.agent, body.capability)
    check_inputs(agent, body.inputs)
    now = datetime.now(UTC)
    schedule = AgentSchedule(
        **body.model_dump(),
        schedule_id=uuid7(),
        next_at=cron.following(body.cron, body.time_zone, now),
        missed=0,
        saved_by=saved_by,
        saved_at=now,
    )
    schedule.capability = capability_of(agent, body.capability)
    sealed = await agent_news.sealing_wanted(session, tenant)
    session.add(schedule)
    await write_rows(session, tenant, [schedule], sealed=sealed)
    return schedule


async def schedule_of(session: AsyncSession, schedule_id: UUID, *, lock: bool = False) -> AgentSchedule:
    """A schedule of the session's tenant; raises `NotFound`."""
    statement = select(AgentSchedule).where(AgentSchedule.schedule_id == schedule_id)
    schedule = await session.scalar(statement.with_for_update() if lock else statement)
    if schedule is None:
        raise NotFound("schedule_not_found", f"There is no schedule {schedule_id} of agent tasks in this engagement.")
    return schedule


async def due_tasks(
    runtime: Runtime, session: AsyncSession, tenant: Tenant, now: datetime
) -> list[AgentTaskRequested | AgentTaskFailed]:
    """A task for each schedule of a tenant that is due, and the events that tell of it."""
    statement = select(AgentSchedule).where(AgentSchedule.next_at <= now).order_by(AgentSchedule.next_at)
    # Those that another gateway holds are being started by it.
    due = list(await session.scalars(statement.limit(SWEEP_SCHEDULES).with_for_update(skip_locked=True)))
    # Before anything is changed: they are the platform's, and changes would be written there.
    agents = await agents_of(session, tenant) if due else []
    events: list[AgentTaskRequested | AgentTaskFailed] = []
    for schedule in due:
        try:
            _go_on(schedule, now)
            agent = await _agent(runtime, agents, schedule.agent, schedule.capability)
            asked = AgentTaskBody.model_validate(schedule)
            request, _ = await new_request(session, tenant, agent, asked, schedule.saved_by, schedule.schedule_id)
            events += [] if request is None else [request]
        except ExpectedFailure as error:
            # It fitted when it was saved, so the agent, or the time zone, is not what it was.
            events.append(await _failed(session, tenant, schedule, error.problem))
    return events


def _go_on(schedule: AgentSchedule, now: datetime) -> None:
    """Take the latest time that has come and wait for the next; paused where there is none any more."""
    first = schedule.next_at
    assert first is not None
    schedule.last_at, schedule.next_at = first, None
    schedule.last_at, schedule.next_at = cron.taken(schedule.cron, schedule.time_zone, first, now)
    missed = cron.passed(schedule.cron, schedule.time_zone, first, schedule.last_at, MOST_MISSED)
    if missed:
        schedule.missed += missed
        log.warning("agent_schedule_missed", schedule_id=str(schedule.schedule_id), times=missed)


async def _agent(runtime: Runtime, agents: Sequence[AgentRow], agent: str | None, capability: str | None) -> AgentRow:
    """Who does the task now; raises `ExpectedFailure`."""
    if agent is not None:
        return named(agents, agent)
    if capability is None:
        raise ExpectedFailure("no_agent", "agent: name an agent, or a capability. GET /api/v1/agents shows them.")
    return await least_busy(runtime, agents, capability)


async def _failed(session: AsyncSession, tenant: Tenant, schedule: AgentSchedule, problem: Problem) -> AgentTaskFailed:
    """A task that could not even be asked for, kept so that it is seen; it can be tried again like any other."""
    task_id = uuid7()
    request = AgentTaskRequested(
        id=task_id,
        tenant=tenant,
        task=schedule.capability,
        inputs=schedule.inputs,
        task_id=task_id,
        agent=schedule.agent,
        timeout_seconds=schedule.timeout_seconds,
        token_budget=schedule.token_budget,
        cpu_budget_seconds=schedule.cpu_budget_seconds,
        requested_by=schedule.saved_by,
        schedule_id=schedule.schedule_id,
        work_priority=schedule.priority,
    )
    failed = AgentTaskFailed.reply_to(request, problem=problem, agent=schedule.agent)
    await agent_news.keep(session, [request, failed])
    return failed

"""Tasks that the clock asks for: save, list, show, pause, resume and delete their schedules."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.agent_tasks import AgentScheduleDeleted, AgentScheduleSaved
from contracts.rest_agents import AgentScheduleBody, AgentScheduleDetail, AgentScheduleView
from services.chassis import cron
from services.gateway.agents.schedules import new_schedule, schedule_of
from services.gateway.agents.tables import AgentSchedule, AgentTask
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.routes.access import Gateway, Reading, emit

router = APIRouter(tags=["agents"])

SHOWN_RUNS, SHOWN_TASKS = 5, 10


@router.post("/agent-schedules", status_code=201)
async def create_agent_schedule(
    body: AgentScheduleBody, caller: Caller, gateway: Gateway, once: Creating
) -> AgentScheduleView:
    """Have a task asked for again and again by the clock.

    It is asked for once for each time; after an outage, once for the latest time that was missed. Where the agent is
    gone by then, or takes other inputs, the task fails at once and says so.
    """
    async with once.transaction() as session:
        schedule = await new_schedule(gateway, session, caller.tenant, body, caller.name)
        return once.keep(await _told(session, caller, schedule))


@router.get("/agent-schedules")
async def list_agent_schedules(session: Reading, page: Page) -> rest.Page[AgentScheduleView]:
    """Schedules of tasks in the order in which they were made."""
    rows, cursor = await page.fetch(session, select(AgentSchedule), AgentSchedule.schedule_id)
    return rest.Page(items=[AgentScheduleView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/agent-schedules/{schedule_id}")
async def show_agent_schedule(schedule_id: UUID, session: Reading) -> AgentScheduleDetail:
    """A schedule with what its tasks are given, when it asks next, and for what it has asked."""
    return await _detail(session, await schedule_of(session, schedule_id))


@router.post("/agent-schedules/{schedule_id}/pause")
async def pause_agent_schedule(schedule_id: UUID, caller: Caller, once: Creating) -> AgentScheduleView:
    """Ask for no more tasks until it is resumed; those that were asked for go on."""
    async with once.transaction() as session:
        schedule = await schedule_of(session, schedule_id, lock=True)
        schedule.next_at = None
        return once.keep(await _told(session, caller, schedule))


@router.post("/agent-schedules/{schedule_id}/resume")
async def resume_agent_schedule(schedule_id: UUID, caller: Caller, once: Creating) -> AgentScheduleView:
    """Ask for tasks again, from the next time on; what passed meanwhile is not made up for."""
    async with once.transaction() as session:
        schedule = await schedule_of(session, schedule_id, lock=True)
        cron.check(schedule.cron, schedule.time_zone)
        schedule.next_at = cron.following(schedule.cron, schedule.time_zone, datetime.now(UTC))
        return once.keep(await _told(session, caller, schedule))


@router.delete("/agent-schedules/{schedule_id}")
async def delete_agent_schedule(schedule_id: UUID, caller: Caller, gateway: Gateway) -> AgentScheduleDetail:
    """Ask for no more tasks by it; those that were asked for go on. Returns the schedule as it was."""
    async with gateway.database.transaction(caller.tenant) as session:
        schedule = await schedule_of(session, schedule_id, lock=True)
        detail = await _detail(session, schedule)
        await session.delete(schedule)
        gone = AgentScheduleDeleted(tenant=caller.tenant, schedule_id=schedule_id, deleted_by=caller.name)
        await emit(session, gone)
    gateway.committed()
    return detail


async def _told(session: AsyncSession, caller: Principal, schedule: AgentSchedule) -> AgentScheduleView:
    """The schedule as it stands now, and the event that tells of it."""
    view = AgentScheduleView.model_validate(schedule)
    saved = AgentScheduleSaved(
        tenant=caller.tenant,
        **view.model_dump(include={"schedule_id", "name", "cron", "time_zone", "agent", "paused"}),
        task=schedule.capability,
        saved_by=caller.name,
    )
    await emit(session, saved)
    return view


async def _detail(session: AsyncSession, schedule: AgentSchedule) -> AgentScheduleDetail:
    view = AgentScheduleView.model_validate(schedule)
    asked = select(AgentTask.task_id).where(AgentTask.schedule_id == schedule.schedule_id)
    newest = await session.scalars(asked.order_by(AgentTask.task_id.desc()).limit(SHOWN_TASKS))
    runs = [] if view.paused else cron.upcoming(view.cron, view.time_zone, datetime.now(UTC), SHOWN_RUNS)
    return AgentScheduleDetail(**view.model_dump(), inputs=schedule.inputs, next_runs=runs, task_ids=list(newest))

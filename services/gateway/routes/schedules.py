"""Flows that the clock starts: save, list, show and delete their schedules."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.envelope import Event, Tenant, uuid7
from contracts.lifecycle import FlowScheduleDeleted, FlowScheduleSaved
from contracts.rest_flows import AnyStart
from contracts.rest_operations import ScheduleBody, ScheduleDetail, ScheduleView
from services.chassis import cron
from services.chassis.errors import ExpectedFailure, NotFound
from services.gateway.flows.starts import requested
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.read_model.operation_tables import Schedule
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.tables import Flow

router = APIRouter(tags=["schedules"])

SHOWN_FLOWS = 10
# Each flow is started at another time, so times that are fixed make no sense in what starts it.
_FIXED_TIMES = ("start_at", "deadline")


@router.post("/schedules", status_code=201)
async def create_schedule(body: ScheduleBody, caller: Caller, once: Creating) -> ScheduleView:
    """Have a flow started again and again by the clock.

    A flow is started once for each time; after an outage, once for the latest time that was missed.
    """
    async with once.transaction() as session:
        return once.keep(await _save(session, uuid7(), body, caller))


@router.put("/schedules/{schedule_id}")
async def replace_schedule(schedule_id: UUID, body: ScheduleBody, caller: Caller, gateway: Gateway) -> ScheduleView:
    """Change a schedule, or switch it off and on. What was due before and has not been started is not made up for."""
    async with gateway.database.transaction(caller.tenant) as session:
        await _schedule(session, schedule_id)
        view = await _save(session, schedule_id, body, caller)
    gateway.committed()
    return view


@router.get("/schedules")
async def list_schedules(session: Reading, page: Page) -> rest.Page[ScheduleView]:
    """Schedules in the order in which they were made."""
    rows, cursor = await page.fetch(session, select(Schedule), Schedule.schedule_id)
    return rest.Page(items=[_view(row) for row in rows], next_cursor=cursor)


@router.get("/schedules/{schedule_id}")
async def show_schedule(schedule_id: UUID, session: Reading) -> ScheduleDetail:
    """A schedule and the flows that it started."""
    return await _detail(session, await _schedule(session, schedule_id))


@router.delete("/schedules/{schedule_id}")
async def delete_schedule(schedule_id: UUID, caller: Caller, gateway: Gateway) -> ScheduleDetail:
    """Start no more flows by it; those that run go on. Returns the schedule as it was."""
    async with gateway.database.transaction(caller.tenant) as session:
        detail = await _detail(session, await _schedule(session, schedule_id))
        await session.execute(delete(Schedule).where(Schedule.schedule_id == schedule_id))
        gone = FlowScheduleDeleted(tenant=caller.tenant, schedule_id=schedule_id, deleted_by=caller.name)
        await emit(session, gone)
    gateway.committed()
    return detail


async def _save(session: AsyncSession, schedule_id: UUID, body: ScheduleBody, caller: Principal) -> ScheduleView:
    cron.check(body.cron, body.time_zone)
    request = await _request(session, caller.tenant, body.start.root)
    row: dict[str, Any] = {
        **body.model_dump(include={"name", "cron", "time_zone", "enabled"}),
        "schedule_id": schedule_id,
        "start": body.start.model_dump(mode="json"),
        "saved_by": caller.name,
        "saved_at": datetime.now(UTC),
    }
    key = ["client_account_id", "engagement_id", "schedule_id"]
    statement = insert(Schedule).values(row).on_conflict_do_update(index_elements=key, set_=row)
    schedule = (await session.scalars(statement.returning(Schedule))).one()
    # Made once the row is held, so that of two at once the one whose row stays is also told last.
    saved = FlowScheduleSaved(
        tenant=caller.tenant,
        **body.model_dump(include={"name", "cron", "time_zone", "enabled"}),
        schedule_id=schedule_id,
        request_type=request.type_name,
        request=request.model_dump(mode="json", include=set(request.data_fields())),
        saved_by=caller.name,
    )
    await emit(session, saved)
    return _view(schedule)


async def _request(session: AsyncSession, tenant: Tenant, start: AnyStart) -> Event:
    """What each time asks for; raises what starting the flow now would raise, and starts nothing."""
    for name in _FIXED_TIMES:
        if getattr(start.options, name) is not None:
            raise ExpectedFailure("fixed_time", f"start.options.{name}: the schedule itself says when its flows start.")
    async with session.begin_nested() as savepoint:
        request = await requested(session, tenant, start)
        await savepoint.rollback()
    return request


def _view(schedule: Schedule) -> ScheduleView:
    next_at = cron.following(schedule.cron, schedule.time_zone, datetime.now(UTC)) if schedule.enabled else None
    names = set(ScheduleView.model_fields) - {"next_at"}
    return ScheduleView.model_validate({**{name: getattr(schedule, name) for name in names}, "next_at": next_at})


async def _detail(session: AsyncSession, schedule: Schedule) -> ScheduleDetail:
    started = select(Flow.flow_id).where(Flow.correlation_id == _correlation_id(schedule))
    newest = await session.scalars(started.order_by(Flow.created_at.desc()).limit(SHOWN_FLOWS))
    return ScheduleDetail(**_view(schedule).model_dump(), flow_ids=list(newest))


def _correlation_id(schedule: Schedule) -> str:
    """What the flows of a schedule are found by: the name that it gives them, else its own id."""
    return str(schedule.start.get("options", {}).get("correlation_id") or schedule.schedule_id)


async def _schedule(session: AsyncSession, schedule_id: UUID) -> Schedule:
    schedule = await session.scalar(select(Schedule).where(Schedule.schedule_id == schedule_id).with_for_update())
    if schedule is None:
        raise NotFound("schedule_not_found", f"There is no schedule {schedule_id} in this engagement.")
    return schedule

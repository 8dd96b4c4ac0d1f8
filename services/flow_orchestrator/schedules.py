"""Flows that the clock starts: what is due is asked for through the outbox, under an id that its time decides."""

from datetime import UTC, datetime
from uuid import UUID, uuid5

from pydantic import ValidationError
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import EVENT_TYPES, Event, Tenant, uuid7
from contracts.lifecycle import FlowScheduleDeleted, FlowScheduleSaved
from services.chassis import cron
from services.chassis.dead_letters import described, set_aside
from services.chassis.errors import ExpectedFailure
from services.chassis.outbox import add_events
from services.chassis.rows import json_text
from services.chassis.runtime import Runtime
from services.chassis.tenant_sweeps import sweep_tenants
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.handlers import service
from services.flow_orchestrator.tables import FlowSchedule

SWEEP_SECONDS = 1.0
SWEEP_SCHEDULES = 200
TABLE = "flow_orchestrator.flow_schedules"

# Saving and deleting come over two queues, in any order: whatever was said last counts.
_SAVE = text(f"""
    insert into {TABLE} as known (schedule_id, name, cron, time_zone, request_type, request, next_at, changed_at)
    values (:schedule_id, :name, :cron, :time_zone, :request_type, cast(:request as json), :next_at, :changed_at)
    on conflict (client_account_id, engagement_id, schedule_id) do update set name = excluded.name,
        cron = excluded.cron, time_zone = excluded.time_zone, request_type = excluded.request_type,
        request = excluded.request, next_at = excluded.next_at, changed_at = excluded.changed_at
    where known.changed_at < excluded.changed_at
""")
_DUE_TENANTS = text(
    f"select client_account_id, engagement_id from {TABLE} where next_at <= now()"
    " group by 1, 2 order by min(next_at) limit 100"
)


async def save_schedule(event: FlowScheduleSaved, session: AsyncSession) -> None:
    """Start flows by this schedule from now on; raises `ExpectedFailure` for one that could never start any."""
    cron.check(event.cron, event.time_zone)
    if event.request_type not in {each.requested.type_name for each in FLOW_TYPES.all()}:
        raise ExpectedFailure("unknown_request", f"request_type: no flow is started by {event.request_type}.")
    row = event.model_dump(include={"schedule_id", "name", "cron", "time_zone", "request_type"})
    next_at = cron.following(event.cron, event.time_zone, event.time) if event.enabled else None
    row |= {"request": json_text(event.request), "next_at": next_at, "changed_at": event.time}
    await session.execute(_SAVE, row)


async def forget_schedule(event: FlowScheduleDeleted, session: AsyncSession) -> None:
    """Start no more flows by it. What stays for a while is a schedule that is off, so that late news finds it."""
    off = dict.fromkeys(("name", "cron", "time_zone", "request_type"), "")
    row = {**off, "schedule_id": event.schedule_id, "request": "{}", "next_at": None, "changed_at": event.time}
    await session.execute(_SAVE, row)


# A schedule starts whatever flow it names, so what it emits is data as well.
service.subscribe(save_schedule, hears=[FlowScheduleSaved], emits=[each.requested for each in FLOW_TYPES.all()])
service.subscribe(forget_schedule, hears=[FlowScheduleDeleted], emits=[])


@service.every(SWEEP_SECONDS)
async def start_due_flows(runtime: Runtime) -> None:
    """Ask for the flows whose time has come; after an outage once each, for the latest time that was missed."""
    await sweep_tenants(runtime, _DUE_TENANTS, _start_due)


async def _start_due(session: AsyncSession, tenant: Tenant) -> None:
    now = datetime.now(UTC)
    statement = select(FlowSchedule).where(FlowSchedule.next_at <= now).order_by(FlowSchedule.next_at)
    # Those that another orchestrator holds are being started by it.
    due = (await session.scalars(statement.limit(SWEEP_SCHEDULES).with_for_update(skip_locked=True))).all()
    for schedule in due:
        assert schedule.next_at is not None
        schedule.last_at, schedule.next_at = schedule.next_at, None
        try:
            due_at = schedule.last_at
            schedule.last_at, schedule.next_at = cron.taken(schedule.cron, schedule.time_zone, due_at, now)
            await add_events(session, service.metadata, [_request(schedule, tenant, schedule.last_at)])
        except (ExpectedFailure, ValidationError) as error:
            # It could be read when it was saved, so the contracts or the time zones have changed since then.
            await _set_aside(session, schedule, tenant, schedule.last_at, error)


def _request(schedule: FlowSchedule, tenant: Tenant, due: datetime) -> Event:
    """The event that starts the flow of one time of a schedule: the same flow, however often it is asked for."""
    # Whoever looks for the flows of a schedule finds them by this.
    options = {"correlation_id": str(schedule.schedule_id), **schedule.request.get("options", {})}
    data = {**schedule.request, "options": options, "tenant": tenant, "flow_id": _flow_id(schedule, due)}
    return EVENT_TYPES[schedule.request_type].model_validate(data)


def _flow_id(schedule: FlowSchedule, due: datetime) -> UUID:
    return uuid5(schedule.schedule_id, due.astimezone(UTC).isoformat())


async def _set_aside(
    session: AsyncSession, schedule: FlowSchedule, tenant: Tenant, due: datetime, error: Exception
) -> None:
    code, reason = described(error)
    message = {
        "specversion": "1.0",
        "id": str(uuid7()),
        "source": f"/services/{service.name}",
        "type": schedule.request_type,
        "clientaccountid": str(tenant.client_account_id),
        "engagementid": str(tenant.engagement_id),
        "flowid": str(_flow_id(schedule, due)),
        "data": schedule.request,
    }
    reason = f"The schedule {schedule.name!r} ({schedule.schedule_id}) could start no flow: {reason}"
    queue = f"{service.name}.{schedule.request_type}"
    await set_aside(session, service.metadata, queue, message, code=code, reason=reason)

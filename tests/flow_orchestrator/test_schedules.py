"""Flows that the clock starts: once per time, whoever sweeps, and after an outage once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4, uuid5

import pytest

from contracts.discovery import DiscoveryRequested
from contracts.envelope import Event, Tenant
from contracts.lifecycle import FlowScheduleDeleted, FlowScheduleSaved
from contracts.operations import EventDeadLettered
from services.chassis.testing import some_tenant
from services.flow_orchestrator.retention import forget_old_schedules
from services.flow_orchestrator.schedules import start_due_flows
from tests.flow_orchestrator.answers import a_discovery
from tests.flow_orchestrator.process import Process, at_once

REQUEST = {
    name: value for name, value in a_discovery().model_dump(mode="json").items() if name in ("import_ids", "files")
}


def a_schedule(tenant: Tenant, **changes: Any) -> FlowScheduleSaved:
    data = {
        "schedule_id": uuid4(),
        "name": "nightly",
        "cron": "*/5 * * * *",
        "time_zone": "Europe/Berlin",
        "request_type": "discovery.requested",
        "request": REQUEST,
        "saved_by": "Ada",
    }
    return FlowScheduleSaved(tenant=tenant, **{**data, **changes})


async def next_at(process: Process, tenant: Tenant) -> datetime | None:
    [row] = await process.sql(tenant, "select next_at from flow_orchestrator.flow_schedules")
    when: datetime | None = row.next_at
    return when


async def make_due(process: Process, event: FlowScheduleSaved, ago: timedelta) -> datetime:
    """Let the schedule have been due for some time: a time at which it is due by its own expression."""
    past = datetime.now(UTC) - ago
    due = past.replace(minute=past.minute // 5 * 5, second=0, microsecond=0)
    statement = "update flow_orchestrator.flow_schedules set next_at = :due where schedule_id = :id"
    await process.sql(event.tenant, statement, due=due, id=event.schedule_id)
    return due


async def test_a_schedule_starts_a_flow_when_its_time_comes_and_waits_for_the_next(process: Process) -> None:
    schedule = a_schedule(some_tenant())
    await process.hear(schedule)
    first = await next_at(process, schedule.tenant)
    assert first is not None
    assert schedule.time < first <= schedule.time + timedelta(minutes=5)
    await start_due_flows(process.runtime)
    assert await process.sent(DiscoveryRequested) == []

    await make_due(process, schedule, timedelta(0))
    await start_due_flows(process.runtime)
    [request] = await process.sent(DiscoveryRequested)
    assert (request.tenant, str(request.import_ids[0])) == (schedule.tenant, REQUEST["import_ids"][0])
    assert request.options.correlation_id == str(schedule.schedule_id)
    following = await next_at(process, schedule.tenant)
    assert following is not None
    assert following > datetime.now(UTC)

    await process.hear(request)
    assert (await process.state(schedule.tenant, request.flow_id)).status == "running"


async def test_a_time_that_is_taken_twice_is_the_same_flow(process: Process) -> None:
    schedule = a_schedule(some_tenant(), cron="0 0 1 1 *", time_zone="UTC")
    await process.hear(schedule)
    new_year = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)
    for _ in range(2):
        # As after a crash before the row was written.
        statement = "update flow_orchestrator.flow_schedules set next_at = :due"
        await process.sql(schedule.tenant, statement, due=new_year)
        await start_due_flows(process.runtime)
    requests = await process.sent(DiscoveryRequested)
    assert [event.flow_id for event in requests] == [uuid5(schedule.schedule_id, new_year.isoformat())] * 2
    await process.hear(*requests)
    assert (await process.state(schedule.tenant, requests[0].flow_id)).revision == 1


async def test_after_an_outage_only_the_latest_missed_time_is_made_up_for(process: Process) -> None:
    schedule = a_schedule(some_tenant())
    await process.hear(schedule)
    await make_due(process, schedule, timedelta(days=3))
    before = datetime.now(UTC)
    await start_due_flows(process.runtime)
    await start_due_flows(process.runtime)
    [request] = await process.sent(DiscoveryRequested)
    latest = [before.replace(second=0, microsecond=0) - timedelta(minutes=before.minute % 5)]
    latest.append(latest[0] + timedelta(minutes=5))
    assert request.flow_id in [uuid5(schedule.schedule_id, each.isoformat()) for each in latest]


async def test_several_orchestrators_start_each_flow_once(process: Process, another_process: Process) -> None:
    schedules = [a_schedule(some_tenant()) for _ in range(3)]
    schedules += [a_schedule(schedules[0].tenant) for _ in range(10)]
    await process.hear(*schedules)
    for schedule in schedules:
        await make_due(process, schedule, timedelta(minutes=20))
    await at_once(start_due_flows, process, another_process, process, another_process)
    await start_due_flows(process.runtime)
    asked = [event.flow_id for event in await process.sent(DiscoveryRequested)]
    assert len(asked) == len(set(asked)) == len(schedules)


async def test_a_schedule_that_is_off_or_deleted_starts_nothing(process: Process) -> None:
    off, deleted = a_schedule(some_tenant(), enabled=False), a_schedule(some_tenant())
    gone = FlowScheduleDeleted(tenant=deleted.tenant, schedule_id=deleted.schedule_id, deleted_by="Ada")
    await process.hear(off, deleted, gone)
    assert await next_at(process, off.tenant) is None
    assert await next_at(process, deleted.tenant) is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2), (0, 2, 1), (2, 0, 1)])
async def test_whatever_was_said_last_counts_in_any_order(process: Process, order: tuple[int, ...]) -> None:
    tenant, schedule_id = some_tenant(), uuid4()
    first = a_schedule(tenant, schedule_id=schedule_id)
    deleted = FlowScheduleDeleted(tenant=tenant, schedule_id=schedule_id, deleted_by="Ada")
    last = a_schedule(tenant, schedule_id=schedule_id, name="weekly", cron="0 0 * * 0")
    events: list[Event] = [first, deleted, last]
    await process.hear(*(events[each] for each in order))
    rows = await process.sql(tenant, "select name, cron from flow_orchestrator.flow_schedules")
    assert [(row.name, row.cron) for row in rows] == [("weekly", "0 0 * * 0")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cron": "61 * * * *"}, "bad_cron"),
        ({"time_zone": "Berlin"}, "bad_time_zone"),
        ({"request_type": "flow.updated"}, "unknown_request"),
    ],
)
async def test_a_schedule_that_could_start_nothing_is_set_aside(
    process: Process, changes: dict[str, Any], code: str
) -> None:
    await process.hear(a_schedule(some_tenant(), **changes))
    [letter] = await process.sent(EventDeadLettered)
    assert (letter.code, letter.event_type) == (code, "flow_schedule.saved")


async def test_a_request_that_does_not_fit_any_more_is_set_aside_and_keeps_nobody_waiting(process: Process) -> None:
    broken = a_schedule(some_tenant(), request={"import_ids": "none"})
    fine = a_schedule(broken.tenant)
    await process.hear(broken, fine)
    for schedule in (broken, fine):
        await make_due(process, schedule, timedelta(minutes=1))
    await start_due_flows(process.runtime)
    [letter] = await process.sent(EventDeadLettered)
    assert (letter.code, letter.queue) == ("schema_mismatch", "flow_orchestrator.discovery.requested")
    assert str(broken.schedule_id) in letter.reason
    assert "import_ids" in letter.reason
    assert len(await process.sent(DiscoveryRequested)) == 1


async def test_a_schedule_long_off_is_forgotten(process: Process) -> None:
    on, off = a_schedule(some_tenant()), a_schedule(some_tenant(), enabled=False)
    await process.hear(on, off)
    for schedule in (on, off):
        statement = "update flow_orchestrator.flow_schedules set changed_at = changed_at - interval '31 days'"
        await process.sql(schedule.tenant, statement)
    await forget_old_schedules(process.runtime)
    statement = "select * from flow_orchestrator.flow_schedules"
    assert len(await process.sql(on.tenant, statement)) == 1
    assert await process.sql(off.tenant, statement) == []

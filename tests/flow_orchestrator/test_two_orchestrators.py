"""Two orchestrators on one Postgres, both sweeping all the time: nothing is done twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.discovery import DataImportRequested, DiscoveryRequested
from contracts.envelope import Event
from contracts.lifecycle import FlowRepairCompleted, FlowRepairRequested
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import EVENTS, Delivery, Subscription, unpacked
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually, some_tenant
from services.flow_orchestrator.app import service
from services.flow_orchestrator.tables import MASTER
from tests.flow_orchestrator.answers import a_discovery
from tests.flow_orchestrator.process import Process
from tests.flow_orchestrator.test_schedules import a_schedule

TABLE = f"flow_orchestrator.{MASTER}"


class Heard:
    """What left the outbox of either."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def take(self, delivery: Delivery) -> None:
        self.events += [Event.from_cloudevent(each) for each in unpacked(delivery) if isinstance(each, dict)]

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
async def heard(settings: Settings) -> AsyncIterator[Heard]:
    """Two orchestrators as they run in production, on one bus, with all their sweeps."""
    bus, ears = InProcessBus(), Heard()
    await bus.start([Subscription("test.all", "test", EVENTS, "#", ears.take)])
    runtimes = [Runtime(service, settings, bus) for _ in range(2)]
    # A bus in memory has one listener a queue; the sweeps of both are what this is about.
    await runtimes[0].start()
    for sweep in [each for each in service.sweeps for _ in range(2)]:
        runtimes[1]._tasks.append(asyncio.create_task(runtimes[1]._sweep(sweep)))
    yield ears
    await asyncio.gather(*(runtime.stop() for runtime in runtimes))


async def test_timers_schedules_and_repairs_act_once(heard: Heard, process: Process) -> None:
    tenants = [some_tenant() for _ in range(3)]
    flows = [a_discovery(tenant) for tenant in tenants for _ in range(10)]
    schedules = [a_schedule(tenant, cron="0 0 1 1 *", time_zone="UTC") for tenant in tenants]
    for tenant in tenants:
        mine: list[Event] = [event for event in (*flows, *schedules) if event.tenant == tenant]
        async with process.runtime.database.transaction(tenant) as session:
            await add_events(session, service.metadata, mine)
    started = {flow.flow_id for flow in flows}

    async def all_asked() -> bool:
        return {event.flow_id for event in heard.of(DataImportRequested)} >= started

    await eventually(all_asked)

    # Every flow's timer is lost and every schedule is overdue, at the same moment.
    repairs: list[UUID] = []
    for tenant in tenants:
        repairs.append(uuid4())
        asked = FlowRepairRequested(tenant=tenant, repair_id=repairs[-1], requested_by="Ada")
        async with process.runtime.database.transaction(tenant) as session:
            await session.execute(text(f"update {TABLE} set wake_at = null"))
            due = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)
            statement = text("update flow_orchestrator.flow_schedules set next_at = :due")
            await session.execute(statement, {"due": due - timedelta(days=800)})
            await add_events(session, service.metadata, [asked])

    async def repaired_and_started() -> bool:
        scheduled = [event for event in heard.of(DiscoveryRequested) if event.flow_id not in started]
        return len(heard.of(FlowRepairCompleted)) >= len(tenants) and len(scheduled) >= len(schedules)

    await eventually(repaired_and_started)
    reports = [event for event in heard.of(FlowRepairCompleted) if isinstance(event, FlowRepairCompleted)]
    mended = Counter(each.flow_id for report in reports for each in report.repairs)
    assert set(mended) >= started
    assert set(mended.values()) == {1}
    assert sorted(report.repair_id for report in reports if report.repair_id in repairs) == sorted(repairs)

    # Then every time-out strikes at once: each phase backs off once, whoever is first.
    for tenant in tenants:
        for row in await process.sql(tenant, f"select flow_id from {TABLE} where status = 'running'"):
            state = await process.state(tenant, row.flow_id)
            state.phases["data_import"].due = state.wake_at = state.waits_until = datetime.now(UTC)
            await process.store_state(tenant, state)
        await process.sql(tenant, f"update {TABLE} set wake_at = now(), waits_until = now()")

    async def all_asked_again() -> bool:
        again = {event.flow_id for event in heard.of(DataImportRequested) if event.step == "data_import:2"}
        return again >= started

    await eventually(all_asked_again)
    asked_for = Counter((event.flow_id, event.step) for event in heard.of(DataImportRequested))
    assert set(asked_for.values()) == {1}
    scheduled = Counter(event.flow_id for event in heard.of(DiscoveryRequested) if event.flow_id not in started)
    assert len(scheduled) == len(schedules)
    assert set(scheduled.values()) == {1}
    for flow in flows:
        entries = await process.journal(flow.tenant, flow.flow_id)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))

"""Long work: claimed by one, kept by a heartbeat, taken over when its holder is silent, counted once."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from contracts.discovery import FieldMappingCompleted, FieldMappingRequested
from contracts.flows import WorkProgressed
from services.chassis import work
from services.chassis.bus.in_process import InProcessBus
from services.chassis.leases import Leases
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running, some_tenant
from services.chassis.work import Job
from tests.chassis.handlers import (
    accept,
    hearing,
    nothing,
    settled,
    until,
    work_rows,
    working,
)
from tests.chassis.probe import effects, emit, listener, mapping_request, rows_of
from tests.conftest import TransportOf

pytestmark = pytest.mark.usefixtures("_no_waits")


async def test_work_runs_once_and_its_result_leaves_with_its_event(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    service, request = working(nothing), mapping_request(some_tenant(), uuid4())
    heard = hearing(watcher := listener(), FieldMappingCompleted)
    async with running([service, watcher], bus_settings, transport_of) as at:
        await emit(at["probe"], request, request)
        await until(lambda: heard)
        await settled(at["probe"], at["probe_listener"])

        assert await effects(at["probe"].database, service, request.tenant) == [(request.id, "")]
        assert await work_rows(at["probe"]) == []
    [completed] = heard
    assert (completed.flow_id, completed.step, completed.causation_id) == (request.flow_id, request.step, request.id)


async def test_each_piece_of_work_is_claimed_by_one_of_many_workers(settings: Settings) -> None:
    runtime = Runtime(working(nothing), settings, InProcessBus())
    requests = [mapping_request(some_tenant()) for _ in range(12)]
    await accept(runtime, *requests)
    leases = Leases(runtime.database, runtime.service.metadata, 60, tenant_limit=16)
    batches = await asyncio.gather(*(leases.claim(free=2) for _ in range(10)))
    await runtime.stop()

    claimed = [claim.event_id for batch in batches for claim in batch]
    assert sorted(claimed) == sorted(each.id for each in requests)


async def test_a_heartbeat_keeps_the_lease_of_slow_work(settings: Settings) -> None:
    release, runs = asyncio.Event(), 0

    async def slowly(event: FieldMappingRequested, job: Job) -> None:
        nonlocal runs
        runs += 1
        await release.wait()

    service, request = working(slowly), mapping_request(some_tenant())
    short = settings.model_copy(update={"lease_seconds": 0.3})
    async with running([service], short, lambda _: InProcessBus()) as at:
        await accept(at["probe"], request)
        at["probe"].committed()
        await until(lambda: runs)
        claimed_until = (await work_rows(at["probe"]))[0]["lease_until"]

        async def extended_three_times() -> bool:
            now = (await work_rows(at["probe"]))[0]["lease_until"]
            return bool(now and claimed_until and now > claimed_until + timedelta(seconds=0.3))  # type: ignore[operator]  # dates

        await eventually(extended_three_times)
        release.set()

        async def done() -> bool:
            return bool(await effects(at["probe"].database, service, request.tenant))

        await eventually(done)
    assert runs == 1


async def test_work_whose_holder_is_silent_is_taken_over_and_the_zombie_does_not_count(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, zombie_is_in, zombie_may_go = mapping_request(some_tenant()), asyncio.Event(), asyncio.Event()

    async def as_zombie(event: FieldMappingRequested, job: Job) -> None:
        zombie_is_in.set()
        await zombie_may_go.wait()

    # With one slot, nobody but the other process can take the work over.
    one_slot = settings.model_copy(update={"lease_seconds": 60, "work_concurrency": 1})
    # Its process sleeps, so no heartbeat comes and the lease ends.
    monkeypatch.setattr(work, "LOOK_SECONDS", 60)
    zombie = Runtime(working(as_zombie), one_slot, InProcessBus())
    await accept(zombie, request)
    await zombie.start()
    await zombie_is_in.wait()
    table = zombie.service.metadata.work
    async with zombie.database.dispatch() as connection:
        await connection.execute(update(table).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
    service = working(nothing)
    async with running([service], settings, lambda _: InProcessBus()) as at:

        async def taken_over() -> bool:
            return bool(await effects(at["probe"].database, service, request.tenant))

        await eventually(taken_over)
        zombie_may_go.set()
        await asyncio.sleep(0.2)
        await zombie.stop()
        assert await effects(at["probe"].database, service, request.tenant) == [(request.id, "")]
        rows = await rows_of(at["probe"].database, service.metadata.outbox)
        # Nobody hears the answer here, so all answers there are wait in the outbox.
        assert [row["routing_key"] for row in rows] == [FieldMappingCompleted.type_name]


async def test_a_zombie_that_is_told_by_its_heartbeat_stops_and_its_worker_goes_on(settings: Settings) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def forever(event: FieldMappingRequested, job: Job) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            assert job.cancelled
            stopped.set()

    service, request = working(forever), mapping_request(some_tenant())
    one_slot = settings.model_copy(update={"lease_seconds": 0.3, "work_concurrency": 1})
    async with running([service], one_slot, lambda _: InProcessBus()) as at:
        await accept(at["probe"], request)
        at["probe"].committed()
        await started.wait()
        table = service.metadata.work
        taken_over = {"fence": table.c.fence + 1, "lease_until": datetime.now(UTC) + timedelta(minutes=1)}
        async with at["probe"].database.dispatch() as connection:
            await connection.execute(update(table).values(taken_over))
        await asyncio.wait_for(stopped.wait(), 20)

        assert await effects(at["probe"].database, service, request.tenant) == []
        assert [row["event_id"] for row in await work_rows(at["probe"])] == [request.id]
        started.clear()
        await accept(at["probe"], mapping_request(some_tenant()))
        at["probe"].committed()
        await asyncio.wait_for(started.wait(), 20)


async def test_progress_is_heard_while_work_runs_and_too_frequent_news_is_dropped(settings: Settings) -> None:
    release = asyncio.Event()

    async def report(event: FieldMappingRequested, job: Job) -> None:
        for done in range(10):
            await job.progress(done, 10, "rows read")
        assert await job.run(sum, [1, 2, 3]) == 6
        await release.wait()

    service, request = working(report), mapping_request(some_tenant(), uuid4())
    heard = hearing(watcher := listener(), WorkProgressed)
    bus = InProcessBus()
    async with running([service, watcher], settings, lambda _: bus) as at:
        await emit(at["probe"], request)
        await until(lambda: heard)
        release.set()
    [progress] = heard
    assert isinstance(progress, WorkProgressed)
    assert (progress.done, progress.total, progress.flow_id) == (0, 10, request.flow_id)

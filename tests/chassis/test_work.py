"""Long work: claimed by one, kept by a heartbeat, taken over when its holder is silent, counted once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text, update

from contracts.discovery import FieldMappingCompleted, FieldMappingFailed, FieldMappingRequested
from contracts.envelope import Event
from contracts.flows import WorkProgressed
from contracts.operations import EventDeadLettered
from services.chassis import work
from services.chassis.bus.in_process import InProcessBus
from services.chassis.errors import Conflict
from services.chassis.leases import Leases
from services.chassis.outbox import add_directed
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running, some_tenant
from services.chassis.work import Job
from tests.chassis.probe import effects, emit, leave, listener, mapping_request, packed, probe, rows_of
from tests.chassis.test_inbox_outbox import hearing, settled, until
from tests.conftest import TransportOf

pytestmark = pytest.mark.usefixtures("_no_waits")

During = Callable[[FieldMappingRequested, Job], Awaitable[None]]


def working(during: During, service: Service | None = None) -> Service:
    """A service whose long work does `during`, then leaves an effect and answers."""
    service = service or probe()

    @service.work
    async def map_fields(event: FieldMappingRequested, job: Job) -> FieldMappingCompleted | FieldMappingFailed:
        await during(event, job)
        await leave(await job.begin(), service, event)
        return FieldMappingCompleted.reply_to(event, mappings=[], review_count=0)

    return service


async def nothing(event: FieldMappingRequested, job: Job) -> None:
    """Work that is done at once."""


async def accept(runtime: Runtime, *events: Event) -> None:
    """Let requests become rows of the work table, as a delivery does."""
    await runtime.subscriptions()[0].deliver(packed(*events))


async def work_rows(runtime: Runtime) -> list[dict[str, object]]:
    return await rows_of(runtime.database, runtime.service.metadata.work)


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
    leases = Leases(runtime.database, runtime.service.metadata, 60)
    claims = await asyncio.gather(*(leases.claim() for _ in range(20)))
    await runtime.stop()

    assert sorted(claim.event_id for claim in claims if claim is not None) == sorted(each.id for each in requests)


async def test_tenants_take_turns(settings: Settings) -> None:
    runtime = Runtime(working(nothing), settings, InProcessBus())
    busy, late = some_tenant(), some_tenant()
    await accept(runtime, *(mapping_request(busy) for _ in range(5)))
    await accept(runtime, mapping_request(late))
    leases = Leases(runtime.database, runtime.service.metadata, 60)
    claims = [await leases.claim() for _ in range(3)]
    await runtime.stop()

    assert [claim.tenant for claim in claims if claim is not None] == [busy, late, busy]


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


async def test_work_whose_holder_is_silent_is_taken_over_and_the_zombie_does_not_count(settings: Settings) -> None:
    request, zombie_is_in, zombie_may_go = mapping_request(some_tenant()), asyncio.Event(), asyncio.Event()

    async def as_zombie(event: FieldMappingRequested, job: Job) -> None:
        zombie_is_in.set()
        await zombie_may_go.wait()

    zombie = Runtime(working(as_zombie), settings.model_copy(update={"lease_seconds": 60}), InProcessBus())
    await accept(zombie, request)
    await zombie.start()
    await zombie_is_in.wait()
    # Its process sleeps, so no heartbeat comes and the lease ends.
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


async def test_a_zombie_that_is_told_by_its_heartbeat_stops(settings: Settings) -> None:
    request, started, stopped = mapping_request(some_tenant()), asyncio.Event(), asyncio.Event()

    async def forever(event: FieldMappingRequested, job: Job) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    service = working(forever)
    short = settings.model_copy(update={"lease_seconds": 0.3})
    async with running([service], short, lambda _: InProcessBus()) as at:
        await accept(at["probe"], request)
        at["probe"].committed()
        await started.wait()
        async with at["probe"].database.transaction(request.tenant) as session:
            await session.execute(update(service.metadata.work).values(cancelled=True))
        await asyncio.wait_for(stopped.wait(), 20)

        assert await effects(at["probe"].database, service, request.tenant) == []
        # The worker itself is alive: other work still runs.
        stopped.clear()
        await accept(at["probe"], mapping_request(some_tenant()))
        started.clear()
        at["probe"].committed()
        await asyncio.wait_for(started.wait(), 20)


async def test_cancelled_work_is_not_begun_and_its_result_is_not_kept(settings: Settings) -> None:
    async def cancelled_meanwhile(event: FieldMappingRequested, job: Job) -> None:
        async with runtime.database.transaction(event.tenant) as session:
            await session.execute(update(service.metadata.work).values(cancelled=True))

    service, request = working(cancelled_meanwhile), mapping_request(some_tenant())
    runtime = Runtime(service, settings, InProcessBus())
    await accept(runtime, request)
    await runtime.start()

    async def cancelled() -> bool:
        return bool((await work_rows(runtime))[0]["cancelled"])

    await eventually(cancelled)
    await runtime.stop()
    fresh = Runtime(service, settings, InProcessBus())

    assert await effects(fresh.database, service, request.tenant) == []
    assert await rows_of(fresh.database, service.metadata.outbox) == []
    assert await Leases(fresh.database, service.metadata, 60).claim() is None
    await fresh.stop()


async def test_a_bug_is_retried_with_growing_waits_and_then_given_up_with_both_events(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(event: FieldMappingRequested, job: Job) -> None:
        await leave(await job.begin(), service, event)
        raise ZeroDivisionError("a bug in the work")

    waits: list[timedelta] = []

    async def postpone(leases: Leases, claim: work.Claim, wait: timedelta) -> None:
        waits.append(wait)
        await original(leases, claim, timedelta(0))

    original = Leases.postpone
    monkeypatch.setattr(Leases, "postpone", postpone)
    monkeypatch.setattr(work, "BACK_OFF", [timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600)])
    service, request = working(fail), mapping_request(some_tenant(), uuid4())
    heard = hearing(watcher := listener(), FieldMappingFailed, EventDeadLettered)
    bus = InProcessBus()
    async with running([service, watcher], settings, lambda _: bus) as at:
        await emit(at["probe"], request)
        await until(lambda: len(heard) == 2)
        await settled(at["probe"])

        assert await effects(at["probe"].database, service, request.tenant) == []
        assert await work_rows(at["probe"]) == []
    assert [wait.total_seconds() for wait in waits] == [1, 5, 30, 120, 600]
    letter = next(event for event in heard if isinstance(event, EventDeadLettered))
    failed = next(event for event in heard if isinstance(event, FieldMappingFailed))
    assert (letter.attempts, letter.code, letter.event_id) == (6, "work_failed", str(request.id))
    assert letter.queue == f"probe.{FieldMappingRequested.type_name}"
    assert letter.trace is not None
    assert "in fail" in letter.trace
    assert (failed.flow_id, failed.step, failed.problem.code) == (request.flow_id, request.step, "work_failed")
    assert "an operator can replay it" in failed.problem.detail


async def test_a_replayed_dead_letter_of_work_runs_again(settings: Settings) -> None:
    broken = True

    async def fail_at_first(event: FieldMappingRequested, job: Job) -> None:
        if broken:
            raise ZeroDivisionError

    service, request = working(fail_at_first), mapping_request(some_tenant())
    heard = hearing(watcher := listener(), EventDeadLettered)
    bus = InProcessBus()
    async with running([service, watcher], settings, lambda _: bus) as at:
        await emit(at["probe"], request)
        await until(lambda: heard)
        [letter] = heard
        assert isinstance(letter, EventDeadLettered)
        broken = False
        async with at["probe_listener"].database.transaction(letter.tenant) as session:
            await add_directed(session, watcher.metadata, letter.queue, letter.message, timedelta())
        at["probe_listener"].committed()

        async def done() -> bool:
            return bool(await effects(at["probe"].database, service, request.tenant))

        await eventually(done)


async def test_an_expected_failure_of_work_is_answered_at_once(settings: Settings) -> None:
    async def refuse(event: FieldMappingRequested, job: Job) -> None:
        await leave(await job.begin(), service, event)
        raise Conflict("not_now", "Try later.", row=3)

    service, request = working(refuse), mapping_request(some_tenant())
    heard = hearing(watcher := listener(), FieldMappingFailed, EventDeadLettered)
    bus = InProcessBus()
    async with running([service, watcher], settings, lambda _: bus) as at:
        await emit(at["probe"], request)
        await until(lambda: heard)
        await settled(at["probe"])

        assert await effects(at["probe"].database, service, request.tenant) == []
        assert await work_rows(at["probe"]) == []
    [failed] = heard
    assert isinstance(failed, FieldMappingFailed)
    assert (failed.problem.code, failed.problem.row) == ("not_now", 3)


async def test_work_that_ends_its_process_every_time_is_given_up(settings: Settings) -> None:
    ran = False

    async def note(event: FieldMappingRequested, job: Job) -> None:
        nonlocal ran
        ran = True

    service, request = working(note), mapping_request(some_tenant())
    heard = hearing(watcher := listener(), EventDeadLettered)
    runtime = Runtime(service, settings, InProcessBus())
    await accept(runtime, request)
    leases = Leases(runtime.database, service.metadata, 0)
    for _ in range(work.MAX_ATTEMPTS):
        assert await leases.claim()
    await runtime.stop()
    bus = InProcessBus()
    async with running([service, watcher], settings, lambda _: bus):
        await until(lambda: heard)
    [letter] = heard
    assert isinstance(letter, EventDeadLettered)
    assert letter.reason == "WorkCrashes: the process ended 6 times while it did this work"
    assert not ran


async def test_work_that_this_version_cannot_read_any_more_becomes_a_dead_letter(settings: Settings) -> None:
    service, request = working(nothing), mapping_request(some_tenant())
    heard = hearing(watcher := listener(), EventDeadLettered)
    runtime = Runtime(service, settings, InProcessBus())
    await accept(runtime, request)
    async with runtime.database.transaction(request.tenant) as session:
        older = {**request.to_cloudevent(), "data": {"tables": "in another form"}}
        await session.execute(update(service.metadata.work).values(event=older))
    await runtime.stop()
    bus = InProcessBus()
    async with running([service, watcher], settings, lambda _: bus):
        await until(lambda: heard)
    [letter] = heard
    assert isinstance(letter, EventDeadLettered)
    assert (letter.code, letter.event_id, letter.tenant) == ("schema_mismatch", str(request.id), request.tenant)


async def test_workers_survive_the_loss_of_the_database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = False

    async def lose_connections(event: FieldMappingRequested, job: Job) -> None:
        nonlocal lost
        if not lost:
            lost = True
            session = await job.begin()
            await session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    async def away(leases: Leases, claim: work.Claim, wait: timedelta) -> None:
        monkeypatch.setattr(Leases, "postpone", original)
        raise ConnectionError("the database is still away")

    original = Leases.postpone
    monkeypatch.setattr(Leases, "postpone", away)
    service, request = working(lose_connections), mapping_request(some_tenant())
    short = settings.model_copy(update={"lease_seconds": 0.5})
    async with running([service], short, lambda _: InProcessBus()) as at:
        await accept(at["probe"], request)
        at["probe"].committed()

        async def done() -> bool:
            return bool(await effects(at["probe"].database, service, request.tenant))

        await eventually(done)
        assert await effects(at["probe"].database, service, request.tenant) == [(request.id, "")]


async def test_an_orderly_stop_gives_work_back_without_counting_an_attempt(settings: Settings) -> None:
    started = asyncio.Event()

    async def forever(event: FieldMappingRequested, job: Job) -> None:
        started.set()
        await asyncio.Event().wait()

    request = mapping_request(some_tenant())
    slow = settings.model_copy(update={"lease_seconds": 60})
    async with running([working(forever)], slow, lambda _: InProcessBus()) as at:
        await accept(at["probe"], request)
        at["probe"].committed()
        await started.wait()
    service = working(nothing)
    async with running([service], slow, lambda _: InProcessBus()) as at:

        async def done() -> bool:
            return bool(await effects(at["probe"].database, service, request.tenant))

        await eventually(done)


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

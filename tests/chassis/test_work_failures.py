"""Long work that fails, ends its process or loses its database: tried again, then given up with a reason."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text, update

from contracts.discovery import FieldMappingFailed, FieldMappingRequested
from contracts.operations import EventDeadLettered
from services.chassis import work
from services.chassis.bus.in_process import InProcessBus
from services.chassis.errors import Conflict
from services.chassis.leases import Claim, Leases
from services.chassis.outbox import add_directed
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
from tests.chassis.probe import effects, emit, leave, listener, mapping_request

pytestmark = pytest.mark.usefixtures("_no_waits")


async def test_a_bug_is_retried_with_growing_waits_and_then_given_up_with_both_events(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(event: FieldMappingRequested, job: Job) -> None:
        await leave(await job.begin(), service, event)
        raise ZeroDivisionError("a bug in the work")

    waits: list[timedelta] = []

    async def postpone(leases: Leases, claim: Claim, wait: timedelta) -> None:
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
    leases = Leases(runtime.database, service.metadata, 0, tenant_limit=16)
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

    async def away(leases: Leases, claim: Claim, wait: timedelta) -> None:
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

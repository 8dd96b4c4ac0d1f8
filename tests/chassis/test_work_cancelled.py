"""Cancelled work: not begun, stopped wherever it runs, and without a trace, whatever arrives first."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from contracts.discovery import FieldMappingCompleted, FieldMappingFailed, FieldMappingRequested
from contracts.envelope import Event, Tenant
from contracts.operations import EventDeadLettered
from contracts.work import WorkCancelled
from services.chassis import work
from services.chassis.bus.in_process import InProcessBus
from services.chassis.errors import Conflict
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running, some_tenant
from services.chassis.work import Job
from tests.chassis.handlers import accept, hearing, nothing, until, work_rows, working
from tests.chassis.probe import effects, emit, listener, mapping_request, packed, probe, rows_of
from tests.chassis.work_child import run
from tests.conftest import TransportOf

pytestmark = pytest.mark.usefixtures("_no_waits")

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.chassis.work_child"])


def cancellation(request: Event, step: str | None = None) -> WorkCancelled:
    return WorkCancelled(tenant=request.tenant, flow_id=request.flow_id, step=step, reason="nobody wants it any more")


async def cancel(runtime: Runtime, *events: WorkCancelled) -> None:
    """Let a service hear cancellations, as a delivery does."""
    queue = runtime.service.queue_of(WorkCancelled)
    [subscription] = [each for each in runtime.subscriptions() if each.queue == queue]
    await subscription.deliver(packed(*events))


def a_request(tenant: Tenant | None = None, flow_id: UUID | None = None) -> FieldMappingRequested:
    return mapping_request(tenant or some_tenant(), flow_id or uuid4())


async def gone(runtime: Runtime) -> None:
    """Wait until no work is left."""

    async def none_left() -> bool:
        return not await work_rows(runtime)

    await eventually(none_left)


async def left_no_trace(runtime: Runtime, request: Event) -> bool:
    database, service = runtime.database, runtime.service
    return not await effects(database, service, request.tenant) and not await rows_of(database, service.metadata.outbox)


async def test_only_what_is_named_is_cancelled(settings: Settings) -> None:
    runtime = Runtime(working(nothing), settings, InProcessBus())
    tenant = some_tenant()
    requests = [a_request(tenant) for _ in range(3)]
    same_flow = requests[0].model_copy(update={"id": uuid4(), "step": "field_mapping:2"})
    elsewhere = a_request(flow_id=requests[0].flow_id)
    await accept(runtime, *requests, same_flow, elsewhere)

    async def waiting() -> set[object]:
        return {row["event_id"] for row in await work_rows(runtime)}

    await cancel(runtime, cancellation(requests[0], step="field_mapping:1"))
    assert await waiting() == {requests[1].id, requests[2].id, same_flow.id, elsewhere.id}
    await cancel(runtime, cancellation(requests[0]), cancellation(requests[1]))
    assert await waiting() == {requests[2].id, elsewhere.id}
    await runtime.stop()


async def test_a_request_that_belongs_to_no_flow_is_cancelled_by_its_own_id(settings: Settings) -> None:
    runtime = Runtime(working(nothing), settings, InProcessBus())
    tenant = some_tenant()
    one, other = (a_request(tenant).model_copy(update={"flow_id": None}) for _ in range(2))
    await accept(runtime, one, other)
    await cancel(runtime, cancellation(one).model_copy(update={"flow_id": one.id}))
    assert [row["event_id"] for row in await work_rows(runtime)] == [other.id]
    await runtime.stop()


async def test_work_that_runs_here_is_stopped_as_soon_as_the_cancellation_is_committed(
    bus_settings: Settings, transport_of: TransportOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def forever(event: FieldMappingRequested, job: Job) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    # No heartbeat comes in the time of a test.
    monkeypatch.setattr(work, "LOOK_SECONDS", 600)
    long = bus_settings.model_copy(update={"lease_seconds": 3600})
    service, watcher, request = working(forever), listener(), a_request()
    heard = hearing(watcher, FieldMappingCompleted, FieldMappingFailed, EventDeadLettered)
    async with running([service, watcher], long, transport_of) as at:
        await emit(at["probe_listener"], request)
        await started.wait()
        # The same twice, and another one about it.
        again = cancellation(request, step=request.step)
        await emit(at["probe_listener"], again, again, cancellation(request))
        await asyncio.wait_for(stopped.wait(), 20)
        await gone(at["probe"])
        assert await left_no_trace(at["probe"], request)
    assert heard == []


async def test_a_thread_can_ask_whether_its_work_is_in_vain(settings: Settings) -> None:
    started, noticed = asyncio.Event(), threading.Event()

    def compute(job: Job, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(started.set)
        while not job.cancelled:
            pass
        noticed.set()

    async def in_a_thread(event: FieldMappingRequested, job: Job) -> None:
        await job.run(compute, job, asyncio.get_running_loop())

    service, request = working(in_a_thread), a_request()
    async with running([service], settings, lambda _: InProcessBus()) as at:
        await accept(at["probe"], request)
        at["probe"].committed()
        await started.wait()
        await cancel(at["probe"], cancellation(request))
        await until(noticed.is_set)
        await gone(at["probe"])
        assert await left_no_trace(at["probe"], request)


async def test_a_cancellation_that_overtakes_its_request_holds_and_a_later_request_runs(settings: Settings) -> None:
    ran: list[UUID] = []

    async def note(event: FieldMappingRequested, job: Job) -> None:
        ran.append(event.id)

    service, request = working(note), a_request()
    overtaking = [cancellation(request, step=request.step), cancellation(request)]
    # Asked for again afterwards, as when the flow is retried.
    later = mapping_request(request.tenant, request.flow_id)
    async with running([service], settings, lambda _: InProcessBus()) as at:
        await cancel(at["probe"], *overtaking)
        await accept(at["probe"], later, request)
        at["probe"].committed()
        await gone(at["probe"])
        assert await effects(at["probe"].database, service, request.tenant) == [(later.id, "")]
    assert ran == [later.id]


async def test_neither_result_nor_progress_of_cancelled_work_counts_though_it_was_not_interrupted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []

    async def cancelled_meanwhile(event: FieldMappingRequested, job: Job) -> None:
        await cancel(runtime, cancellation(event))
        if event.step == "progress":
            attempts.append("progress")
            await job.progress(1, 2, "half of it")
        if event.step == "expected":
            attempts.append("expected")
            raise Conflict("not_now", "Try later.")
        attempts.append("result")

    monkeypatch.setattr(Job, "stop", lambda job: None)
    runtime = Runtime(working(cancelled_meanwhile), settings, InProcessBus())
    request = a_request()
    requests = [a_request(request.tenant).model_copy(update={"step": step}) for step in ("progress", "expected", "x")]
    await accept(runtime, *requests)
    await runtime.start()
    await gone(runtime)
    await runtime.stop()
    fresh = Runtime(probe(), settings, InProcessBus())
    assert await left_no_trace(fresh, request)
    await fresh.stop()
    assert sorted(attempts) == ["expected", "progress", "result"]


@contextmanager
def child(settings: Settings, may_write: Path) -> Iterator[BaseProcess]:
    """Another process of the service; killed in any case."""
    process = CONTEXT.Process(target=run, args=(settings, may_write), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


async def is_claimed(runtime: Runtime) -> None:
    async def leased() -> bool:
        return any(row["lease_until"] for row in await work_rows(runtime))

    await eventually(leased, 60)


async def test_another_process_sees_long_before_its_lease_ends_that_its_work_is_cancelled(
    settings: Settings, tmp_path: Path
) -> None:
    long = settings.model_copy(update={"lease_seconds": 3600})
    here, request = Runtime(working(nothing), long, InProcessBus()), a_request()
    await accept(here, request)
    with child(long, tmp_path / "never"):
        await is_claimed(here)
        await cancel(here, cancellation(request))
        # Nobody here works, so it is the child that takes the row away.
        await gone(here)
        assert await left_no_trace(here, request)
    await here.stop()


async def test_the_row_of_a_frozen_process_is_swept_away_and_when_it_wakes_it_has_lost(
    settings: Settings, tmp_path: Path
) -> None:
    may_write, request = tmp_path / "may_write", a_request()
    accepting = Runtime(working(nothing), settings, InProcessBus())
    await accept(accepting, request)
    with child(settings, may_write) as zombie:
        assert zombie.pid is not None
        await is_claimed(accepting)
        os.kill(zombie.pid, signal.SIGSTOP)
        await cancel(accepting, cancellation(request))
        assert len(await work_rows(accepting)) == 1
        table = accepting.service.metadata.work
        async with accepting.database.dispatch() as connection:
            await connection.execute(update(table).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
        service = working(nothing)
        async with running([service], settings, lambda _: InProcessBus()) as at:
            await gone(at["probe"])
        may_write.touch()
        os.kill(zombie.pid, signal.SIGCONT)
        # When it has done what came next, it is past what it had begun.
        after = a_request(request.tenant)
        await accept(accepting, after)
        await gone(accepting)
        assert await effects(accepting.database, service, request.tenant) == [(after.id, "")]
    await accepting.stop()


async def test_a_cancellation_that_names_no_flow_is_set_aside_with_its_reason(settings: Settings) -> None:
    runtime, request = Runtime(working(nothing), settings, InProcessBus()), mapping_request(some_tenant())
    await accept(runtime, request)
    await cancel(runtime, cancellation(request))
    [letter] = await rows_of(runtime.database, runtime.service.metadata.outbox)
    assert letter["routing_key"] == EventDeadLettered.type_name
    assert letter["event"]["data"]["code"] == "work_without_flow"
    assert len(await work_rows(runtime)) == 1
    await runtime.stop()

"""Long work: a row under a lease with a fence, run outside any transaction, its result committed once."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import structlog
from pydantic import ValidationError
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event, Problem, UnknownEventType
from contracts.flows import WorkProgressed
from services.chassis.blobs import Blobs
from services.chassis.consumer import ATTEMPTS_KEY, BACK_OFF, dead_letter, emitted_events
from services.chassis.database import Database
from services.chassis.dead_letters import bug
from services.chassis.encryption import Vault
from services.chassis.errors import ExpectedFailure
from services.chassis.leases import WAITING_SLOTS, Claim, LeaseLost, Leases, WorkCrashes, kinds_of
from services.chassis.logs import bound
from services.chassis.outbound import Outbound
from services.chassis.outbox import add_events
from services.chassis.service import Handler, Service
from services.chassis.settings import Settings
from services.chassis.telemetry import Telemetry

log = structlog.get_logger()
P = ParamSpec("P")
R = TypeVar("R")
PROGRESS_EVERY_SECONDS = 0.5
LOOK_SECONDS = 1.0  # How soon a process sees that work it does was cancelled elsewhere.
PAUSE_SECONDS = 1.0  # Between attempts to reach a database that is away.
MAX_ATTEMPTS = len(BACK_OFF) + 1


async def _wait(event: asyncio.Event, seconds: float) -> None:
    # Not `wait_for`: on Python 3.11 it can swallow a cancellation, and the loop would never end.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Job:
    """What a work handler is given beside its event."""

    def __init__(self, worker: "Worker", claim: Claim, event: Event) -> None:
        self.blobs: Blobs = worker.blobs
        self.vault: Vault = worker.vault
        self.outbound: Outbound = worker.outbound
        self.shared = worker.shared  # What the service shares, by class.
        self._worker = worker
        self._claim = claim
        self._event = event
        self._stack = contextlib.AsyncExitStack()
        self._session: AsyncSession | None = None
        self._last_progress = 0.0
        self._task = asyncio.current_task()
        self._stopped = False

    @property
    def cancelled(self) -> bool:
        """Whether this work is in vain: it was cancelled, or given to another.

        The handler itself is interrupted then. A thread cannot be, so what runs long in one asks this between pieces.
        """
        return self._stopped

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute in a thread, so that events keep flowing meanwhile."""
        return await asyncio.to_thread(function, *args, **kwargs)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A transaction in the tenant, for reading what the work needs before it begins to write."""
        async with self._worker.database.transaction(self._claim.tenant) as session:
            yield session

    async def progress(self, done: int, total: int, message: str) -> None:
        """Tell people how far it is; too frequent news is dropped. Raises `LeaseLost` if the work no longer counts."""
        now = asyncio.get_running_loop().time()
        if now - self._last_progress < PROGRESS_EVERY_SECONDS:
            return
        self._last_progress = now
        await self.tell(WorkProgressed.reply_to(self._event, done=done, total=total, message=message))

    async def tell(self, event: Event) -> None:
        """Send an event while the work goes on; raises `LeaseLost` if it no longer counts."""
        async with self._worker.database.transaction(event.tenant) as session:
            if not self.writing:
                await self._worker.leases.hold(session, self._claim)
            await add_events(session, self._worker.metadata, [event])
        self._worker.committed()

    async def begin(self) -> AsyncSession:
        """Open the one transaction in which the result is written; raises `LeaseLost` if it no longer counts.

        After this the handler only writes and returns: the chassis adds the returned events and commits.
        """
        if self._session is None:
            await self._worker.leases.hold(await self._open(), self._claim)
        return await self._open()

    async def finish(self, events: list[Event]) -> None:
        """Commit the result, its events and the end of the work together."""
        session = await self._open()
        await self._worker.leases.end(session, self._claim)
        await add_events(session, self._worker.metadata, events)
        await self._stack.aclose()

    async def _open(self) -> AsyncSession:
        if self._session is None:
            transaction = self._worker.database.transaction(self._claim.tenant)
            self._session = await self._stack.enter_async_context(transaction)
        return self._session

    async def abandon(self, error: BaseException) -> None:
        """Roll back what `begin` opened."""
        with contextlib.suppress(type(error)):
            await self._stack.__aexit__(type(error), error, error.__traceback__)

    def stop(self) -> None:
        """Interrupt the handler: whatever it does is in vain."""
        if not self._stopped and self._task is not None:
            self._stopped = True
            self._task.cancel()

    @property
    def writing(self) -> bool:
        """Whether the result's transaction is open: its row lock is the lease then."""
        return self._session is not None


class Worker:
    """Claims and runs the long work of one service: that which `waits` for systems of others, or all that does not."""

    def __init__(
        self,
        service: Service,
        database: Database,
        blobs: Blobs,
        vault: Vault,
        outbound: Outbound,
        telemetry: Telemetry,
        committed: Callable[[], None],
        settings: Settings,
        shared: Mapping[type, Any],
        waits: bool,
    ) -> None:
        self.database = database
        kinds = kinds_of(service, waits=waits)
        self.leases = Leases(database, service.metadata, settings.lease_seconds, settings.tenant_work_limit, kinds)
        self.metadata = service.metadata
        self.blobs = blobs
        self.vault = vault
        self.outbound = outbound
        self.shared = shared
        self.committed = committed
        self._service = service
        self._telemetry = telemetry
        self._poll_seconds = settings.poll_seconds
        self._slots = WAITING_SLOTS if waits else settings.work_concurrency
        self._wake = asyncio.Event()
        self._look = asyncio.Event()
        self._jobs: dict[Claim, Job] = {}

    def wake(self) -> None:
        """Look for work at once."""
        self._wake.set()

    def look(self) -> None:
        """See at once whether running work was cancelled."""
        self._look.set()

    async def run(self) -> None:
        """Work until cancelled; survives the loss of the database."""
        running: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_leases())
            while True:
                self._wake.clear()
                running = {task for task in running if not task.done()}
                if len(running) < self._slots:
                    try:
                        claims = await self.leases.claim(self._slots - len(running))
                    except Exception:
                        log.exception("work_not_claimed", detail="It will be tried again.")
                        await asyncio.sleep(PAUSE_SECONDS)
                        continue
                    running |= {group.create_task(self._perform_safely(claim)) for claim in claims}
                await _wait(self._wake, self._poll_seconds)

    async def _perform_safely(self, claim: Claim) -> None:
        try:
            await self._perform(claim)
        except Exception:
            # Nothing is lost: what was claimed becomes free again when its lease ends.
            log.exception("work_interrupted", detail="The work could not be closed; it comes again.")
        finally:
            self.wake()
            # Tasks and their errors are cycles that hold whole tables; the collector is too rare to leave those to it.
            # They are young, so the old generation, 15 ms to look through, is left alone.
            gc.collect(1)

    async def _perform(self, claim: Claim) -> None:
        try:
            event = Event.from_cloudevent(claim.message)
        except (ValidationError, UnknownEventType) as error:
            # It was readable when it was accepted, so the contracts have changed since then.
            reason = f"This version cannot read it any more: {error}"
            await self._close(claim, [self._dead_letter(claim, "schema_mismatch", reason, None)], replayable=True)
            return
        handler = self._service.handler_of(event.type_name)
        name = f"{self._service.name} {event.type_name} work"
        with (
            self._telemetry.consume(name, event.traceparent),
            bound(service=self._service.name, tenant=event.tenant, flow_id=event.flow_id),
        ):
            job = Job(self, claim, event)
            try:
                if handler is None:
                    raise LookupError(f"{self._service.name} has no handler for {event.type_name} any more")
                if claim.attempts > MAX_ATTEMPTS:
                    raise WorkCrashes(f"the process ended {MAX_ATTEMPTS} times while it did this work")
                with self._held(claim, job):
                    result = await handler.function(event, job)
                    await job.finish(emitted_events(result))
            except ExpectedFailure as error:
                await job.abandon(error)
                await self._expected(handler, claim, event, error)
            except LeaseLost as error:
                await job.abandon(error)
                await self._stopped(claim, event)
            except Exception as error:
                log.exception("work_failed", event_type=event.type_name, attempt=claim.attempts)
                await job.abandon(error)
                await self._unexpected(handler, claim, event, error)
            except asyncio.CancelledError as error:
                await job.abandon(error)
                if not job.cancelled:
                    # An orderly stop is no failed attempt, and whoever comes next need not wait for the lease to end.
                    await self.leases.release(claim)
                    raise
                await self._stopped(claim, event)
        self.committed()

    @contextlib.contextmanager
    def _held(self, claim: Claim, job: Job) -> Iterator[None]:
        """While its handler runs, the lease is kept, and the job is stopped if it is lost."""
        self._jobs[claim] = job
        try:
            yield
        finally:
            del self._jobs[claim]

    async def _keep_leases(self) -> None:
        while True:
            await _wait(self._look, min(LOOK_SECONDS, self.leases.seconds / 3))
            self._look.clear()
            if not self._jobs:
                continue
            jobs = list(self._jobs.items())
            try:
                held = await self.leases.extend([claim for claim, _ in jobs])
            except Exception:
                # The fence decides in the end; losing the database for a moment is no reason to stop computing.
                log.exception("leases_not_extended", jobs=len(jobs))
                continue
            for claim, job in jobs:
                # The row of a job that was writing is gone when it has ended; one that has ended needs no stop.
                if self._jobs.get(claim) is job and held.get(claim, not job.writing):
                    job.stop()

    async def _stopped(self, claim: Claim, event: Event) -> None:
        """The end of work that does not count: whoever was cancelled takes the row away; a lost lease is another's."""
        cancelled = await self.leases.drop(claim)
        name = "work_cancelled" if cancelled else "lease_lost"
        log.warning(name, event_type=event.type_name, event_id=str(event.id), fence=claim.fence)

    async def _expected(self, handler: Handler | None, claim: Claim, event: Event, error: ExpectedFailure) -> None:
        if handler is not None and handler.failure is not None:
            await self._close(claim, [handler.failure.reply_to(event, problem=error.problem)])
            return
        await self._give_up(handler, claim, event, error.problem.code, error.problem.detail, None)

    async def _unexpected(self, handler: Handler | None, claim: Claim, event: Event, error: Exception) -> None:
        if claim.attempts < MAX_ATTEMPTS and handler is not None:
            await self.leases.postpone(claim, BACK_OFF[claim.attempts - 1])
            return
        _, reason, trace = bug(error)
        await self._give_up(handler, claim, event, "work_failed", reason, trace)

    async def _give_up(
        self, handler: Handler | None, claim: Claim, event: Event, code: str, reason: str, trace: str | None
    ) -> None:
        events: list[Event] = [self._dead_letter(claim, code, reason, trace)]
        if handler is not None and handler.failure is not None:
            detail = f"{reason} The request is kept as a dead letter; an operator can replay it."
            events.append(handler.failure.reply_to(event, problem=Problem(code=code, detail=detail)))
        await self._close(claim, events, replayable=True)

    def _dead_letter(self, claim: Claim, code: str, reason: str, trace: str | None) -> Event:
        queue = f"{self._service.name}.{'all' if self._service.hears_everything else claim.message.get('type')}"
        message = {**claim.message, ATTEMPTS_KEY: claim.attempts - 1}
        return dead_letter(self._service.name, queue, message, code=code, reason=reason, trace=trace)

    async def _close(self, claim: Claim, events: list[Event], *, replayable: bool = False) -> None:
        inbox = self.metadata.inbox
        try:
            async with self.database.transaction(claim.tenant) as session:
                await self.leases.end(session, claim)
                await add_events(session, self.metadata, events)
                if replayable:
                    await session.execute(delete(inbox).where(inbox.c.event_id == claim.event_id))
        except LeaseLost:
            await self.leases.drop(claim)
        self.committed()

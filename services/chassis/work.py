"""Long work: a row under a lease with a fence, run outside any transaction, its result committed once."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

import structlog
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event, Problem
from contracts.flows import WorkProgressed
from services.chassis.blobs import Blobs
from services.chassis.consumer import BACK_OFF, dead_letter, emitted_events
from services.chassis.database import Database
from services.chassis.errors import ExpectedFailure
from services.chassis.logs import bound
from services.chassis.outbox import add_events
from services.chassis.service import Handler, Service
from services.chassis.telemetry import Telemetry, without_spans

log = structlog.get_logger()

P = ParamSpec("P")
R = TypeVar("R")

# Long work of one process at a time; threads do the computing.
CONCURRENCY = 2
PROGRESS_EVERY_SECONDS = 0.5
MAX_ATTEMPTS = len(BACK_OFF) + 1


class LeaseLost(Exception):
    """Somebody else took this work over, or it was cancelled: whatever was done here must not count."""


class WorkCrashes(Exception):
    """This work took its process down, every time it was tried."""


@dataclass(frozen=True)
class Claim:
    """A piece of work that this process holds."""

    event: Event
    message: dict[str, Any]
    attempts: int
    fence: int


class Job:
    """What a work handler is given beside its event."""

    def __init__(self, worker: "Worker", claim: Claim) -> None:
        self.blobs: Blobs = worker.blobs
        self._worker = worker
        self._claim = claim
        self._stack = contextlib.AsyncExitStack()
        self._session: AsyncSession | None = None
        self._last_progress = 0.0

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute in a thread, so that events keep flowing meanwhile."""
        return await asyncio.to_thread(function, *args, **kwargs)

    async def progress(self, done: int, total: int, message: str) -> None:
        """Tell people how far it is; too frequent news is dropped."""
        now = asyncio.get_running_loop().time()
        if now - self._last_progress < PROGRESS_EVERY_SECONDS:
            return
        self._last_progress = now
        event = WorkProgressed.reply_to(self._claim.event, done=done, total=total, message=message)
        async with self._worker.database.transaction(event.tenant) as session:
            await add_events(session, self._worker.metadata, [event])
        self._worker.committed()

    async def begin(self) -> AsyncSession:
        """Open the one transaction in which the result is written; raises `LeaseLost` if it no longer counts.

        After this the handler only writes and returns: the chassis adds the returned events and commits.
        """
        if self._session is None:
            session = await self._stack.enter_async_context(self._worker.database.transaction(self._claim.event.tenant))
            await self._worker.hold(session, self._claim)
            self._session = session
        return self._session

    async def finish(self, events: list[Event]) -> None:
        """Commit the result, its events and the end of the work together."""
        session = await self.begin()
        await add_events(session, self._worker.metadata, events)
        await self._worker.end(session, self._claim)
        await self._stack.aclose()

    async def abandon(self, error: BaseException) -> None:
        """Roll back what `begin` opened."""
        with contextlib.suppress(type(error)):
            await self._stack.__aexit__(type(error), error, error.__traceback__)

    @property
    def writing(self) -> bool:
        """Whether the result's transaction is open: its row lock is the lease then."""
        return self._session is not None


class Worker:
    """Claims and runs the long work of one service."""

    def __init__(
        self,
        service: Service,
        database: Database,
        blobs: Blobs,
        telemetry: Telemetry,
        committed: Callable[[], None],
        lease_seconds: float,
        poll_seconds: float,
    ) -> None:
        self.database = database
        self.metadata = service.metadata
        self.blobs = blobs
        self.committed = committed
        self._service = service
        self._work = service.metadata.work
        self._telemetry = telemetry
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for work at once."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; survives the loss of the database."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(self._run_one_after_another())

    async def _run_one_after_another(self) -> None:
        while True:
            self._wake.clear()
            try:
                claim = await self._claim()
            except Exception:
                log.exception("work_not_claimed", detail="No work could be claimed; it will be tried again.")
                await asyncio.sleep(1)
                continue
            if claim is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._poll_seconds)
                continue
            await self._perform(claim)

    async def _claim(self) -> Claim | None:
        # The tenant with the least work in progress goes first, so that nobody's backlog starves another's.
        statement = text(f"""
            update {self._work.fullname} set
                fence = fence + 1, attempts = attempts + 1, lease_until = now() + make_interval(secs => :lease)
            where event_id = (
                select w.event_id from {self._work.fullname} w
                where w.available_at <= now() and (w.lease_until is null or w.lease_until < now()) and not w.cancelled
                order by (
                    select count(*) from {self._work.fullname} busy
                    where busy.client_account_id = w.client_account_id and busy.lease_until >= now()
                ), w.event_id
                limit 1 for update skip locked
            )
            returning event, attempts, fence
        """)
        with without_spans():
            async with self.database.dispatch() as connection:
                row = (await connection.execute(statement, {"lease": self._lease_seconds})).first()
        if row is None:
            return None
        return Claim(Event.from_cloudevent(row.event), row.event, row.attempts, row.fence)

    async def _perform(self, claim: Claim) -> None:
        event = claim.event
        handler = self._service.handler_of(event.type_name)
        name = f"{self._service.name} {event.type_name} work"
        with (
            self._telemetry.consume(name, event.traceparent),
            bound(service=self._service.name, tenant=event.tenant, flow_id=event.flow_id),
        ):
            job = Job(self, claim)
            try:
                if handler is None:
                    raise LookupError(f"{self._service.name} has no handler for {event.type_name} any more")
                if claim.attempts > MAX_ATTEMPTS:
                    raise WorkCrashes(f"the process ended {MAX_ATTEMPTS} times while it did this work")
                async with self._heartbeat(claim, job):
                    result = await handler.function(event, job)
                    await job.finish(emitted_events(result))
            except ExpectedFailure as error:
                await job.abandon(error)
                await self._expected(handler, claim, error)
            except LeaseLost as error:
                await job.abandon(error)
                log.warning("lease_lost", event_type=event.type_name, event_id=str(event.id), fence=claim.fence)
            except Exception as error:
                log.exception("work_failed", event_type=event.type_name, attempt=claim.attempts)
                await job.abandon(error)
                await self._unexpected(handler, claim, error)
            except asyncio.CancelledError as error:
                await job.abandon(error)
                raise
        self.committed()

    @contextlib.asynccontextmanager
    async def _heartbeat(self, claim: Claim, job: Job):  # type: ignore[no-untyped-def]
        worker = asyncio.current_task()
        assert worker is not None
        lost = False

        async def beat() -> None:
            nonlocal lost
            while True:
                await asyncio.sleep(self._lease_seconds / 3)
                if not job.writing and not await self._extend(claim):
                    lost = True
                    worker.cancel()
                    return

        task = asyncio.create_task(beat())
        try:
            yield
        except asyncio.CancelledError:
            if lost:
                worker.uncancel()
                raise LeaseLost from None
            raise
        finally:
            task.cancel()

    async def _extend(self, claim: Claim) -> bool:
        statement = (
            update(self._work)
            .where(self._work.c.event_id == claim.event.id, self._work.c.fence == claim.fence, ~self._work.c.cancelled)
            .values(lease_until=func.now() + timedelta(seconds=self._lease_seconds))
        )
        try:
            with without_spans():
                async with self.database.dispatch() as connection:
                    return bool((await connection.execute(statement)).rowcount)
        except Exception:
            # The fence decides in the end; losing the database for a moment is no reason to stop computing.
            log.exception("lease_not_extended", event_id=str(claim.event.id))
            return True

    async def hold(self, session: AsyncSession, claim: Claim) -> None:
        """Lock the work's row in this transaction; raises `LeaseLost` unless it is still ours."""
        statement = (
            select(self._work.c.event_id)
            .where(self._work.c.event_id == claim.event.id, self._work.c.fence == claim.fence, ~self._work.c.cancelled)
            .with_for_update()
        )
        if (await session.execute(statement)).first() is None:
            raise LeaseLost

    async def end(self, session: AsyncSession, claim: Claim) -> None:
        """Take the work's row away, in the transaction of its result."""
        await session.execute(delete(self._work).where(self._work.c.event_id == claim.event.id))

    async def _expected(self, handler: Handler | None, claim: Claim, error: ExpectedFailure) -> None:
        if handler is not None and handler.failure is not None:
            await self._close(claim, [handler.failure.reply_to(claim.event, problem=error.problem)])
            return
        await self._give_up(handler, claim, error.problem.code, error.problem.detail, None)

    async def _unexpected(self, handler: Handler | None, claim: Claim, error: Exception) -> None:
        if claim.attempts < MAX_ATTEMPTS and handler is not None:
            later = func.now() + BACK_OFF[claim.attempts - 1]
            statement = (
                update(self._work)
                .where(self._work.c.event_id == claim.event.id, self._work.c.fence == claim.fence)
                .values(lease_until=None, available_at=later)
            )
            async with self.database.dispatch() as connection:
                await connection.execute(statement)
            return
        trace = "".join(traceback.format_exception(error))
        await self._give_up(handler, claim, "work_failed", f"{type(error).__name__}: {error}", trace)

    async def _give_up(self, handler: Handler | None, claim: Claim, code: str, reason: str, trace: str | None) -> None:
        queue = self._service.queue_of(type(claim.event))
        message = {**claim.message, "deliveryattempt": claim.attempts - 1}
        events: list[Event] = [dead_letter(self._service.name, queue, message, code=code, reason=reason, trace=trace)]
        if handler is not None and handler.failure is not None:
            detail = f"{reason} The request is kept as a dead letter; an operator can replay it."
            events.append(handler.failure.reply_to(claim.event, problem=Problem(code=code, detail=detail)))
        await self._close(claim, events, replayable=True)

    async def _close(self, claim: Claim, events: list[Event], *, replayable: bool = False) -> None:
        inbox = self.metadata.inbox
        async with self.database.transaction(claim.event.tenant) as session:
            with contextlib.suppress(LeaseLost):
                await self.hold(session, claim)
                await add_events(session, self.metadata, events)
                await self.end(session, claim)
                if replayable:
                    await session.execute(delete(inbox).where(inbox.c.event_id == claim.event.id))

"""What happens to a message: each event in it takes effect once, is tried again, or is set aside with its reason.

A message may pack many events. They are handled in one transaction: inbox rows (a primary key), the handler's rows
and its outgoing events commit together. If a handler of many raises, all is rolled back and each event is handled
alone, so that one poison event never takes its batch with it. A retry is a row of the outbox for this queue alone,
not a TTL queue of the broker, which we began with: a row is atomic with the batch, the same on both buses, and
visible in SQL.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast

import structlog
from pydantic import ValidationError
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.configuration import ConfigurationChanged
from contracts.envelope import Envelope, Event, Tenant, UnknownEventType
from contracts.operations import EventDeadLettered
from services.chassis.bus.external import Refused
from services.chassis.bus.transport import Delivery, unpacked
from services.chassis.configuration import keep_configuration
from services.chassis.database import Database
from services.chassis.dead_letters import ATTEMPTS_KEY, attempts_of, bug, dead_letter, described, set_aside
from services.chassis.errors import ExpectedFailure
from services.chassis.inbox import enter_inbox
from services.chassis.leases import work_row
from services.chassis.logs import bound
from services.chassis.outbox import add_directed, add_events
from services.chassis.service import Handler, Service
from services.chassis.telemetry import Telemetry
from services.chassis.tenancy import enter

__all__ = ["ATTEMPTS_KEY", "BACK_OFF", "Consumer", "dead_letter", "emitted_events"]

log = structlog.get_logger()

ONE_BY_ONE = "Its events are handled again one by one."
# Waits before each further attempt at an event whose handler raised.
BACK_OFF = [timedelta(seconds=s) for s in (1, 5, 30, 120, 600)]


def emitted_events(result: Any) -> list[Event]:
    """What a handler returned, as a list."""
    if result is None:
        return []
    return list(result) if isinstance(result, Sequence) else [result]


class _Received(NamedTuple):
    """An event, or its envelope where that is enough, and the message that it was read from."""

    event: Event | Envelope
    message: dict[str, Any]


class Consumer:
    """Takes messages for one service and runs its handlers around inbox and outbox."""

    def __init__(
        self, service: Service, database: Database, telemetry: Telemetry, committed: Callable[[], None]
    ) -> None:
        self._service = service
        self._metadata = service.metadata
        self._database = database
        self._telemetry = telemetry
        self._committed = committed

    async def take(self, queue: str, handler: Handler, delivery: Delivery) -> None:
        """Handle all events of a delivery in one transaction; raises only when the database cannot be used.

        A handler that takes many gets all events of a tenant at once, and each alone if that fails.
        """
        read, unreadable = _read(delivery, handler)
        groups = list(_by_tenant(read).values())
        at_once = handler.many and len(groups) == 1 and not unreadable
        if at_once and await self._succeeds(handler, groups[0]):
            return
        async with self._database.session() as session:
            for message, error in unreadable:
                code, reason = described(error)
                await set_aside(session, self._metadata, queue, message, code=code, reason=reason)
            for group in groups:
                if at_once or not handler.many or not await self._succeeds_within(session, handler, group):
                    for each in group:
                        await self._take_one(session, queue, handler, each)
        self._committed()

    async def _succeeds(self, handler: Handler, group: list[_Received]) -> bool:
        """Handle a whole delivery as one batch; the transaction itself is what a failure takes back."""
        try:
            async with self._database.session() as session:
                leaves = await self._take_batch(session, handler, group)
        except Exception:
            log.warning("batch_failed", events=len(group), detail=ONE_BY_ONE, exc_info=True)
            return False
        if leaves:
            self._committed()
        return True

    async def _succeeds_within(self, session: AsyncSession, handler: Handler, group: list[_Received]) -> bool:
        """Handle one tenant's part of a delivery as one batch."""
        if len(group) == 1:
            return False
        try:
            async with session.begin_nested():
                await self._take_batch(session, handler, group)
        except Exception:
            log.warning("batch_failed", events=len(group), detail=ONE_BY_ONE, exc_info=True)
            return False
        return True

    async def _take_batch(self, session: AsyncSession, handler: Handler, group: list[_Received]) -> bool:
        """Run the handler for what is new of these; returns whether anything leaves with the transaction."""
        name, tenant = self._service.name, group[0].event.tenant
        spans = self._telemetry.consume_all(
            [(f"{name} {each.event.type_name}", each.event.traceparent) for each in group]
        )
        with spans as traceparents, bound(service=name, tenant=tenant):
            new = await enter_inbox(session, self._metadata, tenant, [each.event.id for each in group])
            fresh: dict[Any, _Received] = {}
            for each in group:
                if each.event.id in new:
                    fresh.setdefault(each.event.id, each)
            if not fresh:
                return False
            traces = {each.event.id: trace for each, trace in zip(group, traceparents, strict=True)}
            return await self._run(session, handler, list(fresh.values()), traces)

    async def _take_one(self, session: AsyncSession, queue: str, handler: Handler, received: _Received) -> None:
        event = received.event
        name = f"{self._service.name} {event.type_name}"
        with (
            self._telemetry.consume(name, event.traceparent),
            bound(service=self._service.name, tenant=event.tenant, flow_id=event.flow_id),
        ):
            try:
                await self._attempt(session, queue, handler, received)
            except Exception as error:
                log.exception("handler_failed", event_type=event.type_name, event_id=str(event.id))
                await self._unexpected(session, queue, received, error)

    async def _attempt(self, session: AsyncSession, queue: str, handler: Handler, received: _Received) -> None:
        event = received.event
        try:
            async with session.begin_nested():
                if await enter_inbox(session, self._metadata, event.tenant, [event.id]):
                    await self._run(session, handler, [received], {})
        except ExpectedFailure as failure:
            if event.type_name == EventDeadLettered.type_name:
                raise
            async with session.begin_nested():
                if handler.failure is None:
                    problem = failure.problem
                    await set_aside(
                        session, self._metadata, queue, received.message, code=problem.code, reason=problem.detail
                    )
                elif await enter_inbox(session, self._metadata, event.tenant, [event.id]):
                    reply = handler.failure.reply_to(event, problem=failure.problem)
                    await add_events(session, self._metadata, [reply])

    async def _run(
        self, session: AsyncSession, handler: Handler, group: list[_Received], traces: dict[Any, str]
    ) -> bool:
        if handler.long:
            rows = [work_row(cast(Event, each.event), each.message) for each in group]
            await session.execute(insert(self._metadata.work), rows)
            return True
        events = [each.event for each in group]
        if handler.envelopes:
            await self._keep_configuration(session, group)
        result = await handler.function(events if handler.batch else events[0], session)
        emitted = emitted_events(result)
        await add_events(session, self._metadata, emitted, traces)
        rows = self._work_of(group) if handler.envelopes else []
        if rows:
            await session.execute(insert(self._metadata.work), rows)
        return bool(emitted or rows)

    def _work_of(self, group: list[_Received]) -> list[dict[str, Any]]:
        """The long work that a service which hears everything is asked for; raises `ExpectedFailure`."""
        rows = []
        for each in group:
            handler = self._service.handler_of(each.event.type_name)
            if handler is not None and handler.long:
                try:
                    rows.append(work_row(Event.from_cloudevent(each.message), each.message))
                except ValidationError as error:
                    raise ExpectedFailure(*described(error)) from error
        return rows

    async def _keep_configuration(self, session: AsyncSession, group: list[_Received]) -> None:
        """What a service that hears everything has to know of it."""
        for each in group:
            if each.event.type_name != ConfigurationChanged.type_name:
                continue
            try:
                event = cast(ConfigurationChanged, Event.from_cloudevent(each.message))
            except ValidationError as error:
                # Such a service takes also what fits no schema; those that need the data set it aside.
                log.warning("configuration_not_read", event_id=str(each.event.id), reason=described(error)[1])
                continue
            await keep_configuration(self._metadata, event, session)

    async def _unexpected(self, session: AsyncSession, queue: str, received: _Received, error: Exception) -> None:
        event, message = received.event, received.message
        # The first thing that fails if the transaction itself is lost: then the whole message comes again.
        await enter(session, event.tenant)
        attempts = attempts_of(message)
        # A dead letter about a dead letter would come back here without end: that one event is never given up.
        if attempts < len(BACK_OFF) or event.type_name == EventDeadLettered.type_name:
            again = {**message, ATTEMPTS_KEY: attempts + 1}
            await add_directed(session, self._metadata, queue, again, BACK_OFF[min(attempts, len(BACK_OFF) - 1)])
            return
        code, reason, trace = bug(error)
        await set_aside(session, self._metadata, queue, message, code=code, reason=reason, trace=trace)


def _by_tenant(received: list[_Received]) -> dict[Tenant, list[_Received]]:
    """What was received, tenant by tenant, each in its order.

    The tenants have an order of their own: two deliveries that lock rows of the same ones cannot wait for each other.
    """
    groups: dict[Tenant, list[_Received]] = defaultdict(list)
    for each in received:
        groups[each.event.tenant].append(each)
    return dict(sorted(groups.items(), key=lambda group: (group[0].client_account_id, group[0].engagement_id)))


def _read(delivery: Delivery, handler: Handler) -> tuple[list[_Received], list[tuple[Any, Exception]]]:
    """The events of a delivery, and what cannot be read with the reason."""
    read: list[_Received] = []
    unreadable: list[tuple[Any, Exception]] = []
    for message in unpacked(delivery):
        try:
            read.append(_Received(_event_of(message, handler), message))
        except (ValidationError, UnknownEventType, Refused) as error:
            unreadable.append((message, error))
    return read, unreadable


def _event_of(message: Any, handler: Handler) -> Event | Envelope:
    """The event in one part of a message; raises what `described` can describe."""
    if isinstance(message, bytes):
        raise Refused("not_json", "The message is no JSON.")
    if not isinstance(message, dict) or not isinstance(message.get("data") or {}, dict):
        raise Refused("not_a_cloudevent", "This is no CloudEvent whose data is a JSON object.")
    if handler.envelopes:
        return Envelope.from_cloudevent(message)
    event = Event.from_cloudevent(message)
    if not isinstance(event, handler.hears):
        raise Refused("wrong_queue", f"This queue is not for events of the type {event.type_name}.")
    return event

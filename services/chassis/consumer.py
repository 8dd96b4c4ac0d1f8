"""What happens to a message: each event in it takes effect once, is tried again, or is set aside with its reason."""

import base64
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import structlog
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Event, Tenant, UnknownEventType
from contracts.operations import EventDeadLettered
from services.chassis.bus.external import Refused, read_cloudevent
from services.chassis.bus.transport import Delivery
from services.chassis.database import Database
from services.chassis.errors import ExpectedFailure
from services.chassis.logs import bound
from services.chassis.outbox import add_directed, add_events
from services.chassis.service import Handler, Service
from services.chassis.telemetry import Telemetry
from services.chassis.tenancy import enter

log = structlog.get_logger()

# Waits before each further attempt at an event whose handler raised.
BACK_OFF = [timedelta(seconds=s) for s in (1, 5, 30, 120, 600)]
ATTEMPTS_KEY = "deliveryattempt"
# How much of a message that nobody can read is kept.
UNREADABLE_BYTES = 1_000


def emitted_events(result: Any) -> list[Event]:
    """What a handler returned, as a list."""
    if result is None:
        return []
    return list(result) if isinstance(result, Sequence) else [result]


def dead_letter(
    service: str,
    queue: str,
    message: dict[str, Any],
    *,
    code: str,
    reason: str,
    trace: str | None = None,
    tenant: Tenant | None = None,
) -> EventDeadLettered:
    """The event that sets `message` aside: in `tenant`, else its own, else (where unreadable) the platform's."""
    return EventDeadLettered(
        tenant=tenant or _tenant_of(message),
        flow_id=_uuid_or_none(message.get("flowid")),
        service=service,
        queue=queue,
        event_id=str(message.get("id", "")),
        event_type=str(message.get("type", "")),
        attempts=_attempts_of(message) + 1,
        code=code,
        reason=reason,
        trace=trace,
        message=message,
    )


def _tenant_of(message: dict[str, Any]) -> Tenant:
    try:
        return Tenant.model_validate(
            {"client_account_id": message.get("clientaccountid"), "engagement_id": message.get("engagementid")}
        )
    except ValidationError:
        return PLATFORM


def _attempts_of(message: dict[str, Any]) -> int:
    """Failed attempts so far; whatever a stranger wrote there counts as none."""
    attempts = message.get(ATTEMPTS_KEY)
    return attempts if isinstance(attempts, int) and attempts > 0 else 0


def _uuid_or_none(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


class _Repeated(Exception):
    """This external event was let in before: whatever the second admission wrote must not stay."""


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
        """Handle all events of one message in one transaction; raises only when the database cannot be used."""
        async with self._database.session() as session:
            for message in _unpacked(delivery):
                await self._handle(session, queue, handler, message)
        self._committed()

    async def take_dead(self, delivery: Delivery) -> None:
        """Take a message that the broker gave up on, such as one that killed its consumer again and again.

        Its events go back to their queue one by one, so that only the one that kills is set aside in the end.
        """
        death = (delivery.headers.get("x-death") or [{}])[0]
        queue = str(death.get("queue", f"{self._service.name}.dead"))
        reason = f"The broker gave the message up: {death.get('reason', 'unknown reason')}."
        foreign = queue == f"{self._service.name}.external"
        messages = _unpacked(delivery)
        async with self._database.session() as session:
            for message in messages:
                if len(messages) > 1 and isinstance(message, dict) and "queue" in death:
                    await enter(session, _tenant_of(message))
                    await add_directed(session, self._metadata, queue, message, timedelta())
                else:
                    tenant = PLATFORM if foreign else None
                    await self._emit_dead(
                        session, queue, message, code="given_up_by_broker", reason=reason, tenant=tenant
                    )
        self._committed()

    async def take_external(self, queue: str, delivery: Delivery) -> None:
        """Let a CloudEvent of another system in, through the service's own check, or set it aside.

        What is refused belongs to the platform: anybody can write any tenant into a message.
        """
        async with self._database.session() as session:
            message: Any = delivery.body
            try:
                message, api_key = read_cloudevent(delivery)
                traceparent = message.get("traceparent")
                with self._telemetry.consume("external receive", traceparent if isinstance(traceparent, str) else None):
                    async with session.begin_nested():
                        await self._admit(session, message, api_key)
            except _Repeated:
                log.info("external_event_repeated", queue=queue, event_id=message.get("id"))
            except (Refused, ExpectedFailure, ValidationError, UnknownEventType) as error:
                code, reason = _described(error)
                await self._emit_dead(session, queue, message, code=code, reason=reason, tenant=PLATFORM)
            except Exception as error:
                log.exception("external_event_failed", queue=queue)
                code, reason, trace = _bug(error)
                await self._emit_dead(session, queue, message, code=code, reason=reason, trace=trace, tenant=PLATFORM)
        self._committed()

    async def _admit(self, session: AsyncSession, message: dict[str, Any], api_key: str | None) -> None:
        assert self._service.external is not None
        events: list[Event] = await self._service.external(message, api_key, session)
        if not events:
            return
        tenant = events[0].tenant
        # Other systems choose their own ids: unique only with their source (CloudEvents 1.0, "id"), in one tenant.
        name = [str(tenant.client_account_id), str(tenant.engagement_id), message.get("source"), message.get("id")]
        event_id = uuid5(NAMESPACE_URL, orjson.dumps(name).decode())
        await enter(session, tenant)
        if not await self._is_new(session, event_id):
            raise _Repeated
        for event in events:
            await enter(session, event.tenant)
            await add_events(session, self._metadata, [event])

    async def _handle(self, session: AsyncSession, queue: str, handler: Handler, message: Any) -> None:
        try:
            event = _event_of(message, handler)
        except (ValidationError, UnknownEventType, Refused) as error:
            code, reason = _described(error)
            await self._emit_dead(session, queue, message, code=code, reason=reason)
            return
        name = f"{self._service.name} {event.type_name}"
        with (
            self._telemetry.consume(name, event.traceparent),
            bound(service=self._service.name, tenant=event.tenant, flow_id=event.flow_id),
        ):
            await enter(session, event.tenant)
            try:
                await self._attempt(session, queue, handler, event, message)
            except Exception as error:
                log.exception("handler_failed", event_type=event.type_name, event_id=str(event.id))
                await self._unexpected(session, queue, event, message, error)

    async def _attempt(
        self, session: AsyncSession, queue: str, handler: Handler, event: Event, message: dict[str, Any]
    ) -> None:
        try:
            async with session.begin_nested():
                if await self._is_new(session, event.id):
                    await self._run(session, handler, event, message)
        except ExpectedFailure as failure:
            if isinstance(event, EventDeadLettered):
                raise
            async with session.begin_nested():
                if handler.failure is None:
                    problem = failure.problem
                    await self._emit_dead(session, queue, message, code=problem.code, reason=problem.detail)
                elif await self._is_new(session, event.id):
                    reply = handler.failure.reply_to(event, problem=failure.problem)
                    await add_events(session, self._metadata, [reply])

    async def _run(self, session: AsyncSession, handler: Handler, event: Event, message: dict[str, Any]) -> None:
        if handler.long:
            row = {
                "event_id": event.id,
                "event_type": event.type_name,
                "flow_id": event.flow_id,
                "event": message,
            }
            await session.execute(insert(self._metadata.work).values(row))
            return
        await add_events(session, self._metadata, emitted_events(await handler.function(event, session)))

    async def _is_new(self, session: AsyncSession, event_id: UUID) -> bool:
        inbox = self._metadata.inbox
        statement = insert(inbox).values(event_id=event_id).on_conflict_do_nothing().returning(inbox.c.event_id)
        return (await session.execute(statement)).first() is not None

    async def _unexpected(
        self, session: AsyncSession, queue: str, event: Event, message: dict[str, Any], error: Exception
    ) -> None:
        # The first thing that fails if the transaction itself is lost: then the whole message comes again.
        await enter(session, event.tenant)
        attempts = _attempts_of(message)
        # A dead letter about a dead letter would come back here without end: that one event is never given up.
        if attempts < len(BACK_OFF) or isinstance(event, EventDeadLettered):
            again = {**message, ATTEMPTS_KEY: attempts + 1}
            await add_directed(session, self._metadata, queue, again, BACK_OFF[min(attempts, len(BACK_OFF) - 1)])
            return
        code, reason, trace = _bug(error)
        await self._emit_dead(session, queue, message, code=code, reason=reason, trace=trace)

    async def _emit_dead(
        self,
        session: AsyncSession,
        queue: str,
        message: Any,
        *,
        code: str,
        reason: str,
        trace: str | None = None,
        tenant: Tenant | None = None,
    ) -> None:
        if isinstance(message, bytes):
            message = {"data_base64": base64.b64encode(message[:UNREADABLE_BYTES]).decode()}
        elif not isinstance(message, dict):
            message = {"data": message}
        event = dead_letter(self._service.name, queue, message, code=code, reason=reason, trace=trace, tenant=tenant)
        log.warning(
            "event_dead_lettered", queue=queue, event_type=event.event_type, code=event.code, reason=event.reason
        )
        await enter(session, event.tenant)
        await add_events(session, self._metadata, [event])


def _unpacked(delivery: Delivery) -> list[Any]:
    """The parts of a packed message, each a CloudEvent if all is well; a body that is no JSON is its only part."""
    try:
        content = orjson.loads(delivery.body)
    except orjson.JSONDecodeError:
        return [delivery.body]
    return content if isinstance(content, list) else [content]


def _event_of(message: Any, handler: Handler) -> Event:
    """The event in one part of a message; raises what `_described` can describe."""
    if isinstance(message, bytes):
        raise Refused("not_json", "The message is no JSON.")
    if not isinstance(message, dict) or not isinstance(message.get("data") or {}, dict):
        raise Refused("not_a_cloudevent", "This is no CloudEvent whose data is a JSON object.")
    event = Event.from_cloudevent(message)
    if not isinstance(event, handler.hears):
        raise Refused("wrong_queue", f"This queue is not for events of the type {event.type_name}.")
    return event


def _bug(error: Exception) -> tuple[str, str, str]:
    """Code, reason and trace of a failure that nobody expected."""
    return "handler_failed", f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def _described(error: Exception) -> tuple[str, str]:
    """A stable code and a sentence for what is wrong with a message."""
    if isinstance(error, ExpectedFailure):
        return error.problem.code, error.problem.detail
    if isinstance(error, UnknownEventType):
        return "unknown_event_type", str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return "schema_mismatch", f"The event does not fit its schema at {place!r}: {first['msg']}."
    return getattr(error, "code", "refused"), str(error)

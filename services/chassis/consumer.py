"""What happens to a message: each event in it takes effect once, is tried again, or is set aside with its reason."""

import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import structlog
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Event, Tenant, UnknownEventType
from contracts.operations import EventDeadLettered
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


def emitted_events(result: Any) -> list[Event]:
    """What a handler returned, as a list."""
    if result is None:
        return []
    return list(result) if isinstance(result, Sequence) else [result]


def dead_letter(
    service: str, queue: str, message: dict[str, Any], *, code: str, reason: str, trace: str | None = None
) -> EventDeadLettered:
    """The event that sets `message` aside, in its own tenant or, where that cannot be read, the platform's."""
    return EventDeadLettered(
        tenant=_tenant_of(message),
        flow_id=_uuid_or_none(message.get("flowid")),
        service=service,
        queue=queue,
        event_id=str(message.get("id", "")),
        event_type=str(message.get("type", "")),
        attempts=int(message.get(ATTEMPTS_KEY, 0)) + 1,
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


def _uuid_or_none(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


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
        try:
            messages = orjson.loads(delivery.body)
        except orjson.JSONDecodeError as error:
            messages = []
            await self._set_aside_unreadable(queue, delivery, str(error))
        async with self._database.session() as session:
            for message in messages if isinstance(messages, list) else [messages]:
                await self._handle(session, queue, handler, message)
        self._committed()

    async def take_dead(self, delivery: Delivery) -> None:
        """Set aside a message that the broker gave up on, such as one that killed its consumer again and again."""
        death = (delivery.headers.get("x-death") or [{}])[0]
        queue = str(death.get("queue", f"{self._service.name}.dead"))
        reason = f"The broker gave the message up: {death.get('reason', 'unknown reason')}."
        async with self._database.session() as session:
            for message in orjson.loads(delivery.body):
                await self._emit_dead(session, queue, message, code="given_up_by_broker", reason=reason)
        self._committed()

    async def take_external(self, queue: str, delivery: Delivery) -> None:
        """Let a CloudEvent of another system in, through the service's own check, or set it aside."""
        from services.chassis.bus.external import Refused, read_cloudevent

        async with self._database.session() as session:
            message: dict[str, Any] = {}
            try:
                message, api_key = read_cloudevent(delivery)
                with self._telemetry.consume("external receive", message.get("traceparent")):
                    async with session.begin_nested():
                        await self._admit(session, message, api_key)
            except (Refused, ExpectedFailure, ValidationError, UnknownEventType) as error:
                code, reason = _described(error)
                message = message or {"data_base64": delivery.body[:1000].hex()}
                await self._emit_dead(session, queue, message, code=code, reason=reason)
        self._committed()

    async def _admit(self, session: AsyncSession, message: dict[str, Any], api_key: str | None) -> None:
        assert self._service.external is not None
        events = await self._service.external(message, api_key, session)
        # Other systems choose their own ids: unique only together with their source (CloudEvents 1.0, "id").
        event_id = uuid5(NAMESPACE_URL, f"{message.get('source')}#{message.get('id')}")
        for event in events:
            await enter(session, event.tenant)
        if await self._is_new(session, event_id):
            await add_events(session, self._metadata, events)

    async def _handle(self, session: AsyncSession, queue: str, handler: Handler, message: dict[str, Any]) -> None:
        try:
            event = Event.from_cloudevent(message)
        except (ValidationError, UnknownEventType) as error:
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
                async with session.begin_nested():
                    if await self._is_new(session, event.id):
                        await self._run(session, handler, event, message)
            except ExpectedFailure as error:
                await self._expected(session, queue, handler, event, message, error)
            except Exception as error:
                if _database_is_gone(error):
                    raise
                await self._unexpected(session, queue, handler, event, message, error)

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

    async def _expected(
        self,
        session: AsyncSession,
        queue: str,
        handler: Handler,
        event: Event,
        message: dict[str, Any],
        error: ExpectedFailure,
    ) -> None:
        await enter(session, event.tenant)
        if handler.failure is None:
            await self._emit_dead(session, queue, message, code=error.problem.code, reason=error.problem.detail)
            return
        if await self._is_new(session, event.id):
            await add_events(session, self._metadata, [handler.failure.reply_to(event, problem=error.problem)])

    async def _unexpected(
        self,
        session: AsyncSession,
        queue: str,
        handler: Handler,
        event: Event,
        message: dict[str, Any],
        error: Exception,
    ) -> None:
        attempts = int(message.get(ATTEMPTS_KEY, 0))
        log.error(
            "handler_failed", event_type=event.type_name, event_id=str(event.id), attempt=attempts + 1, exc_info=error
        )
        await enter(session, event.tenant)
        if attempts < len(BACK_OFF):
            again = {**message, ATTEMPTS_KEY: attempts + 1}
            await add_directed(session, self._metadata, queue, again, BACK_OFF[attempts])
            return
        trace = "".join(traceback.format_exception(error))
        reason = f"{type(error).__name__}: {error}"
        await self._emit_dead(session, queue, message, code="handler_failed", reason=reason, trace=trace)

    async def _emit_dead(self, session: AsyncSession, queue: str, message: dict[str, Any], **why: str | None) -> None:
        event = dead_letter(
            self._service.name,
            queue,
            message,
            code=str(why["code"]),
            reason=str(why["reason"]),
            trace=why.get("trace"),
        )
        log.warning(
            "event_dead_lettered", queue=queue, event_type=event.event_type, code=event.code, reason=event.reason
        )
        await enter(session, event.tenant)
        await add_events(session, self._metadata, [event])

    async def _set_aside_unreadable(self, queue: str, delivery: Delivery, reason: str) -> None:
        message = {"data_base64": delivery.body[:1000].hex()}
        async with self._database.session() as session:
            await self._emit_dead(session, queue, message, code="not_json", reason=f"The message is no JSON: {reason}")


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


def _database_is_gone(error: Exception) -> bool:
    """Whether the transaction itself is lost, so that the whole message has to come again."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, InterfaceError)
    return isinstance(error, (ConnectionError, TimeoutError))

"""What cannot be handled is set aside with its reason, as an event like any other."""

import base64
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Tenant, UnknownEventType
from contracts.operations import EventDeadLettered
from services.chassis.bus.transport import Delivery, unpacked
from services.chassis.database import Database
from services.chassis.errors import ExpectedFailure
from services.chassis.logs import redacted_text
from services.chassis.outbox import add_directed, add_events
from services.chassis.service import Service
from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import enter

log = structlog.get_logger()

ATTEMPTS_KEY = "deliveryattempt"
# How much of a message that nobody can read is kept.
UNREADABLE_BYTES = 1_000


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
        tenant=tenant or tenant_of(message),
        flow_id=_uuid_or_none(message.get("flowid")),
        service=service,
        queue=queue,
        event_id=str(message.get("id", "")),
        event_type=str(message.get("type", "")),
        attempts=attempts_of(message) + 1,
        code=code,
        reason=reason,
        trace=trace,
        message=message,
    )


async def set_aside(
    session: AsyncSession,
    metadata: ServiceMetaData,
    queue: str,
    message: Any,
    *,
    code: str,
    reason: str,
    trace: str | None = None,
    tenant: Tenant | None = None,
) -> None:
    """Write the dead letter of a message, or of whatever arrived instead of one, with the current transaction."""
    if isinstance(message, bytes):
        message = {"data_base64": base64.b64encode(message[:UNREADABLE_BYTES]).decode()}
    elif not isinstance(message, dict):
        message = {"data": message}
    event = dead_letter(metadata.service, queue, message, code=code, reason=reason, trace=trace, tenant=tenant)
    log.warning("event_dead_lettered", queue=queue, event_type=event.event_type, code=event.code, reason=event.reason)
    await enter(session, event.tenant)
    await add_events(session, metadata, [event])


class GivenUpByBroker:
    """Takes the messages that the broker gave up on, such as one that killed its consumer again and again."""

    def __init__(self, service: Service, database: Database, committed: Callable[[], None]) -> None:
        self._service = service
        self._metadata = service.metadata
        self._database = database
        self._committed = committed

    async def take(self, delivery: Delivery) -> None:
        """Send its events back to their queue one by one, so that only the one that kills is set aside in the end."""
        death = (delivery.headers.get("x-death") or [{}])[0]
        queue = str(death.get("queue", f"{self._service.name}.dead"))
        reason = f"The broker gave the message up: {death.get('reason', 'unknown reason')}."
        tenant = PLATFORM if queue == f"{self._service.name}.external" else None
        messages = unpacked(delivery)
        async with self._database.session() as session:
            for message in messages:
                again = self._alone(message, len(messages)) if "queue" in death else None
                if again is None:
                    await set_aside(
                        session, self._metadata, queue, message, code="given_up_by_broker", reason=reason, tenant=tenant
                    )
                else:
                    await enter(session, tenant_of(again))
                    await add_directed(session, self._metadata, queue, again, timedelta())
        self._committed()

    def _alone(self, message: Any, together: int) -> dict[str, Any] | None:
        """What to send so that an event is tried without those that it arrived with; None if it was alone already."""
        if not isinstance(message, dict):
            return None
        if together > 1:
            return message
        # Its message may have been taken, and given up, together with the one that kills.
        handler = self._service.handler_of(str(message.get("type")))
        if handler is None or not handler.many or attempts_of(message):
            return None
        return {**message, ATTEMPTS_KEY: 1}


def tenant_of(message: dict[str, Any]) -> Tenant:
    """The tenant that a message names, or the platform."""
    try:
        return Tenant.model_validate(
            {"client_account_id": message.get("clientaccountid"), "engagement_id": message.get("engagementid")}
        )
    except ValidationError:
        return PLATFORM


def attempts_of(message: dict[str, Any]) -> int:
    """Failed attempts so far; whatever a stranger wrote there counts as none."""
    attempts = message.get(ATTEMPTS_KEY)
    return attempts if isinstance(attempts, int) and attempts > 0 else 0


def _uuid_or_none(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def bug(error: Exception) -> tuple[str, str, str]:
    """Code, reason and trace of a failure that nobody expected."""
    trace = redacted_text("".join(traceback.format_exception(error)))
    return "handler_failed", redacted_text(f"{type(error).__name__}: {error}"), trace


def described(error: Exception) -> tuple[str, str]:
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

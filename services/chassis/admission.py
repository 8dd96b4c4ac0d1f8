"""Events of other systems: checked by the service, let in once, or set aside with the reason."""

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Event, UnknownEventType
from services.chassis.bus.external import Refused, read_cloudevent
from services.chassis.bus.transport import Delivery
from services.chassis.dead_letters import bug, described, set_aside
from services.chassis.errors import ExpectedFailure
from services.chassis.inbox import enter_inbox
from services.chassis.outbox import add_events
from services.chassis.tenancy import enter

if TYPE_CHECKING:
    from services.chassis.runtime import Runtime

log = structlog.get_logger()


class _Repeated(Exception):
    """This external event was let in before: whatever the second admission wrote must not stay."""


class Admission:
    """Takes the messages of other systems for one service."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._service = runtime.service
        self._metadata = runtime.service.metadata

    async def take(self, queue: str, delivery: Delivery) -> None:
        """Let a CloudEvent in, through the service's own check, or set it aside.

        What is refused belongs to the platform: anybody can write any tenant into a message.
        """
        async with self._runtime.database.session() as session:
            message: Any = delivery.body
            try:
                message, api_key = read_cloudevent(delivery)
                traceparent = message.get("traceparent")
                with self._runtime.telemetry.consume(
                    "external receive", traceparent if isinstance(traceparent, str) else None
                ):
                    async with session.begin_nested():
                        await self._admit(session, message, api_key)
            except _Repeated:
                log.info("external_event_repeated", queue=queue, event_id=message.get("id"))
            except (Refused, ExpectedFailure, ValidationError, UnknownEventType) as error:
                code, reason = described(error)
                await set_aside(session, self._metadata, queue, message, code=code, reason=reason, tenant=PLATFORM)
            except Exception as error:
                log.exception("external_event_failed", queue=queue)
                code, reason, trace = bug(error)
                await set_aside(
                    session, self._metadata, queue, message, code=code, reason=reason, trace=trace, tenant=PLATFORM
                )
        self._runtime.committed()

    async def _admit(self, session: AsyncSession, message: dict[str, Any], api_key: str | None) -> None:
        assert self._service.external is not None
        events: list[Event] = await self._service.external(message, api_key, session, self._runtime)
        if not events:
            return
        tenant = events[0].tenant
        # Other systems choose their own ids: unique only with their source (CloudEvents 1.0, "id"), in one tenant.
        name = [str(tenant.client_account_id), str(tenant.engagement_id), message.get("source"), message.get("id")]
        event_id = uuid5(NAMESPACE_URL, orjson.dumps(name).decode())
        if not await enter_inbox(session, self._metadata, tenant, [event_id]):
            raise _Repeated
        for event in events:
            await enter(session, event.tenant)
            await add_events(session, self._metadata, [event])

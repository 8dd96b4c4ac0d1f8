"""Handlers that tests give to the probe services, and what they wait for."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import FieldMappingCompleted, FieldMappingFailed, FieldMappingRequested
from contracts.envelope import Event
from contracts.operations import AuditVerificationRequested
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.testing import eventually
from services.chassis.work import Job
from tests.chassis.probe import (
    all_left,
    leave,
    packed,
    probe,
    rows_of,
)

CHECK = AuditVerificationRequested.type_name


def recording(service: Service) -> Service:
    """A service on which every check takes effect."""

    @service.on
    async def record(event: AuditVerificationRequested, session: AsyncSession) -> None:
        await leave(session, service, event)

    return service


def failing_on(service: Service, *bad: Event) -> Service:
    """A service on which every check takes effect, except that some of them meet a bug after their effect."""
    bad_ids = {event.id for event in bad}

    @service.on
    async def record(event: AuditVerificationRequested, session: AsyncSession) -> None:
        await leave(session, service, event)
        if event.id in bad_ids:
            raise ZeroDivisionError("a bug in the handler")

    return service


def hearing(service: Service, *classes: type[Event]) -> list[Event]:
    """Let a service collect events of these classes; returns the list they come into."""
    heard: list[Event] = []

    async def hear(event: Event, session: AsyncSession) -> None:
        heard.append(event)

    service.subscribe(hear, hears=list(classes), emits=[])
    return heard


async def until(condition: Callable[[], Any]) -> None:
    async def check() -> bool:
        return bool(condition())

    await eventually(check)


async def settled(*runtimes: Runtime) -> None:
    """Wait until every outbox is empty."""
    await eventually(lambda: all_left(*runtimes))


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

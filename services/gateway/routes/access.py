"""What the routes share: the running service, and a session in the caller's tenant."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.gateway.handlers import service
from services.gateway.keys import Caller


def running(request: Request) -> Runtime:
    """The runtime that this gateway belongs to."""
    runtime: Runtime = request.app.state.runtime
    return runtime


Gateway = Annotated[Runtime, Depends(running)]


async def read_session(caller: Caller, gateway: Gateway) -> AsyncIterator[AsyncSession]:
    """A transaction in the caller's tenant, for reading."""
    async with gateway.database.transaction(caller.tenant) as session:
        yield session


Reading = Annotated[AsyncSession, Depends(read_session)]


async def emit(session: AsyncSession, *events: Event) -> None:
    """Send events with this transaction."""
    await add_events(session, service.metadata, events)

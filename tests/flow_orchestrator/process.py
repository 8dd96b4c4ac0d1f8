"""An orchestrator without a bus: events are handed in, read from its outbox, and its rows are there to break."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text

from contracts.envelope import Event, Tenant
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import Delivery
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.flow_orchestrator.app import service
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.tables import MASTER

Sweep = Callable[[Runtime], Awaitable[None]]


class Process:
    """An orchestrator whose sweeps run when they are told to."""

    def __init__(self, settings: Settings) -> None:
        self.runtime = Runtime(service, settings, InProcessBus())
        self._queues = {each.routing_key: each.deliver for each in self.runtime.subscriptions()}

    async def hear(self, *events: Event) -> None:
        """Take events, one message each."""
        for event in events:
            await self.hear_packed(event)

    async def hear_packed(self, *events: Event) -> None:
        """Take events of one type as one message."""
        body = orjson.dumps([event.to_cloudevent() for event in events])
        await self._queues[events[0].type_name](Delivery(body))

    async def sent(self, *kinds: type[Event], flow_id: UUID | None = None) -> list[Any]:
        """What it has sent so far, in order: only these kinds, about this flow."""
        outbox = service.metadata.outbox
        async with self.runtime.database.dispatch() as connection:
            rows = await connection.execute(select(outbox.c.event).order_by(outbox.c.seq))
            events = [Event.from_cloudevent(row.event) for row in rows]
        return [e for e in events if (not kinds or isinstance(e, kinds)) and flow_id in (None, e.flow_id)]

    async def request(self, flow_id: UUID | None) -> Event:
        """The newest request for work of a flow."""
        asks = {phase.asks for flow_type in FLOW_TYPES.all() for phase in flow_type.phases}
        requests: list[Event] = [event for event in await self.sent(flow_id=flow_id) if type(event) in asks]
        return requests[-1]

    async def sql(self, tenant: Tenant, statement: str, **values: Any) -> list[Any]:
        """Run a statement as the service does, in a tenant; the rows it returns."""
        async with self.runtime.database.transaction(tenant) as session:
            result = await (await session.connection()).execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def state(self, tenant: Tenant, flow_id: UUID | None) -> FlowState:
        """A flow's state."""
        statement = f"select state::text as state from flow_orchestrator.{MASTER} where flow_id = :flow_id"
        [row] = await self.sql(tenant, statement, flow_id=flow_id)
        return FlowState.load(orjson.loads(row.state))

    async def store_state(self, tenant: Tenant, state: FlowState) -> None:
        """Put another state into a flow's row, and touch nothing else."""
        statement = f"update flow_orchestrator.{MASTER} set state = cast(:state as json) where flow_id = :flow_id"
        await self.sql(tenant, statement, state=state.dump(), flow_id=state.flow_id)

    async def journal(self, tenant: Tenant, flow_id: UUID | None) -> list[Any]:
        """A flow's journal in order."""
        statement = "select * from flow_orchestrator.flow_journal where flow_id = :flow_id order by seq"
        return await self.sql(tenant, statement, flow_id=flow_id)

    async def age(self, tenant: Tenant, flow_id: UUID | None, **back: float) -> None:
        """Let a flow's row be as it is for longer."""
        changed_at = f"update flow_orchestrator.{MASTER} set updated_at = :at where flow_id = :flow_id"
        await self.sql(tenant, changed_at, at=datetime.now(UTC) - timedelta(**back), flow_id=flow_id)


async def at_once(sweep: Sweep, *processes: Process) -> None:
    """Run a sweep in several processes at the same moment."""
    await asyncio.gather(*(sweep(each.runtime) for each in processes))

"""Field mapping alone on an in-process bus: what it is told, what it says, and what it keeps."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import orjson
from sqlalchemy import text

from contracts.discovery import (
    DataImportCompleted,
    DataImportRequested,
    FieldMappingCompleted,
    FieldMappingRequested,
    ImportFile,
    InventoryRequested,
    TableMapping,
)
from contracts.envelope import Event, Tenant, uuid7
from contracts.learning import FieldMappingLearned, LearningDecided, LearningProposed, LearningRequested
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import EVENTS, Delivery, Subscription
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually
from services.field_mapping.app import service

E = TypeVar("E", bound=Event)


@dataclass
class FieldMapping:
    """The running service and all that was said on the bus."""

    runtime: Runtime
    said: list[Event] = field(default_factory=list)

    def subscription(self) -> Subscription:
        """A queue that is bound to everything."""
        return Subscription("test.all", "test", EVENTS, "#", self._take)

    async def _take(self, delivery: Delivery) -> None:
        self.said += [Event.from_cloudevent(message) for message in orjson.loads(delivery.body)]

    async def tell(self, *events: Event) -> None:
        """Have the service hear these one after the other, each with all that follows from it."""
        for event in events:
            async with self.runtime.database.transaction(event.tenant) as session:
                await add_events(session, service.metadata, [event])
            self.runtime.committed()
            await eventually(self._idle)

    async def _idle(self) -> bool:
        async with self.runtime.database.dispatch() as connection:
            rows = await connection.execute(
                text("select (select count(*) from field_mapping.outbox) + (select count(*) from field_mapping.work)")
            )
            return bool(rows.scalar_one() == 0)

    def last(self, kind: type[E]) -> E:
        """The newest event of a class."""
        for event in reversed(self.said):
            if isinstance(event, kind):
                return event
        raise LookupError(f"no {kind.type_name} was said")

    def count(self, kind: type[Event]) -> int:
        """How many events of a class were said."""
        return sum(isinstance(event, kind) for event in self.said)

    async def mapped(self, tenant: Tenant, content: str, name: str = "servers.csv") -> FieldMappingCompleted:
        """The proposal for a file, as a discovery asks for it."""
        blob = await self.runtime.blobs.put_bytes(tenant, "uploads", content.encode(), "text/csv")
        flow_id = uuid7()
        file = ImportFile(import_id=uuid7(), file_name=name, file=blob)
        await self.tell(DataImportRequested(tenant=tenant, flow_id=flow_id, files=[file]))
        tables = self.last(DataImportCompleted).tables
        await self.tell(FieldMappingRequested(tenant=tenant, flow_id=flow_id, tables=tables))
        return self.last(FieldMappingCompleted)

    async def inventory(self, proposal: FieldMappingCompleted, mappings: Sequence[TableMapping] | None = None) -> None:
        """Go on with a mapping to the inventory, as a discovery does."""
        tables = self.last(DataImportCompleted).tables
        decided = list(proposal.mappings if mappings is None else mappings)
        await self.tell(
            InventoryRequested(tenant=proposal.tenant, flow_id=proposal.flow_id, tables=tables, mappings=decided)
        )

    async def imported(self, tenant: Tenant, content: str, name: str = "servers.csv") -> FieldMappingCompleted:
        """The proposal for a file that an inventory is made of then."""
        proposal = await self.mapped(tenant, content, name)
        await self.inventory(proposal)
        return proposal

    async def proposed(self, tenant: Tenant, **learning: object) -> LearningProposed:
        """What field mapping says to a learning; it is not applied."""
        request = LearningRequested.model_validate(
            {"tenant": tenant, "learning_id": uuid7(), "requested_by": "Ann", **learning}
        )
        await self.tell(request)
        return self.last(LearningProposed)

    async def decide(self, tenant: Tenant, learning_id: UUID, decision: str) -> FieldMappingLearned:
        """The newest news of what counts, after a decision on a learning."""
        event = {"tenant": tenant, "learning_id": learning_id, "decision": decision, "decided_by": "Bo"}
        await self.tell(LearningDecided.model_validate(event))
        return self.last(FieldMappingLearned)

    async def learned(self, tenant: Tenant, **learning: object) -> FieldMappingLearned:
        """What counts after a learning was proposed and applied."""
        proposed = await self.proposed(tenant, **learning)
        return await self.decide(tenant, proposed.learning.learning_id, "apply")


@asynccontextmanager
async def a_field_mapping(settings: Settings) -> AsyncIterator[FieldMapping]:
    """The service until the block ends."""
    bus = InProcessBus()
    runtime = Runtime(service, settings, bus)
    running = FieldMapping(runtime)
    await bus.start([running.subscription()])
    await runtime.start()
    try:
        yield running
    finally:
        await runtime.stop()

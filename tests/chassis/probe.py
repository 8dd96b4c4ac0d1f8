"""Two services that only tests have: each test gives them the handlers it needs."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import BigInteger, Column, DateTime, Identity, Table, Text, Uuid, select
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import Tenant
from contracts.discovery import FieldMappingRequested, TableProfile
from contracts.envelope import BlobRef, Event
from contracts.operations import AuditVerificationRequested
from services.chassis.bus.transport import Delivery, Subscription, Transport
from services.chassis.database import Database
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.tables import ServiceMetaData
from services.chassis.tenancy import CLIENT_ACCOUNT, ENGAGEMENT

PROBE = ServiceMetaData("probe")
LISTENER = ServiceMetaData("probe_listener")


def _effects(metadata: ServiceMetaData) -> Table:
    """What handlers leave behind, in order; nothing is unique, so that a second effect would show."""
    return Table(
        "effects",
        metadata,
        Column("client_account_id", Uuid, primary_key=True, server_default=sql(CLIENT_ACCOUNT)),
        Column("engagement_id", Uuid, primary_key=True, server_default=sql(ENGAGEMENT)),
        Column("seq", BigInteger, Identity(always=True), primary_key=True),
        Column("event_id", Uuid, nullable=False),
        Column("note", Text, nullable=False, server_default=""),
        Column("at", DateTime(timezone=True), nullable=False, server_default=sql("clock_timestamp()")),
    )


EFFECTS = {metadata.service: _effects(metadata) for metadata in (PROBE, LISTENER)}


def probe() -> Service:
    """A service without handlers, on the tables of the schema `probe`."""
    return Service(PROBE)


def listener() -> Service:
    """Another one, on the schema `probe_listener`."""
    return Service(LISTENER)


async def leave(session: AsyncSession, service: Service, event: Event, note: str = "") -> None:
    """Record that a handler took effect."""
    await session.execute(EFFECTS[service.name].insert().values(event_id=event.id, note=note))


async def effects(database: Database, service: Service, tenant: Tenant) -> list[tuple[UUID, str]]:
    """What took effect in this tenant, in order."""
    table = EFFECTS[service.name]
    async with database.transaction(tenant) as session:
        rows = await session.execute(select(table.c.event_id, table.c.note).order_by(table.c.seq))
        return [(row.event_id, row.note) for row in rows]


async def rows_of(database: Database, table: Table) -> list[dict[str, Any]]:
    """All rows of an inbox, outbox or work table, of every tenant."""
    async with database.dispatch() as connection:
        return [
            dict(row._mapping) for row in await connection.execute(select(table).order_by(list(table.primary_key)[-1]))
        ]


async def emit(runtime: Runtime, *events: Event) -> None:
    """Let events leave through the service's outbox, in one transaction a tenant."""
    for event in events:
        async with runtime.database.transaction(event.tenant) as session:
            await add_events(session, runtime.service.metadata, [event])
    runtime.committed()


def packed(*events: Event | object) -> Delivery:
    """A message of several events, or of whatever else."""
    parts = [event.to_cloudevent() if isinstance(event, Event) else event for event in events]
    return Delivery(orjson.dumps(parts))


async def all_left(*runtimes: Runtime) -> bool:
    """Whether nothing waits in these services' outboxes."""
    return not [row for each in runtimes for row in await rows_of(each.database, each.service.metadata.outbox)]


class Interrupted:
    """A transport that breaks at the boundaries where a process could die."""

    def __init__(self, transport: Transport, *, before: int = 0, after: int = 0, after_delivery: int = 0) -> None:
        """So many times, fail before publishing, after publishing, or after a message was handled."""
        self._transport = transport
        self.left = {"before": before, "after": after, "after_delivery": after_delivery}

    def _break(self, where: str) -> None:
        if self.left[where]:
            self.left[where] -= 1
            raise ConnectionError(f"interrupted: {where}")

    async def start(self, subscriptions: list[Subscription]) -> None:
        """Start with deliveries that break."""

        def breaking(subscription: Subscription) -> Subscription:
            async def deliver(delivery: Delivery) -> None:
                await subscription.deliver(delivery)
                self._break("after_delivery")

            return replace(subscription, deliver=deliver)

        await self._transport.start([breaking(subscription) for subscription in subscriptions])

    async def stop(self) -> None:
        """Stop."""
        await self._transport.stop()

    async def publish(self, exchange: str, routing_key: str, message: Delivery) -> None:
        """Publish, and break."""
        self._break("before")
        await self._transport.publish(exchange, routing_key, message)
        self._break("after")

    async def send(self, queue: str, message: Delivery) -> None:
        """Send, and break."""
        self._break("before")
        await self._transport.send(queue, message)
        self._break("after")

    async def ping(self) -> None:
        """Ping."""
        await self._transport.ping()


def check(tenant: Tenant, flow_id: UUID | None = None) -> AuditVerificationRequested:
    """An event without a `.failed` outcome."""
    return AuditVerificationRequested(tenant=tenant, flow_id=flow_id, verification_id=uuid4())


def mapping_request(tenant: Tenant, flow_id: UUID | None = None, name: str = "a.csv") -> FieldMappingRequested:
    """An event whose handler may answer `field_mapping.failed`."""
    rows = BlobRef(key="k", sha256="0", size_bytes=0, media_type="application/vnd.apache.parquet")
    table = TableProfile(
        table_id=uuid4(),
        import_id=uuid4(),
        file_name=name,
        kind="inventory",
        header_row=1,
        row_count=0,
        columns=[],
        rows=rows,
    )
    return FieldMappingRequested(tenant=tenant, flow_id=flow_id, step="field_mapping:1", tables=[table])

"""`./justw bench audit`: how fast events reach the audit log, and how fast the log is signed and checked.

Everything is real: messages as the relay packs them go through the service's consumer (inbox, chain, append, commit),
on a Postgres with its defaults; a check reads every entry back, and compares chain, columns, tree and checkpoints.
"""

import tempfile
import time
from pathlib import Path
from uuid import uuid4

import orjson

from contracts.envelope import Event, Tenant, uuid7
from contracts.flows import ApprovalDecided, FlowUpdated, PhaseView
from deploy.bench.results import Result
from services.audit.app import service
from services.audit.signing import prepared, store
from services.audit.verification import checked
from services.chassis.bus.transport import Delivery
from services.chassis.consumer import Consumer
from services.chassis.database import Database
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.chassis.encryption import Vault
from services.chassis.encryption_keys import key_provider
from services.chassis.migrations import migrate
from services.chassis.relay import MESSAGE_EVENTS
from services.chassis.settings import Settings
from services.chassis.telemetry import Telemetry

PEERS: list[str] = []

EVENTS = 50_000
# As many tenants in one message as a busy platform has at a time.
TENANTS = 20
CHECKS = 3


async def run() -> Result:
    """Measure on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="modernize-bench-") as name:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "data")
        settings = Settings(database_url=postgres.start(), data_dir=folder, blob_url=(folder / "blobs").as_uri())
        try:
            await migrate(settings, [service])
            return Result(figures=await measured(settings, EVENTS), ratios={})
        finally:
            postgres.stop()


async def measured(settings: Settings, events: int) -> dict[str, float]:
    """Figures of a log of so many events in a migrated database; of several checks the fastest counts."""
    database = Database(service.name, settings)
    try:
        tenant = _tenant()
        figures = {"audit_append_per_s": await _append(database, settings, [tenant], events)}
        tenants = [_tenant() for _ in range(TENANTS)]
        figures["audit_append_mixed_per_s"] = await _append(database, settings, tenants, events // 5)
        figures["audit_sign_per_s"] = await _sign(database, settings, tenant)
        figures["audit_verify_per_s"] = max([await _verify(database, tenant, events) for _ in range(CHECKS)])
        return figures
    finally:
        await database.close()


async def _append(database: Database, settings: Settings, tenants: list[Tenant], count: int) -> float:
    """Events a second, in messages that the relay would send."""
    consumer = Consumer(service, database, Telemetry(service.name, settings), lambda: None)
    [handler] = service.listening()
    events = [_event(tenants[number % len(tenants)], number) for number in range(count)]
    packed = [
        Delivery(orjson.dumps([event.to_cloudevent() for event in events[start : start + MESSAGE_EVENTS]]))
        for start in range(0, count, MESSAGE_EVENTS)
    ]
    begun = time.perf_counter()
    for delivery in packed:
        await consumer.take("audit.all", handler, delivery)
    return count / (time.perf_counter() - begun)


async def _sign(database: Database, settings: Settings, tenant: Tenant) -> float:
    """Entries a second that a first checkpoint covers."""
    vault = Vault(key_provider(settings))
    begun = time.perf_counter()
    async with database.transaction(tenant) as session:
        statement = await prepared(session, vault, tenant)
    assert statement is not None
    async with database.transaction(tenant) as session:
        await store(session, vault, statement)
    return statement.checkpoint.size / (time.perf_counter() - begun)


async def _verify(database: Database, tenant: Tenant, count: int) -> float:
    """Entries a second that a check reads and finds to be right."""
    begun = time.perf_counter()
    async with database.transaction(tenant) as session:
        found = await checked(session, tenant, [])
    taken = time.perf_counter() - begun
    if not found.valid or found.entries != count or found.signed != count:
        raise RuntimeError(f"the check of the benchmark's own log found: {found}")
    return found.entries / taken


def _tenant() -> Tenant:
    return Tenant(client_account_id=uuid4(), engagement_id=uuid4())


def _event(tenant: Tenant, number: int) -> Event:
    """What a log is full of: news of flows, and between them what people decide."""
    if number % 10 == 0:
        return ApprovalDecided(
            tenant=tenant, flow_id=uuid7(), task_id=uuid7(), kind="plan", decision="approve", decided_by="Ada Ortiz"
        )
    return FlowUpdated.model_validate(
        {
            "tenant": tenant,
            "flow_id": uuid7(),
            "flow_type": "discovery",
            "revision": number,
            "status": "running",
            "current_phase": "inventory",
            "phases": [
                PhaseView(name=name, status="completed", attempt=1) for name in ("data_import", "field_mapping")
            ],
            "created_at": "2026-11-20T09:30:00Z",
        }
    )

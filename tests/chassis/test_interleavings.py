"""Two tenants take random turns at what they share: a connection, a cache, blobs, a bus. Neither meets the other's."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import BlobRef, Tenant
from contracts.operations import AuditVerificationRequested
from services.chassis.blobs import Blobs
from services.chassis.cache import Cache
from services.chassis.database import Database, connections, role_url
from services.chassis.encryption import Vault
from services.chassis.errors import Forbidden
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.tenancy import enter, service_role
from services.chassis.testing import eventually, running, some_tenant
from tests.chassis.keys_in_memory import Keys
from tests.chassis.probe import EFFECTS, check, effects, emit, leave, listener, probe
from tests.chassis.test_cache import cache
from tests.conftest import TransportOf

__all__ = ["cache"]

TABLE = EFFECTS["probe"]
STEPS = 10_000
SEED = 20261121


class Rolled(Exception):
    """Ends a transaction without its rows."""


class Turns:
    """Transactions of two tenants, and of none, through one connection; knows which rows each must see."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.dice = random.Random(seed)
        self.tenants = [some_tenant(), some_tenant()]
        self.rows: dict[Tenant, set[UUID]] = {tenant: set() for tenant in self.tenants}
        self.steps = 0
        self.foreign: list[object] = []

    async def run(self) -> None:
        """Take turns until all steps are done."""
        while self.steps < STEPS:
            tenant = self.dice.choice([*self.tenants, *self.tenants, None])
            with suppress(Rolled, DBAPIError):
                try:
                    await self._turn(tenant)
                except asyncio.CancelledError:
                    # Its own interruption is over; one from outside is the end of the test.
                    if (task := asyncio.current_task()) is None or task.cancelling():
                        raise

    async def _turn(self, tenant: Tenant | None) -> None:
        begins_there = tenant is not None and self.dice.random() < 0.7
        transaction = self.database.transaction(tenant) if tenant and begins_there else self.database.session()
        async with transaction as session:
            if self.dice.random() < 0.1:
                return  # Nothing is sent, so nothing begins, and the next one must not begin here.
            # Whoever has the one connection is alone with the rows, until it commits.
            await session.execute(text("select 1"))
            if tenant is not None and not begins_there:
                await enter(session, tenant)
            self.rows = await self._transaction(session, tenant)

    async def _transaction(self, session: AsyncSession, tenant: Tenant | None) -> dict[Tenant, set[UUID]]:
        rows = {each: set(ids) for each, ids in self.rows.items()}
        for _ in range(self.dice.randint(1, 8)):
            self.steps += 1
            await asyncio.sleep(0)
            step = self.dice.random()
            if step < 0.45:
                await self._look(session, tenant, rows)
            elif step < 0.65 and tenant is not None:
                rows[tenant].add(event_id := uuid4())
                await session.execute(insert(TABLE).values(event_id=event_id, note=str(tenant.client_account_id)))
            elif step < 0.75:
                await self._reach_for_all(session, tenant, rows)
            elif step < 0.82:
                savepoint = await session.begin_nested()
                await enter(session, self.dice.choice(self.tenants))
                await savepoint.rollback()
            elif step < 0.90:
                tenant = self.dice.choice(self.tenants)
                await enter(session, tenant)
            elif step < 0.94:
                await session.execute(text("select 1 / 0"))
            elif step < 0.99:
                raise Rolled
            else:
                await self._interrupt(session)
        return rows

    async def _look(self, session: AsyncSession, tenant: Tenant | None, rows: dict[Tenant, set[UUID]]) -> None:
        found = (await session.execute(select(TABLE))).all()
        owner = None if tenant is None else tenant.client_account_id
        self.foreign += [row for row in found if row.client_account_id != owner or row.note != str(owner)]
        assert {row.event_id for row in found} == (set() if tenant is None else rows[tenant])

    async def _reach_for_all(self, session: AsyncSession, tenant: Tenant | None, rows: dict[Tenant, set[UUID]]) -> None:
        """Change or delete whatever there is: the tenant's own rows, and no other."""
        own = set() if tenant is None else rows[tenant]
        statement = update(TABLE).values(note=TABLE.c.note) if self.dice.random() < 0.7 else delete(TABLE)
        changed = (await session.execute(statement)).rowcount  # type: ignore[attr-defined]  # a cursor result
        assert changed == len(own)
        if statement.is_delete:
            own.clear()

    async def _interrupt(self, session: AsyncSession) -> None:
        """Be cancelled while the server works on a statement, as a request whose client has gone."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await session.execute(text("select pg_sleep(10)"))
        finally:
            task.uncancel()


@pytest.fixture
async def narrow(settings: Settings) -> AsyncIterator[Database]:
    """A database of one connection."""
    database = Database("probe", settings)
    await database.engine.dispose()
    database.engine = connections(role_url(settings, service_role("probe")), pool_size=1, max_overflow=0)
    yield database
    await database.close()


async def test_ten_thousand_random_steps_of_two_tenants_through_one_connection_show_no_foreign_row(
    narrow: Database,
) -> None:
    turns = Turns(narrow, SEED)
    # Only one may hold the connection, so three that want it follow each other in an order of chance.
    takers = [asyncio.create_task(turns.run()) for _ in range(3)]
    try:
        await asyncio.gather(*takers)
    finally:
        for taker in takers:
            taker.cancel()
        await asyncio.wait(takers)
    assert turns.foreign == []
    assert turns.steps >= STEPS
    for tenant, expected in turns.rows.items():
        assert {event_id for event_id, _ in await effects(narrow, probe(), tenant)} == expected


async def test_two_tenants_that_use_one_cache_by_the_same_keys_read_what_they_wrote(cache: Cache) -> None:
    dice, tenants = random.Random(SEED), [some_tenant(), some_tenant()]
    wrote: dict[tuple[Tenant, str], str] = {}

    for _ in range(STEPS):
        tenant, key = dice.choice(tenants), f"key-{dice.randrange(50)}"
        action = dice.random()
        if action < 0.5:
            expected = wrote.get((tenant, key))
            assert await cache.get(tenant, key) == expected
        elif action < 0.9:
            wrote[tenant, key] = value = f"{tenant.client_account_id} {dice.random()}"
            await cache.set(tenant, key, value, ttl_seconds=600)
        else:
            wrote.pop((tenant, key), None)
            await cache.delete(tenant, key)

    assert cache.errors == 0
    for tenant, key in wrote:
        await cache.delete(tenant, key)


async def test_two_tenants_that_use_one_blob_store_open_their_own_and_nothing_else(settings: Settings) -> None:
    blobs, dice, tenants = (
        Blobs(settings.blob_store_url, Vault(Keys())),
        random.Random(SEED),
        [some_tenant(), some_tenant()],
    )
    refs: list[tuple[Tenant, BlobRef, bytes]] = []
    refused = 0

    async def turn() -> None:
        nonlocal refused
        for _ in range(250):
            tenant = dice.choice(tenants)
            if not refs or dice.random() < 0.3:
                content = f"{tenant.client_account_id} {dice.random()}".encode()
                refs.append((tenant, await blobs.put_bytes(tenant, "report", content, "text/plain"), content))
                continue
            owner, ref, content = dice.choice(refs)
            if owner == tenant:
                assert await blobs.read_bytes(tenant, ref) == content
                continue
            with pytest.raises(Forbidden):
                await blobs.read_bytes(tenant, ref)
            with pytest.raises(Forbidden):
                async with blobs.local(tenant, ref):
                    pass
            moved = ref.model_copy(update={"key": ref.key.replace(str(owner.client_account_id), "..")})
            with pytest.raises(Forbidden):
                await blobs.read_bytes(tenant, moved)
            refused += 1

    await asyncio.gather(*(turn() for _ in range(8)))
    assert refused > 500


async def test_events_of_two_tenants_in_shared_messages_take_effect_in_their_own_tenant_alone(
    settings: Settings, bus_settings: Settings, transport_of: TransportOf
) -> None:
    dice, tenants = random.Random(SEED), [some_tenant(), some_tenant()]
    service: Service = listener()
    mixed: list[object] = []

    @service.on
    async def record(events: list[AuditVerificationRequested], session: AsyncSession) -> None:
        mixed.extend(each for each in events if each.tenant != events[0].tenant)
        for event in events:
            await leave(session, service, event, note=str(event.tenant.client_account_id))

    sent: dict[Tenant, set[UUID]] = defaultdict(set)
    async with running([probe(), service], bus_settings, transport_of) as runtimes:
        for _ in range(60):
            events = [check(dice.choice(tenants)) for _ in range(dice.randint(1, 40))]
            for event in events:
                sent[event.tenant].add(event.id)
            await emit(runtimes["probe"], *events)
        database = runtimes["probe_listener"].database

        async def arrived() -> bool:
            return sum([len(await effects(database, service, tenant)) for tenant in tenants]) == sum(
                map(len, sent.values())
            )

        await eventually(arrived)
        for tenant in tenants:
            found = await effects(database, service, tenant)
            assert {event_id for event_id, _ in found} == sent[tenant]
            assert {note for _, note in found} == {str(tenant.client_account_id)}
    assert mixed == []

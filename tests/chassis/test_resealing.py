"""Key rotation while the platform runs: nothing is lost, nothing is done twice, nothing stays under the old key."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import LargeBinary, insert, select, update

from contracts.encryption import EncryptionProgressed
from contracts.envelope import PLATFORM, Tenant
from services.chassis import resealing
from services.chassis.bus.in_process import InProcessBus
from services.chassis.encryption import Vault, sealed_version
from services.chassis.resealing import PIECE_ROWS
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.tables import CONFIGURATION_SECRETS
from services.chassis.testing import some_tenant
from tests.chassis.keys_in_memory import Keys
from tests.chassis.probe import PROBE, probe, rows_of
from tests.conftest import declared_services

TABLE = PROBE.configuration
PURPOSE = CONFIGURATION_SECRETS.purpose
MANY = PIECE_ROWS + 40


def process(settings: Settings, keys: Keys) -> Runtime:
    """A process of the service, with a vault of its own on the same keys."""
    runtime = Runtime(probe(), settings, InProcessBus())
    runtime.vault = Vault(keys)
    runtime.vault.load()
    return runtime


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
async def runtime(settings: Settings, keys: Keys) -> AsyncIterator[Runtime]:
    runtime = process(settings, keys)
    yield runtime
    await runtime.stop()


@pytest.fixture
async def tenants(runtime: Runtime) -> list[Tenant]:
    """Two tenants and the platform, with secrets under the first key; one has more than a piece."""
    tenants = [some_tenant(), some_tenant(), PLATFORM]
    for tenant, count in zip(tenants, (MANY, 7, 3), strict=True):
        names = [f"key-{number:04}" for number in range(count)]
        sealed = runtime.vault.seal_many(tenant, PURPOSE, names, [name.encode() for name in names])
        rows = [
            {"key": name, "version": 1, "is_set": True, "sealed": value}
            for name, value in zip(names, sealed, strict=True)
        ]
        async with runtime.database.transaction(tenant) as session:
            await session.execute(
                insert(TABLE), [*rows, {"key": "plain", "version": 1, "is_set": True, "sealed": None}]
            )
    return tenants


async def kept(runtime: Runtime, tenant: Tenant) -> dict[str, bytes]:
    """The sealed values of a tenant by key, each opened to see that it still is what it was."""
    async with runtime.database.transaction(tenant) as session:
        rows = (await session.execute(select(TABLE.c.key, TABLE.c.sealed).where(TABLE.c.sealed.is_not(None)))).all()
    opened = runtime.vault.open_many(tenant, PURPOSE, [row.key for row in rows], [row.sealed for row in rows])
    assert opened == [row.key.encode() for row in rows]
    return {row.key: row.sealed for row in rows}


async def versions(runtime: Runtime, tenants: list[Tenant]) -> list[set[int]]:
    return [{sealed_version(value) for value in (await kept(runtime, tenant)).values()} for tenant in tenants]


async def told(runtime: Runtime) -> list[tuple[int, int, int]]:
    """Version, total and left of each progress that the service told, in order."""
    rows = await rows_of(runtime.database, PROBE.outbox)
    data = [row["event"]["data"] for row in rows if row["routing_key"] == EncryptionProgressed.type_name]
    return [(each["version"], each["sealed"], each["left"]) for each in data]


async def test_after_a_rotation_every_value_of_every_tenant_is_sealed_with_the_new_key(
    runtime: Runtime, tenants: list[Tenant]
) -> None:
    before = [await kept(runtime, tenant) for tenant in tenants]
    assert runtime.vault.add(1) == 2
    await runtime.resealing.look()
    assert await versions(runtime, tenants) == [{2}, {2}, {2}]
    assert [set(await kept(runtime, tenant)) for tenant in tenants] == [set(each) for each in before]
    total = MANY + 10
    progress = await told(runtime)
    assert [left for _, _, left in progress] == sorted((left for _, _, left in progress), reverse=True)
    assert len(progress) >= 4
    assert progress[-1] == (2, total, 0)


async def test_without_a_rotation_nothing_is_read_written_or_told(runtime: Runtime, tenants: list[Tenant]) -> None:
    before = [await kept(runtime, tenant) for tenant in tenants]
    await runtime.resealing.look()
    assert [await kept(runtime, tenant) for tenant in tenants] == before
    assert await told(runtime) == []


async def test_looking_again_changes_nothing(runtime: Runtime, tenants: list[Tenant]) -> None:
    runtime.vault.add(1)
    await runtime.resealing.look()
    after, said = [await kept(runtime, tenant) for tenant in tenants], await told(runtime)
    for _ in range(3):
        await runtime.resealing.look()
    assert [await kept(runtime, tenant) for tenant in tenants] == after
    assert await told(runtime) == said


async def test_who_is_killed_after_a_piece_leaves_the_rest_to_the_next(
    runtime: Runtime, tenants: list[Tenant], settings: Settings, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.vault.add(1)
    pieces = 0

    async def killed(*given: object) -> int:
        nonlocal pieces
        pieces += 1
        if pieces == 2:
            raise asyncio.CancelledError
        return await resealing_piece(*given)  # type: ignore[arg-type]  # what it was given

    resealing_piece = resealing.reseal_piece
    monkeypatch.setattr(resealing, "reseal_piece", killed)
    with pytest.raises(asyncio.CancelledError):
        await runtime.resealing.look()
    assert {1, 2} <= set().union(*await versions(runtime, tenants))
    monkeypatch.undo()
    next_one = process(settings, keys)
    await next_one.resealing.look()
    await next_one.stop()
    assert await versions(runtime, tenants) == [{2}, {2}, {2}]


async def test_processes_that_reseal_at_once_share_the_work(
    runtime: Runtime, tenants: list[Tenant], settings: Settings, keys: Keys
) -> None:
    others = [process(settings, keys) for _ in range(3)]
    runtime.vault.add(1)
    await asyncio.gather(*(each.resealing.look() for each in (runtime, *others)))
    for other in others:
        await other.stop()
    assert await versions(runtime, tenants) == [{2}, {2}, {2}]


async def test_what_a_newer_key_sealed_is_left_alone_by_who_does_not_know_it_as_newest(
    runtime: Runtime, tenants: list[Tenant], keys: Keys
) -> None:
    runtime.vault.add(1)
    runtime.vault.add(2)
    await runtime.resealing.look()
    keys.keys = {1: keys.keys[1], 3: keys.keys[3], 2: keys.keys[2]}
    after = await kept(runtime, tenants[1])
    older = Vault(Keys(keys.keys[1], keys.keys[2]))
    async with runtime.database.transaction(tenants[1]) as session:
        more = await resealing.reseal_piece(session, older, tenants[1], TABLE, TABLE.c.sealed, CONFIGURATION_SECRETS)
    assert not more
    assert await kept(runtime, tenants[1]) == after


async def test_a_value_that_does_not_open_stays_and_holds_up_no_other_tenant(
    runtime: Runtime, tenants: list[Tenant]
) -> None:
    damaged = runtime.vault.seal(tenants[0], PURPOSE, "of another row", b"x")
    async with runtime.database.transaction(tenants[0]) as session:
        await session.execute(update(TABLE).where(TABLE.c.key == "key-0003").values(sealed=damaged))
    runtime.vault.add(1)
    await runtime.resealing.look()
    assert await versions(runtime, tenants[1:]) == [{2}, {2}]
    async with runtime.database.transaction(tenants[0]) as session:
        stored = (await session.execute(select(TABLE.c.sealed).where(TABLE.c.key == "key-0003"))).scalar_one()
    assert stored == damaged
    assert (await told(runtime))[-1][2] > 0


PUBLIC = {
    ("audit", "checkpoints", "root_hash"),
    ("audit", "signing_keys", "public_key"),
    ("audit", "tree_nodes", "hash"),
}


def test_every_column_of_bytes_is_sealed_anew_or_public() -> None:
    others = {
        (service.name, table.name, column.name)
        for service in declared_services()
        for table in service.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary) and "sealed" not in column.info
    }
    assert others == PUBLIC

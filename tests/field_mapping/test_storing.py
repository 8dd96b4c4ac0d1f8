"""The assets table in Postgres: typed columns, and a machine that is imported again has one row, the new one."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import polars as pl
import pytest
from sqlalchemy import Table, select

from contracts.envelope import Tenant
from services.chassis.database import Database
from services.chassis.frames import insert_frames
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.field_mapping.handlers import asset_rows
from services.field_mapping.tables import Asset

assert isinstance(Asset.__table__, Table)
ASSETS = Asset.__table__


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Database]:
    """Field mapping's own way into a fresh database."""
    database = Database("field_mapping", settings)
    yield database
    await database.close()


def machines(uids: list[str], **fields: Any) -> pl.DataFrame:
    names = [f"m{number}" for number in range(len(uids))]
    return pl.DataFrame({"asset_uid": uids, "name": names, "source_rows": names, **fields})


async def store(own: Database, tenant: Tenant, assets: pl.DataFrame, flow_id: UUID) -> None:
    async with own.transaction(tenant) as session:
        await insert_frames(session, ASSETS, [asset_rows(assets, assets.columns)], {"flow_id": flow_id}, replace=True)


async def stored(own: Database, tenant: Tenant) -> list[dict[str, Any]]:
    async with own.transaction(tenant) as session:
        return [dict(row) for row in (await session.execute(select(ASSETS).order_by(ASSETS.c.name))).mappings()]


async def test_every_field_arrives_in_its_type(own: Database) -> None:
    tenant, flow_id, uid = some_tenant(), uuid4(), uuid4()
    fields = {
        "hostname": "",
        "description": 'a "b",\n\\N',
        "cpu_cores": 4,
        "memory_gb": 0.1,
        "is_virtual": True,
        "install_date": date(2021, 3, 4),
        "last_seen": datetime.fromisoformat("2024-01-02T03:04:05.678"),
    }
    await store(own, tenant, machines([str(uid)], **{name: [value] for name, value in fields.items()}), flow_id)
    row = (await stored(own, tenant))[0]
    assert {name: row[name] for name in fields} == fields
    assert (row["asset_uid"], row["flow_id"], row["vm_name"]) == (uid, flow_id, None)
    assert (row["client_account_id"], row["engagement_id"]) == (tenant.client_account_id, tenant.engagement_id)


async def test_a_machine_that_is_imported_again_is_replaced_and_the_others_stay(own: Database) -> None:
    tenant, other = some_tenant(), some_tenant()
    first, second, uids = uuid4(), uuid4(), sorted(str(uuid4()) for _ in range(3))
    await store(own, tenant, machines(uids[:2], hostname=["a", "b"], rto=[1.5, 2.5]), first)
    await store(own, tenant, machines(uids[1:], hostname=["new", "c"]), second)
    await store(own, other, machines(uids, hostname=["x", "y", "z"]), first)
    rows = {str(row["asset_uid"]): row for row in await stored(own, tenant)}
    assert {uid: (row["hostname"], row["rto"], row["flow_id"]) for uid, row in rows.items()} == {
        uids[0]: ("a", 1.5, first),
        uids[1]: ("new", None, second),
        uids[2]: ("c", None, second),
    }


async def test_rows_go_in_piece_by_piece_and_none_is_left_out(own: Database) -> None:
    tenant, uids = some_tenant(), [str(uuid4()) for _ in range(20)]
    assets = machines(uids)
    pieces = (asset_rows(piece, assets.columns) for piece in assets.iter_slices(7))
    async with own.transaction(tenant) as session:
        await insert_frames(session, ASSETS, pieces, {"flow_id": uuid4()}, replace=True)
    assert sorted(str(row["asset_uid"]) for row in await stored(own, tenant)) == sorted(uids)


async def test_two_imports_of_the_same_machines_at_once_leave_one_row_each(own: Database) -> None:
    tenant, uids = some_tenant(), [str(uuid4()) for _ in range(50)]
    await asyncio.gather(*(store(own, tenant, machines(uids), uuid4()) for _ in range(3)))
    rows = await stored(own, tenant)
    assert len(rows) == 50
    assert len({row["flow_id"] for row in rows}) == 1


async def test_rows_are_let_go_when_they_are_stored_not_when_the_garbage_collector_comes(own: Database) -> None:
    pieces = [machines([str(uuid4()) for _ in range(100)], description=["x" * 20_000] * 100) for _ in range(6)]
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        async with own.transaction(some_tenant()) as session:
            await insert_frames(session, ASSETS, iter(pieces), {"flow_id": uuid4()})
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    # Each piece is 2 MB of text; one or two of them are on their way at a time.
    assert most > 2_000_000
    assert held < 2_000_000

"""A new export of an estate that is known: the same again changes nothing, and what it changes is said."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, select

from contracts.discovery import InventoryChanges
from contracts.envelope import Tenant
from services.chassis.database import Database
from services.chassis.frames import insert_frames
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.field_mapping import reimport
from services.field_mapping.asset_changes import source_of
from services.field_mapping.handlers import asset_rows
from services.field_mapping.inventory import build_inventory
from services.field_mapping.reimport import Changes, Comparison, known_machines, mark_vanished
from services.field_mapping.tables import Asset
from tests.field_mapping.source_tables import Cells, source_table

assert isinstance(Asset.__table__, Table)
ASSETS = Asset.__table__
NOTHING = InventoryChanges(appeared=0, returned=0, changed=0, vanished=0, unchanged=0)


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Database]:
    """Field mapping's own way into a fresh database."""
    database = Database("field_mapping", settings)
    yield database
    await database.close()


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons of more than one piece, also with few assets."""
    monkeypatch.setattr(reimport, "_AT_A_TIME", 2)


async def import_file(
    own: Database, tenant: Tenant, columns: dict[str, Cells], file_name: str = "cmdb_2026-01-31.csv"
) -> Changes | None:
    """What a discovery of this file does with the assets."""
    flow_id = uuid4()
    async with own.transaction(tenant) as session:
        known = await known_machines(session)
        inventory = build_inventory([source_table(columns, file_name=file_name)], tenant.engagement_id, known=known)
        comparison = None if known is None else Comparison(session, known)
        rows = (asset_rows(assets, inventory.fields()) for assets in inventory.pieces(2))
        before = None if comparison is None else comparison.add
        await insert_frames(session, ASSETS, rows, {"flow_id": flow_id}, replace=True, before=before)
        changes = None if comparison is None else await comparison.changes()
        if changes is not None:
            await mark_vanished(session, changes, flow_id)
    return changes


async def stored(own: Database, tenant: Tenant) -> dict[str, tuple[UUID, bool]]:
    """The uid of each machine, and whether it has vanished."""
    async with own.transaction(tenant) as session:
        rows = await session.execute(select(Asset.name, Asset.asset_uid, Asset.vanished_from))
    return {name: (uid, vanished is not None) for name, uid, vanished in rows}


ESTATE: dict[str, Cells] = {
    "hostname": ["web01", "web02", "db01", "app01", "app02"],
    "memory_gb": ["16", "16", "64", "8", "8"],
    "is_virtual": ["yes", "no", "yes", "yes", None],
    "install_date": ["2020-01-02", None, "2021-03-04", "2022-05-06", "2022-05-06"],
    "last_seen": ["2026-01-02 03:04:05", None, None, None, None],
}


async def test_the_first_import_changes_nothing_that_is_known(own: Database) -> None:
    assert await import_file(own, some_tenant(), ESTATE) is None


async def test_the_same_file_again_changes_nothing(own: Database) -> None:
    tenant = some_tenant()
    await import_file(own, tenant, ESTATE)
    before = await stored(own, tenant)
    changes = await import_file(own, tenant, ESTATE)
    assert changes is not None
    assert changes.counts == NOTHING.model_copy(update={"unchanged": 5})
    assert changes.listed.is_empty()
    assert await stored(own, tenant) == before


async def test_a_new_export_says_what_appeared_changed_and_vanished(own: Database) -> None:
    tenant = some_tenant()
    await import_file(own, tenant, ESTATE)
    newer: dict[str, Cells] = {
        "hostname": ["web01", "web02", "db01", "app01", "app03"],
        "memory_gb": ["32 GB", "16", "64", "8", "8"],
        "is_virtual": ["yes", "no", "yes", "yes", None],
        "install_date": ["2020-01-02", None, "2021-03-04", "2022-05-06", "2022-05-06"],
        "last_seen": ["2026-01-02 03:04:05", None, None, None, None],
    }
    changes = await import_file(own, tenant, newer, "CMDB_2026-02-28 (1).csv")
    assert changes is not None
    assert changes.counts == InventoryChanges(appeared=1, returned=0, changed=1, vanished=1, unchanged=3)
    listed = {row["name"]: row for row in changes.listed.iter_rows(named=True)}
    assert {name: row["change"] for name, row in listed.items()} == {
        "web01": "changed",
        "app03": "appeared",
        "app02": "vanished",
    }
    assert (listed["web01"]["field"], listed["web01"]["before"], listed["web01"]["after"]) == (
        "memory_gb",
        "16.0",
        "32.0",
    )
    assert {name for name, (_, vanished) in (await stored(own, tenant)).items() if vanished} == {"app02"}


async def test_what_vanished_may_return(own: Database) -> None:
    tenant = some_tenant()
    await import_file(own, tenant, ESTATE)
    await import_file(own, tenant, {name: cells[:4] for name, cells in ESTATE.items()})
    changes = await import_file(own, tenant, ESTATE)
    assert changes is not None
    assert changes.counts == NOTHING.model_copy(update={"returned": 1, "unchanged": 4})
    assert not any(vanished for _, vanished in (await stored(own, tenant)).values())


async def test_a_file_of_another_source_makes_nothing_vanish(own: Database) -> None:
    tenant = some_tenant()
    await import_file(own, tenant, ESTATE)
    changes = await import_file(own, tenant, {"hostname": ["mail01"]}, "vcenter.csv")
    assert changes is not None
    assert (changes.counts.appeared, changes.counts.vanished) == (1, 0)


async def test_another_estate_under_the_same_file_name_makes_nothing_vanish(own: Database) -> None:
    tenant = some_tenant()
    await import_file(own, tenant, ESTATE)
    changes = await import_file(own, tenant, {"hostname": ["mail01", "mail02", "web01"]})
    assert changes is not None
    assert (changes.counts.vanished, changes.counts.unrelated_files) == (0, True)
    assert not any(vanished for _, vanished in (await stored(own, tenant)).values())


async def test_another_tenant_knows_nothing(own: Database) -> None:
    await import_file(own, some_tenant(), ESTATE)
    assert await import_file(own, some_tenant(), ESTATE) is None


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("cmdb.csv:7", "cmdb.csv"),
        ("CMDB_2026-01-31.csv:7", "cmdb.csv"),
        ("cmdb 20260131.csv:7", "cmdb.csv"),
        ("cmdb-31.01.2026.csv:7", "cmdb.csv"),
        ("cmdb (2).csv:12", "cmdb.csv"),
        ("RVTools_export_all_2026-01-31_10.15.00.xlsx/vInfo:3", "rvtools_export_all.xlsx/vinfo"),
        ("vcenter1.csv:2", "vcenter1.csv"),
        ("vcenter2.csv:2", "vcenter2.csv"),
    ],
)
def test_a_source_is_the_file_name_without_what_changes_from_export_to_export(place: str, source: str) -> None:
    assert source_of(place) == source

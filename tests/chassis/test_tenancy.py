"""No tenant set means no rows; another tenant's rows can be neither seen nor written."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError

from contracts.envelope import Tenant
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.chassis.tenancy import enter
from services.chassis.testing import some_tenant
from tests.chassis.probe import EFFECTS, LISTENER, PROBE, check, effects, leave, probe
from tests.conftest import declared_services

TABLE = EFFECTS["probe"]


@pytest.fixture
async def two_tenants(settings: Settings) -> tuple[Settings, Tenant, Tenant]:
    mine, theirs = some_tenant(), some_tenant()
    database = Database("probe", settings)
    for tenant in (mine, theirs):
        async with database.transaction(tenant) as session:
            await leave(session, probe(), check(tenant))
    await database.close()
    return settings, mine, theirs


async def test_without_a_tenant_there_are_no_rows(two_tenants: tuple[Settings, Tenant, Tenant]) -> None:
    database = Database("probe", two_tenants[0])
    async with database.session() as session:
        assert (await session.execute(select(func.count()).select_from(TABLE))).scalar() == 0
        assert (await session.execute(delete(TABLE))).rowcount == 0  # type: ignore[attr-defined]  # a cursor result
    await database.close()


async def test_without_a_tenant_nothing_can_be_written(settings: Settings) -> None:
    database = Database("probe", settings)
    with pytest.raises(DBAPIError, match=r"row-level security|null value"):
        async with database.session() as session:
            await leave(session, probe(), check(some_tenant()))
    await database.close()


async def test_the_tenant_ends_with_its_transaction(two_tenants: tuple[Settings, Tenant, Tenant]) -> None:
    settings, mine, _ = two_tenants
    database = Database("probe", settings)
    for _ in range(20):
        async with database.transaction(mine) as session:
            assert (await session.execute(select(func.count()).select_from(TABLE))).scalar() == 1
        async with database.session() as session:
            assert (await session.execute(select(func.count()).select_from(TABLE))).scalar() == 0
    await database.close()


async def test_another_tenants_rows_are_invisible_and_unwritable(
    two_tenants: tuple[Settings, Tenant, Tenant],
) -> None:
    settings, mine, theirs = two_tenants
    database = Database("probe", settings)
    async with database.transaction(mine) as session:
        rows = (await session.execute(select(TABLE))).all()
        changed = await session.execute(update(TABLE).values(note="changed"))
        named = await session.execute(
            update(TABLE).where(TABLE.c.client_account_id == theirs.client_account_id).values(note="stolen")
        )
    assert {row.client_account_id for row in rows} == {mine.client_account_id}
    assert (changed.rowcount, named.rowcount) == (1, 0)  # type: ignore[attr-defined]  # cursor results
    assert [note for _, note in await effects(database, probe(), theirs)] == [""]
    await database.close()


async def test_the_other_engagement_of_a_client_is_another_tenant(settings: Settings) -> None:
    mine = some_tenant()
    other = Tenant(client_account_id=mine.client_account_id, engagement_id=uuid4())
    database = Database("probe", settings)
    async with database.transaction(mine) as session:
        await leave(session, probe(), check(mine))
    assert await effects(database, probe(), other) == []
    await database.close()


@pytest.mark.parametrize("column", ["client_account_id", "engagement_id"])
async def test_a_forged_tenant_column_is_rejected(two_tenants: tuple[Settings, Tenant, Tenant], column: str) -> None:
    settings, mine, theirs = two_tenants
    database = Database("probe", settings)
    forged: UUID = getattr(theirs, column)
    for statement in (
        insert(TABLE).values({"event_id": uuid4(), column: forged}),
        update(TABLE).values({column: forged}),
    ):
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with database.transaction(mine) as session:
                await session.execute(statement)
    await database.close()


async def test_one_tenant_cannot_use_up_the_event_ids_of_another(settings: Settings) -> None:
    database = Database("probe", settings)
    event_id = uuid4()
    for tenant in (some_tenant(), some_tenant()):
        async with database.transaction(tenant) as session:
            await session.execute(insert(PROBE.inbox).values(event_id=event_id))
    await database.close()


async def test_the_dispatch_role_sees_events_and_work_of_all_tenants_and_nothing_else(
    two_tenants: tuple[Settings, Tenant, Tenant],
) -> None:
    settings, mine, theirs = two_tenants
    database = Database("probe", settings)
    for tenant in (mine, theirs):
        async with database.transaction(tenant) as session:
            for table, row in (
                (PROBE.inbox, {"event_id": uuid4()}),
                (PROBE.outbox, {"routing_key": "a.b", "event": {}}),
                (PROBE.work, {"event_id": uuid4(), "event_type": "a.b", "event": {}}),
            ):
                await session.execute(insert(table).values(row))
    for table in (PROBE.inbox, PROBE.outbox, PROBE.work):
        async with database.dispatch() as connection:
            assert (await connection.execute(select(func.count()).select_from(table))).scalar() == 2
    for statement in (
        select(TABLE),
        insert(PROBE.outbox).values(routing_key="forged.event", event={}),
        update(PROBE.outbox).values(event={}),
        insert(PROBE.work).values(event_id=uuid4(), event_type="a.b", event={}),
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.dispatch() as connection:
                await connection.execute(statement)
    await database.close()


async def test_the_dispatch_role_of_the_orchestrator_may_read_the_flows_and_not_change_them(settings: Settings) -> None:
    flows = next(each for each in declared_services() if each.name == "flow_orchestrator").metadata
    open_to_dispatch = {table.name: table.info["dispatch"] for table in flows.sorted_tables if "dispatch" in table.info}
    assert open_to_dispatch == {
        "inbox": "select, delete",
        "outbox": "select, delete",
        "work": "select, update, delete",
        "cancelled_work": "select, delete",
        "configuration": "select (key, version)",
        "crewai_flow_state_extensions": "select",
        "flow_schedules": "select",
        "repair_runs": "select",
    }
    database = Database("flow_orchestrator", settings)
    master = flows.tables["flow_orchestrator.crewai_flow_state_extensions"]
    async with database.dispatch() as connection:
        assert (await connection.execute(select(master))).all() == []
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.dispatch() as connection:
            await connection.execute(delete(master))
    await database.close()


async def test_a_service_cannot_reach_the_schema_of_another(settings: Settings) -> None:
    database = Database("probe", settings)
    for statement in (select(LISTENER.outbox), text("create table probe_listener.mine ()"), text("create schema mine")):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.transaction(some_tenant()) as session:
                await session.execute(statement)
    await database.close()


async def test_a_savepoint_that_is_rolled_back_leaves_the_tenant_that_was_entered_before(settings: Settings) -> None:
    mine, other = some_tenant(), some_tenant()
    database = Database("probe", settings)
    async with database.transaction(mine) as session:
        savepoint = await session.begin_nested()
        await enter(session, other)
        await savepoint.rollback()
        await leave(session, probe(), event := check(mine))
    assert await effects(database, probe(), mine) == [(event.id, "")]
    await database.close()

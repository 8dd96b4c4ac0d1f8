"""What Postgres itself says about every table of every service: the catalogue, not our declarations."""

import re

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.chassis.migrations import admin_url
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.tenancy import dispatch_role, service_role

# What a role may do at all with a table, from the table and its columns alike.
PRIVILEGES = ("select", "insert", "update", "delete", "truncate", "references", "trigger")


async def ask(settings: Settings, question: str, **values: object) -> list[tuple[object, ...]]:
    """Rows of the system catalogue, as the administrator sees them."""
    engine = create_async_engine(admin_url(settings))
    async with engine.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(text(question), values)]
    await engine.dispose()
    return rows


@pytest.fixture
def schemas(services: list[Service]) -> list[str]:
    return [service.name for service in services]


@pytest.fixture
def roles(schemas: list[str]) -> list[str]:
    return [role(schema) for schema in schemas for role in (service_role, dispatch_role)]


# A table that no role of ours can reach, such as the migrations' own version table, needs no policy.
REACHABLE = """
    from pg_class t join pg_namespace n on n.oid = t.relnamespace
    where n.nspname = any(:schemas) and t.relkind in ('r', 'p') and exists (
        select from unnest(cast(:roles as text[])) role
        where has_table_privilege(role, t.oid, 'select, insert, update, delete, truncate')
            or has_any_column_privilege(role, t.oid, 'select, insert, update')
    )
"""


async def test_every_declared_table_is_there(settings: Settings, services: list[Service], schemas: list[str]) -> None:
    question = "select schemaname, tablename from pg_tables where schemaname = any(:schemas)"
    found = set(await ask(settings, question, schemas=schemas))
    declared = {(each.name, table.name) for each in services for table in each.metadata.sorted_tables}
    assert declared <= found
    assert {name for _, name in found - declared} <= {"alembic_version"}


async def test_row_level_security_is_enabled_and_forced(
    settings: Settings, services: list[Service], schemas: list[str], roles: list[str]
) -> None:
    question = f"select n.nspname, t.relname, t.relrowsecurity and t.relforcerowsecurity {REACHABLE}"
    found = await ask(settings, question, schemas=schemas, roles=roles)
    assert [row for row in found if not row[2]] == []
    assert len(found) == sum(len(each.metadata.sorted_tables) for each in services)


async def test_every_table_has_the_policy_of_its_tenant_and_dispatch_ones_only_where_declared(
    settings: Settings, services: list[Service], schemas: list[str]
) -> None:
    question = """
        select schemaname, tablename, policyname, permissive, roles::text[], cmd, qual = with_check as both,
            qual like '%app.client_account_id%' and qual like '%app.engagement_id%' as by_tenant
        from pg_policies where schemaname = any(:schemas)
    """
    found = {tuple(row[:3]): row[3:] for row in await ask(settings, question, schemas=schemas)}
    expected = {}
    for service in services:
        for table in service.metadata.sorted_tables:
            expected[service.name, table.name, "own_tenant"] = (
                "PERMISSIVE", [service_role(service.name)], "ALL", True, True,
            )  # fmt: skip
            if "dispatch" in table.info:
                expected[service.name, table.name, "every_tenant"] = (
                    "PERMISSIVE", [dispatch_role(service.name)], "ALL", True, False,
                )  # fmt: skip
    assert found == expected


async def test_tenant_columns_are_there_and_never_null(
    settings: Settings, services: list[Service], schemas: list[str], roles: list[str]
) -> None:
    question = f"""
        select n.nspname, t.relname,
            (select count(*) from pg_attribute a where a.attrelid = t.oid and a.attnotnull
                and a.attname in ('client_account_id', 'engagement_id') and a.atttypid = 'uuid'::regtype)
        {REACHABLE}
    """
    found = await ask(settings, question, schemas=schemas, roles=roles)
    assert found
    assert [row for row in found if row[2] != 2] == []


async def test_unique_keys_that_a_tenant_can_fill_lead_with_the_tenant(settings: Settings, schemas: list[str]) -> None:
    question = """
        select n.nspname, t.relname, i.relname, array_agg(a.attname::text order by k.position)
        from pg_index x join pg_class t on t.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
        join pg_namespace n on n.oid = t.relnamespace
        cross join unnest(x.indkey) with ordinality k(number, position)
        join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number
        where x.indisunique and n.nspname = any(:schemas) and t.relname <> 'alembic_version'
            -- A number that only the database gives out tells nobody anything.
            and not (array_length(x.indkey::int2[], 1) = 1 and a.attidentity = 'a')
        group by 1, 2, 3
    """
    found = await ask(settings, question, schemas=schemas)
    assert found
    leading = ["client_account_id", "engagement_id"]
    assert [row for row in found if row[3][:2] != leading] == []  # type: ignore[index]  # an array of names


async def test_foreign_keys_stay_inside_schema_and_tenant(settings: Settings, schemas: list[str]) -> None:
    question = r"""
        select conrelid::regclass::text, pg_get_constraintdef(c.oid),
            own.relnamespace = target.relnamespace
                and pg_get_constraintdef(c.oid) ~ '(\(client_account_id, engagement_id,.*){2}'
        from pg_constraint c join pg_class own on own.oid = c.conrelid join pg_class target on target.oid = c.confrelid
        where c.contype = 'f' and own.relnamespace::regnamespace::text = any(:schemas)
    """
    assert [row for row in await ask(settings, question, schemas=schemas) if not row[2]] == []


async def test_roles_reach_their_own_schema_only(settings: Settings, schemas: list[str], roles: list[str]) -> None:
    question = """
        select role, n.nspname from unnest(cast(:roles as text[])) role cross join pg_namespace n
        where n.nspname = any(:schemas) and has_schema_privilege(role, n.oid, 'usage')
    """
    found = await ask(settings, question, schemas=schemas, roles=roles)
    assert sorted(found) == sorted(
        (role(schema), schema) for schema in schemas for role in (service_role, dispatch_role)
    )
    question = """
        select role, n.nspname from unnest(cast(:roles as text[])) role cross join pg_namespace n
        where has_schema_privilege(role, n.oid, 'create') and not pg_is_other_temp_schema(n.oid)
            and n.nspname !~ '^pg_(toast_)?temp_'
    """
    assert await ask(settings, question, schemas=schemas, roles=roles) == []


async def test_grants_are_the_declared_ones_and_no_others(
    settings: Settings, services: list[Service], schemas: list[str], roles: list[str]
) -> None:
    question = """
        select role, n.nspname, t.relname, privilege from unnest(cast(:roles as text[])) role
        cross join pg_class t join pg_namespace n on n.oid = t.relnamespace
        cross join unnest(cast(:privileges as text[])) privilege
        where n.nspname = any(:schemas) and t.relkind in ('r', 'p', 'v', 'm')
            and (has_table_privilege(role, t.oid, privilege) or (privilege = any('{select,insert,update,references}')
                and has_any_column_privilege(role, t.oid, privilege)))
    """
    found = set(await ask(settings, question, schemas=schemas, roles=roles, privileges=list(PRIVILEGES)))
    declared = set()
    for service in services:
        for table in service.metadata.sorted_tables:
            own = table.info.get("grants", "select, insert, update, delete")
            for role, grants in (
                (service_role(service.name), own),
                (dispatch_role(service.name), table.info.get("dispatch", "")),
            ):
                # Some are for columns only: `select (a, b)`.
                names = re.findall(r"([a-z]+)(?: \([^)]*\))?(?:, |$)", grants)
                declared |= {(role, service.name, table.name, each) for each in names}
    assert found == declared


async def test_roles_have_no_way_around_row_level_security(settings: Settings, roles: list[str]) -> None:
    question = """
        select rolname, rolcanlogin, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication
        from pg_roles where rolname = any(:roles)
    """
    found = await ask(settings, question, roles=roles)
    assert sorted(found) == sorted((role, True, False) for role in roles)
    question = "select 1 from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = any(:roles)"
    assert await ask(settings, question, roles=roles) == []
    question = """
        select 1 from pg_class t join pg_roles r on r.oid = t.relowner where r.rolname = any(:roles)
        union all select 1 from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
    """
    assert await ask(settings, question, roles=roles) == []

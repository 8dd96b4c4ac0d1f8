"""That the database has the tables and grants that are declared, and no others; `test_isolation` has the rules."""

import re

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.chassis.migrations import admin_url
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.tenancy import dispatch_grants, dispatch_role, service_role

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


async def test_every_declared_table_is_there(settings: Settings, services: list[Service], schemas: list[str]) -> None:
    question = "select schemaname, tablename from pg_tables where schemaname = any(:schemas)"
    found = set(await ask(settings, question, schemas=schemas))
    declared = {(each.name, table.name) for each in services for table in each.metadata.sorted_tables}
    assert declared <= found
    assert {name for _, name in found - declared} <= {"alembic_version"}


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
                (dispatch_role(service.name), dispatch_grants(table)),
            ):
                # Some are for columns only: `select (a, b)`.
                names = re.findall(r"([a-z]+)(?: \([^)]*\))?(?:, |$)", grants)
                declared |= {(role, service.name, table.name, each) for each in names}
    assert found == declared

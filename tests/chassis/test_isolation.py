"""Each way to open the database to the wrong tenant or service is planted, and must be found by its own rule."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.chassis.bus.in_process import InProcessBus
from services.chassis.isolation import DatabaseNotIsolated, Violation, violations
from services.chassis.isolation_rules import RULES
from services.chassis.migrations import admin_url, migrate
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import TestPostgres
from tests.chassis.planted import PLANTS, PROTECTED
from tests.chassis.probe import LISTENER, PROBE
from tests.conftest import declared_services


@pytest.fixture(scope="module")
def migrated(postgres: TestPostgres) -> Iterator[str]:
    """The address of one database for all tests that roll back what they do."""
    with asyncio.Runner() as runner:
        database = postgres.database()
        yield runner.run(database.__aenter__())
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture
async def admin(migrated: str) -> AsyncIterator[AsyncConnection]:
    """A transaction of the database's owner that is rolled back: roles belong to all databases of a server."""
    engine = create_async_engine(admin_url(Settings(database_url=migrated)))
    async with engine.connect() as connection:
        yield connection
        await connection.rollback()
    await engine.dispose()


async def plant(connection: AsyncConnection, statements: str) -> None:
    raw = await connection.get_raw_connection()
    await connection.execute(text("select 1"))  # begins the transaction
    assert raw.driver_connection is not None
    await raw.driver_connection.execute(statements)


async def test_what_the_migration_job_leaves_breaks_no_rule(admin: AsyncConnection, services: list[Service]) -> None:
    assert {service.name: await violations(admin, service.metadata) for service in services} == {
        service.name: [] for service in services
    }


async def test_every_service_finds_what_it_cannot_see_in_its_own_catalogue_as_its_own_role(settings: Settings) -> None:
    for service in (*declared_services(), Service(PROBE)):
        runtime = Runtime(service, settings, InProcessBus())
        await runtime.listen()
        await runtime.stop()


@pytest.mark.parametrize("name", PLANTS)
async def test_a_planted_violation_is_found_by_its_rule_and_named(name: str, admin: AsyncConnection) -> None:
    rule, words, statements = PLANTS[name]
    await plant(admin, statements)
    found = await violations(admin, PROBE)
    assert [each for each in found if each.rule == rule and words in each.what], found


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTS.values()} == set(RULES)


async def test_a_table_of_a_newer_version_that_is_protected_as_ours_are_breaks_no_rule(admin: AsyncConnection) -> None:
    await plant(admin, PROTECTED)
    assert await violations(admin, PROBE) == []


async def test_a_view_that_asks_for_its_readers_rows_needs_no_more(admin: AsyncConnection) -> None:
    await plant(admin, "create view probe.own_effects with (security_invoker = on) as select * from probe.effects")
    assert await violations(admin, PROBE) == []


async def test_what_is_planted_for_one_service_does_not_stop_another(admin: AsyncConnection) -> None:
    await plant(admin, "alter table probe.effects disable row level security")
    assert await violations(admin, LISTENER) == []


async def test_a_service_refuses_to_start_says_why_and_starts_once_the_migration_job_mended_it(
    settings: Settings, services: list[Service]
) -> None:
    engine = create_async_engine(admin_url(settings))
    async with engine.begin() as connection:
        await plant(
            connection, "drop policy own_tenant on probe.effects; grant truncate on probe.effects to modernize_probe"
        )
    await engine.dispose()
    runtime = Runtime(Service(PROBE), settings, InProcessBus())
    with pytest.raises(DatabaseNotIsolated) as refused:
        await runtime.listen()
    assert refused.value.violations == [
        Violation("policy_missing", "the table probe.effects has no policy own_tenant", RULES["policy_missing"].remedy),
        Violation("grant", "modernize_probe may truncate on probe.effects", RULES["grant"].remedy),
    ]
    detail = refused.value.problem.detail
    assert all(words in detail for words in ("service probe", "no policy own_tenant", "modernize migrate"))
    await migrate(settings, services, lambda connection, service: None)
    await runtime.listen()
    await runtime.stop()

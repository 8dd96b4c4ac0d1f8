"""The migration job: what it makes is what the code declares, however often it runs."""

from functools import partial

import pytest
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from services.chassis.migrations import admin_url, migrate, missing_changes
from services.chassis.service import Service
from services.chassis.settings import Settings
from tests.conftest import declared_services


@pytest.mark.parametrize("service", declared_services(), ids=lambda service: service.name)
async def test_the_versions_of_a_service_make_exactly_its_tables(service: Service, database: str) -> None:
    engine = create_async_engine(admin_url(Settings(database_url=database)))
    async with engine.connect() as connection:
        changes = await connection.run_sync(partial(_changes, service=service))
    await engine.dispose()
    assert changes == [], f'tables.py changed: run `just migration {service.name} "what changes"`'


def _changes(connection: Connection, service: Service) -> list[object]:
    operations = missing_changes(connection, service).upgrade_ops
    assert operations is not None
    return list(operations.as_diffs())


async def test_running_the_job_again_changes_nothing(database: str) -> None:
    settings = Settings(database_url=database)
    await migrate(settings, declared_services())
    await migrate(settings, declared_services())

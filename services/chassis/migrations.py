"""The one-off job that brings database and bus to what the services' code expects; safe to run again."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.chassis import tenancy
from services.chassis.service import Service
from services.chassis.settings import Settings

# Two jobs at once would trip over each other's roles: the second waits for the first.
_ONE_AT_A_TIME = text("select pg_advisory_lock(hashtextextended('modernize:migrate', 0))")


def admin_url(settings: Settings) -> URL:
    """The address that may create databases, schemas and roles."""
    address = settings.admin_database_url or settings.database_url
    if address is None:
        raise ValueError("MODERNIZE_ADMIN_DATABASE_URL is not set: the migration job needs it")
    url = make_url(address).set(drivername="postgresql+asyncpg")
    return url if url.username else url.set(username="postgres")


async def migrate(settings: Settings, services: Sequence[Service]) -> None:
    """Create the database, and for each service its schema, roles, tables and row-level security."""
    url = admin_url(settings)
    await _create_database(url)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(_ONE_AT_A_TIME)
        for service in services:
            await _migrate_service(connection, service, settings.database_password.get_secret_value())
    await engine.dispose()


async def _create_database(url: URL) -> None:
    engine = create_async_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(_ONE_AT_A_TIME)
        exists = text("select 1 from pg_database where datname = :name")
        if (await connection.execute(exists, {"name": url.database})).first() is None:
            await connection.execute(text(f'create database "{url.database}"'))
    await engine.dispose()


async def _migrate_service(connection: AsyncConnection, service: Service, password: str) -> None:
    for statement in tenancy.role_statements(service.name):
        await connection.execute(text(statement))
    for role in (tenancy.service_role(service.name), tenancy.dispatch_role(service.name)):
        quoted = (await connection.execute(text("select quote_literal(:password)"), {"password": password})).scalar()
        await connection.execute(text(f"alter role {role} password {quoted}"))
    await connection.run_sync(partial(_upgrade, service=service))
    for table in service.metadata.sorted_tables:
        for statement in tenancy.protect_statements(service.name, table):
            await connection.execute(text(statement))


def alembic_config(service: str) -> Config:
    """Alembic's view of one service: its own versions, its own version table in its own schema."""
    config = Config()
    config.set_main_option("script_location", "services.chassis:alembic")
    config.set_main_option("version_path_separator", "os")
    config.set_main_option("version_locations", f"services/{service}/migrations")
    return config


def _upgrade(connection: Connection, service: Service) -> None:
    service.metadata.create_all(connection)


_ = (command, Any)

"""The one-off job that brings a database to what the services' code expects; safe to run again."""

from collections.abc import Callable, Sequence
from pathlib import Path

from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.chassis import tenancy
from services.chassis.extensions import create_extension
from services.chassis.service import Service
from services.chassis.settings import Settings

# Two jobs at once would trip over each other's roles: the second waits for the first.
_ONE_AT_A_TIME = text("select pg_advisory_lock(hashtextextended('modernize:migrate', 0))")
_SERVICES = Path(__file__).parents[1]


def admin_url(settings: Settings) -> URL:
    """The address that may create databases, schemas and roles."""
    address = settings.admin_database_url or settings.database_url
    if address is None:
        raise ValueError("MODERNIZE_ADMIN_DATABASE_URL is not set: the migration job needs it")
    url = make_url(address).set(drivername="postgresql+asyncpg")
    return url if url.username else url.set(username="postgres")


def migration_scripts(service: str) -> ScriptDirectory:
    """The versions of one service's tables: `services/<service>/migrations`."""
    folder = _SERVICES / service / "migrations"
    return ScriptDirectory(str(folder), version_locations=[str(folder)])


def upgrade_to_head(connection: Connection, service: Service) -> None:
    """Run the versions that this database does not have yet."""
    scripts = migration_scripts(service.name)

    def upgrade(revision: str, context: MigrationContext) -> object:
        return scripts._upgrade_revs("head", revision)

    with EnvironmentContext(Config(), scripts, fn=upgrade) as environment:
        environment.configure(connection=connection, version_table_schema=service.name)
        with environment.begin_transaction():
            environment.run_migrations()


def missing_changes(connection: Connection, service: Service) -> MigrationScript:
    """What a database that is at its newest version lacks of the service's tables, or has too much of."""

    def own_schema(name: str | None, kind: str, parents: object) -> bool:
        return kind != "schema" or name == service.name

    options = {
        "version_table_schema": service.name,
        "include_schemas": True,
        "include_name": own_schema,
        "compare_type": True,
        "compare_server_default": True,
    }
    context = MigrationContext.configure(connection, opts=options)
    return produce_migrations(context, service.metadata)


async def migrate(
    settings: Settings,
    services: Sequence[Service],
    upgrade: Callable[[Connection, Service], None] = upgrade_to_head,
) -> None:
    """Create the database, and for each service its roles, schema, tables and row-level security."""
    url = admin_url(settings)
    await create_database(url)
    engine = create_async_engine(url)
    async with engine.connect() as lock:
        await lock.execute(_ONE_AT_A_TIME)
        for service in services:
            async with engine.begin() as connection:
                await create_schema(connection, service, settings.database_password.get_secret_value())
                await close_database(connection, [service])
            async with engine.begin() as connection:
                await connection.run_sync(upgrade, service)
                await _protect_tables(connection, service)
    await engine.dispose()


async def create_database(url: URL) -> None:
    """Make the database itself, if it is not there."""
    engine = create_async_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(_ONE_AT_A_TIME)
        exists = text("select 1 from pg_database where datname = :name")
        if (await connection.execute(exists, {"name": url.database})).first() is None:
            # nosemgrep: raw-sql - names of ours, no values
            await connection.execute(text(f'create database "{url.database}"'))
    await engine.dispose()


async def create_schema(connection: AsyncConnection, service: Service, password: str) -> None:
    """Make the roles and the empty schema of a service, with the extensions that it needs."""
    for statement in tenancy.role_statements(service.name):
        await connection.execute(text(statement))
    quoted = (await connection.execute(text("select quote_literal(:password)"), {"password": password})).scalar()
    for role in (tenancy.service_role(service.name), tenancy.dispatch_role(service.name)):
        # nosemgrep: raw-sql - the server quoted it; a password of a role cannot be bound
        await connection.execute(text(f"alter role {role} password {quoted}"))
    for extension in service.metadata.extensions:
        await create_extension(connection, service.name, extension)


async def close_database(connection: AsyncConnection, services: Sequence[Service]) -> None:
    """Let nobody but these services' roles, and those that may already, connect to this database."""
    database = (await connection.execute(text("select current_database()"))).scalar_one()
    for statement in tenancy.database_statements(database, [service.name for service in services]):
        await connection.execute(text(statement))


async def _protect_tables(connection: AsyncConnection, service: Service) -> None:
    for table in service.metadata.sorted_tables:
        for statement in tenancy.protect_statements(service.name, table):
            await connection.execute(text(statement))

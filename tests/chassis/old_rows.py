"""A service's tables at an older version, with rows in them, as the migration job of that time left them.

The versions are run by an owner who is no superuser and under forced row-level security, as in production: a version
that forgets to lift it sees no rows.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy import Connection, MetaData, Table, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from contracts.envelope import Tenant
from services.chassis import tenancy
from services.chassis.migrations import admin_url, create_schema, migration_scripts
from services.chassis.service import Service
from services.chassis.settings import Settings

OWNER = "test_owner_of_tables"
TENANTS = tuple(Tenant(client_account_id=UUID(int=number), engagement_id=UUID(int=7)) for number in (1, 2))
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
# By the first part of a type's name in Postgres.
_VALUES: dict[str, Any] = {
    **dict.fromkeys(("BIGINT", "INTEGER", "SMALLINT"), 1),
    **dict.fromkeys(("DOUBLE", "NUMERIC", "REAL"), 0.5),
    "BOOLEAN": False,
    "BYTEA": b"x",
    "JSON": "{}",
    "JSONB": "{}",
    "TEXT": "x",
    "VARCHAR": "x",
    "agent_runner.vector": "[0.5]",
}


class OldTables:
    """The tables of one service, which can be brought to a version and filled."""

    def __init__(self, connection: AsyncConnection, service: Service) -> None:
        self.connection = connection
        self.schema = service.name

    @property
    def versions(self) -> list[str]:
        """Every version, oldest first."""
        return [script.revision for script in migration_scripts(self.schema).walk_revisions()][::-1]

    async def upgrade(self, version: str) -> None:
        """Run the versions up to this one, then protect all tables as the job does."""
        await self.connection.execute(text(f"set role {OWNER}"))
        await self.connection.run_sync(self._upgrade, version)
        await self.connection.execute(text("reset role"))
        for name in await self.connection.run_sync(self._names):
            await self.connection.execute(text(f"alter table {self.schema}.{name} enable row level security"))
            await self.connection.execute(text(f"alter table {self.schema}.{name} force row level security"))

    def _upgrade(self, connection: Connection, version: str) -> None:
        scripts = migration_scripts(self.schema)

        def upgrade(revision: Any, context: MigrationContext) -> object:
            return scripts._upgrade_revs(version, revision)

        with EnvironmentContext(Config(), scripts, fn=upgrade) as environment:
            environment.configure(connection=connection, version_table_schema=self.schema)
            with environment.begin_transaction():
                environment.run_migrations()

    def _names(self, connection: Connection) -> list[str]:
        found = inspect(connection).get_table_names(schema=self.schema)
        return sorted(name for name in found if name != "alembic_version")

    async def insert(self, table: str, tenant: Tenant, **values: Any) -> None:
        """Put a row into a table."""
        row = {**tenancy.settings_of(tenant), **values}
        columns, names = ", ".join(row), ", ".join(f":{name}" for name in row)
        await self.connection.execute(text(f"insert into {self.schema}.{table} ({columns}) values ({names})"), row)

    async def fill(self, given: Mapping[tuple[str, str], Any]) -> None:
        """Put one row a tenant into each table that has none; `given` has values by table and column."""
        for table in await self.connection.run_sync(self._tables):
            if (await self.connection.execute(text(f"select 1 from {table.fullname} limit 1"))).first() is not None:
                continue
            for tenant in TENANTS:
                row = {
                    column.name: given.get((table.name, column.name), _value(column.name, column.type))
                    for column in table.columns
                    if column.name not in tenancy.settings_of(tenant)
                    and column.computed is None
                    and column.identity is None
                }
                columns = ", ".join(f'"{name}"' for name in (*tenancy.settings_of(tenant), *row))
                casts = [
                    f"cast(:{name} as {column_type(table, name)})" for name in (*tenancy.settings_of(tenant), *row)
                ]
                statement = f"insert into {table.fullname} ({columns}) values ({', '.join(casts)})"
                await self.connection.execute(text(statement), {**tenancy.settings_of(tenant), **row})

    def _tables(self, connection: Connection) -> Sequence[Table]:
        metadata = MetaData()
        metadata.reflect(connection, schema=self.schema)
        return [table for table in metadata.sorted_tables if table.name != "alembic_version"]

    async def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Everything there is, by table."""
        found = {}
        for name in await self.connection.run_sync(self._names):
            statement = f"select cast(to_jsonb(whole_row) as text) from {self.schema}.{name} whole_row"
            found[name] = [json.loads(row) for row in await self.connection.scalars(text(statement))]
        return found


def column_type(table: Table, name: str) -> str:
    """A column's type as Postgres writes it."""
    return str(table.columns[name].type.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


def _value(name: str, kind: Any) -> Any:
    if isinstance(kind, postgresql.ARRAY):
        return []
    spelled = str(kind).split("(")[0].split()[0]
    if spelled == "UUID":
        # The same in each table, so that keys lead somewhere.
        return str(uuid5(NAMESPACE_URL, name))
    if spelled in ("TIMESTAMP", "DATE"):
        return AT
    return _VALUES[spelled]


@asynccontextmanager
async def old_tables(address: str, service: Service) -> AsyncIterator[OldTables]:
    """The schema of a service in this database, before its first version."""
    settings = Settings(database_url=address)
    engine = create_async_engine(admin_url(settings), isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"drop schema if exists {service.name} cascade"))
            await create_schema(connection, service, settings.database_password.get_secret_value())
            exists = text("select 1 from pg_roles where rolname = :name")
            if (await connection.execute(exists, {"name": OWNER})).first() is None:
                await connection.execute(text(f"create role {OWNER} nosuperuser nobypassrls"))
            await connection.execute(text(f"alter schema {service.name} owner to {OWNER}"))
            yield OldTables(connection, service)
    finally:
        await engine.dispose()

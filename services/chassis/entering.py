"""A transaction that begins in a tenant: both go to Postgres as one message, where two cost a round trip more."""

from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Tenant
from services.chassis.tenancy import ENTER, settings_of

_BEGIN = "BEGIN"
# Postgres has a transaction only once something was sent.
_NOTHING = text("select 1")


class EnteringConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is untyped
    """A connection whose next transaction begins in `entering`, if that is set, and the one after it nowhere."""

    entering: Tenant | None = None

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """Execute a command; of a transaction's first one the tenant is a part."""
        if (tenant := self.entering) is not None and query.startswith(_BEGIN):
            self.entering = None
            query = f"{query} {entering(tenant)}"
        status: str = await super().execute(query, *args, **options)
        return status


async def begin_in(session: AsyncSession, tenant: Tenant) -> None:
    """Let the session's transaction, in which nothing was done yet, begin in `tenant`."""
    (await _driver(session)).entering = tenant


async def driver_of(session: AsyncSession) -> EnteringConnection:
    """The driver's connection in the session's transaction, for what only it can do, such as COPY."""
    driver = await _driver(session)
    if driver.entering is not None:
        await session.execute(_NOTHING)
    return driver


async def _driver(session: AsyncSession) -> EnteringConnection:
    connection = (await session.connection()).sync_connection
    assert connection is not None, "a session's connection is open"
    driver = connection.connection.driver_connection
    assert isinstance(driver, EnteringConnection), "the engine was made by `database.connections`"
    return driver


def entering(tenant: Tenant) -> str:
    """`tenancy.ENTER` with its values in it, for a message of several commands takes no parameters: two UUIDs."""
    command = ENTER
    for name, value in settings_of(tenant).items():
        command = command.replace(f":{name}", f"'{value}'")
    return command

"""A service's two ways into Postgres: as one tenant, and as the dispatcher of events and work."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from contracts.envelope import Tenant
from services.chassis import tenancy
from services.chassis.settings import Settings

# A connection that was idle for this long may have been cut, by a restart or a firewall: it is tried before it is used.
IDLE_SECONDS = 5.0


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _engine(url: URL, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        connect_args={"timeout": 10, "server_settings": {"application_name": f"modernize {url.username}"}},
    )
    event.listen(engine.sync_engine, "checkin", _used)
    event.listen(engine.sync_engine, "checkout", _tried)
    return engine


def _used(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _tried(connection: Any, record: Any, _proxy: Any) -> None:
    """Not `pool_pre_ping`, which asks before every transaction: three round trips beside the eight of a busy one."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server closed this connection")
    if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE_SECONDS:
        return
    try:
        connection.ping()
    except Exception as error:
        raise DisconnectionError from error


def role_url(settings: Settings, role: str) -> URL:
    """The database's address for one role of ours."""
    if settings.database_url is None:
        raise ValueError("MODERNIZE_DATABASE_URL is not set: name the database, as in postgresql://host:5432/migration")
    url = make_url(settings.database_url).set(drivername="postgresql+asyncpg", username=role)
    return url.set(password=settings.database_password.get_secret_value())


class Database:
    """Connections of one service."""

    def __init__(self, service: str, settings: Settings) -> None:
        self.engine = _engine(role_url(settings, tenancy.service_role(service)), 2 + settings.work_concurrency)
        self.dispatch_engine = _engine(role_url(settings, tenancy.dispatch_role(service)), pool_size=2)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A transaction without a tenant: it sees no rows until `tenancy.enter`; it commits when the block ends."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @asynccontextmanager
    async def transaction(self, tenant: Tenant) -> AsyncIterator[AsyncSession]:
        """A transaction that sees and writes the rows of `tenant`; it commits when the block ends."""
        async with self.session() as session:
            await tenancy.enter(session, tenant)
            yield session

    @asynccontextmanager
    async def dispatch(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees events and work of every tenant, and nothing else."""
        async with self.dispatch_engine.begin() as connection:
            yield connection

    async def ping(self) -> None:
        """Raise if the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("select 1"))

    async def close(self) -> None:
        """Give all connections back."""
        await self.engine.dispose()
        await self.dispatch_engine.dispose()

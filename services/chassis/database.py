"""A service's two ways into Postgres: as one tenant, and as the dispatcher of events and work."""

import asyncio
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
from services.chassis.entering import EnteringConnection, begin_in
from services.chassis.settings import Settings

# A connection that was idle for this long may have been cut, by a restart or a firewall: it is tried before it is used.
IDLE_SECONDS = 5.0
# How long a transaction waits for a connection before the database counts as out of reach.
WAIT_SECONDS = 30.0


def connections_for(settings: Settings) -> int:
    """How many transactions a service may have open at once."""
    return 2 * (2 + settings.work_concurrency)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def connections(url: URL, pool_size: int, max_overflow: int) -> AsyncEngine:
    """Connections to Postgres as this project uses them."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        # What was stored may be a secret, and errors end in logs and dead letters.
        hide_parameters=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": 10,
            "server_settings": {"application_name": f"modernize {url.username}"},
            "connection_class": EnteringConnection,
        },
    )
    event.listen(engine.sync_engine, "checkin", _used)
    event.listen(engine.sync_engine, "checkout", _tried)
    return engine


def _used(connection: Any, record: Any) -> None:
    if connection is not None:
        # A transaction that sent nothing has begun nowhere, and whoever comes next is somebody else.
        connection.driver_connection.entering = None
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
        own, dispatch = (role_url(settings, role(service)) for role in (tenancy.service_role, tenancy.dispatch_role))
        size = connections_for(settings)
        self._turns = asyncio.Semaphore(size)
        self.engine = connections(own, size, max_overflow=0)
        self.dispatch_engine = connections(dispatch, pool_size=2, max_overflow=2)
        # What every session can be asked for: the runtime puts its vault here.
        self.info: dict[str, Any] = {}

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A transaction without a tenant: it sees no rows until `tenancy.enter`; it commits when the block ends."""
        async with (
            self._turn(),
            AsyncSession(self.engine, expire_on_commit=False, info=self.info) as session,
            session.begin(),
        ):
            yield session

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        # The pool lets whoever comes next have what was just given back, and those who wait go without.
        async with asyncio.timeout(WAIT_SECONDS):
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    @asynccontextmanager
    async def transaction(self, tenant: Tenant) -> AsyncIterator[AsyncSession]:
        """A transaction that sees and writes the rows of `tenant`; it commits when the block ends."""
        async with self.session() as session:
            await begin_in(session, tenant)
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

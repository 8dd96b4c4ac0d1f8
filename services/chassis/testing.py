"""What tests of services share: a real Postgres per process, a fresh database per test, services that run in it."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from contracts.envelope import Tenant
from services.chassis import tenancy
from services.chassis.bus.transport import Transport
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.chassis.migrations import admin_url, migrate, upgrade_to_head
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.settings import Settings

T = TypeVar("T")

# Where files lie in memory: a database is a thousand of them, and some disks take most of a second for so many.
MEMORY = Path("/dev/shm")  # nosec B108 - a folder of a random name is made in it
ROOM = 2 * 1024**3


def some_tenant() -> Tenant:
    """A tenant nobody else has."""
    return Tenant(client_account_id=uuid4(), engagement_id=uuid4())


def tables_of(connection: Connection, service: Service) -> None:
    """Run the service's migrations; a service that only tests have gets its tables as it declares them."""
    if find_spec(f"services.{service.name}"):
        upgrade_to_head(connection, service)
    else:
        service.metadata.create_all(connection)


class TestPostgres:
    """One embedded server for a test process, with a migrated template that databases are copied from."""

    __test__ = False

    def __init__(self, services: Sequence[Service]) -> None:
        in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
        self.directory = Path(tempfile.mkdtemp(prefix="modernize-test-", dir=MEMORY if in_memory else None))
        self._services = services
        self._server = EmbeddedPostgres(self.directory)
        self._address = self._server.start()
        try:
            asyncio.run(self._prepare(services))
        except BaseException:
            self.stop()
            raise

    async def _prepare(self, services: Sequence[Service]) -> None:
        settings = Settings(database_url=self._address)
        # Durability is tested by killing processes, not the machine.
        async with self._admin() as connection:
            for change in ("fsync = off", "synchronous_commit = off", "max_wal_size = '512MB'"):
                # nosemgrep: raw-sql - names of ours, no values
                await connection.execute(text(f"alter system set {change}"))
            await connection.execute(text("select pg_reload_conf()"))
        await migrate(settings, services, tables_of)

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[AsyncConnection]:
        url = admin_url(Settings(database_url=self._address)).set(database="postgres")
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            yield connection
        await engine.dispose()

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The address of a database of its own, as the migration job leaves one."""
        name = f"test_{uuid4().hex}"
        async with self._admin() as connection:
            # nosemgrep: raw-sql - names of ours, no values
            await connection.execute(text(f"create database {name} template migration strategy file_copy"))
            # A copy has none of the database's own grants.
            for statement in tenancy.database_statements(name, [service.name for service in self._services]):
                await connection.execute(text(statement))
        try:
            yield make_url(self._address).set(database=name).render_as_string(hide_password=False)
        finally:
            async with self._admin() as connection:
                # nosemgrep: raw-sql - names of ours, no values
                await connection.execute(text(f"drop database {name} with (force)"))

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def a_postgres(services: Sequence[Service]) -> Iterator[TestPostgres]:
    """A `TestPostgres` that is stopped in any case."""
    postgres = TestPostgres(services)
    try:
        yield postgres
    finally:
        postgres.stop()


@contextlib.asynccontextmanager
async def running(
    services: Sequence[Service], settings: Settings, transport_of: Callable[[Service], Transport]
) -> AsyncIterator[dict[str, Runtime]]:
    """Run services in this process until the block ends."""
    runtimes = {service.name: Runtime(service, settings, transport_of(service)) for service in services}
    try:
        for runtime in runtimes.values():
            await runtime.listen()
        for runtime in runtimes.values():
            await runtime.start()
        yield runtimes
    finally:
        await asyncio.gather(*(runtime.stop() for runtime in runtimes.values()))


async def eventually(check: Callable[[], Awaitable[T]], seconds: float = 20) -> T:
    """The first true answer of `check`, asked again and again; raises `TimeoutError` with the last answer."""
    answer: T | None = None
    try:
        async with asyncio.timeout(seconds):
            while not (answer := await check()):  # noqa: ASYNC110 - what is awaited happens elsewhere
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise TimeoutError(f"not true within {seconds} s; the last answer was {answer!r}") from error
    return answer

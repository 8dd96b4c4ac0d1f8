"""Where the distributed platform's Postgres, RabbitMQ and Redis come from: settings, what is there, or our own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.extensions import remedy
from services.chassis.settings import Settings
from services.cli.embedded import embedded_postgres
from services.cli.private_nodes import PrivateRabbitMQ, PrivateRedis, speaks_amqp, speaks_redis
from services.cli.service_list import declared_services
from services.cli.terminal import CommandFailed

DEFAULT_POSTGRES = "postgresql://127.0.0.1:5432/migration"
DEFAULT_RABBITMQ = "amqp://guest:guest@127.0.0.1:5672/"
DEFAULT_REDIS = "redis://127.0.0.1:6379/0"
PROBE_SECONDS = 5

Say = Callable[[str], None]


@contextlib.asynccontextmanager
async def infrastructure(settings: Settings, say: Say) -> AsyncIterator[Settings]:
    """The settings with the address of a database, a broker and a cache; stops afterwards what it started."""
    async with contextlib.AsyncExitStack() as stack:
        addresses: dict[str, Any] = {
            "database_url": settings.database_url or await _postgres(settings, stack, say),
            "rabbitmq_url": settings.rabbitmq_url or await _rabbitmq(settings, stack, say),
            "redis_url": settings.redis_url or await _redis(settings, stack, say),
        }
        for name, what in (("database_url", "Postgres"), ("rabbitmq_url", "RabbitMQ"), ("redis_url", "Redis")):
            if getattr(settings, name):
                say(f"{what}: the one that MODERNIZE_{name.upper()} names")
        yield settings.model_copy(update=addresses)


async def _postgres(settings: Settings, stack: contextlib.AsyncExitStack, say: Say) -> str:
    import asyncpg

    try:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=5432, user="postgres", database="postgres", timeout=PROBE_SECONDS
        )
    except (OSError, TimeoutError):
        pass
    except asyncpg.PostgresError as error:
        say(f"A Postgres answers on 127.0.0.1:5432 but lets nobody in without a password ({error}); it is left alone.")
    else:
        lacks = await missing_extensions(
            connection, [name for each in declared_services() for name in each.metadata.extensions]
        )
        await connection.close()
        if not lacks:
            say("Postgres: the one on 127.0.0.1:5432")
            return DEFAULT_POSTGRES
        say(f"A Postgres answers on 127.0.0.1:5432; it is left alone, and what it has with it. {' '.join(lacks)}")
    address = await stack.enter_async_context(embedded_postgres(settings))
    say(f"Postgres: a private server in {settings.data_dir / 'postgres'}")
    return address


async def missing_extensions(connection: Any, names: Iterable[str]) -> list[str]:
    """For each of these extensions that a server does not offer (a connection of asyncpg) what to do about it."""
    offered = {row["name"] for row in await connection.fetch("select name from pg_available_extensions")}
    major = connection.get_server_version().major
    return [remedy(name, major) for name in names if name not in offered]


async def _rabbitmq(settings: Settings, stack: contextlib.AsyncExitStack, say: Say) -> str:
    if await asyncio.to_thread(speaks_amqp, 5672):
        if await _lets_us_in(DEFAULT_RABBITMQ, settings.bus_prefix):
            say("RabbitMQ: the one on 127.0.0.1:5672")
            return DEFAULT_RABBITMQ
        say("A RabbitMQ answers on 127.0.0.1:5672 but does not let guest in; it is left alone.")
    if PrivateRabbitMQ.server() is None:
        raise CommandFailed(
            "There is no RabbitMQ: none answers on 127.0.0.1:5672 and none is installed. Set MODERNIZE_RABBITMQ_URL, "
            "or install one (Debian, Ubuntu: apt install rabbitmq-server; macOS: brew install rabbitmq). Without a "
            "broker the platform runs in one process: modernize up.",
            code="no_rabbitmq",
        )
    node = PrivateRabbitMQ(settings.data_dir / "rabbitmq")
    stack.callback(node.stop)
    address = await asyncio.to_thread(node.start)
    say(f"RabbitMQ: a private node in {settings.data_dir / 'rabbitmq'}")
    return address


async def _lets_us_in(url: str, prefix: str) -> bool:
    bus = RabbitBus(url, prefix)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await bus.start([])
            await bus.ping()
    except (ConnectionError, TimeoutError):
        return False
    finally:
        await bus.stop()
    return True


async def _redis(settings: Settings, stack: contextlib.AsyncExitStack, say: Say) -> str | None:
    if await asyncio.to_thread(speaks_redis, 6379):
        say("Redis: the one on 127.0.0.1:6379")
        return DEFAULT_REDIS
    if PrivateRedis.server() is None:
        say("Redis: none answers and none is installed, so each process has a cache of its own; all else is the same.")
        return None
    node = PrivateRedis(settings.data_dir / "redis")
    address = await asyncio.to_thread(node.start)
    stack.callback(node.stop)
    say(f"Redis: a private server in {settings.data_dir / 'redis'}")
    return address

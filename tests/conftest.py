"""Fixtures of all tests: an isolated environment, a real Postgres, and every bus there is."""

import asyncio
import importlib
import os
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import aio_pika
import pytest
import structlog
from hypothesis import settings as drawing

from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.transport import DEAD, EVENTS, EXTERNAL, PUBLIC, Subscription, Transport
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import TestPostgres, a_postgres
from tests.chassis.probe import LISTENER, PROBE
from tests.rabbitmq_node import MISSING, SharedBroker, new_shared_folder

SERVICES = ("gateway", "flow_orchestrator", "agent_runner", "field_mapping", "audit")
LOOP_CLOSING_SECONDS = 30
SHARED_BROKER = "TEST_RABBITMQ_FOLDER"

TransportOf = Callable[[Service], Transport]

# The same examples for everybody, in whatever time: what fails is the change. Profile `explore` draws others.
drawing.register_profile("explore", deadline=None)
drawing.register_profile("same", deadline=None, derandomize=True)
drawing.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder of the shared broker before xdist starts workers, which inherit it."""
    if not hasattr(config, "workerinput"):
        os.environ[SHARED_BROKER] = str(new_shared_folder())


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the broker that a test process started for all."""
    if not hasattr(config, "workerinput"):
        SharedBroker(Path(os.environ.pop(SHARED_BROKER))).end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what may take longest: a worker that ends with it would leave the others without work."""
    items.sort(key=_allowed_seconds, reverse=True)


def _allowed_seconds(item: pytest.Item) -> float:
    own = item.get_closest_marker("timeout")
    return float(own.args[0]) if own else 0


@pytest.fixture(scope="session", autouse=True)
def _loops_close_in_bounded_time() -> Iterator[None]:
    """A task that survives its cancellation is named in a warning; it would keep its loop from closing for ever."""

    def cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
        if not (tasks := asyncio.all_tasks(loop)):
            return
        for task in tasks:
            task.cancel()
        _, stuck = loop.run_until_complete(asyncio.wait(tasks, timeout=LOOP_CLOSING_SECONDS))
        for task in stuck:
            warnings.warn(f"this task did not end when it was cancelled: {task!r}", stacklevel=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.runners, "_cancel_all_tasks", cancel_all_tasks)
        yield


@pytest.fixture(scope="session")
def configured_rabbitmq() -> str | None:
    """The broker that the environment names, read before the environment is cleared."""
    return os.environ.get("MODERNIZE_RABBITMQ_URL")


@pytest.fixture(scope="session", autouse=True)
def _a_bare_environment(configured_rabbitmq: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of the developer's reaches a test: neither from the environment nor from a `.env` here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("MODERNIZE_"):
                patch.delenv(name)
        patch.chdir(tmp_path_factory.mktemp("empty"))
        yield


@pytest.fixture(autouse=True)
def _plain_logs() -> None:
    """Logs go where pytest collects them; structlog's own default spends minutes on drawing a deep traceback."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def declared_services() -> list[Service]:
    """The declaration of every service that has an `app` module."""
    found = []
    for name in SERVICES:
        if importlib.util.find_spec(f"services.{name}") and importlib.util.find_spec(f"services.{name}.app"):
            service = importlib.import_module(f"services.{name}.app").service
            found.append(service)
    return found


@pytest.fixture(scope="session")
def services() -> list[Service]:
    """Every service there is, and two that only tests have."""
    return [*declared_services(), Service(PROBE), Service(LISTENER)]


@pytest.fixture(scope="session")
def postgres(services: list[Service]) -> Iterator[TestPostgres]:
    """One real server a test process."""
    with a_postgres(services) as server:
        yield server


@pytest.fixture
async def database(postgres: TestPostgres) -> AsyncIterator[str]:
    """The address of a fresh, migrated database."""
    async with postgres.database() as address:
        yield address


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """Settings on the fresh database, with short leases and polls."""
    return Settings(
        database_url=database,
        data_dir=tmp_path,
        blob_url=(tmp_path / "blobs").as_uri(),
        lease_seconds=2,
        poll_seconds=0.05,
    )


@pytest.fixture(scope="session")
def rabbitmq_url(configured_rabbitmq: str | None) -> str:
    """A real broker's address; skips loudly where none is to be had, which under CI=true is a failure."""
    url = SharedBroker(Path(os.environ[SHARED_BROKER])).url(configured_rabbitmq)
    if url is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(MISSING, pytrace=False)
        pytest.skip(MISSING)
    return url


@pytest.fixture
def bus_queues(services: list[Service]) -> set[str]:
    """Names of the queues to delete after the test; `transport_of` adds those it declares."""
    own = {f"{service.name}.{suffix}" for service in services for suffix in ("dead", "external", "all")}
    return own | {service.queue_of(event) for service in services for event in service.heard()}


@pytest.fixture
async def bus_prefix(rabbitmq_url: str, bus_queues: set[str]) -> AsyncIterator[str]:
    """What the names of this test's queues and exchanges begin with; they are deleted in the end."""
    prefix = f"test-{uuid4().hex[:12]}-"
    yield prefix
    await delete_names(rabbitmq_url, prefix, bus_queues)


class RecordedRabbitBus(RabbitBus):
    """Tells which queues it declares, so that none is left on a shared broker."""

    def __init__(self, url: str, prefix: str, queues: set[str]) -> None:
        super().__init__(url, prefix)
        self._queues = queues

    async def start(self, subscriptions: list[Subscription]) -> None:
        """As the bus does."""
        self._queues.update(subscription.queue for subscription in subscriptions)
        await super().start(subscriptions)


@pytest.fixture(params=["in_process", "rabbitmq"])
def bus_kind(request: pytest.FixtureRequest) -> str:
    """Each bus in turn."""
    kind: str = request.param
    return kind


@pytest.fixture
def bus_settings(bus_kind: str, settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """`settings`, with the address and prefix of RabbitMQ where that is the bus."""
    if bus_kind == "in_process":
        return settings
    url, prefix = request.getfixturevalue("rabbitmq_url"), request.getfixturevalue("bus_prefix")
    return settings.model_copy(update={"rabbitmq_url": url, "bus_prefix": prefix})


@pytest.fixture
def transport_of(bus_kind: str, request: pytest.FixtureRequest) -> TransportOf:
    """What gives a service its connection to the bus; services in one test hear each other."""
    if bus_kind == "in_process":
        bus = InProcessBus()
        return lambda service: bus
    url, prefix, queues = (request.getfixturevalue(name) for name in ("rabbitmq_url", "bus_prefix", "bus_queues"))
    return lambda service: RecordedRabbitBus(url, prefix, queues)


async def delete_names(url: str, prefix: str, queues: set[str]) -> None:
    """Remove these queues and the exchanges of a prefix; what does not exist is no error in AMQP."""
    connection = await aio_pika.connect(url, timeout=15)
    async with connection:
        channel = await connection.channel()
        for name in queues:
            await channel.queue_delete(f"{prefix}{name}")
        for name in (EVENTS, PUBLIC, EXTERNAL, DEAD):
            await channel.exchange_delete(f"{prefix}{name}")

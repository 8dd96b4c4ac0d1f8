"""Real processes and SIGKILL: what was accepted before takes effect once afterwards."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

import pytest
from aio_pika.exceptions import AMQPError

from contracts.envelope import Event
from services.chassis.bus import rabbitmq
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.transport import EVENTS, Delivery, Subscription
from services.chassis.database import Database
from services.chassis.outbox import add_events
from services.chassis.settings import Settings
from services.chassis.testing import eventually, some_tenant
from tests.chassis.child import dying, run
from tests.chassis.probe import check, effects, mapping_request, probe
from tests.rabbitmq_node import MISSING, PrivateNode, installed_server, new_shared_folder

# The imports of a service take seconds: they are done once, in a process that is forked for each child.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.chassis.child"])
LEASE_SECONDS = 1.0
PATIENCE_SECONDS = 60


@contextmanager
def child(settings: Settings, moment: str) -> Iterator[BaseProcess]:
    """A process of the probe service that ends at this moment; killed in any case."""
    process = CONTEXT.Process(target=run, args=(settings, moment), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


async def accept(database: Database, event: Event) -> None:
    """Put an event into the outbox, where the next process finds it."""
    async with database.transaction(event.tenant) as session:
        await add_events(session, probe().metadata, [event])


@pytest.mark.parametrize(
    "moment",
    [
        "before_publish",
        "after_publish",
        "after_commit",
        "in_the_handler",
        "in_the_work",
        "while_the_result_is_written",
    ],
)
async def test_a_killed_process_is_carried_on_by_the_next(
    bus_settings: Settings, bus_queues: set[str], moment: str
) -> None:
    service, tenant = dying("never"), some_tenant()
    bus_queues |= {service.queue_of(event) for event in service.heard()}
    settings = bus_settings.model_copy(update={"lease_seconds": LEASE_SECONDS})
    event = mapping_request(tenant) if "work" in moment or "written" in moment else check(tenant)
    database = Database("probe", settings)
    await accept(database, event)
    with child(settings, moment) as first:
        await asyncio.to_thread(first.join, PATIENCE_SECONDS)
        assert first.exitcode == -signal.SIGKILL
    if moment == "after_commit":
        assert await effects(database, service, tenant) == [(event.id, "")]
    elif moment != "after_publish":
        assert await effects(database, service, tenant) == []
    with child(settings, "never"):

        async def took_effect(wanted: Event) -> None:
            async def there() -> bool:
                return (wanted.id, "") in await effects(database, service, tenant)

            await eventually(there, PATIENCE_SECONDS)

        await took_effect(event)
        # One more behind it: when that is done, nothing of the first is still under way.
        second = check(tenant)
        await accept(database, second)
        await took_effect(second)
        assert await effects(database, service, tenant) == [(event.id, ""), (second.id, "")]
    await database.close()


@pytest.fixture
def node() -> Iterator[PrivateNode]:
    """A broker that may be killed."""
    if installed_server() is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(MISSING, pytrace=False)
        pytest.skip(MISSING)
    folder = new_shared_folder()
    one = PrivateNode(folder / "node").start()
    yield one
    one.stop()
    folder.rmdir()


async def test_publishing_and_consuming_resume_after_the_broker_was_killed(
    node: PrivateNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbitmq, "PUBLISH_TIMEOUT_SECONDS", 2)
    monkeypatch.setattr(rabbitmq, "WATCHDOG_SECONDS", 1)
    got: list[bytes] = []
    failures: list[Exception] = []

    async def take(delivery: Delivery) -> None:
        got.append(delivery.body)

    bus = RabbitBus(node.url)

    async def publish(body: bytes) -> None:
        """As the relay does: until it is safe."""

        async def published() -> bool:
            try:
                await bus.publish(EVENTS, "a.happened", Delivery(body))
            except (AMQPError, OSError, RuntimeError) as error:
                failures.append(error)
                await asyncio.sleep(0.1)
                return False
            return True

        await eventually(published, PATIENCE_SECONDS)

    async def arrived(body: bytes) -> None:
        async def there() -> bool:
            return body in got

        await eventually(there, PATIENCE_SECONDS)

    try:
        await bus.start([Subscription("probe.a.happened", "probe", EVENTS, "a.happened", take)])
        await publish(b"before")
        await arrived(b"before")
        # Killed within a moment of a queue's declaration, RabbitMQ 3.10 waits for the queue's leader without end.
        await asyncio.sleep(1)
        await asyncio.to_thread(node.kill)
        waiting = asyncio.create_task(publish(b"while it was away"))
        await asyncio.to_thread(node.start)
        await waiting
        await publish(b"after")
        await arrived(b"while it was away")
        await arrived(b"after")
        assert failures
        await bus.ping()
    finally:
        await bus.stop()

"""A running service: its connections, its consumers, its relay, its workers and its sweeps."""

import asyncio
import gc
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import delete

from contracts.configuration import LOG_LEVEL
from contracts.envelope import PLATFORM, Event
from contracts.work import WorkCancelled
from services.chassis.admission import Admission
from services.chassis.blobs import Blobs
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.transport import DEAD, EVENTS, EXTERNAL, Delivery, Subscription, Transport
from services.chassis.cache import Cache
from services.chassis.configuration import SECONDS, Configuration
from services.chassis.consumer import Consumer
from services.chassis.database import Database
from services.chassis.dead_letters import GivenUpByBroker
from services.chassis.encryption import Vault
from services.chassis.encryption_keys import key_provider
from services.chassis.inventory_sealing import InventorySealing
from services.chassis.isolation import require_isolation
from services.chassis.logs import use_log_level
from services.chassis.memory import give_back_large_blocks
from services.chassis.outbound import Outbound
from services.chassis.rate_limits import RateLimits
from services.chassis.relay import Relay
from services.chassis.resealing import LOOK_SECONDS, Resealing
from services.chassis.service import Handler, Service, Sweep
from services.chassis.settings import Settings
from services.chassis.signals import Signals
from services.chassis.telemetry import Telemetry, without_spans
from services.chassis.work import Worker

log = structlog.get_logger()

# A batch is thousands of objects that live for milliseconds: at Python's own 700 the collector took half of the time.
GC_THRESHOLDS = (200_000, 20, 20)
# What only keeps or shows leaves the processor to what flows wait for, and then takes what has come meanwhile at once.
PATIENCE_SECONDS = 0.025
# Redeliveries come within minutes; replays of dead letters within days.
INBOX_RETENTION = timedelta(days=30)
INBOX_SWEEP_SECONDS = 3600.0


def transport_for(settings: Settings) -> Transport:
    """RabbitMQ where an address is set, else a bus inside this process, which all its services must share."""
    if settings.rabbitmq_url is None:
        return InProcessBus()
    return RabbitBus(settings.rabbitmq_url, settings.bus_prefix)


class Runtime:
    """Runs one service until stopped."""

    def __init__(self, service: Service, settings: Settings, transport: Transport) -> None:
        self.service = service
        self.settings = settings
        self.transport = transport
        self.telemetry = Telemetry(service.name, settings)
        self.database = Database(service.name, settings)
        self.telemetry.instrument(self.database.engine)
        self.vault = Vault(key_provider(settings))
        self.database.info["vault"] = lambda: self.vault
        self.configuration = Configuration(self.database, service.metadata, self.vault)
        self.blobs = Blobs(settings.blob_store_url, self.vault)
        self.resealing = Resealing(self)
        self.inventory_sealing = InventorySealing(self)
        self.cache = Cache(settings)
        self.signals = Signals(settings)
        self.outbound = Outbound(settings)
        self.rate_limits = RateLimits(settings)
        self.shared: dict[type, Any] = {}
        self._shared_stack = AsyncExitStack()
        self._consumer = Consumer(service, self.database, self.telemetry, self.committed)
        self._given_up = GivenUpByBroker(service, self.database, self.committed)
        self._admission = Admission(self)
        self._relay = Relay(self.database, service.metadata, transport, settings.poll_seconds)
        kinds = sorted({handler.waits for handler in service.handlers if handler.long})
        self._workers = [
            Worker(
                service,
                self.database,
                self.blobs,
                self.vault,
                self.outbound,
                self.telemetry,
                self.committed,
                settings,
                self.shared,
                waits,
            )
            for waits in kinds
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._listening = False

    def committed(self) -> None:
        """To be called after a transaction that wrote events: they leave at once instead of at the next poll."""
        self._relay.wake()
        for worker in self._workers:
            worker.wake()

    def subscriptions(self) -> list[Subscription]:
        """The queues of this service and what takes their messages."""
        name = self.service.name
        wanted = [
            Subscription(
                queue,
                name,
                EVENTS,
                event.type_name,
                partial(self._take, event, queue, handler),
                handler.many,
                PATIENCE_SECONDS if handler.patient else 0.0,
            )
            for handler in self.service.listening()
            for event in handler.hears
            for queue in [self.service.queue_of(event)]
        ]
        wanted.append(Subscription(f"{name}.dead", name, DEAD, f"{name}.dead", self._given_up.take))
        if self.service.external is not None:
            queue = f"{name}.external"
            wanted.append(Subscription(queue, name, EXTERNAL, "#", partial(self._admission.take, queue)))
        return wanted

    async def _take(self, event: type[Event], queue: str, handler: Handler, delivery: Delivery) -> None:
        await self._consumer.take(queue, handler, delivery)
        if event is WorkCancelled:
            for worker in self._workers:
                worker.look()

    async def listen(self) -> None:
        """Take messages, but send none yet: services that share a bus must all listen before the first one sends.

        Raises `DatabaseNotIsolated` where the database would show one tenant's rows to another, and `KeysUnusable`.
        """
        if not self._listening:
            await asyncio.to_thread(self.vault.load)
            async with self.database.engine.connect() as connection:
                await require_isolation(connection, self.service.metadata)
            await self.transport.start(self.subscriptions())
            self._listening = True

    async def start(self) -> None:
        """Begin to listen, relay, work and sweep."""
        gc.set_threshold(*GC_THRESHOLDS)
        give_back_large_blocks()
        await self.listen()
        for share in self.service.shared:
            value = await self._shared_stack.enter_async_context(asynccontextmanager(share)(self))
            self.shared[type(value)] = value
        self._tasks = [asyncio.create_task(self._relay.run()), asyncio.create_task(self._sweep(_tidy_inbox))]
        self._tasks.append(asyncio.create_task(self._sweep(_log_level)))
        self._tasks += [asyncio.create_task(worker.run()) for worker in self._workers]
        self._tasks.append(asyncio.create_task(self._sweep(Sweep(LOOK_SECONDS, _look_at_keys))))
        self._tasks.append(asyncio.create_task(self._sweep(Sweep(LOOK_SECONDS, _look_at_inventories))))
        self._tasks += [asyncio.create_task(self._sweep(sweep)) for sweep in self.service.sweeps]
        # What is there by now, modules above all, stays: the collector need not look at it again.
        gc.freeze()

    async def stop(self) -> None:
        """Stop in order; what is unfinished goes on after the next start."""
        await self.transport.stop()
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("background_task_ended_early", exc_info=outcome)
        await self._shared_stack.aclose()
        await self.outbound.close()
        await self.cache.close()
        await self.signals.close()
        await self.rate_limits.close()
        await self.database.close()
        await self.telemetry.shutdown()

    async def ready(self) -> None:
        """Raise if the service cannot do its job now."""
        await self.database.ping()
        await self.transport.ping()

    async def concerns(self) -> list[str]:
        """What somebody should look after although the service does its job."""
        if not self.service.concerns:
            return []
        async with self.database.dispatch() as connection:
            told = [await concern(connection) for concern in self.service.concerns]
        return [each for each in told if each is not None]

    async def _sweep(self, sweep: Sweep) -> None:
        while True:
            try:
                with without_spans():
                    await sweep.function(self)
            except Exception:
                log.exception("sweep_failed", sweep=sweep.function.__name__, again_in_seconds=sweep.seconds)
            await asyncio.sleep(sweep.seconds)


async def _forget_old_events(runtime: Runtime) -> None:
    inbox, notes = runtime.service.metadata.inbox, runtime.service.metadata.cancelled_work
    async with runtime.database.dispatch() as connection:
        await connection.execute(delete(inbox).where(inbox.c.received_at < datetime.now(UTC) - INBOX_RETENTION))
        await connection.execute(delete(notes).where(notes.c.cancelled_at < datetime.now(UTC) - INBOX_RETENTION))


async def _follow_log_level(runtime: Runtime) -> None:
    use_log_level(await runtime.configuration.value(PLATFORM, LOG_LEVEL), runtime.settings)


_log_level = Sweep(SECONDS, _follow_log_level)
_tidy_inbox = Sweep(INBOX_SWEEP_SECONDS, _forget_old_events)


async def _look_at_keys(runtime: Runtime) -> None:
    await runtime.resealing.look()


async def _look_at_inventories(runtime: Runtime) -> None:
    await runtime.inventory_sealing.look()

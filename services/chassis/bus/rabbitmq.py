"""The bus between processes: RabbitMQ through FastStream, with nothing left to its lossy defaults."""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aio_pika
import structlog
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, DeliveryError, PublishError
from faststream import AckPolicy
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage
from faststream.rabbit.schemas.queue import QueueType

from services.chassis.bus.transport import (
    ALONE,
    DEAD,
    EVENTS,
    EXTERNAL,
    PUBLIC,
    Delivery,
    Subscription,
    Unroutable,
)

log = structlog.get_logger()

PUBLISH_TIMEOUT_SECONDS = 15
RECONNECT_SECONDS = 0.5
RECONNECT_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 15
WATCHDOG_SECONDS = 10
# A message that took its consumer down this often is set aside by the broker.
DELIVERY_LIMIT = 20
# Messages of one queue that may be taken together, where its handler can.
TOGETHER = 20
TOGETHER_BYTES = 4 * 1024**2
# Waits before a message is taken again when the database could not be used; the last one is repeated without end.
RETRY_SECONDS = (0.2, 1, 5, 15, 30)


async def _stop(broker: RabbitBroker) -> None:
    """Close a connection, which the client may try without end where the broker is away."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
            await broker.stop()
    except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
        log.warning("bus_not_closed", error=repr(error))


async def _as_it_is(message: RabbitMessage) -> RabbitMessage:
    """Leave the body alone: one that FastStream cannot decode would never be acknowledged, and stop its queue."""
    return message


def _together(waiting: deque[RabbitMessage]) -> list[RabbitMessage]:
    """Take the first of these messages, and with it those behind it that may be taken along."""
    taken = [waiting.popleft()]
    size = len(taken[0].body)
    # One that was delivered before may be the one that ends its process: it takes no other with it.
    while _sociable(taken[0]) and waiting and _sociable(waiting[0]) and size + len(waiting[0].body) <= TOGETHER_BYTES:
        taken.append(waiting.popleft())
        size += len(taken[-1].body)
    return taken


def _sociable(message: RabbitMessage) -> bool:
    return not message.raw_message.redelivered and ALONE not in message.headers


class RabbitBus:
    """One service's connection to the broker."""

    def __init__(self, url: str, prefix: str = "") -> None:
        self._url = url
        self._prefix = prefix
        self._subscriptions: list[Subscription] = []
        self._broker = self._new_broker()
        self._watchdog: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def _new_broker(self) -> RabbitBroker:
        return RabbitBroker(
            self._url,
            default_channel=Channel(on_return_raises=True),
            reconnect_interval=RECONNECT_SECONDS,
            fail_fast=False,
            graceful_timeout=10,
            decoder=_as_it_is,
            apply_types=False,
            logger=logging.getLogger("faststream.access"),
            # Two lines for each message, which FastStream logs whatever level the platform's logs have.
            log_level=logging.DEBUG,
        )

    def _exchange(self, name: str) -> RabbitExchange:
        return RabbitExchange(f"{self._prefix}{name}", type=ExchangeType.TOPIC, durable=True)

    def _queue(self, subscription: Subscription) -> RabbitQueue:
        return RabbitQueue(
            f"{self._prefix}{subscription.queue}",
            queue_type=QueueType.QUORUM,
            durable=True,
            routing_key=subscription.routing_key,
            arguments={
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": f"{self._prefix}{DEAD}",
                "x-dead-letter-routing-key": f"{subscription.service}.dead",
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )

    async def start(self, subscriptions: list[Subscription]) -> None:
        """Connect, declare exchanges and queues, and begin to deliver; waits for a broker that is still starting."""
        self._subscriptions = subscriptions
        self._stopping.clear()
        await self._connect()
        if subscriptions:
            self._watchdog = asyncio.create_task(self._watch())

    async def _reconnect(self) -> None:
        """Put a new connection in the place of an ill one, which is only given up once the new one works."""
        ill = self._broker
        async with asyncio.timeout(RECONNECT_TIMEOUT_SECONDS):
            await self._connect()
        await _stop(ill)

    async def _connect(self) -> None:
        broker = self._new_broker()
        try:
            await self._begin(broker)
        except BaseException:
            await _stop(broker)
            raise
        self._broker = broker

    async def _begin(self, broker: RabbitBroker) -> None:
        for subscription in self._subscriptions:
            subscriber = broker.subscriber(
                self._queue(subscription),
                self._exchange(subscription.exchange),
                # FastStream publishes to an exchange on the channel that declared it first, which may be this one.
                channel=Channel(prefetch_count=TOGETHER if subscription.together else 1, on_return_raises=True),
                ack_policy=AckPolicy.MANUAL,
            )
            subscriber(self._receiver(subscription))
        await broker.start()
        for name in (EVENTS, PUBLIC, EXTERNAL, DEAD):
            await broker.declare_exchange(self._exchange(name))

    def _receiver(self, subscription: Subscription) -> Callable[[RabbitMessage], Awaitable[None]]:
        waiting: deque[RabbitMessage] = deque()
        one_at_a_time = asyncio.Lock()
        enough = asyncio.Event()

        async def receive(message: RabbitMessage) -> None:
            waiting.append(message)
            if len(waiting) >= TOGETHER:
                enough.set()
            async with one_at_a_time:
                if subscription.patience_seconds and message in waiting:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(subscription.patience_seconds):
                            await enough.wait()
                enough.clear()
                # Those that came before may have taken this one along.
                while message in waiting:
                    await self._take(subscription, _together(waiting))

        return receive

    async def _take(self, subscription: Subscription, messages: list[RabbitMessage]) -> None:
        """Deliver messages as one until that succeeds, and acknowledge them."""
        first = messages[0]
        delivery = Delivery(
            first.body,
            first.content_type or "",
            self._own_names(first.headers),
            tuple(message.body for message in messages[1:]),
        )
        for pause in itertools.chain(RETRY_SECONDS, itertools.repeat(RETRY_SECONDS[-1])):
            try:
                await subscription.deliver(delivery)
            except Exception:
                log.exception("delivery_failed", queue=subscription.queue, again_in_seconds=pause)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._stopping.wait()
                if self._stopping.is_set():
                    break
            else:
                for message in messages:
                    await message.ack()
                return
        # Kept until here: an outage must not use up the delivery limit, which is for messages that kill.
        for message in reversed(messages):
            await message.nack(requeue=True)

    def _own_names(self, headers: Mapping[str, Any]) -> Mapping[str, Any]:
        """Headers in which the broker's death records name queues as the services do, without the prefix."""
        if "x-death" not in headers:
            return headers
        deaths = [{**death, "queue": str(death["queue"]).removeprefix(self._prefix)} for death in headers["x-death"]]
        return {**headers, "x-death": deaths}

    async def _watch(self) -> None:
        """Reconnect when a queue lost its consumer, which a broken connection can leave behind unnoticed."""
        while True:
            await asyncio.sleep(WATCHDOG_SECONDS)
            try:
                if deserted := await self._deserted_queue():
                    log.warning("bus_reconnects", reason=f"nobody takes messages from {deserted}")
                    await self._reconnect()
            except (AMQPError, OSError, TimeoutError) as error:
                log.warning("bus_not_reachable", error=str(error))
            except Exception:
                log.exception("bus_not_watched", again_in_seconds=WATCHDOG_SECONDS)

    async def _deserted_queue(self) -> str | None:
        """The first of our queues that has no consumer or is not there at all."""
        connection = await aio_pika.connect(self._url, timeout=PUBLISH_TIMEOUT_SECONDS)
        async with connection:
            channel = await connection.channel()
            for subscription in self._subscriptions:
                try:
                    queue = await channel.declare_queue(f"{self._prefix}{subscription.queue}", passive=True)
                except ChannelNotFoundEntity:
                    return subscription.queue
                if not queue.declaration_result.consumer_count:
                    return subscription.queue
        return None

    async def declare(self, subscriptions: list[Subscription]) -> None:
        """Make exchanges, queues and bindings without consuming: what is sent before a service runs waits for it."""
        broker = self._new_broker()
        await broker.connect()
        for subscription in subscriptions:
            exchange = await broker.declare_exchange(self._exchange(subscription.exchange))
            queue = await broker.declare_queue(self._queue(subscription))
            await queue.bind(exchange, routing_key=subscription.routing_key)
        await broker.stop()

    async def stop(self) -> None:
        """Stop consuming; unacknowledged messages go back to their queues."""
        self._stopping.set()
        if self._watchdog is not None:
            self._watchdog.cancel()
            await asyncio.wait([self._watchdog])
        await _stop(self._broker)

    async def publish(self, exchange: str, routing_key: str, message: Delivery) -> None:
        """Publish with confirmation by every bound queue."""
        await self._publish(self._exchange(exchange), routing_key, message, mandatory=exchange != PUBLIC)

    async def send(self, queue: str, message: Delivery) -> None:
        """Publish to one queue by its name."""
        await self._publish(None, f"{self._prefix}{queue}", message, mandatory=True)

    async def _publish(
        self, exchange: RabbitExchange | None, routing_key: str, message: Delivery, *, mandatory: bool
    ) -> None:
        try:
            # Disconnected, the client may wait without end: the outbox rather tries again.
            async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                await self._broker.publish(
                    message.body,
                    exchange=exchange,
                    routing_key=routing_key,
                    mandatory=mandatory,
                    persist=True,
                    content_type=message.content_type,
                    headers=dict(message.headers),
                )
        except (PublishError, DeliveryError) as error:
            raise Unroutable(f"no queue takes {routing_key}: {error}") from error

    async def ping(self) -> None:
        """Raise if the broker does not answer."""
        if not await self._broker.ping(timeout=5):
            raise ConnectionError("RabbitMQ does not answer")

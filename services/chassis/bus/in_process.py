"""The bus of the embedded platform: the outbox is its memory, so a message is safe once every listener committed."""

import asyncio

from services.chassis.bus.transport import EVENTS, PUBLIC, Delivery, Subscription, Unroutable


class InProcessBus:
    """Hands a message to every bound subscription in this process and returns when all are done with it."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}

    async def start(self, subscriptions: list[Subscription]) -> None:
        """Begin to deliver to these queues."""
        self._subscriptions.update({subscription.queue: subscription for subscription in subscriptions})

    async def stop(self) -> None:
        """Forget all queues; messages that are still in an outbox go out after the next start."""
        self._subscriptions.clear()

    async def publish(self, exchange: str, routing_key: str, message: Delivery) -> None:
        """Deliver to every queue bound to this routing key; raises what a listener raised."""
        listeners = [
            subscription
            for subscription in self._subscriptions.values()
            if subscription.exchange == exchange and subscription.routing_key in (routing_key, "#")
        ]
        if not listeners and exchange != PUBLIC:
            raise Unroutable(f"no queue is bound to {routing_key} on {exchange}")
        await _deliver_to_all(listeners, message)

    async def send(self, queue: str, message: Delivery) -> None:
        """Deliver to one queue."""
        if queue not in self._subscriptions:
            raise Unroutable(f"there is no queue {queue}")
        await _deliver_to_all([self._subscriptions[queue]], message)

    async def ping(self) -> None:
        """Raise if nobody listens."""
        if not any(subscription.exchange == EVENTS for subscription in self._subscriptions.values()):
            raise Unroutable("the in-process bus has no queues")


async def _deliver_to_all(listeners: list[Subscription], message: Delivery) -> None:
    # The outbox collects what comes meanwhile, and holds back what follows: so nobody waits where one does not want to.
    if patience := min((listener.patience_seconds for listener in listeners), default=0.0):
        await asyncio.sleep(patience)
    results = await asyncio.gather(*(listener.deliver(message) for listener in listeners), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result

"""What a message bus has to do for a service. Two implementations pass one conformance suite."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

# A message with this header is never taken together with others.
ALONE = "x-alone"

EVENTS = "events"
PUBLIC = "public"
EXTERNAL = "external"
DEAD = "dead"


class Unroutable(Exception):
    """No queue takes this message: the services that listen have not declared theirs yet."""


@dataclass(frozen=True)
class Delivery:
    """One message as it arrived, and with it the bodies of others that waited behind it in the same queue."""

    body: bytes
    content_type: str = "application/cloudevents-batch+json"
    headers: Mapping[str, Any] = field(default_factory=dict)
    more: tuple[bytes, ...] = ()


def unpacked(delivery: Delivery) -> list[Any]:
    """The parts of packed messages, each a CloudEvent if all is well; a body that is no JSON is one part, as bytes."""
    parts: list[Any] = []
    for body in (delivery.body, *delivery.more):
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            content = body
        parts += content if isinstance(content, list) else [content]
    return parts


@dataclass(frozen=True)
class Subscription:
    """A queue, what is routed into it, and what takes its messages.

    `deliver` returning means the message is done; `deliver` raising means it has to come again.
    """

    queue: str
    service: str
    exchange: str
    routing_key: str
    deliver: Callable[[Delivery], Awaitable[None]]
    together: bool = False
    """Whether messages that wait may be taken together, as one `Delivery`."""
    patience_seconds: float = 0.0
    """How long the first of them may wait for others."""


class Transport(Protocol):
    """Carries packed events between services, at least once."""

    async def start(self, subscriptions: list[Subscription]) -> None:
        """Declare the queues and begin to deliver from them."""

    async def stop(self) -> None:
        """Stop delivering; what is not done comes again later."""

    async def publish(self, exchange: str, routing_key: str, message: Delivery) -> None:
        """Return once the message is safe with every queue that is bound; raise `Unroutable` if there is none.

        The exchange `public` may have no listener, which is no error.
        """

    async def send(self, queue: str, message: Delivery) -> None:
        """As `publish`, for one queue by its name."""

    async def ping(self) -> None:
        """Raise if the bus cannot be used now."""

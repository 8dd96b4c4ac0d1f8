"""Mutants of the way of an event: inbox, outbox, bus, batches, retries, dead letters, tenants."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.flows import FlowUpdated
from services.chassis import tenancy
from services.chassis.bus.transport import EVENTS, Delivery, Subscription, Transport, Unroutable
from services.chassis.relay import DELETION_PAUSE_SECONDS
from tests.chaos.seeding import Bite, mutant, patch

_background: set[asyncio.Task[Any]] = set()


def _in_background(work: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(work)
    _background.add(task)
    task.add_done_callback(_background.discard)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())


@mutant
def acknowledges_before_the_commit(bite: Bite) -> None:
    """A message is done only when its transaction has committed."""

    def hasty(subscription: Subscription) -> Subscription:
        async def deliver(delivery: Delivery) -> None:
            bite()
            _in_background(subscription.deliver(delivery))

        return replace(subscription, deliver=deliver)

    patch(
        "services.chassis.runtime",
        "Runtime.subscriptions",
        lambda original: lambda runtime: [hasty(each) for each in original(runtime)],
    )


@mutant
def has_no_inbox(bite: Bite) -> None:
    """An event that comes again has no second effect."""

    def enter(original: Any) -> Any:
        async def everything_is_new(session: Any, _metadata: Any, tenant: Any, event_ids: Any) -> set[Any]:
            bite()
            await tenancy.enter(session, tenant)
            return set(event_ids)

        return everything_is_new

    patch("services.chassis.consumer", "enter_inbox", enter)


@mutant
def commits_the_inbox_on_its_own(bite: Bite) -> None:
    """The inbox row and the effect of its event commit together."""

    def enter(original: Any) -> Any:
        async def apart(session: AsyncSession, metadata: Any, tenant: Any, event_ids: Any) -> Any:
            bite()
            await tenancy.enter(session, tenant)
            async with AsyncSession(session.bind) as own, own.begin():
                return await original(own, metadata, tenant, event_ids)

        return apart

    patch("services.chassis.consumer", "enter_inbox", enter)


@mutant
def publishes_before_the_commit(bite: Bite) -> None:
    """Events leave only when what caused them is committed."""
    transports: dict[str, Transport] = {}

    def init(original: Any) -> Any:
        def remember(runtime: Any, service: Any, settings: Any, transport: Transport) -> None:
            original(runtime, service, settings, transport)
            transports[service.name] = transport

        return remember

    def add(original: Any) -> Any:
        async def publish(session: Any, metadata: Any, events: Any, *_rest: Any) -> None:
            for event in events:
                bite()
                message = Delivery(b"[" + event.to_json(f"/services/{metadata.service}", None).encode() + b"]")
                await transports[metadata.service].publish(EVENTS, event.type_name, message)

        return publish

    patch("services.chassis.runtime", "Runtime.__init__", init)
    patch("services.chassis.consumer", "add_events", add)


Publish = Callable[[], Awaitable[None]]


class _Relayed:
    """What a relay is given instead of its transport."""

    def __init__(self, transport: Transport, send: Callable[[str, Publish], Awaitable[None]]) -> None:
        self._transport = transport
        self._send = send

    async def publish(self, exchange: str, routing_key: str, message: Delivery) -> None:
        """Publish in the changed way."""
        await self._send(routing_key, lambda: self._transport.publish(exchange, routing_key, message))

    async def send(self, queue: str, message: Delivery) -> None:
        """Send in the changed way."""
        await self._send(queue, lambda: self._transport.send(queue, message))


def _relay_through(send: Callable[[str, Publish], Awaitable[None]]) -> None:
    def init(original: Any) -> Any:
        def changed(relay: Any, database: Any, metadata: Any, transport: Transport, poll_seconds: float) -> None:
            original(relay, database, metadata, _Relayed(transport, send), poll_seconds)

        return changed

    patch("services.chassis.relay", "Relay.__init__", init)


@mutant
def deletes_before_the_confirm(bite: Bite) -> None:
    """A row leaves the outbox only after the broker has confirmed its message."""

    async def without_waiting(_key: str, publish: Publish) -> None:
        async def when_the_row_is_gone() -> None:
            await asyncio.sleep(4 * DELETION_PAUSE_SECONDS)
            await publish()

        bite()
        _in_background(when_the_row_is_gone())

    _relay_through(without_waiting)


@mutant
def takes_the_unroutable_for_sent(bite: Bite) -> None:
    """A message that no queue takes stays in the outbox."""

    async def whatever(_key: str, publish: Publish) -> None:
        try:
            await publish()
        except Unroutable:
            bite()

    _relay_through(whatever)


@mutant
def loses_the_order(bite: Bite) -> None:
    """What a flow says leaves in the order in which it was said."""
    rng = random.Random(1)

    async def some_time(key: str, publish: Publish) -> None:
        async def later() -> None:
            await asyncio.sleep(rng.uniform(0, 3))
            await publish()

        if key == FlowUpdated.type_name:
            bite()
            _in_background(later())
        else:
            await publish()

    _relay_through(some_time)


@mutant
def clears_the_wake_up_after_the_look(bite: Bite) -> None:
    """A wake-up that comes while the outbox is looked at is not forgotten."""

    def idle(original: Any) -> Any:
        async def forgetful(relay: Any) -> None:
            bite()
            # Longer than the look that follows every sending, which would find what this one forgot.
            await asyncio.sleep(4 * DELETION_PAUSE_SECONDS)
            relay._wake.clear()
            await original(relay)

        return forgetful

    patch("services.chassis.relay", "Relay._idle", idle)


@mutant
def drops_what_is_to_be_tried_again(bite: Bite) -> None:
    """An event whose handler failed is tried again."""

    def unexpected(original: Any) -> Any:
        async def forget(*_arguments: Any) -> None:
            bite()

        return forget

    patch("services.chassis.consumer", "Consumer._unexpected", unexpected)


@mutant
def sets_nothing_aside(bite: Bite) -> None:
    """What cannot be read is kept as a dead letter."""

    def set_aside(original: Any) -> Any:
        async def only_say_so(*_arguments: Any, **_named: Any) -> None:
            bite()

        return only_say_so

    patch("services.chassis.consumer", "set_aside", set_aside)


@mutant
def gives_a_batch_up_for_one_event(bite: Bite) -> None:
    """One event that fails takes no healthy one with it."""

    def succeeds(original: Any) -> Any:
        async def so_it_seems(*arguments: Any) -> bool:
            if not await original(*arguments):
                bite()
            return True

        return so_it_seems

    patch("services.chassis.consumer", "Consumer._succeeds", succeeds)


@mutant
def takes_a_batch_for_one_tenants(bite: Bite) -> None:
    """Every event is handled in its own tenant."""

    def by_tenant(original: Any) -> Any:
        def all_in_the_first(received: Any) -> Any:
            groups = original(received)
            if len(groups) > 1:
                bite()
            return {next(iter(groups)): list(received)} if groups else groups

        return all_in_the_first

    patch("services.chassis.consumer", "_by_tenant", by_tenant)


@mutant
def enters_no_tenant(bite: Bite) -> None:
    """A transaction sees the rows of its own tenant: here it keeps the one that its connection was used for before."""

    entered: list[Any] = []

    def the_first_one(tenant: Any) -> Any:
        entered.append(tenant)
        if tenant != entered[0]:
            bite()
        return entered[0]

    def enter(original: Any) -> Any:
        return lambda connection, tenant: original(connection, the_first_one(tenant))

    def enter_inbox(original: Any) -> Any:
        return lambda session, metadata, tenant, ids: original(session, metadata, the_first_one(tenant), ids)

    patch("services.chassis.consumer", "enter", enter)
    patch("services.chassis.consumer", "enter_inbox", enter_inbox)

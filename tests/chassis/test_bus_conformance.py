"""What both buses promise: the same tests, on the in-process one and on a real RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from services.chassis.bus.rabbitmq import TOGETHER
from services.chassis.bus.transport import EVENTS, EXTERNAL, PUBLIC, Delivery, Subscription, Transport, Unroutable
from services.chassis.testing import eventually
from tests.chassis.probe import probe
from tests.conftest import TransportOf

pytestmark = pytest.mark.usefixtures("_no_waits")


@dataclass
class Inbox:
    """What arrived in one queue; fails the first `failures` times."""

    queue: str
    routing_key: str
    exchange: str = EVENTS
    failures: int = 0
    attempts: int = 0
    got: list[Delivery] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> None:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise ConnectionError("the database is away")
        self.got.append(delivery)

    def subscription(self) -> Subscription:
        return Subscription(self.queue, self.queue.split(".")[0], self.exchange, self.routing_key, self.deliver)

    async def bodies(self, count: int) -> list[bytes]:
        async def enough() -> bool:
            return len(self.got) >= count

        await eventually(enough)
        return [delivery.body for delivery in self.got]


@pytest.fixture
async def bus(transport_of: TransportOf) -> AsyncIterator[Transport]:
    transport = transport_of(probe())
    yield transport
    await transport.stop()


async def publish_until_safe(bus: Transport, exchange: str, routing_key: str, message: Delivery) -> None:
    """As the relay does: a message that could not be handed over is published again."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await bus.publish(exchange, routing_key, message)
            except ConnectionError:
                await asyncio.sleep(0.01)


async def test_a_message_reaches_every_queue_that_is_bound_and_no_other(bus: Transport) -> None:
    first, second = Inbox("one.a.happened", "a.happened"), Inbox("two.a.happened", "a.happened")
    other, everything = Inbox("one.b.happened", "b.happened"), Inbox("two.all", "#")
    await bus.start([inbox.subscription() for inbox in (first, second, other, everything)])

    await bus.publish(EVENTS, "a.happened", Delivery(b"a"))
    await bus.publish(EVENTS, "b.happened", Delivery(b"b"))

    assert await first.bodies(1) == await second.bodies(1) == [b"a"]
    assert await other.bodies(1) == [b"b"]
    assert sorted(await everything.bodies(2)) == [b"a", b"b"]


@pytest.mark.parametrize("content_type", ["application/json", "application/cloudevents+json", "text/plain", ""])
async def test_body_type_and_headers_arrive_as_they_were_sent(bus: Transport, content_type: str) -> None:
    inbox = Inbox("one.external", "#", EXTERNAL)
    await bus.start([inbox.subscription()])

    await bus.publish(EXTERNAL, "a.happened", Delivery(b"\xff{no json", content_type, {"x-api-key": "k", "n": 3}))

    await inbox.bodies(1)
    [got] = inbox.got
    assert got.body == b"\xff{no json"
    assert got.content_type == content_type
    assert got.headers["x-api-key"] == "k"
    assert got.headers["n"] == 3


async def test_messages_of_one_queue_keep_their_order(bus: Transport) -> None:
    inbox = Inbox("one.a.happened", "a.happened")
    await bus.start([inbox.subscription()])

    for number in range(30):
        await bus.publish(EVENTS, "a.happened", Delivery(str(number).encode()))

    assert await inbox.bodies(30) == [str(number).encode() for number in range(30)]


async def test_a_message_that_could_not_be_handled_comes_again(bus: Transport) -> None:
    inbox = Inbox("one.a.happened", "a.happened", failures=3)
    await bus.start([inbox.subscription()])

    await publish_until_safe(bus, EVENTS, "a.happened", Delivery(b"a"))

    assert await inbox.bodies(1) == [b"a"]
    assert inbox.attempts == 4


async def test_publishing_what_nobody_hears_is_refused(bus: Transport) -> None:
    await bus.start([Inbox("one.a.happened", "a.happened").subscription()])

    with pytest.raises(Unroutable, match=r"c\.happened"):
        await bus.publish(EVENTS, "c.happened", Delivery(b"c"))


async def test_public_messages_need_no_listener(bus: Transport) -> None:
    await bus.start([])

    await bus.publish(PUBLIC, "a.happened", Delivery(b"a"))


async def test_a_message_can_be_sent_to_one_queue(bus: Transport) -> None:
    first, second = Inbox("one.a.happened", "a.happened"), Inbox("two.a.happened", "a.happened")
    await bus.start([first.subscription(), second.subscription()])

    await bus.send("two.a.happened", Delivery(b"again"))

    assert await second.bodies(1) == [b"again"]
    assert first.got == []


async def test_sending_to_a_queue_that_is_not_there_is_refused(bus: Transport) -> None:
    await bus.start([Inbox("one.a.happened", "a.happened").subscription()])

    with pytest.raises(Unroutable, match=r"three\.a\.happened"):
        await bus.send("three.a.happened", Delivery(b"again"))


async def test_the_bus_takes_up_again_after_a_stop(bus: Transport) -> None:
    inbox = Inbox("one.a.happened", "a.happened")
    await bus.start([inbox.subscription()])
    await bus.stop()
    await bus.start([inbox.subscription()])

    await bus.publish(EVENTS, "a.happened", Delivery(b"a"))

    assert await inbox.bodies(1) == [b"a"]


async def test_ping_answers_once_the_bus_is_started(bus: Transport) -> None:
    with pytest.raises(Exception, match=r"RabbitMQ|no queues"):
        await bus.ping()
    await bus.start([Inbox("one.a.happened", "a.happened").subscription()])
    await bus.ping()


@pytest.mark.parametrize("bus_kind", ["rabbitmq"])
async def test_a_patient_queue_takes_at_once_what_comes_meanwhile(bus: Transport) -> None:
    reader = Inbox("reader.all", "a.happened")
    for_ever = replace(reader.subscription(), together=True, patience_seconds=3600)
    await bus.start([for_ever])

    await asyncio.gather(*(bus.publish(EVENTS, "a.happened", Delivery(b"[]")) for _ in range(TOGETHER)))
    await reader.bodies(1)

    assert [len(delivery.more) for delivery in reader.got] == [TOGETHER - 1]


@pytest.mark.parametrize("bus_kind", ["in_process"])
async def test_in_one_process_a_patient_listener_holds_up_nobody(bus: Transport) -> None:
    prompt, patient = Inbox("one.a.happened", "a.happened"), Inbox("two.a.happened", "a.happened")
    await bus.start([prompt.subscription(), replace(patient.subscription(), patience_seconds=3600)])

    await bus.publish(EVENTS, "a.happened", Delivery(b"[]"))

    assert len(prompt.got) == len(patient.got) == 1

"""Hear from another system how discoveries go: an own queue on the exchange `public`, one CloudEvent a message."""

import asyncio
import os

import aio_pika
from cloudevents.core.bindings import rabbitmq


async def main() -> None:
    """Print every event until stopped."""
    async with await aio_pika.connect(os.environ["RABBITMQ_URL"]) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        for event_type in ("discovery.started", "discovery.completed"):
            await queue.bind(os.environ.get("EXCHANGE", "public"), routing_key=event_type)
        print("listening", flush=True)
        async with queue.iterator(no_ack=True) as messages:
            async for message in messages:
                received = rabbitmq.RabbitMQMessage({}, message.content_type, message.body)
                event = rabbitmq.from_rabbitmq_event(received)
                print(event.get_type(), event.get_extension("flowid"), event.get_data(), flush=True)


asyncio.run(main())

"""Start a discovery from another system: one CloudEvent on the exchange `external`, with the API key as a header."""

import asyncio
import os
import sys

import aio_pika
from cloudevents.core.bindings import rabbitmq
from cloudevents.core.v1.event import CloudEvent


async def main() -> None:
    """Send the ids of uploaded imports, given as arguments."""
    tenant = {"clientaccountid": os.environ["CLIENT_ACCOUNT_ID"], "engagementid": os.environ["ENGAGEMENT_ID"]}
    event = CloudEvent({"type": "discovery.requested", "source": "/cmdb", **tenant}, {"import_ids": sys.argv[1:]})
    message = rabbitmq.to_structured_event(event)
    headers: aio_pika.abc.HeadersType = {**message.headers, "x-api-key": os.environ["API_KEY"]}
    async with await aio_pika.connect(os.environ["RABBITMQ_URL"]) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(os.environ.get("EXCHANGE", "external"))
        body = aio_pika.Message(message.body, headers=headers, content_type=message.content_type, delivery_mode=2)
        await exchange.publish(body, routing_key="discovery.requested")
    print(f"sent {event.get_id()}")


asyncio.run(main())

"""Deliveries of webhooks: a public event becomes one for each endpoint of its tenant that wants it."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.configuration import WEBHOOKS_ENABLED
from contracts.envelope import Event, uuid7
from contracts.webhooks import WebhookDeliveryRequested
from services.chassis.configuration import configured
from services.gateway.tables import Tables
from services.gateway.webhooks.rules import wants
from services.gateway.webhooks.tables import Webhook, WebhookDelivery


async def fan_out(event: Event, session: AsyncSession) -> list[WebhookDeliveryRequested]:
    """A delivery for each endpoint of the tenant that wants this public event."""
    statement = select(Webhook.webhook_id, Webhook.event_types).where(Webhook.enabled)
    found = (await session.execute(statement)).all()
    wanting = [row.webhook_id for row in found if wants(row.event_types, event.type_name)]
    if not wanting or not await configured(session, Tables.metadata, event.tenant, WEBHOOKS_ENABLED):
        return []
    return [await new_delivery(session, webhook_id, event) for webhook_id in wanting]


async def new_delivery(session: AsyncSession, webhook_id: UUID, event: Event) -> WebhookDeliveryRequested:
    """Note that an endpoint gets an event; what is returned asks for the first attempt."""
    now, delivery_id = datetime.now(UTC), uuid7()
    row = {
        "delivery_id": delivery_id,
        "webhook_id": webhook_id,
        "event_id": event.id,
        "event_type": event.type_name,
        "payload": event.to_cloudevent(),
        "status": "pending",
        "attempts": 0,
        "tries": 0,
        "created_at": now,
        "next_attempt_at": now,
    }
    await session.execute(insert(WebhookDelivery).values(row))
    return WebhookDeliveryRequested(tenant=event.tenant, causation_id=event.id, delivery_id=delivery_id, attempt=1)

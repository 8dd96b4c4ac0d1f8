"""Webhooks: other systems are told of public events over HTTP; these events say what became of the endpoints."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event, Problem


class WebhookChanged(Event, type="webhook.changed"):
    """Somebody made, changed or deleted an endpoint, or gave it a new secret."""

    webhook_id: UUID
    host: str = Field(description="Of the URL no more than this: the rest may be a secret")
    change: Literal["created", "replaced", "secret_rotated", "deleted"]
    enabled: bool
    event_types: list[str] = Field(description="Empty: all public events")
    changed_by: str


class WebhookDisabled(Event, type="webhook.disabled"):
    """An endpoint gets nothing any more: it said that it is gone, or did not take an event for days."""

    webhook_id: UUID
    host: str
    problem: Problem


class WebhookPinged(Event, type="webhook.pinged"):
    """Somebody tries an endpoint; this event is what it gets."""

    webhook_id: UUID
    pinged_by: str


class WebhookDeliveryRequested(Event, type="webhook_delivery.requested"):
    """Send an event to an endpoint, for the n-th time."""

    delivery_id: UUID
    attempt: int = Field(ge=1)

"""What the REST interface takes and gives about webhooks."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from contracts.rest import View

DeliveryStatus = Literal["pending", "delivered", "failed"]


class WebhookBody(View):
    """An endpoint of another system that is told of public events."""

    url: str = Field(max_length=2048, description="https://…", examples=["https://hooks.example.com/modernize"])
    event_types: list[str] = Field(default=[], max_length=100, description="Public events it wants; empty: all of them")
    description: str = Field(default="", max_length=500)
    enabled: bool = Field(default=True, description="Whether it gets what happens from now on")


class WebhookView(WebhookBody):
    """An endpoint, and how it does."""

    webhook_id: UUID
    disabled_reason: str | None = Field(default=None, description="Why the platform switched it off")
    failing_since: datetime | None = Field(default=None, description="When the first of its failures in a row was")
    previous_secret_until: datetime | None = Field(
        default=None, description="Until then everything is also signed with the secret before the newest"
    )
    created_by: str
    created_at: datetime


class WebhookWithSecret(WebhookView):
    """An endpoint with its secret, which is shown this once."""

    secret: str = Field(description="What Standard Webhooks libraries verify signatures with; begins with whsec_")


class DeliveryAttempt(View):
    """One try to deliver an event."""

    number: int
    attempted_at: datetime
    duration_ms: int
    status_code: int | None = Field(description="What the endpoint answered with; null if it did not answer")
    problem: str | None = Field(description="Why it did not count as taken")
    answer: str = Field(description="The beginning of the answer's body, at most 1 KB")


class DeliveryView(View):
    """An event that an endpoint gets."""

    delivery_id: UUID
    webhook_id: UUID
    event_id: UUID = Field(description="Sent as webhook-id, the same with every attempt")
    event_type: str
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None = Field(description="Null once it was delivered or given up")


class DeliveryDetail(DeliveryView):
    """A delivery with what is sent, and every try."""

    payload: dict[str, Any] = Field(description="The CloudEvent that is the request's body")
    log: list[DeliveryAttempt]

"""Examples of the REST models about webhooks, for the OpenAPI document."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel

from contracts.rest_webhooks import (
    DeliveryAttempt,
    DeliveryDetail,
    DeliveryView,
    WebhookBody,
    WebhookView,
    WebhookWithSecret,
)

_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_BODY = WebhookBody(
    url="https://hooks.example.com/modernize",
    event_types=["discovery.completed", "planning.completed"],
    description="The client's ticket system",
)
_VIEW = WebhookView(
    **_BODY.model_dump(), webhook_id=UUID("0197a6a0-0000-7000-8000-000000000090"), created_by="operator", created_at=_AT
)
_ATTEMPT = DeliveryAttempt(number=1, attempted_at=_AT, duration_ms=87, status_code=204, problem=None, answer="")
_DELIVERY = DeliveryView(
    delivery_id=UUID("0197a6a0-0000-7000-8000-000000000091"),
    webhook_id=_VIEW.webhook_id,
    event_id=UUID("0197a6a0-0000-7000-8000-000000000092"),
    event_type="discovery.completed",
    status="delivered",
    attempts=1,
    created_at=_AT,
    next_attempt_at=None,
)
_EVENT = {"specversion": "1.0", "id": str(_DELIVERY.event_id), "type": _DELIVERY.event_type, "data": {}}

WEBHOOK_EXAMPLES: tuple[BaseModel, ...] = (
    _BODY,
    _VIEW,
    WebhookWithSecret(**_VIEW.model_dump(), secret="whsec_" + "A" * 43 + "="),  # pragma: allowlist secret
    _ATTEMPT,
    _DELIVERY,
    DeliveryDetail(**_DELIVERY.model_dump(), payload=_EVENT, log=[_ATTEMPT]),
)

"""Webhooks: endpoints of other systems, their secrets, and what was delivered to them."""

import base64
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.envelope import uuid7
from contracts.rest_webhooks import (
    DeliveryAttempt,
    DeliveryDetail,
    DeliveryStatus,
    DeliveryView,
    WebhookBody,
    WebhookView,
    WebhookWithSecret,
)
from contracts.webhooks import WebhookChanged, WebhookDeliveryRequested, WebhookPinged
from services.chassis.errors import Conflict, ExpectedFailure, NotFound
from services.chassis.runtime import Runtime
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller, Principal
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.configuration import level_of
from services.gateway.webhooks.deliveries import new_delivery
from services.gateway.webhooks.rules import host_of, public_types
from services.gateway.webhooks.tables import SECRET, Webhook, WebhookAttempt, WebhookDelivery

router = APIRouter(tags=["webhooks"])

# Each endpoint multiplies what is sent.
MOST_WEBHOOKS = 20
# Standard Webhooks asks for 24 to 64 bytes.
SECRET_BYTES = 32
OVERLAP = timedelta(days=1)

Change = Literal["created", "replaced", "secret_rotated", "deleted"]


@router.post("/webhooks", status_code=201)
async def create_webhook(body: WebhookBody, caller: Caller, gateway: Gateway, once: Creating) -> WebhookWithSecret:
    """Tell another system of public events. The answer has the secret that it verifies signatures with, this once.

    Its host must have an address on the internet, or one that an operator opened; this is looked at again each time.
    """
    _check(caller, body)
    await gateway.outbound.judge(body.url)
    webhook_id, secret = uuid7(), _new_secret()
    row = {
        **body.model_dump(),
        "webhook_id": webhook_id,
        "secret": _sealed(gateway, caller, webhook_id, secret),
        "created_by": caller.name,
        "created_at": datetime.now(UTC),
    }
    async with once.transaction() as session:
        # One at a time, so that the count holds.
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"webhooks:{caller.tenant}", 0))))
        if (await session.execute(select(func.count()).select_from(Webhook))).scalar_one() >= MOST_WEBHOOKS:
            raise Conflict("too_many_webhooks", f"There are {MOST_WEBHOOKS} endpoints already. Delete one first.")
        webhook = (await session.scalars(insert(Webhook).values(row).returning(Webhook))).one()
        await emit(session, _changed(caller, webhook, "created"))
        view = WebhookView.model_validate(webhook)
        return once.keep(WebhookWithSecret(**view.model_dump(), secret=secret))


@router.get("/webhooks")
async def list_webhooks(session: Reading, page: Page) -> rest.Page[WebhookView]:
    """Endpoints, the first one first."""
    rows, cursor = await page.fetch(session, select(Webhook), Webhook.webhook_id)
    return rest.Page(items=[WebhookView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/webhooks/{webhook_id}")
async def show_webhook(webhook_id: UUID, session: Reading) -> WebhookView:
    """An endpoint and how it does."""
    return WebhookView.model_validate(await _webhook(session, webhook_id))


@router.put("/webhooks/{webhook_id}")
async def replace_webhook(webhook_id: UUID, body: WebhookBody, caller: Caller, gateway: Gateway) -> WebhookView:
    """Change an endpoint, all of it; enabling it again forgets why it was disabled."""
    async with gateway.database.transaction(caller.tenant) as session:
        known = await _webhook(session, webhook_id)
        _check(caller, body)
        # One that stays as it is may be changed while its server is away.
        judged = body.url != known.url or (body.enabled and not known.enabled)
    if judged:
        await gateway.outbound.judge(body.url)
    async with gateway.database.transaction(caller.tenant) as session:
        webhook = await _webhook(session, webhook_id)
        for name, value in body.model_dump().items():
            setattr(webhook, name, value)
        if body.enabled:
            webhook.disabled_reason = webhook.failing_since = None
        await emit(session, _changed(caller, webhook, "replaced"))
        view = WebhookView.model_validate(webhook)
    gateway.committed()
    return view


@router.delete("/webhooks/{webhook_id}")
async def delete_webhook(webhook_id: UUID, caller: Caller, gateway: Gateway) -> WebhookView:
    """Remove an endpoint, its secret and its log; what is on its way to it is not sent again."""
    async with gateway.database.transaction(caller.tenant) as session:
        webhook = await _webhook(session, webhook_id)
        view = WebhookView.model_validate(webhook)
        await session.execute(delete(Webhook).where(Webhook.webhook_id == webhook_id))
        await emit(session, _changed(caller, webhook, "deleted"))
    gateway.committed()
    return view


@router.post("/webhooks/{webhook_id}/secret")
async def rotate_webhook_secret(
    webhook_id: UUID, caller: Caller, gateway: Gateway, once: Creating
) -> WebhookWithSecret:
    """Give an endpoint a new secret. For a day everything is signed with both, so that it can change over."""
    secret = _new_secret()
    async with once.transaction() as session:
        webhook = await _webhook(session, webhook_id)
        webhook.previous_secret, webhook.previous_secret_until = webhook.secret, datetime.now(UTC) + OVERLAP
        webhook.secret = _sealed(gateway, caller, webhook_id, secret)
        await emit(session, _changed(caller, webhook, "secret_rotated"))
        view = WebhookView.model_validate(webhook)
        return once.keep(WebhookWithSecret(**view.model_dump(), secret=secret))


@router.post("/webhooks/{webhook_id}/ping", status_code=202)
async def ping_webhook(webhook_id: UUID, caller: Caller, once: Creating) -> DeliveryView:
    """Send an endpoint a `webhook.pinged`, once, also while it is disabled; the delivery's log says what came of it."""
    async with once.transaction() as session:
        webhook = await _webhook(session, webhook_id)
        ping = WebhookPinged(
            tenant=caller.tenant, source="/services/gateway", webhook_id=webhook.webhook_id, pinged_by=caller.name
        )
        requested = await new_delivery(session, webhook_id, ping)
        await emit(session, ping, requested)
        return once.keep(DeliveryView.model_validate(await _delivery(session, webhook_id, requested.delivery_id)))


@router.get("/webhooks/{webhook_id}/deliveries")
async def list_deliveries(
    webhook_id: UUID,
    session: Reading,
    page: Page,
    status: Annotated[DeliveryStatus | None, Query(examples=list(get_args(DeliveryStatus)))] = None,
) -> rest.Page[DeliveryView]:
    """What an endpoint got, or did not, in the last 30 days; the first one first."""
    await _webhook(session, webhook_id)
    statement = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    if status is not None:
        statement = statement.where(WebhookDelivery.status == status)
    rows, cursor = await page.fetch(session, statement, WebhookDelivery.delivery_id)
    return rest.Page(items=[DeliveryView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/webhooks/{webhook_id}/deliveries/{delivery_id}")
async def show_delivery(webhook_id: UUID, delivery_id: UUID, session: Reading) -> DeliveryDetail:
    """A delivery with what is sent, and every try."""
    delivery = await _delivery(session, webhook_id, delivery_id)
    statement = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery_id).order_by(WebhookAttempt.number)
    log = [DeliveryAttempt.model_validate(row) for row in await session.scalars(statement)]
    return DeliveryDetail(**DeliveryView.model_validate(delivery).model_dump(), payload=delivery.payload, log=log)


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", status_code=202)
async def redeliver(webhook_id: UUID, delivery_id: UUID, caller: Caller, once: Creating) -> DeliveryView:
    """Send an event again, with the same `webhook-id`, and as often as a new one."""
    async with once.transaction() as session:
        delivery = await _delivery(session, webhook_id, delivery_id, lock=True)
        if delivery.status == "pending":
            raise Conflict("on_its_way", "This delivery was not given up: it is tried again by itself.")
        delivery.status, delivery.tries, delivery.next_attempt_at = "pending", 0, datetime.now(UTC)
        requested = WebhookDeliveryRequested(
            tenant=caller.tenant, delivery_id=delivery_id, attempt=delivery.attempts + 1
        )
        await emit(session, requested)
        return once.keep(DeliveryView.model_validate(delivery))


def _check(caller: Principal, body: WebhookBody) -> None:
    if level_of(caller.tenant) != "engagement":
        raise Conflict("not_at_this_level", "Events are those of engagements: name one, and make the endpoint there.")
    if unknown := sorted({*body.event_types} - {*public_types()}):
        known = ", ".join(public_types())
        raise ExpectedFailure("unknown_event_type", f"Endpoints get {known}; not {', '.join(unknown)[:200]}.")


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _sealed(gateway: Runtime, caller: Principal, webhook_id: UUID, secret: str) -> bytes:
    return gateway.vault.seal(caller.tenant, SECRET.purpose, webhook_id, secret.encode())


def _changed(caller: Principal, webhook: Webhook, change: Change) -> WebhookChanged:
    return WebhookChanged(
        tenant=caller.tenant,
        webhook_id=webhook.webhook_id,
        host=host_of(webhook.url),
        change=change,
        enabled=webhook.enabled,
        event_types=webhook.event_types,
        changed_by=caller.name,
    )


async def _webhook(session: AsyncSession, webhook_id: UUID) -> Webhook:
    webhook = await session.scalar(select(Webhook).where(Webhook.webhook_id == webhook_id))
    if webhook is None:
        raise NotFound("webhook_not_found", f"There is no webhook {webhook_id} in this engagement.")
    return webhook


async def _delivery(
    session: AsyncSession, webhook_id: UUID, delivery_id: UUID, *, lock: bool = False
) -> WebhookDelivery:
    own = WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.delivery_id == delivery_id
    statement = select(WebhookDelivery).where(*own)
    delivery = await session.scalar(statement.with_for_update() if lock else statement)
    if delivery is None:
        raise NotFound("delivery_not_found", f"There is no delivery {delivery_id} to the webhook {webhook_id}.")
    return delivery

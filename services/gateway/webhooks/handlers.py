"""Webhooks: a public event becomes a delivery for each endpoint that wants it, and each attempt is long work."""

import time
from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from standardwebhooks import Webhook as Signer

from contracts.audit_log import AuditCheckpointSigned, AuditKeyCreated
from contracts.configuration import WEBHOOKS_ENABLED
from contracts.discovery import DiscoveryStarted
from contracts.envelope import EVENT_TYPES, Problem, Tenant
from contracts.webhooks import WebhookDeliveryRequested, WebhookDisabled
from services.chassis.configuration import configured
from services.chassis.encryption import Vault
from services.chassis.outbound import Limits, OutboundFailed, OutboundRefused
from services.chassis.outbox import add_directed
from services.chassis.runtime import Runtime
from services.chassis.work import Job
from services.gateway.handlers import service
from services.gateway.webhooks.deliveries import fan_out
from services.gateway.webhooks.rules import GONE, Outcome, host_of, next_wait
from services.gateway.webhooks.tables import SECRET, Webhook, WebhookAttempt, WebhookDelivery

log = structlog.get_logger()

ANSWER_BYTES = 1024
# Of the answer only its beginning is read.
LIMITS = Limits(total_seconds=20, idle_seconds=15, max_bytes=2**40)
KEPT = timedelta(days=30)
SWEEP_SECONDS = 3600.0


# These have handlers of their own, which tell them on.
_HANDLED = (AuditCheckpointSigned, AuditKeyCreated, DiscoveryStarted)
_OTHERS = [event for event in EVENT_TYPES.values() if event.public and event not in _HANDLED]
service.subscribe(fan_out, hears=_OTHERS, emits=[WebhookDeliveryRequested])


@service.waiting_work
async def deliver(event: WebhookDeliveryRequested, job: Job) -> WebhookDisabled | None:
    """One attempt: sent outside any transaction, then recorded with what follows from it.

    A process that ends in between leaves the work to another, which sends the same `webhook-id` again.
    """
    async with job.reading() as session:
        found = await _pending(session, event)
        if found is None:
            return None
        webhook, delivery = found
        if not await configured(session, service.metadata, event.tenant, WEBHOOKS_ENABLED):
            refused: str | None = "Webhooks are switched off by the operator."
        elif not webhook.enabled and delivery.event_type != "webhook.pinged":
            refused = "The endpoint is disabled."
        else:
            refused = None
    started = datetime.now(UTC)
    outcome = Outcome(0, problem=refused) if refused else await _send(job, event.tenant, webhook, delivery)
    session = await job.begin()
    if await _pending(session, event) is None:
        return None
    return await _record(session, event, webhook, started, outcome, given_up=refused is not None)


async def _pending(session: AsyncSession, event: WebhookDeliveryRequested) -> tuple[Webhook, WebhookDelivery] | None:
    """The delivery and its endpoint, if this attempt is the one that is due."""
    statement = (
        select(Webhook, WebhookDelivery)
        .join(WebhookDelivery, Webhook.webhook_id == WebhookDelivery.webhook_id)
        .where(WebhookDelivery.delivery_id == event.delivery_id)
        .where(WebhookDelivery.status == "pending", WebhookDelivery.attempts == event.attempt - 1)
        .with_for_update(of=WebhookDelivery)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def _send(job: Job, tenant: Tenant, webhook: Webhook, delivery: WebhookDelivery) -> Outcome:
    body = orjson.dumps(delivery.payload)
    headers = {
        "content-type": "application/cloudevents+json",
        **signed_headers(job.vault, tenant, webhook, delivery.event_id, body, datetime.now(UTC)),
    }
    begun = time.monotonic()
    known: dict[str, Any] = {}
    text = b""
    try:
        async with job.outbound.stream("POST", webhook.url, headers=headers, content=body, limits=LIMITS) as answer:
            known = {"status_code": answer.status, "retry_after": _retry_after(answer.headers)}
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    text += chunk
                    if len(text) >= ANSWER_BYTES:
                        break
    except (OutboundRefused, OutboundFailed) as failure:
        # Once there was a status, that is the answer, whatever became of its body.
        known = known or {"problem": failure.problem.detail}
    answered = text[:ANSWER_BYTES].decode(errors="replace").replace("\0", "\ufffd")
    return Outcome(round((time.monotonic() - begun) * 1000), answer=answered, **known)


def signed_headers(
    vault: Vault, tenant: Tenant, webhook: Webhook, event_id: UUID, body: bytes, now: datetime
) -> dict[str, str]:
    """The headers of Standard Webhooks, signed with the secret and, for a day after a change, with the one before."""
    sealed = [webhook.secret]
    if webhook.previous_secret and webhook.previous_secret_until and now < webhook.previous_secret_until:
        sealed.append(webhook.previous_secret)
    secrets = [vault.open(tenant, SECRET.purpose, webhook.webhook_id, each).decode() for each in sealed]
    signatures = [Signer(secret).sign(str(event_id), now, body.decode()) for secret in secrets]
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def _record(
    session: AsyncSession,
    event: WebhookDeliveryRequested,
    webhook: Webhook,
    started: datetime,
    outcome: Outcome,
    *,
    given_up: bool,
) -> WebhookDisabled | None:
    attempt = {
        "delivery_id": event.delivery_id,
        "number": event.attempt,
        "attempted_at": started,
        "duration_ms": outcome.duration_ms,
        "status_code": outcome.status_code,
        "problem": outcome.reason,
        "answer": outcome.answer,
    }
    await session.execute(insert(WebhookAttempt).values(attempt))
    delivery = (
        await session.scalars(select(WebhookDelivery).where(WebhookDelivery.delivery_id == event.delivery_id))
    ).one()
    delivery.attempts, delivery.tries = event.attempt, delivery.tries + 1
    trial = delivery.event_type == "webhook.pinged"
    wait = None if outcome.taken or given_up or trial else next_wait(delivery.tries, outcome)
    delivery.status = "delivered" if outcome.taken else "failed" if wait is None else "pending"
    delivery.next_attempt_at = None if wait is None else datetime.now(UTC) + wait
    await session.flush()
    if wait is not None:
        again = WebhookDeliveryRequested(tenant=event.tenant, delivery_id=event.delivery_id, attempt=event.attempt + 1)
        queue = service.queue_of(WebhookDeliveryRequested)
        message = {**again.to_cloudevent(), "source": f"/services/{service.name}"}
        await add_directed(session, service.metadata, queue, message, wait)
    if given_up or trial:
        return None
    failing = None if outcome.taken else func.coalesce(Webhook.failing_since, started)
    statement = update(Webhook).where(Webhook.webhook_id == webhook.webhook_id).values(failing_since=failing)
    since = await session.scalar(statement.returning(Webhook.failing_since))
    if wait is not None or since is None:
        return None
    # Nothing was taken since the first try of what is given up now, or the endpoint itself said that it is gone.
    first = select(WebhookAttempt.attempted_at).where(
        WebhookAttempt.delivery_id == event.delivery_id,
        WebhookAttempt.number == delivery.attempts - delivery.tries + 1,
    )
    if outcome.status_code != GONE and since > (await session.scalars(first)).one():
        return None
    return await _disabled(session, event, webhook, outcome)


async def _disabled(
    session: AsyncSession, event: WebhookDeliveryRequested, webhook: Webhook, outcome: Outcome
) -> WebhookDisabled | None:
    """Switch an endpoint off, unless it is off."""
    why = "It said that it is gone." if outcome.status_code == GONE else "It took nothing for days."
    reason = f"{why} The last time: {outcome.reason}"
    statement = update(Webhook).where(Webhook.webhook_id == webhook.webhook_id, Webhook.enabled)
    disabling = statement.values(enabled=False, disabled_reason=reason).returning(Webhook.webhook_id)
    if (await session.execute(disabling)).first() is None:
        return None
    host = host_of(webhook.url)
    log.warning("webhook_disabled", webhook_id=str(webhook.webhook_id), host=host, reason=reason)
    problem = Problem(code="webhook_disabled", detail=f"{reason} Repair it, then enable it again.")
    return WebhookDisabled.reply_to(event, webhook_id=webhook.webhook_id, host=host, problem=problem)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The seconds that an endpoint asks to be left alone for; a date, which few send, does not count."""
    value = headers.get("retry-after", "")
    return timedelta(seconds=min(int(value[:9]), 86_400)) if value.isascii() and value.isdecimal() else None


@service.every(SWEEP_SECONDS)
async def forget_old_deliveries(runtime: Runtime) -> None:
    """Remove what was delivered or given up a month ago, with its log."""
    async with runtime.database.dispatch() as connection:
        table = WebhookDelivery.__table__
        await connection.execute(delete(WebhookDelivery).where(table.c.created_at < datetime.now(UTC) - KEPT))

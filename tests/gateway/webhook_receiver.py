"""Receivers of webhooks on loopback, and what the tests ask of the gateway about them."""

import asyncio
from typing import Any

from standardwebhooks import Webhook as Verifier

from contracts.collection import CollectionStarted
from contracts.envelope import Event, Tenant, uuid7
from services.gateway.app import DEFAULT_TENANT
from tests.far_server import FarServer, answer
from tests.gateway.platform import Platform

STARTED = CollectionStarted.type_name


class Answers:
    """A receiver that answers with one status after the other, the last one for ever."""

    def __init__(self, *statuses: str, **headers: str) -> None:
        self.statuses = list(statuses)
        self.headers = headers

    async def __call__(self, request: str, writer: asyncio.StreamWriter) -> None:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        writer.write(answer(status, b"noted " * 400, **self.headers))
        await writer.drain()


def parts(request: str) -> tuple[dict[str, str], str]:
    """Headers, by their small names, and body of a request."""
    head, _, body = request.partition("\r\n\r\n")
    return dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:]), body


def verified(request: str, secret: str) -> Any:
    """The event in a request whose signature holds; raises `WebhookVerificationError`."""
    head, _, body = request.partition("\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    return Verifier(secret).verify(body, headers)


async def webhook(platform: Platform, far: FarServer, tenant: Tenant | None = None, **body: Any) -> dict[str, Any]:
    made = await platform.post("/webhooks", {"url": f"{far.url}/hook?token=t0ken", **body}, tenant)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def deliveries(platform: Platform, hook: dict[str, Any], tenant: Tenant | None = None) -> list[Any]:
    found: list[Any] = (await platform.get(f"/webhooks/{hook['webhook_id']}/deliveries", tenant))["items"]
    return found


async def detail(platform: Platform, delivery: dict[str, Any]) -> Any:
    return await platform.get(f"/webhooks/{delivery['webhook_id']}/deliveries/{delivery['delivery_id']}")


def started(tenant: Tenant = DEFAULT_TENANT) -> Event:
    return CollectionStarted(tenant=tenant, flow_id=uuid7(), discovery_flow_id=uuid7())

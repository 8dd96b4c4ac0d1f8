"""Endpoints of webhooks: their secrets, and which may not be."""

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import text
from standardwebhooks import WebhookVerificationError

from services.chassis.outbound_rules import Address
from services.chassis.settings import Settings
from services.gateway.app import DEFAULT_TENANT
from tests.far_server import answer, far_server
from tests.gateway.platform import Platform, a_platform
from tests.gateway.webhook_receiver import detail, started, verified, webhook


@pytest.fixture
async def platform(settings: Settings) -> AsyncIterator[Platform]:
    """A gateway whose operator allows receivers on loopback."""
    async with a_platform(settings.model_copy(update={"outbound_allowed": "http://127.0.0.1:*"})) as platform:
        yield platform


async def test_a_new_secret_counts_at_once_and_the_old_one_for_a_day_more(platform: Platform) -> None:
    async with far_server(answer()) as far:
        hook = await webhook(platform, far)
        new = (await platform.post(f"/webhooks/{hook['webhook_id']}/secret")).json()["secret"]
        await platform.hear(started())
        async with platform.runtime.database.transaction(DEFAULT_TENANT) as session:
            await session.execute(text("update gateway.webhooks set previous_secret_until = now()"))
        await platform.hear(started())
    assert new != hook["secret"]
    both, alone = far.requests
    for secret in (new, hook["secret"]):
        verified(both, secret)
    verified(alone, new)
    with pytest.raises(WebhookVerificationError):
        verified(alone, hook["secret"])


async def test_a_secret_is_shown_once_and_lies_nowhere_in_plain(platform: Platform) -> None:
    async with far_server(answer()) as far:
        hook = await webhook(platform, far)
        await platform.hear(started())
    path = f"/api/v1/webhooks/{hook['webhook_id']}"
    shown = [await platform.client.get(each) for each in (path, "/api/v1/webhooks", f"{path}/deliveries")]
    secret = hook["secret"].removeprefix("whsec_")
    assert secret not in "".join(each.text for each in shown)
    assert secret not in json.dumps(platform.heard.messages)
    async with platform.runtime.database.transaction(DEFAULT_TENANT) as session:
        rows = (await session.execute(text("select * from gateway.webhooks"))).all()
    assert secret not in str(rows)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://hooks.example.com/"}, "url_not_allowed"),
        ({"url": "https://user:pw@hooks.example.com/"}, "url_with_credentials"),
        ({"url": "https://2130706433/"}, "url_not_allowed"),
        ({"url": "https://hooks.example.com:22/"}, "url_not_allowed"),
        ({"url": "nonsense"}, "bad_url"),
        ({"url": "https://127.0.0.1/"}, "address_not_allowed"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "address_not_allowed"),
        ({"url": "https://169.254.169.254/latest/meta-data/"}, "address_not_allowed"),
        ({"url": "https://localhost/"}, "address_not_allowed"),
        ({"url": "https://no-such-name.invalid/"}, "address_not_allowed"),
        ({"url": "https://hooks.example.com/", "event_types": ["flow.updated"]}, "unknown_event_type"),
    ],
)
async def test_an_endpoint_that_may_not_be_called_is_refused_when_it_is_made(
    settings: Settings, body: dict[str, Any], code: str
) -> None:
    async with a_platform(settings) as platform:
        refused = await platform.post("/webhooks", body)
    assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_a_name_that_leads_inside_later_is_never_called_and_the_log_does_not_name_it(settings: Settings) -> None:
    async with far_server(answer()) as far, a_platform(settings) as platform:
        leads = [ip_address("8.8.8.8"), ip_address("127.0.0.1")]

        async def resolve(host: str, port: int) -> list[Address]:
            return [leads.pop(0) if len(leads) > 1 else leads[0]]

        platform.runtime.outbound._resolve = resolve
        made = await platform.post("/webhooks", {"url": "https://hooks.example/"})
        assert made.status_code == 201, made.text
        path = f"/api/v1/webhooks/{made.json()['webhook_id']}"
        other = await platform.client.put(path, json={"url": "https://hooks.example/other"})
        assert (other.status_code, other.json()["code"]) == (422, "address_not_allowed")
        # Nothing about where it goes changes.
        told = {"url": "https://hooks.example/", "description": "ours"}
        assert (await platform.client.put(path, json=told)).json()["description"] == "ours"
        sent = await platform.post(f"/webhooks/{made.json()['webhook_id']}/ping")
        await platform.settled()
        (tried,) = (await detail(platform, sent.json()))["log"]
    assert far.connections == 0
    assert tried["status_code"] is None
    assert "127.0.0.1" not in str(tried)


async def test_no_more_than_twenty_endpoints(platform: Platform) -> None:
    body = {"url": "http://127.0.0.1/"}
    made = await asyncio.gather(*[platform.post("/webhooks", body) for _ in range(22)])
    assert sorted(each.status_code for each in made) == [201] * 20 + [409] * 2

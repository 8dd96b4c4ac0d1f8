"""Webhooks, delivered to a real receiver on loopback that verifies signatures with the standard's own library."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from standardwebhooks import WebhookVerificationError

from contracts.discovery import DiscoveryStarted
from contracts.envelope import EVENT_TYPES, PLATFORM, uuid7
from contracts.webhooks import WebhookDeliveryRequested
from services.chassis.database import Database
from services.chassis.outbox import add_events
from services.chassis.settings import Settings
from services.chassis.testing import eventually
from services.gateway.app import DEFAULT_TENANT
from services.gateway.handlers import service
from services.gateway.tables import PlannedWave
from services.gateway.webhooks import rules as webhook_rules
from services.gateway.webhooks.deliveries import fan_out
from services.gateway.webhooks.rules import BACK_OFF
from tests.far_server import answer, far_server
from tests.gateway import webhook_child
from tests.gateway.estate import waves
from tests.gateway.platform import Platform, a_platform
from tests.gateway.webhook_receiver import STARTED, Answers, deliveries, detail, parts, started, verified, webhook

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.gateway.webhook_child"])


@pytest.fixture
async def platform(settings: Settings) -> AsyncIterator[Platform]:
    """A gateway whose operator allows receivers on loopback."""
    async with a_platform(settings.model_copy(update={"outbound_allowed": "http://127.0.0.1:*"})) as platform:
        yield platform


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule of attempts as in production, but at once."""
    monkeypatch.setattr(webhook_rules, "BACK_OFF", (timedelta(0),) * len(BACK_OFF))


async def test_a_public_event_arrives_signed_as_the_event_that_it_is(platform: Platform) -> None:
    event = started()
    async with far_server(answer("204 No Content")) as far:
        hook = await webhook(platform, far)
        await platform.hear(event)
    (request,) = far.requests
    got = verified(request, hook["secret"])
    assert (got["id"], got["type"], got["data"]) == (str(event.id), STARTED, event.to_cloudevent()["data"])
    headers, _ = parts(request)
    assert (headers["webhook-id"], headers["content-type"]) == (str(event.id), "application/cloudevents+json")
    with pytest.raises(WebhookVerificationError):
        verified(request, "whsec_" + "A" * 43 + "=")
    (delivery,) = await deliveries(platform, hook)
    assert (delivery["status"], delivery["attempts"], delivery["next_attempt_at"]) == ("delivered", 1, None)


async def test_every_public_event_becomes_a_delivery_and_no_other_does(platform: Platform) -> None:
    public = [event for event in EVENT_TYPES.values() if event.public]
    async with far_server(answer()) as far:
        await webhook(platform, far)
        async with platform.runtime.database.transaction(DEFAULT_TENANT) as session:
            for each in public:
                handler = service.handler_of(each.type_name)
                assert handler is not None, each
                assert WebhookDeliveryRequested in handler.emits, each
                if handler.function is fan_out:
                    event = each.model_construct(tenant=DEFAULT_TENANT, id=uuid7())
                    assert len(await fan_out(event, session)) == 1
    others = [handler for handler in service.handlers if handler.function is fan_out]
    assert all(event.public for handler in others for event in handler.hears)


async def test_the_start_of_a_discovery_is_told_beside_what_else_is_done_with_it(platform: Platform) -> None:
    event = DiscoveryStarted(tenant=DEFAULT_TENANT, flow_id=uuid7(), import_ids=[uuid7()])
    async with far_server(answer()) as far:
        hook = await webhook(platform, far)
        await platform.hear(event)
    assert [verified(request, hook["secret"])["type"] for request in far.requests] == ["discovery.started"]


async def test_an_endpoint_gets_what_it_chose_while_it_is_enabled_and_nothing_of_another_tenant(
    platform: Platform,
) -> None:
    other = await platform.new_tenant()
    async with far_server(answer()) as far:
        chosen = await webhook(platform, far, event_types=["collection.completed"])
        off = await webhook(platform, far, enabled=False)
        theirs = await webhook(platform, far, other)
        await platform.hear(started())
        assert far.requests == []
        for hook, tenant in ((chosen, None), (off, None), (theirs, other)):
            assert await deliveries(platform, hook, tenant) == []


async def test_what_fails_is_tried_again_with_the_same_id_until_it_is_taken(platform: Platform) -> None:
    async with far_server(Answers("500 Internal Server Error", "302 Found", "200 OK", Location="/x")) as far:
        hook = await webhook(platform, far)
        await platform.hear(started())
    assert len(far.requests) == 3
    assert len({parts(request)[0]["webhook-id"] for request in far.requests}) == 1
    for request in far.requests:
        verified(request, hook["secret"])
    (delivery,) = await deliveries(platform, hook)
    shown = await detail(platform, delivery)
    assert [each["status_code"] for each in shown["log"]] == [500, 302, 200]
    assert [each["problem"] is None for each in shown["log"]] == [False, False, True]
    assert all(0 < len(each["answer"]) <= 1024 for each in shown["log"])
    assert (await platform.get(f"/webhooks/{hook['webhook_id']}"))["failing_since"] is None


async def test_an_endpoint_that_takes_nothing_for_the_whole_schedule_is_disabled_and_that_is_told(
    platform: Platform,
) -> None:
    async with far_server(answer("503 Service Unavailable")) as far:
        hook = await webhook(platform, far)
        await platform.hear(started())
        assert len(far.requests) == 1 + len(BACK_OFF)
        (delivery,) = await deliveries(platform, hook)
        assert delivery["status"] == "failed"
        shown = await platform.get(f"/webhooks/{hook['webhook_id']}")
        assert not shown["enabled"]
        assert "503" in shown["disabled_reason"]
        told = await platform.told("webhook.disabled")
        assert told["data"]["host"] == "127.0.0.1"
        assert "t0ken" not in str(platform.heard.messages)
        await platform.hear(started())
        assert len(await deliveries(platform, hook)) == 1


async def test_an_endpoint_that_is_gone_is_disabled_at_once(platform: Platform) -> None:
    async with far_server(answer("410 Gone")) as far:
        hook = await webhook(platform, far)
        await platform.hear(started())
    assert len(far.requests) == 1
    assert not (await platform.get(f"/webhooks/{hook['webhook_id']}"))["enabled"]


async def test_a_delivery_that_was_given_up_is_sent_again_by_hand_with_its_id(platform: Platform) -> None:
    event = started()
    async with far_server(Answers("410 Gone", "200 OK")) as far:
        hook = await webhook(platform, far)
        await platform.hear(event)
        (delivery,) = await deliveries(platform, hook)
        path = f"/webhooks/{hook['webhook_id']}"
        body = {"url": hook["url"], "enabled": True}
        assert (await platform.client.put(f"/api/v1{path}", json=body)).json()["disabled_reason"] is None
        again = await platform.post(f"{path}/deliveries/{delivery['delivery_id']}/redeliver")
        assert again.status_code == 202, again.text
        await platform.settled()
    assert [parts(request)[0]["webhook-id"] for request in far.requests] == [str(event.id)] * 2
    shown = await detail(platform, delivery)
    assert (shown["status"], [each["number"] for each in shown["log"]]) == ("delivered", [1, 2])


async def test_a_ping_is_sent_once_also_to_a_disabled_endpoint_and_disables_none(platform: Platform) -> None:
    async with far_server(answer("500 Internal Server Error")) as far:
        hook = await webhook(platform, far, enabled=False)
        sent = await platform.post(f"/webhooks/{hook['webhook_id']}/ping")
        await platform.settled()
    assert sent.status_code == 202
    (request,) = far.requests
    got = verified(request, hook["secret"])
    assert (got["type"], got["data"]["pinged_by"]) == ("webhook.pinged", "operator")
    assert (await detail(platform, sent.json()))["status"] == "failed"
    assert (await platform.get(f"/webhooks/{hook['webhook_id']}"))["disabled_reason"] is None


async def test_an_operator_switches_webhooks_off(platform: Platform) -> None:
    async with far_server(answer()) as far:
        hook = await webhook(platform, far)
        value = {"value": False, "reason": "a leak elsewhere"}
        path = "/api/v1/configuration/webhooks_enabled"
        put = await platform.client.put(path, json=value, headers=platform.of(PLATFORM))
        assert put.status_code == 200, put.text
        await platform.hear(started())
    assert far.requests == []
    assert await deliveries(platform, hook) == []


async def test_deliveries_of_a_deleted_endpoint_end(platform: Platform) -> None:
    async with far_server(answer()) as far:
        hook = await webhook(platform, far)
        await platform.hear(started())
        gone = await platform.client.delete(f"/api/v1/webhooks/{hook['webhook_id']}")
        assert gone.status_code == 200
        await platform.hear(started())
    assert len(far.requests) == 1
    async with platform.runtime.database.transaction(DEFAULT_TENANT) as session:
        for table in ("webhooks", "webhook_deliveries", "webhook_attempts"):
            assert (await session.execute(text(f"select count(*) from gateway.{table}"))).scalar_one() == 0


async def test_a_process_killed_between_an_attempt_and_its_record_costs_a_second_attempt_and_no_record(
    settings: Settings, tmp_path: Path
) -> None:
    changed = settings.model_copy(update={"outbound_allowed": "http://127.0.0.1:*", "lease_seconds": 1.0})
    event, about_to_record = started(), tmp_path / "about_to_record"
    async with far_server(answer()) as far:
        async with a_platform(changed) as platform:
            hook = await webhook(platform, far)
        database = Database(service.name, changed)
        async with database.transaction(DEFAULT_TENANT) as session:
            await add_events(session, service.metadata, [event])
        await database.close()
        child = CONTEXT.Process(target=webhook_child.run, args=(changed, about_to_record), daemon=True)
        child.start()
        try:

            async def tried() -> bool:
                return await asyncio.to_thread(about_to_record.exists)

            await eventually(tried, 60)
        finally:
            child.kill()
            child.join()
        async with a_platform(changed) as platform:
            await platform.settled()
            (delivery,) = await deliveries(platform, hook)
            assert [each["number"] for each in (await detail(platform, delivery))["log"]] == [1]
    assert [parts(request)[0]["webhook-id"] for request in far.requests] == [str(event.id)] * 2


async def test_receivers_that_never_answer_hold_up_no_other_work(platform: Platform) -> None:
    silent = asyncio.Event()

    async def never(request: str, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.write(answer())
        await writer.drain()

    async with far_server(never) as far:
        for number in range(platform.runtime.settings.work_concurrency + 1):
            await webhook(platform, far, url=f"{far.url}/{number}")
        tenant, flow_id = DEFAULT_TENANT, uuid7()
        planned = waves(tenant, flow_id, ["Payroll"])
        async with platform.runtime.database.transaction(tenant) as session:
            await add_events(session, service.metadata, [started()])
        platform.runtime.committed()

        async def all_wait() -> bool:
            return len(far.requests) > platform.runtime.settings.work_concurrency

        await eventually(all_wait)
        async with platform.runtime.database.transaction(tenant) as session:
            await add_events(session, service.metadata, [planned])
        platform.runtime.committed()

        async def shown() -> bool:
            async with platform.runtime.database.transaction(tenant) as session:
                return await session.scalar(select(PlannedWave.name).where(PlannedWave.flow_id == flow_id)) is not None

        await eventually(shown)
        assert not silent.is_set()
        silent.set()
        await platform.settled()

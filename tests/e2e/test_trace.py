"""One trace: a request's spans run through every service to the database, across the outbox, on each bus."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import orjson
import pytest

from contracts.envelope import uuid7
from services.chassis.bus.transport import EXTERNAL, Delivery
from services.chassis.settings import Settings
from services.gateway.app import DEFAULT_TENANT
from tests.conftest import TransportOf, declared_services
from tests.e2e.estate import INVENTORY, clean_inventory
from tests.e2e.platform import API_KEY, Platform, a_platform
from tests.otlp_receiver import Node, OtlpReceiver, ReceivedSpan

SERVICES = {f"modernize-{name}" for name in ("gateway", "flow_orchestrator", "field_mapping", "agent_runner", "audit")}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
async def traced(bus_settings: Settings, transport_of: TransportOf, receiver: OtlpReceiver) -> AsyncIterator[Platform]:
    """The platform on each bus, its spans sent to the receiver."""
    settings = bus_settings.model_copy(update={"otlp_endpoint": receiver.endpoint})
    async with a_platform(declared_services(), settings, transport_of) as platform:
        yield platform


async def spans_sent(platform: Platform, receiver: OtlpReceiver) -> list[ReceivedSpan]:
    """Everything the services have recorded once they have come to rest."""
    await platform.settled()
    for runtime in platform.runtimes.values():
        await asyncio.to_thread(runtime.telemetry.provider.force_flush)
    return receiver.spans


def assert_complete(tree: Node) -> None:
    """Every service took part, and reached its database inside its own part of the tree."""
    nodes = list(tree.walk())
    assert {node.span.service for node in nodes} == SERVICES
    for name in SERVICES:
        handled = [node for node in nodes if node.span.service == name and node.span.kind in ("SERVER", "CONSUMER")]
        queries = {
            child.span.attributes["db.system.name"]
            for node in handled
            for child in node.children
            if child.span.service == name and child.span.kind == "CLIENT"
        }
        assert queries == {"postgresql"}, f"{name} reached no database:\n" + "\n".join(tree.lines())
    assert [node.span.name for node in nodes if node.span.failed] == []


async def test_a_discovery_is_one_tree_below_its_request(traced: Platform, receiver: OtlpReceiver) -> None:
    client = traced.client
    import_id = await client.upload(clean_inventory(), INVENTORY)
    flow = await client.start([import_id], then=[])
    ended = await client.ended(flow)

    spans = await spans_sent(traced, receiver)

    assert ended["status"] == "completed", ended["problem"]
    (request,) = [span for span in spans if span.kind == "SERVER" and span.name == "POST /api/v1/flows"]
    tree = receiver.as_tree(request.trace_id)
    assert tree.span == request
    assert request.parent_id == ""
    assert_complete(tree)
    # Whatever else is a root is another request: outbox, work and timers are looked at without a trace.
    # What the clock brings, such as new signing keys, comes to the services that hear of it without one, too.
    roots = [span for span in spans if span.parent_id == "" and span.kind != "CONSUMER"]
    assert {(span.service, span.kind) for span in roots} == {("modernize-gateway", "SERVER")}


async def test_an_external_event_continues_its_senders_trace(traced: Platform, receiver: OtlpReceiver) -> None:
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    import_id, flow_id = await traced.client.upload(clean_inventory(), INVENTORY), str(uuid7())
    message = {
        "specversion": "1.0",
        "id": "order-1",
        "source": "/erp",
        "type": "discovery.requested",
        "clientaccountid": str(DEFAULT_TENANT.client_account_id),
        "engagementid": str(DEFAULT_TENANT.engagement_id),
        "flowid": flow_id,
        "traceparent": f"00-{trace_id}-{span_id}-01",
        "data": {"import_ids": [import_id]},
    }
    delivery = Delivery(orjson.dumps(message), "application/cloudevents+json", {"x-api-key": API_KEY})

    await traced.runtimes["gateway"].transport.publish(EXTERNAL, "discovery.requested", delivery)
    await traced.client.known(flow_id)
    ended = await traced.client.ended(flow_id)
    await spans_sent(traced, receiver)

    assert ended["status"] == "completed", ended["problem"]
    tree = receiver.as_tree(trace_id)
    assert (tree.span.service, tree.span.kind, tree.span.parent_id) == ("modernize-gateway", "CONSUMER", span_id)
    assert_complete(tree)

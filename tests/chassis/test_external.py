"""CloudEvents of other systems: let in through the service's own check, or set aside with a reason."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import PLATFORM, Event, Tenant
from contracts.operations import AuditVerificationRequested, EventDeadLettered
from services.chassis.bus.external import Refused, read_cloudevent
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import EXTERNAL, Delivery
from services.chassis.errors import Unauthorized
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running, some_tenant
from tests.chassis.handlers import hearing, settled, until
from tests.chassis.probe import all_left, listener, probe, rows_of
from tests.conftest import TransportOf

pytestmark = pytest.mark.usefixtures("_no_waits")

KEY = "the-key"


def structured(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """A CloudEvent as another system writes it."""
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "/their/system",
        "type": AuditVerificationRequested.type_name,
        "clientaccountid": str(tenant.client_account_id),
        "engagementid": str(tenant.engagement_id),
        "data": {"verification_id": str(uuid4())},
        **changes,
    }


def as_structured(message: dict[str, Any], key: str | None = KEY) -> Delivery:
    headers = {} if key is None else {"x-api-key": key}
    return Delivery(orjson.dumps(message), "application/cloudevents+json; charset=utf-8", headers)


def as_binary(prefix: str) -> Callable[[dict[str, Any]], Delivery]:
    """The same event with its attributes in headers and its data as the body."""

    def binary(message: dict[str, Any]) -> Delivery:
        attributes = {f"{prefix}{name}": value for name, value in message.items() if name != "data"}
        return Delivery(orjson.dumps(message["data"]), "application/json", {"X-API-Key": KEY, **attributes})

    return binary


def admitting(service: Service) -> Service:
    """A service that lets events in which come with the key."""

    @service.on_external
    async def admit(
        message: dict[str, Any], api_key: str | None, session: AsyncSession, runtime: Runtime
    ) -> list[Event]:
        if api_key != KEY:
            raise Unauthorized("unknown_api_key", "Send a key that is known.")
        if message.get("subject") == "a bug":
            raise ZeroDivisionError("a bug in the check")
        if message["data"] is None or message.get("subject") == "nothing to do":
            return []
        tenant = {"client_account_id": message.get("clientaccountid"), "engagement_id": message.get("engagementid")}
        return [AuditVerificationRequested.model_validate({**message["data"], "tenant": tenant})]

    return service


@pytest.mark.parametrize(
    "written_as",
    [as_structured, as_binary("ce-"), as_binary("cloudEvents_"), as_binary("cloudEvents:")],
    ids=["structured", "binary_sdk", "binary_0_9_1", "binary_1_0"],
)
async def test_an_event_of_another_system_is_let_in(
    bus_settings: Settings, transport_of: TransportOf, written_as: Callable[[dict[str, Any]], Delivery]
) -> None:
    tenant = some_tenant()
    heard = hearing(watcher := listener(), AuditVerificationRequested)
    async with running([admitting(probe()), watcher], bus_settings, transport_of) as at:
        message = structured(tenant)
        for _ in range(2):
            await at["probe_listener"].transport.publish(EXTERNAL, "any.key", written_as(message))
        await until(lambda: heard)
        await settled(at["probe"])
    [event] = heard
    assert isinstance(event, AuditVerificationRequested)
    assert event.tenant == tenant
    assert str(event.verification_id) == message["data"]["verification_id"]
    assert event.source == "/services/probe"


async def test_ids_of_other_systems_are_unique_per_source_and_tenant_only(settings: Settings) -> None:
    service, one, other = admitting(probe()), some_tenant(), some_tenant()
    runtime = Runtime(service, settings, InProcessBus())
    deliver = runtime.subscriptions()[-1].deliver
    sent = [
        structured(one),
        structured(one),
        structured(one, id="2"),
        structured(one, source="/other"),
        structured(other),
        structured(one, source="/their/system#1", id="2"),
        structured(one, source="/their/system", id="1#2"),
    ]
    for message in sent:
        await deliver(as_structured(message))
    rows = await rows_of(runtime.database, service.metadata.outbox)
    await runtime.stop()

    admitted = [row["event"]["data"]["verification_id"] for row in rows]
    assert admitted == [message["data"]["verification_id"] for message in (sent[0], *sent[2:])]


SOMEBODY = some_tenant()


@pytest.mark.parametrize(
    ("delivery", "code"),
    [
        (as_structured(structured(SOMEBODY), key=None), "unknown_api_key"),
        (as_structured(structured(SOMEBODY), key="wrong"), "unknown_api_key"),
        (as_structured(structured(SOMEBODY, data={})), "schema_mismatch"),
        (as_structured(structured(SOMEBODY, data=[1])), "data_not_an_object"),
        (as_structured(structured(SOMEBODY, clientaccountid="x")), "schema_mismatch"),
        (as_structured(structured(SOMEBODY, specversion="0.3")), "not_a_cloudevent"),
        (as_structured(structured(SOMEBODY, id="")), "not_a_cloudevent"),
        (as_structured(structured(SOMEBODY, subject="a bug", deliveryattempt="many", traceparent=7)), "handler_failed"),
        (Delivery(b"{", "application/cloudevents+json"), "not_json"),
        (Delivery(b"[]", "application/cloudevents+json"), "not_a_cloudevent"),
        (Delivery(b"\xff\xfe", "application/json", {"x-api-key": KEY}), "not_json"),
        (Delivery(b"", "", {}), "not_json"),
        (
            Delivery(b"{}", "application/json", {"ce-specversion": [b"\xff"], "ce-id": {"a": b"\xff"}}),
            "not_a_cloudevent",
        ),
    ],
    ids=[
        "no_key",
        "wrong_key",
        "data_does_not_fit",
        "data_is_no_object",
        "tenant_is_no_uuid",
        "old_version",
        "no_id",
        "bug_in_the_check",
        "broken_json",
        "json_but_no_object",
        "bytes",
        "empty",
        "odd_headers",
    ],
)
async def test_what_is_refused_is_set_aside_with_its_reason_in_the_platforms_own_tenant(
    settings: Settings, delivery: Delivery, code: str
) -> None:
    service = admitting(probe())
    runtime = Runtime(service, settings, InProcessBus())
    await runtime.subscriptions()[-1].deliver(delivery)
    rows = await rows_of(runtime.database, service.metadata.outbox)
    inbox = await rows_of(runtime.database, service.metadata.inbox)
    await runtime.stop()

    [letter] = [Event.from_cloudevent(row["event"]) for row in rows]
    assert isinstance(letter, EventDeadLettered)
    assert (letter.tenant, letter.queue, letter.code) == (PLATFORM, "probe.external", code)
    assert letter.reason
    assert KEY not in orjson.dumps(letter.to_cloudevent()).decode()
    assert (letter.trace is not None) == (code == "handler_failed")
    assert inbox == []


async def test_a_refused_event_does_not_hold_up_the_next(bus_settings: Settings, transport_of: TransportOf) -> None:
    tenant = some_tenant()
    heard = hearing(watcher := listener(), AuditVerificationRequested, EventDeadLettered)
    async with running([admitting(probe()), watcher], bus_settings, transport_of) as at:
        bus = at["probe"].transport
        await bus.publish(EXTERNAL, "any.key", Delivery(b"\xff", "application/json", {"x-api-key": KEY}))
        await bus.publish(EXTERNAL, "any.key", as_structured(structured(tenant, subject="a bug")))
        await bus.publish(EXTERNAL, "any.key", as_structured(structured(tenant, subject="nothing to do")))
        await bus.publish(EXTERNAL, "any.key", as_structured(structured(tenant, id="2")))
        await until(lambda: len(heard) == 3)
        await eventually(lambda: all_left(at["probe"]))
    assert sorted(type(event).__name__ for event in heard) == [
        "AuditVerificationRequested",
        "EventDeadLettered",
        "EventDeadLettered",
    ]


def test_header_values_become_what_json_can_hold() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    headers = {"ce-specversion": b"1.0", "ce-id": 7, "ce-source": "/s", "ce-type": "a.b", "ce-time": at, "ce-Odd": [1]}
    message, key = read_cloudevent(Delivery(b'{"n": 1}', "application/json", headers))

    assert key is None
    assert message == {
        "specversion": "1.0",
        "id": 7,
        "source": "/s",
        "type": "a.b",
        "time": at.isoformat(),
        "odd": "[1]",
        "data": {"n": 1},
    }


def test_what_a_cloudevent_lacks_is_named() -> None:
    with pytest.raises(Refused, match="lacks id, type"):
        read_cloudevent(as_structured({"specversion": "1.0", "source": "/s"}))

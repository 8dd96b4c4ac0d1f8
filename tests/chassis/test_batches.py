"""Batch handlers: many events at once, each with one effect, its own trace, and none at the mercy of another."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import FieldMappingCompleted, FieldMappingFailed, FieldMappingRequested
from contracts.envelope import Envelope, Event, Tenant, uuid7
from contracts.operations import AuditVerificationCompleted, AuditVerificationRequested, EventDeadLettered
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import EVENTS, Delivery, unpacked
from services.chassis.dead_letters import ATTEMPTS_KEY
from services.chassis.errors import Conflict
from services.chassis.runtime import Runtime
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running, some_tenant
from tests.chassis.handlers import CHECK, hearing, settled, until
from tests.chassis.probe import check, effects, leave, listener, mapping_request, packed, probe, rows_of
from tests.conftest import TransportOf

pytestmark = pytest.mark.usefixtures("_no_waits")


def answering(service: Service, *bad: Event) -> list[list[AuditVerificationRequested]]:
    """Let a service answer checks in batches; those in `bad` meet a bug. Returns the list of its calls."""
    calls: list[list[AuditVerificationRequested]] = []
    bad_ids = {event.id for event in bad}

    @service.on
    async def answer(
        events: list[AuditVerificationRequested], session: AsyncSession
    ) -> list[AuditVerificationCompleted]:
        calls.append(events)
        answers = []
        for event in events:
            await leave(session, service, event)
            if event.id in bad_ids:
                raise ZeroDivisionError("a bug in the handler")
            answers.append(
                AuditVerificationCompleted.reply_to(
                    event, verification_id=event.verification_id, valid=True, entries=0, head="", detail=""
                )
            )
        return answers

    return calls


async def deliver(runtime: Runtime, *events: Event | object) -> None:
    """Hand a message to the service's first queue, as the bus does."""
    await runtime.subscriptions()[0].deliver(packed(*events))


async def took_effect(runtime: Runtime, tenant: Tenant) -> list[Any]:
    return [event_id for event_id, _ in await effects(runtime.database, runtime.service, tenant)]


async def outgoing(runtime: Runtime) -> list[dict[str, Any]]:
    rows = await rows_of(runtime.database, runtime.service.metadata.outbox)
    return [row["event"] for row in rows if row["queue"] is None]


@pytest.fixture
def runtime(settings: Settings) -> Runtime:
    """A service whose messages the test delivers itself, and whose outbox nobody empties."""
    return Runtime(probe(), settings, InProcessBus())


async def test_a_handler_of_lists_gets_a_message_at_once_and_in_order(runtime: Runtime) -> None:
    tenant, calls = some_tenant(), answering(runtime.service)
    events = [check(tenant) for _ in range(50)]
    await deliver(runtime, *events)
    assert calls == [events]
    assert await took_effect(runtime, tenant) == [event.id for event in events]
    assert [each["causationid"] for each in await outgoing(runtime)] == [str(event.id) for event in events]
    await runtime.stop()


async def test_an_event_counts_once_within_a_batch_and_across_batches(runtime: Runtime) -> None:
    tenant, calls = some_tenant(), answering(runtime.service)
    first, second, third = (check(tenant) for _ in range(3))
    await deliver(runtime, first, second, first)
    await deliver(runtime, second, third, third)
    await deliver(runtime, first, second, third)
    assert calls == [[first, second], [third]]
    assert await took_effect(runtime, tenant) == [first.id, second.id, third.id]
    assert len(await outgoing(runtime)) == 3
    await runtime.stop()


async def test_each_tenant_of_a_message_gets_a_call_of_its_own(runtime: Runtime) -> None:
    one, other, calls = some_tenant(), some_tenant(), answering(runtime.service)
    events = [check(tenant) for tenant in (one, other, one, other, one)]
    await deliver(runtime, *events)
    assert sorted(calls, key=len) == [[events[1], events[3]], [events[0], events[2], events[4]]]
    assert await took_effect(runtime, one) == [events[0].id, events[2].id, events[4].id]
    assert await took_effect(runtime, other) == [events[1].id, events[3].id]
    answers = [Event.from_cloudevent(each) for each in await outgoing(runtime)]
    assert {(each.causation_id, each.tenant) for each in answers} == {(event.id, event.tenant) for event in events}
    await runtime.stop()


@pytest.mark.parametrize("tenants", [1, 2], ids=["one_tenant", "two_tenants"])
async def test_one_poison_event_takes_no_other_with_it(settings: Settings, tenants: int) -> None:
    of = [some_tenant() for _ in range(tenants)]
    events = [check(of[number % tenants]) for number in range(10)]
    runtime = Runtime(probe(), settings, InProcessBus())
    answering(runtime.service, bad := events[4])
    await deliver(runtime, *events)
    for tenant in of:
        good = [event.id for event in events if event.tenant == tenant and event is not bad]
        assert await took_effect(runtime, tenant) == good
    rows = await rows_of(runtime.database, runtime.service.metadata.outbox)
    [retry] = [row for row in rows if row["queue"] is not None]
    assert (retry["event"]["id"], retry["event"][ATTEMPTS_KEY]) == (str(bad.id), 1)
    assert len(rows) == len(events)
    await runtime.stop()


async def test_what_cannot_be_read_is_set_aside_and_the_rest_takes_effect(runtime: Runtime) -> None:
    tenant, calls = some_tenant(), answering(runtime.service)
    events = [check(tenant) for _ in range(3)]
    await deliver(runtime, events[0], {**check(tenant).to_cloudevent(), "data": {}}, events[1], "no event", events[2])
    assert calls == [events]
    letters = [Event.from_cloudevent(each) for each in await outgoing(runtime) if each["type"] == "event.dead_lettered"]
    assert {each.code for each in letters if isinstance(each, EventDeadLettered)} == {
        "schema_mismatch",
        "not_a_cloudevent",
    }
    await runtime.stop()


async def test_an_expected_failure_in_a_batch_fails_its_own_event_alone(runtime: Runtime) -> None:
    tenant = some_tenant()
    good, refused = mapping_request(tenant, uuid4()), mapping_request(tenant, uuid4())

    @runtime.service.on
    async def map_fields(
        events: list[FieldMappingRequested], session: AsyncSession
    ) -> list[FieldMappingCompleted | FieldMappingFailed]:
        if refused.id in {event.id for event in events}:
            raise Conflict("not_now", "The table is being changed. Try later.")
        return [FieldMappingCompleted.reply_to(event, mappings=[], review_count=0) for event in events]

    await deliver(runtime, refused, good)
    answers = {each["causationid"]: each["type"] for each in await outgoing(runtime)}
    assert answers == {str(good.id): "field_mapping.completed", str(refused.id): "field_mapping.failed"}
    await runtime.stop()


async def test_each_answer_stays_in_the_trace_of_its_cause(runtime: Runtime) -> None:
    tenant = some_tenant()
    answering(runtime.service)
    ids = [(f"{uuid4().hex}", uuid4().hex[:16]) for _ in range(3)]
    events = [check(tenant).model_copy(update={"traceparent": f"00-{trace}-{span}-01"}) for trace, span in ids]
    await deliver(runtime, *events, untraced := check(tenant))
    found = {each["causationid"]: each["traceparent"].split("-") for each in await outgoing(runtime)}
    for event, (trace, span) in zip(events, ids, strict=True):
        assert found[str(event.id)][1] == trace
        assert found[str(event.id)][2] != span
    assert found[str(untraced.id)][1] not in {trace for trace, _ in ids}
    await runtime.stop()


async def test_requests_for_long_work_are_accepted_together(runtime: Runtime) -> None:
    @runtime.service.work
    async def map_fields(event: FieldMappingRequested, job: object) -> FieldMappingCompleted:
        raise AssertionError("nobody runs the work here")

    one, other = some_tenant(), some_tenant()
    events = [mapping_request(tenant, uuid4()) for tenant in (one, other, one)]
    await deliver(runtime, *events, events[0])
    await deliver(runtime, *events)
    rows = await rows_of(runtime.database, runtime.service.metadata.work)
    assert {row["event_id"] for row in rows} == {event.id for event in events}
    assert len(rows) == len(events)
    await runtime.stop()


async def test_a_batch_survives_the_bus_with_order_and_poison(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    tenant, flow_id = some_tenant(), uuid7()
    events = [check(tenant, flow_id) for _ in range(60)]
    calls = answering(service := probe(), bad := events[7])
    heard = hearing(watcher := listener(), AuditVerificationCompleted, EventDeadLettered)
    async with running([service, watcher], bus_settings, transport_of) as at:
        for start in range(0, len(events), 6):
            await at["probe_listener"].transport.publish(EVENTS, CHECK, packed(*events[start : start + 6]))
        await until(lambda: len(heard) == len(events))
        await settled(at["probe"], at["probe_listener"])

        async def all_took_effect() -> bool:
            return len(await took_effect(at["probe"], tenant)) == len(events) - 1

        await eventually(all_took_effect)
        good = [event.id for event in events if event is not bad]
        assert await took_effect(at["probe"], tenant) == good
    [letter] = [event for event in heard if isinstance(event, EventDeadLettered)]
    assert (letter.event_id, letter.code) == (str(bad.id), "handler_failed")
    assert [event.causation_id for event in heard if isinstance(event, AuditVerificationCompleted)] == good
    assert max(len(call) for call in calls) > 1


async def test_long_work_of_lists_is_refused_where_it_is_declared() -> None:
    async def map_fields(events: list[FieldMappingRequested], job: object) -> None: ...

    with pytest.raises(TypeError, match="one event at a time"):
        probe().work(map_fields)


def test_long_work_of_envelopes_is_refused_where_it_is_declared() -> None:
    async def keep(event: Envelope, job: object) -> None: ...

    with pytest.raises(TypeError, match="understand its event"):
        probe().work(keep)


async def test_a_handler_of_envelopes_hears_what_fits_no_schema(settings: Settings) -> None:
    kept: list[Envelope] = []
    service = probe()

    @service.on
    async def keep(events: list[Envelope], session: AsyncSession) -> None:
        kept.extend(events)

    tenant = some_tenant()
    odd = {**check(tenant).to_cloudevent(), "data": {"verification_id": 7}}
    unknown = {**check(tenant).to_cloudevent(), "type": "never.heard.of"}
    runtime = Runtime(service, settings, InProcessBus())
    await deliver(runtime, odd, unknown)
    letters = await outgoing(runtime)
    await runtime.stop()

    assert [(str(each.id), each.tenant, each.message) for each in kept] == [(odd["id"], tenant, odd)]
    assert [letter["data"]["code"] for letter in letters] == ["unknown_event_type"]


def test_only_what_nothing_follows_from_waits_for_more() -> None:
    service = probe()

    @service.on
    async def answer(events: list[FieldMappingRequested], session: AsyncSession) -> list[FieldMappingCompleted]:
        return []

    @service.on
    async def show(events: list[FieldMappingCompleted], session: AsyncSession) -> None: ...

    @service.on
    async def show_one(event: FieldMappingFailed, session: AsyncSession) -> None: ...

    assert [handler.patient for handler in service.handlers] == [False, True, False]


@pytest.mark.parametrize(
    ("bodies", "parts"),
    [
        ([b"[1,2]", b"[3]", b"[]", b"4"], [1, 2, 3, 4]),
        ([b"no json", b"[1]"], [b"no json", 1]),
        ([b"[1]", b"\xff", b"[2]"], [1, b"\xff", 2]),
    ],
)
def test_messages_taken_together_come_apart_in_order(bodies: list[bytes], parts: list[Any]) -> None:
    assert unpacked(Delivery(bodies[0], more=tuple(bodies[1:]))) == parts

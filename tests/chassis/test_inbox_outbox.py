"""An event takes effect exactly once, in order, whatever is duplicated or interrupted on its way."""

import asyncio
import contextlib
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import DiscoveryFailed
from contracts.envelope import Event, Problem
from contracts.operations import AuditVerificationCompleted, AuditVerificationRequested
from services.chassis.bus.transport import EVENTS, PUBLIC, Delivery, Subscription, Transport
from services.chassis.outbox import add_events
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running, some_tenant
from tests.chassis.handlers import CHECK, hearing, recording, settled, until
from tests.chassis.probe import (
    Interrupted,
    check,
    effects,
    emit,
    leave,
    listener,
    packed,
    probe,
    rows_of,
)
from tests.conftest import TransportOf

pytestmark = pytest.mark.usefixtures("_no_waits")


async def test_an_event_that_was_sent_three_times_takes_effect_once(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    service, event = recording(probe()), check(some_tenant())
    async with running([service], bus_settings, transport_of) as at:
        await emit(at["probe"], event, event)
        await at["probe"].transport.publish(EVENTS, CHECK, packed(event, event))
        await settled(at["probe"])
        await at["probe"].transport.publish(EVENTS, CHECK, packed(event, last := check(event.tenant)))

        async def arrived() -> bool:
            return len(await effects(at["probe"].database, service, event.tenant)) >= 2

        await eventually(arrived)
        assert await effects(at["probe"].database, service, event.tenant) == [(event.id, ""), (last.id, "")]


@pytest.mark.parametrize(
    "breaks",
    [{"before": 2}, {"after": 2}, {"after_delivery": 2}, {"before": 1, "after": 1, "after_delivery": 1}],
    ids=["before_publish", "between_confirm_and_outbox_delete", "between_commit_and_ack", "everywhere"],
)
async def test_an_interruption_neither_loses_nor_repeats_an_effect(
    bus_settings: Settings, transport_of: TransportOf, breaks: dict[str, int]
) -> None:
    service, tenant = recording(probe()), some_tenant()
    events = [check(tenant) for _ in range(5)]
    transports: list[Interrupted] = []

    def interrupted(service: Service) -> Transport:
        transports.append(Interrupted(transport_of(service), **breaks))
        return transports[-1]

    async with running([service], bus_settings, interrupted) as at:
        await emit(at["probe"], *events)
        await settled(at["probe"])

        async def done() -> bool:
            return len(await effects(at["probe"].database, service, tenant)) >= len(events)

        await eventually(done)
        await until(lambda: not any(transports[0].left.values()))
        assert [event_id for event_id, _ in await effects(at["probe"].database, service, tenant)] == [
            event.id for event in events
        ]


async def test_the_order_of_a_flow_survives_interruptions(bus_settings: Settings, transport_of: TransportOf) -> None:
    service, tenant, flow_id = recording(probe()), some_tenant(), uuid4()
    events = [check(tenant, flow_id) for _ in range(40)]
    async with running([service], bus_settings, lambda each: Interrupted(transport_of(each), before=3, after=2)) as at:
        for event in events:
            await emit(at["probe"], event)

        async def done() -> bool:
            return len(await effects(at["probe"].database, service, tenant)) == len(events)

        await eventually(done)
        assert [event_id for event_id, _ in await effects(at["probe"].database, service, tenant)] == [
            event.id for event in events
        ]


async def test_what_cannot_be_routed_waits_in_order_and_arrives_once_the_queue_exists(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    tenant = some_tenant()
    events = [check(tenant) for _ in range(5)]
    service = recording(listener())
    async with running([emitter := probe()], bus_settings, transport_of) as at:
        hearing(emitter)
        await emit(at["probe"], *events[:3])
        await asyncio.sleep(0.1)
        assert len(await rows_of(at["probe"].database, emitter.metadata.outbox)) == 3
        async with running([service], bus_settings, transport_of) as there:
            await emit(at["probe"], *events[3:])
            await settled(at["probe"])

            async def done() -> bool:
                return len(await effects(there["probe_listener"].database, service, tenant)) == len(events)

            await eventually(done)
            assert [each for each, _ in await effects(there["probe_listener"].database, service, tenant)] == [
                event.id for event in events
            ]


async def test_a_message_that_nobody_takes_holds_up_no_other(bus_settings: Settings, transport_of: TransportOf) -> None:
    service, tenant = recording(probe()), some_tenant()
    unheard = AuditVerificationCompleted(
        tenant=tenant, verification_id=uuid4(), valid=True, entries=0, head="", detail=""
    )
    async with running([service], bus_settings, transport_of) as at:
        await emit(at["probe"], unheard, heard := check(tenant))

        async def arrived() -> bool:
            return bool(await effects(at["probe"].database, service, tenant))

        await eventually(arrived)
        rows = await rows_of(at["probe"].database, service.metadata.outbox)
        assert await effects(at["probe"].database, service, tenant) == [(heard.id, "")]
    assert {row["routing_key"] for row in rows} <= {unheard.type_name, CHECK}
    assert unheard.type_name in {row["routing_key"] for row in rows}


async def test_a_lost_database_connection_redelivers_the_whole_message_and_loses_nothing(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    service, tenant = probe(), some_tenant()
    events = [check(tenant) for _ in range(3)]
    attempts = 0

    @service.on
    async def record(event: AuditVerificationRequested, session: AsyncSession) -> None:
        nonlocal attempts
        attempts += 1
        await leave(session, service, event)
        if attempts == 2:
            await session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    async with running([service], bus_settings, transport_of) as at:
        await emit(at["probe"], *events)

        async def done() -> bool:
            return len(await effects(at["probe"].database, service, tenant)) >= len(events)

        await eventually(done)
        await settled(at["probe"])
        assert sorted(await effects(at["probe"].database, service, tenant)) == sorted(
            (event.id, "") for event in events
        )
        assert attempts > len(events)


async def test_the_relay_goes_on_when_its_connection_is_lost(bus_settings: Settings, transport_of: TransportOf) -> None:
    service, tenant = recording(probe()), some_tenant()
    async with running([service], bus_settings, transport_of) as at:
        await emit(at["probe"], first := check(tenant))
        await settled(at["probe"])
        async with at["probe"].database.dispatch() as connection:
            await connection.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where usename = current_user and datname = current_database() and pid <> pg_backend_pid()"
                )
            )
        await emit(at["probe"], second := check(tenant))
        await settled(at["probe"])

        async def done() -> bool:
            return len(await effects(at["probe"].database, service, tenant)) == 2

        await eventually(done)
        assert [each for each, _ in await effects(at["probe"].database, service, tenant)] == [first.id, second.id]


async def test_public_events_appear_one_plain_cloudevent_a_message(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    got: list[Delivery] = []

    async def take(delivery: Delivery) -> None:
        got.append(delivery)

    service = recording(probe())
    heard = hearing(service, DiscoveryFailed)
    tenant = some_tenant()
    problem = Problem(code="empty_file", detail="The file is empty.")
    events = [DiscoveryFailed(tenant=tenant, flow_id=uuid4(), problem=problem) for _ in range(3)]
    outside = transport_of(listener())
    async with running([service], bus_settings, transport_of) as at:
        await outside.start([Subscription("probe_listener.public", "probe_listener", PUBLIC, "#", take)])
        try:
            await emit(at["probe"], check(tenant), *events)
            await until(lambda: len(got) >= 3 and len(heard) >= 3)
        finally:
            await outside.stop()
    assert len(got) == 3
    for event, delivery in zip(events, got, strict=True):
        message = orjson.loads(delivery.body)
        assert delivery.content_type == "application/cloudevents+json"
        assert message["data"] == {"problem": problem.model_dump()}
        assert {f"cloudEvents_{key}": value for key, value in message.items() if key != "data"}.items() <= dict(
            delivery.headers
        ).items()
        assert Event.from_cloudevent(message).id == event.id
        assert message["source"] == "/services/probe"


async def test_a_transaction_that_is_rolled_back_sends_nothing(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    service, tenant = recording(probe()), some_tenant()
    async with running([service], bus_settings, transport_of) as at:
        with contextlib.suppress(ZeroDivisionError):
            async with at["probe"].database.transaction(tenant) as session:
                await leave(session, service, check(tenant))
                await add_events(session, service.metadata, [check(tenant)])
                raise ZeroDivisionError
        await emit(at["probe"], sent := check(tenant))
        await settled(at["probe"])

        async def arrived() -> bool:
            return bool(await effects(at["probe"].database, service, tenant))

        await eventually(arrived)
        assert await effects(at["probe"].database, service, tenant) == [(sent.id, "")]

"""What cannot be handled is tried again, answered as failed or set aside, and never takes others with it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import DiscoveryFailed, FieldMappingCompleted, FieldMappingFailed, FieldMappingRequested
from contracts.envelope import EVENT_TYPES, Event
from contracts.operations import AuditVerificationRequested, EventDeadLettered
from services.chassis import consumer
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import EVENTS, Delivery
from services.chassis.consumer import ATTEMPTS_KEY
from services.chassis.errors import Conflict
from services.chassis.outbox import add_directed
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running, some_tenant
from tests.chassis.handlers import CHECK, failing_on, hearing, recording, settled, until
from tests.chassis.probe import (
    check,
    effects,
    emit,
    leave,
    listener,
    mapping_request,
    packed,
    probe,
    rows_of,
)
from tests.conftest import TransportOf

pytestmark = pytest.mark.usefixtures("_no_waits")


async def test_a_poison_event_ends_as_a_dead_letter_and_takes_no_other_with_it(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    tenant, flow_id = some_tenant(), uuid4()
    good, bad, also_good = check(tenant), check(tenant, flow_id), check(some_tenant())
    service = failing_on(probe(), bad)
    dead = hearing(watcher := listener(), EventDeadLettered)
    async with running([service, watcher], bus_settings, transport_of) as at:
        await at["probe"].transport.publish(EVENTS, CHECK, packed(good, bad, also_good))
        await until(lambda: dead)
        await settled(at["probe"], at["probe_listener"])

        assert await effects(at["probe"].database, service, tenant) == [(good.id, "")]
        assert await effects(at["probe"].database, service, also_good.tenant) == [(also_good.id, "")]
    [letter] = dead
    assert isinstance(letter, EventDeadLettered)
    assert (letter.tenant, letter.flow_id) == (tenant, flow_id)
    assert (letter.service, letter.queue, letter.event_type) == ("probe", f"probe.{CHECK}", CHECK)
    assert (letter.event_id, letter.attempts, letter.code) == (str(bad.id), 6, "handler_failed")
    assert letter.reason == "ZeroDivisionError: a bug in the handler"
    assert letter.trace is not None
    assert "in record" in letter.trace
    assert Event.from_cloudevent(letter.message).id == bad.id


async def test_retries_wait_longer_each_time(settings: Settings) -> None:
    waits = [timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600)]
    consumer.BACK_OFF[:] = waits
    bad = check(some_tenant())
    runtime = Runtime(failing_on(probe(), bad), settings, InProcessBus())
    deliver = runtime.subscriptions()[0].deliver
    message: dict[str, Any] = bad.to_cloudevent()
    found = []
    for attempt in range(len(waits)):
        before = datetime.now(UTC)
        await deliver(packed(message))
        row = (await rows_of(runtime.database, runtime.service.metadata.outbox))[attempt]
        assert row["queue"] == f"probe.{CHECK}"
        found.append(round((row["available_at"] - before).total_seconds()))
        message = row["event"]
        assert message[ATTEMPTS_KEY] == attempt + 1
    await deliver(packed(message))
    last = (await rows_of(runtime.database, runtime.service.metadata.outbox))[-1]
    await runtime.stop()

    assert found == [1, 5, 30, 120, 600]
    assert last["routing_key"] == EventDeadLettered.type_name


@pytest.mark.parametrize(
    ("part", "code", "place"),
    [
        ({"type": "nothing.known", "id": "x"}, "unknown_event_type", "nothing.known"),
        ({"id": "x"}, "unknown_event_type", "None"),
        ({**check(some_tenant()).to_cloudevent(), "data": {}}, "schema_mismatch", "verification_id"),
        ({**check(some_tenant()).to_cloudevent(), "id": "x"}, "schema_mismatch", "'id'"),
        ({**check(some_tenant()).to_cloudevent(), "clientaccountid": "x"}, "schema_mismatch", "client_account_id"),
        ({**check(some_tenant()).to_cloudevent(), "data": ["x"]}, "not_a_cloudevent", "JSON object"),
        ({"type": ["x"], ATTEMPTS_KEY: "many", "id": 3}, "unknown_event_type", "x"),
        ("no object", "not_a_cloudevent", "JSON object"),
        (None, "not_a_cloudevent", "JSON object"),
        (mapping_request(some_tenant()).to_cloudevent(), "wrong_queue", "field_mapping.requested"),
    ],
    ids=[
        "unknown_type",
        "no_type",
        "data_does_not_fit",
        "id_is_no_uuid",
        "tenant_is_no_uuid",
        "data_is_no_object",
        "everything_wrong",
        "string",
        "null",
        "type_of_another_queue",
    ],
)
async def test_what_no_schema_fits_is_set_aside_at_once_and_the_rest_is_handled(
    settings: Settings, part: object, code: str, place: str
) -> None:
    good = check(some_tenant())
    service = recording(probe())
    runtime = Runtime(service, settings, InProcessBus())
    await runtime.subscriptions()[0].deliver(packed(part, good))
    [row] = await rows_of(runtime.database, service.metadata.outbox)
    assert await effects(runtime.database, service, good.tenant) == [(good.id, "")]
    await runtime.stop()

    letter = Event.from_cloudevent(row["event"])
    assert isinstance(letter, EventDeadLettered)
    assert (letter.code, letter.attempts, letter.trace) == (code, 1, None)
    assert place in letter.reason


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"{", b"[1,"])
async def test_a_body_that_is_no_json_is_set_aside_with_its_beginning(settings: Settings, body: bytes) -> None:
    service = recording(probe())
    runtime = Runtime(service, settings, InProcessBus())
    await runtime.subscriptions()[0].deliver(Delivery(body))
    [row] = await rows_of(runtime.database, service.metadata.outbox)
    await runtime.stop()

    assert row["event"]["data"]["code"] == "not_json"
    assert set(row["event"]["data"]["message"]) == {"data_base64"}


async def test_an_expected_failure_becomes_the_failed_event_and_undoes_what_was_written(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    service, request = probe(), mapping_request(some_tenant(), uuid4())

    @service.on
    async def refuse(event: FieldMappingRequested, session: AsyncSession) -> FieldMappingCompleted | FieldMappingFailed:
        await leave(session, service, event)
        raise Conflict("not_now", "The table is being changed. Try later.", file_name="a.csv", row=7)

    heard = hearing(watcher := listener(), FieldMappingFailed, EventDeadLettered)
    async with running([service, watcher], bus_settings, transport_of) as at:
        await emit(at["probe"], request, request)
        await until(lambda: heard)
        await settled(at["probe"], at["probe_listener"])

        assert await effects(at["probe"].database, service, request.tenant) == []
    [failed] = heard
    assert isinstance(failed, FieldMappingFailed)
    assert (failed.flow_id, failed.step, failed.causation_id) == (request.flow_id, request.step, request.id)
    assert (failed.problem.code, failed.problem.file_name, failed.problem.row) == ("not_now", "a.csv", 7)


async def test_an_expected_failure_without_a_failed_event_is_a_dead_letter(
    bus_settings: Settings, transport_of: TransportOf
) -> None:
    service, event = probe(), check(some_tenant())

    @service.on
    async def refuse(event: AuditVerificationRequested, session: AsyncSession) -> None:
        raise Conflict("not_now", "Try later.")

    dead = hearing(watcher := listener(), EventDeadLettered)
    async with running([service, watcher], bus_settings, transport_of) as at:
        await emit(at["probe"], event)
        await until(lambda: dead)
    [letter] = dead
    assert isinstance(letter, EventDeadLettered)
    assert (letter.code, letter.reason, letter.attempts) == ("not_now", "Try later.", 1)


async def test_a_failed_event_that_cannot_be_made_is_retried_like_any_bug(settings: Settings) -> None:
    service, event, good = probe(), check(some_tenant()), check(some_tenant())

    async def refuse(event: AuditVerificationRequested, session: AsyncSession) -> None:
        if event.id != good.id:
            raise Conflict("not_now", "Try later.")
        await leave(session, service, event)

    class Unfit(DiscoveryFailed, type="unfit_for_replies.failed"):
        """Cannot be made from a problem alone."""

        more: str

    # Other tests of this process read the registry.
    del EVENT_TYPES[Unfit.type_name]
    service.subscribe(refuse, hears=[AuditVerificationRequested], emits=[Unfit])
    runtime = Runtime(service, settings, InProcessBus())
    await runtime.subscriptions()[0].deliver(packed(event, good))
    [row] = await rows_of(runtime.database, service.metadata.outbox)
    assert await effects(runtime.database, service, good.tenant) == [(good.id, "")]
    await runtime.stop()

    assert (row["event"]["id"], row["event"][ATTEMPTS_KEY]) == (str(event.id), 1)


async def test_a_replayed_dead_letter_runs_again(bus_settings: Settings, transport_of: TransportOf) -> None:
    service, event, broken = probe(), check(some_tenant()), True

    @service.on
    async def record(event: AuditVerificationRequested, session: AsyncSession) -> None:
        if broken:
            raise ZeroDivisionError
        await leave(session, service, event)

    dead = hearing(watcher := listener(), EventDeadLettered)
    async with running([service, watcher], bus_settings, transport_of) as at:
        await emit(at["probe"], event)
        await until(lambda: dead)
        [letter] = dead
        assert isinstance(letter, EventDeadLettered)
        broken = False
        async with at["probe_listener"].database.transaction(letter.tenant) as session:
            metadata = at["probe_listener"].service.metadata
            await add_directed(session, metadata, letter.queue, letter.message, timedelta())
        at["probe_listener"].committed()

        async def arrived() -> bool:
            return bool(await effects(at["probe"].database, service, event.tenant))

        await eventually(arrived)
        assert await effects(at["probe"].database, service, event.tenant) == [(event.id, "")]


async def test_a_dead_letter_that_cannot_be_handled_makes_no_further_dead_letters(settings: Settings) -> None:
    service = probe()

    @service.on
    async def refuse(event: EventDeadLettered, session: AsyncSession) -> None:
        raise ZeroDivisionError if event.code == "bug" else Conflict("not_now", "Try later.")

    runtime = Runtime(service, settings, InProcessBus())
    for code in ("bug", "expected"):
        letter = consumer.dead_letter("audit", "audit.all", check(some_tenant()).to_cloudevent(), code=code, reason="")
        await runtime.subscriptions()[0].deliver(packed({**letter.to_cloudevent(), ATTEMPTS_KEY: 40}))
    rows = await rows_of(runtime.database, service.metadata.outbox)
    await runtime.stop()

    assert [(row["queue"], row["event"][ATTEMPTS_KEY]) for row in rows] == [
        (f"probe.{EventDeadLettered.type_name}", 41)
    ] * 2


async def test_a_handler_that_runs_into_a_time_out_of_its_own_is_no_lost_database(settings: Settings) -> None:
    service, good, bad = probe(), check(some_tenant()), check(some_tenant())

    @service.on
    async def record(event: AuditVerificationRequested, session: AsyncSession) -> None:
        if event.id == bad.id:
            raise TimeoutError("a bug that looks like an outage")
        await leave(session, service, event)

    runtime = Runtime(service, settings, InProcessBus())
    await runtime.subscriptions()[0].deliver(packed(good, bad))
    assert await effects(runtime.database, service, good.tenant) == [(good.id, "")]
    await runtime.stop()

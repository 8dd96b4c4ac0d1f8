"""The audit service as it runs: what it is asked for over the bus, when it signs by itself, and what leaves it."""

import itertools
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest
from structlog.testing import capture_logs

from contracts.audit_log import (
    AuditCheckpointRequested,
    AuditCheckpointSigned,
    AuditEntriesRequested,
    AuditExportRequested,
)
from contracts.envelope import BlobRef, Event
from contracts.operations import AuditVerificationRequested
from contracts.rest_audit import FoundEntries
from services.audit import signing
from services.audit.app import service
from services.audit.checkpoints import NOTES_KIND, sign_what_is_new
from services.audit.merkle import is_consistent, leaf_hash, root_from_inclusion
from services.audit.notes import opened, origin_of
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import EVENTS, PUBLIC, Delivery, Subscription
from services.chassis.health import health_app
from services.chassis.outbox import add_events
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually, some_tenant
from tests.audit.logs import Log, some_event

WHO: dict[str, Any] = {"subject": "user:1", "requested_by": "Ada"}


class Running:
    """The service on an in-process bus, and all that it said."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.messages: dict[str, list[dict[str, Any]]] = {EVENTS: [], PUBLIC: []}

    def subscriptions(self) -> list[Subscription]:
        async def keep(exchange: str, delivery: Delivery) -> None:
            found = orjson.loads(delivery.body)
            self.messages[exchange] += found if isinstance(found, list) else [found]

        return [
            Subscription(f"test.{exchange}", "test", exchange, "#", lambda delivery, at=exchange: keep(at, delivery))  # type: ignore[misc]
            for exchange in (EVENTS, PUBLIC)
        ]

    async def say(self, *events: Event) -> None:
        async with self.runtime.database.transaction(events[0].tenant) as session:
            await add_events(session, service.metadata, events)
        self.runtime.committed()

    async def heard(self, event_type: str, exchange: str = EVENTS) -> dict[str, Any]:
        """The newest message of a type, once there is one."""

        async def found() -> dict[str, Any] | None:
            return next((one for one in reversed(self.messages[exchange]) if one["type"] == event_type), None)

        message = await eventually(found, seconds=60)
        assert message is not None
        return message


@pytest.fixture
async def running(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """The audit service, whose clock stands still."""
    monkeypatch.setattr(service, "sweeps", [])
    bus = InProcessBus()
    runtime = Runtime(service, settings, bus)
    running = Running(runtime)
    await bus.start(running.subscriptions())
    await runtime.start()
    yield running
    await runtime.stop()


async def test_what_is_asked_of_the_log_is_in_it_and_answered(running: Running, log: Log) -> None:
    tenant = log.tenant
    await running.say(some_event(tenant, 1), some_event(tenant, 2))
    await running.say(AuditCheckpointRequested(tenant=tenant, **WHO))
    signed = AuditCheckpointSigned.model_validate(
        {"tenant": tenant, **(await running.heard("audit.checkpoint_signed"))["data"]}
    )
    assert (await running.heard("audit.checkpoint_signed", PUBLIC))["data"]["note"] == signed.note
    assert opened(signed.note, origin_of(tenant), await log.keys()).size == signed.size

    async def outside() -> bytes | None:
        return await running.runtime.blobs.newest(tenant, NOTES_KIND)

    assert await eventually(outside) == signed.note.encode()

    await running.say(AuditEntriesRequested(tenant=tenant, seq=1, **WHO))
    told = await running.heard("audit_entries.completed")
    found = FoundEntries.model_validate_json(
        await running.runtime.blobs.read_bytes(tenant, BlobRef.model_validate(told["data"]["found"]))
    )
    [entry] = found.entries
    # Which of what was said came first is up to the bus.
    assert entry.actor in ("me", WHO["subject"])
    assert (entry.seq, found.proof is not None) == (1, True)
    assert found.proof is not None
    root = root_from_inclusion(
        leaf_hash(bytes.fromhex(entry.hash)), 0, signed.size, [b64decode(one) for one in found.proof.path]
    )
    assert root == b64decode(signed.root_hash)

    await running.say(AuditExportRequested(tenant=tenant, **WHO))
    assert (await running.heard("audit_export.completed"))["data"]["entries"] == signed.size
    await running.say(AuditVerificationRequested(tenant=tenant, verification_id=uuid4()))
    checked = (await running.heard("audit_verification.completed"))["data"]
    # The checkpoint in the database, and the one in the blob store.
    assert (checked["valid"], checked["checkpoints"], checked["signed"]) == (True, 2, signed.size)
    types = [row.event_type for row in await log.rows()]
    assert {"audit_checkpoint.requested", "audit_entries.requested", "audit_export.requested"} <= set(types)


async def test_what_the_database_hides_the_blob_store_tells(running: Running, log: Log) -> None:
    tenant = log.tenant
    # In the log before the checkpoint is asked for, which must cover more than what is left below.
    await log.grow(5)
    await running.say(AuditCheckpointRequested(tenant=tenant, **WHO))
    size = (await running.heard("audit.checkpoint_signed"))["data"]["size"]

    async def outside() -> bytes | None:
        return await running.runtime.blobs.newest(tenant, NOTES_KIND)

    await eventually(outside)
    await log.tamper(
        "delete from audit.checkpoints",
        "delete from audit.entries where seq > 2",
        "update audit.heads set seq = 2, signed_seq = 0, hash = (select hash from audit.entries where seq = 2)",
    )
    await running.say(AuditVerificationRequested(tenant=tenant, verification_id=uuid4()))
    checked = (await running.heard("audit_verification.completed"))["data"]
    assert (checked["valid"], size > checked["entries"]) == (False, True)


async def test_a_log_that_is_broken_is_not_signed_and_whoever_asked_is_told(running: Running, log: Log) -> None:
    tenant = log.tenant
    await log.grow(3)
    await log.tamper("update audit.entries set record = replace(record, 'me', 'you') where seq = 2")
    await running.say(AuditCheckpointRequested(tenant=tenant, **WHO))
    problem = (await running.heard("audit_checkpoint.failed"))["data"]["problem"]
    assert (problem["code"], "Entry 2" in problem["detail"]) == ("audit_log_broken", True)
    await running.say(AuditExportRequested(tenant=tenant, **WHO))
    assert (await running.heard("audit_export.failed"))["data"]["problem"]["code"] == "audit_log_not_signed"


async def test_a_broken_log_is_an_alarm_until_the_whole_of_it_fits_again(running: Running, log: Log) -> None:
    tenant, healthy = log.tenant, log.of(some_tenant())
    app = health_app(running.runtime)

    async def told(path: str) -> str:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://localhost") as client:
            response = await client.get(path)
        assert response.status_code == 200
        return response.text

    async def check(*kept: str) -> bool:
        asked = AuditVerificationRequested(tenant=tenant, verification_id=uuid4(), checkpoints=[*kept])
        await running.say(asked)

        async def answered() -> dict[str, Any] | None:
            found = [one for one in running.messages[EVENTS] if one["type"] == "audit_verification.completed"]
            return next((one for one in found if one["data"]["verification_id"] == str(asked.verification_id)), None)

        return bool((await eventually(answered, seconds=60))["data"]["valid"])  # type: ignore[index]

    await log.grow(3)
    await healthy.grow(1)
    # What somebody who asks holds the log to is no alarm.
    assert await check("no checkpoint at all") is False
    assert "modernize_broken_audit_logs 0.0" in await told("/metrics")
    assert "concerns" not in await told("/health/ready")
    await log.tamper("update audit.entries set record = replace(record, 'me', 'you') where seq = 2")
    with capture_logs() as logs:
        await sign_what_is_new(running.runtime)
    [alarm] = [each for each in logs if each["event"] == "audit_log_broken"]
    assert (alarm["log_level"], "Entry 2" in alarm["detail"]) == ("error", True)
    assert "modernize audit verify" in alarm["what_to_do"]
    assert "modernize_broken_audit_logs 1.0" in await told("/metrics")
    assert "1 audit log(s) are not as they were written" in await told("/health/ready")
    await log.tamper("update audit.entries set record = replace(record, 'you', 'me') where seq = 2")
    await sign_what_is_new(running.runtime)
    assert "modernize_broken_audit_logs 1.0" in await told("/metrics")
    assert await check() is True
    assert "modernize_broken_audit_logs 0.0" in await told("/metrics")
    assert "concerns" not in await told("/health/ready")


async def test_the_sweep_signs_every_log_with_news_and_none_without(running: Running, log: Log) -> None:
    logs = [log, log.of(some_tenant()), log.of(some_tenant())]
    for one in logs:
        await one.grow(2)
    await logs[1].tamper(
        "update audit.entries set hash = 'x' where client_account_id = :client and seq = 1",
        client=logs[1].tenant.client_account_id,
    )
    await sign_what_is_new(running.runtime)
    assert [len(await one.checkpoints()) for one in logs] == [1, 0, 1]

    async def told() -> bool:
        return len(await log.rows()) >= 4

    # That it was signed, and that there is a key, is in the log too; and of these only the key is news.
    await eventually(told)
    for _ in range(3):
        await sign_what_is_new(running.runtime)
    assert [row.previous_size for row in await log.checkpoints()] == [0, 2]


async def test_each_checkpoint_proves_that_it_extends_the_one_before(log: Log) -> None:
    signed = await log.signed(1, 2, 300, 5, 257, 1)
    for before, after in itertools.pairwise(signed):
        assert after.previous_size == before.size
        proof = [b64decode(one) for one in after.consistency]
        roots = b64decode(before.root_hash), b64decode(after.root_hash)
        assert is_consistent(before.size, roots[0], after.size, roots[1], proof)
        assert not is_consistent(before.size, roots[1], after.size, roots[1], proof)


async def test_two_processes_do_not_sign_the_same_twice(log: Log) -> None:
    await log.grow(3)
    async with log.database.transaction(log.tenant) as session:
        first = await signing.prepared(session, log.vault, log.tenant)
        second = await signing.prepared(session, log.vault, log.tenant)
    assert first is not None
    assert second is not None
    async with log.database.transaction(log.tenant) as session:
        await signing.store(session, log.vault, first)
    with pytest.raises(signing.Overtaken):
        async with log.database.transaction(log.tenant) as session:
            await signing.store(session, log.vault, second)
    assert len(await log.keys()) == 1
    assert await log.sign() is None

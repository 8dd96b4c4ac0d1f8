"""The audit log in Postgres: dense under concurrency, closed to its own service, and tampering is found."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from contracts.envelope import Envelope, Event, Tenant, uuid7
from contracts.operations import AuditVerificationCompleted, AuditVerificationRequested, DeadLetterDropped
from services.audit import handlers
from services.audit.app import service
from services.audit.handlers import record
from services.audit.tables import Head, LogEntry
from services.chassis.database import Database
from services.chassis.errors import ExpectedFailure
from services.chassis.migrations import admin_url
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant


@pytest.fixture
async def log(settings: Settings) -> AsyncIterator[Database]:
    """The audit service's own way into a fresh database."""
    database = Database(service.name, settings)
    yield database
    await database.close()


@pytest.fixture
async def superuser(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """What nobody should have in production: rights over every row."""
    engine = create_async_engine(admin_url(settings))
    yield engine
    await engine.dispose()


def event(tenant: Tenant, number: int = 0) -> Event:
    return DeadLetterDropped(tenant=tenant, event_id=str(number), queue="q", dropped_by="me")


async def hear(log: Database, *events: Event) -> None:
    """Record events in one transaction, as the consumer does with a batch of one tenant."""
    async with log.transaction(events[0].tenant) as session:
        await record(heard(*events), session)


def heard(*events: Event) -> list[Envelope]:
    """What the consumer makes of events that were sent."""
    return [Envelope.from_cloudevent(event.to_cloudevent()) for event in events]


async def verify(log: Database, tenant: Tenant) -> AuditVerificationCompleted:
    async with log.transaction(tenant) as session:
        [found] = await record(heard(AuditVerificationRequested(tenant=tenant, verification_id=uuid4())), session)
    return found


async def tamper(superuser: AsyncEngine, statement: str, **values: Any) -> None:
    async with superuser.begin() as connection:
        changed = await connection.execute(text(statement), values)
        assert changed.rowcount > 0


async def test_concurrent_events_make_a_dense_chain(log: Database) -> None:
    tenant, other = some_tenant(), some_tenant()
    batches = [[event(t, n) for n in range(start, start + 3)] for start in range(0, 36, 3) for t in (tenant, other)]
    await asyncio.gather(*(hear(log, *batch) for batch in batches))
    for one in (tenant, other):
        async with log.transaction(one) as session:
            numbers = list(await session.scalars(select(LogEntry.seq).order_by(LogEntry.seq)))
        assert numbers == list(range(1, 37))
        found = await verify(log, one)
        assert (found.valid, found.entries, found.broken_at) == (True, 37, None)


async def test_what_was_rolled_back_leaves_no_gap(log: Database) -> None:
    tenant = some_tenant()
    await hear(log, event(tenant))
    async with log.transaction(tenant) as session:
        await record(heard(event(tenant)), session)
        await session.rollback()
    await hear(log, event(tenant))
    found = await verify(log, tenant)
    assert (found.valid, found.entries) == (True, 3)


async def test_an_entry_holds_the_whole_event(log: Database) -> None:
    tenant = some_tenant()
    sent = DeadLetterDropped(tenant=tenant, event_id="ü\0\u2028", queue="q", dropped_by="me", flow_id=uuid7())
    await hear(log, sent)
    async with log.transaction(tenant) as session:
        (entry,) = await session.scalars(select(LogEntry))
    assert Event.from_cloudevent(json.loads(entry.record)) == sent
    assert (await verify(log, tenant)).valid


async def test_what_a_newer_version_says_beyond_our_schema_is_kept_too(log: Database) -> None:
    tenant = some_tenant()
    message = event(tenant).to_cloudevent()
    message["data"] |= {"event_id": ["not", "our", "schema"], "because": "it was agreed"}
    async with log.transaction(tenant) as session:
        await record([Envelope.from_cloudevent(message)], session)
        (entry,) = await session.scalars(select(LogEntry))
    assert json.loads(entry.record) == message
    assert (await verify(log, tenant)).valid


async def test_a_request_to_check_that_nobody_can_read_is_refused_by_name(log: Database) -> None:
    tenant = some_tenant()
    request = AuditVerificationRequested(tenant=tenant, verification_id=uuid4()).to_cloudevent()
    request["data"] = {"verification_id": "the first one"}
    async with log.transaction(tenant) as session:
        with pytest.raises(ExpectedFailure, match="verification_id"):
            await record([Envelope.from_cloudevent(request)], session)


async def test_the_check_itself_is_in_the_log_it_checks(log: Database) -> None:
    tenant = some_tenant()
    first, second = await verify(log, tenant), await verify(log, tenant)
    assert (first.entries, second.entries) == (1, 2)
    assert first.head != second.head


async def test_a_check_in_the_middle_of_a_batch_covers_what_came_before_it(log: Database) -> None:
    tenant = some_tenant()
    check = AuditVerificationRequested(tenant=tenant, verification_id=uuid4())
    async with log.transaction(tenant) as session:
        [found] = await record(heard(event(tenant, 1), check, event(tenant, 2)), session)
    assert (found.valid, found.entries, found.causation_id) == (True, 2, check.id)
    assert (await verify(log, tenant)).entries == 4


async def test_a_log_longer_than_a_page_is_checked_to_its_end(log: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "PAGE", 3)
    tenant = some_tenant()
    await hear(log, *(event(tenant, number) for number in range(10)))
    found = await verify(log, tenant)
    assert (found.valid, found.entries) == (True, 11)


@pytest.mark.parametrize(
    "statement",
    [
        "update audit.entries set record = '{}'",
        "delete from audit.entries",
        "truncate audit.entries",
        "alter table audit.entries disable row level security",
        "drop table audit.entries",
        "delete from audit.heads",
        "truncate audit.heads",
    ],
)
@pytest.mark.parametrize("role", ["service", "dispatch"])
async def test_neither_role_of_the_service_can_change_what_is_written(
    log: Database, settings: Settings, statement: str, role: str
) -> None:
    tenant = some_tenant()
    await hear(log, event(tenant))
    async with log.transaction(tenant) if role == "service" else log.dispatch() as connection:
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            await connection.execute(text(statement))
        await connection.rollback()
    assert (await verify(log, tenant)).valid


async def test_a_tenant_reads_its_own_log_alone(log: Database) -> None:
    tenant = some_tenant()
    await hear(log, event(tenant))
    async with log.transaction(some_tenant()) as session:
        assert await session.scalar(select(func.count()).select_from(LogEntry)) == 0
        assert await session.scalar(select(func.count()).select_from(Head)) == 0
    async with log.session() as session:
        assert await session.scalar(select(func.count()).select_from(LogEntry)) == 0


async def test_an_entry_cannot_be_written_for_another_tenant(log: Database) -> None:
    other = some_tenant()
    statement = text(
        "insert into audit.entries (client_account_id, engagement_id, seq, event_id, event_type, record, hash)"
        " values (:client, :engagement, 1, gen_random_uuid(), 'x', '{}', 'x')"
    )
    values = {"client": other.client_account_id, "engagement": other.engagement_id}
    async with log.transaction(some_tenant()) as session:
        with pytest.raises(ProgrammingError, match="row-level security"):
            await session.execute(statement, values)
        await session.rollback()


TAMPERING = (
    ("an edited record", "update audit.entries set record = replace(record, 'me', 'you') where seq = 3", 3),
    ("an edited hash", "update audit.entries set hash = repeat('0', 64) where seq = 3", 3),
    ("a deletion", "delete from audit.entries where seq = 3", 3),
    ("a truncation", "delete from audit.entries where seq > 3", 4),
    ("everything deleted", "delete from audit.entries", 1),
    (
        "two entries swapped",
        "update audit.entries set record = other.record from audit.entries other"
        " where entries.seq in (2, 4) and other.seq = 6 - entries.seq",
        2,
    ),
    (
        "an entry moved to the end",
        "update audit.entries set seq = 99 where seq = 3",
        3,
    ),
)


@pytest.mark.parametrize(("what", "statement", "broken_at"), TAMPERING, ids=[case[0] for case in TAMPERING])
async def test_tampering_of_a_superuser_is_found(
    log: Database, superuser: AsyncEngine, what: str, statement: str, broken_at: int
) -> None:
    tenant = some_tenant()
    await hear(log, *(event(tenant, number) for number in range(5)))
    await tamper(superuser, statement)
    found = await verify(log, tenant)
    assert (found.valid, found.broken_at) == (False, broken_at)
    assert str(broken_at) in found.detail


async def test_a_log_given_to_another_tenant_is_found(log: Database, superuser: AsyncEngine) -> None:
    tenant, other = some_tenant(), some_tenant()
    await hear(log, event(tenant), event(tenant))
    for table in ("entries", "heads"):
        await tamper(
            superuser,
            f"update audit.{table} set client_account_id = :client, engagement_id = :engagement",
            client=other.client_account_id,
            engagement=other.engagement_id,
        )
    found = await verify(log, other)
    assert (found.valid, found.broken_at) == (False, 1)


async def test_a_head_set_back_with_its_entries_is_found_by_who_kept_the_old_one(
    log: Database, superuser: AsyncEngine
) -> None:
    tenant = some_tenant()
    await hear(log, *(event(tenant, number) for number in range(5)))
    kept = await verify(log, tenant)
    await tamper(superuser, "delete from audit.entries where seq > 2")
    await tamper(
        superuser,
        "update audit.heads set seq = 2, hash = (select hash from audit.entries where seq = 2)",
    )
    found = await verify(log, tenant)
    # The log alone cannot know: this is why a verification tells its head, to be kept elsewhere.
    assert found.valid
    assert found.entries < kept.entries

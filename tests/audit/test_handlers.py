"""The audit log in Postgres: dense under concurrency, closed to its own service, whole, and findable."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from contracts.envelope import Envelope, Event, uuid7
from contracts.operations import DeadLetterDropped
from services.audit import rows_in_order
from services.audit.chain import actor_of
from services.audit.handlers import record
from services.audit.tables import Head, LogEntry
from services.chassis.testing import some_tenant
from tests.audit.logs import Log, heard, some_event


async def test_concurrent_events_make_a_dense_chain(log: Log) -> None:
    logs = (log, log.of(some_tenant()))
    batches = [(one, [some_event(one.tenant, n) for n in range(3)]) for _ in range(12) for one in logs]
    await asyncio.gather(*(one.hear(*batch) for one, batch in batches))
    for one in logs:
        assert [row.seq for row in await one.rows()] == list(range(1, 37))
        found = await one.check()
        assert (found.valid, found.entries, found.broken_at) == (True, 36, None)


async def test_what_was_rolled_back_leaves_no_gap(log: Log) -> None:
    await log.grow(1)
    async with log.database.transaction(log.tenant) as session:
        await record(heard(some_event(log.tenant)), session)
        await session.rollback()
    await log.grow(1)
    found = await log.check()
    assert (found.valid, found.entries) == (True, 2)


async def test_an_entry_holds_the_whole_event_and_can_be_found_by_it(log: Log) -> None:
    sent = DeadLetterDropped(
        tenant=log.tenant, event_id="ü\0\u2028", queue="q", dropped_by="Ada\0 Ortiz", flow_id=uuid7()
    )
    await log.hear(sent)
    [entry] = await log.rows()
    assert Event.from_cloudevent(json.loads(entry.record)) == sent
    found_by = (entry.event_id, entry.event_type, entry.flow_id, entry.actor, entry.happened_at)
    assert found_by == (sent.id, sent.type_name, sent.flow_id, "Ada Ortiz", sent.time)
    assert (await log.check()).valid


async def test_what_a_newer_version_says_beyond_our_schema_is_kept_too(log: Log) -> None:
    message = some_event(log.tenant).to_cloudevent()
    message["data"] |= {"event_id": ["not", "our", "schema"], "because": "it was agreed"}
    message["time"] = "yesterday"
    async with log.database.transaction(log.tenant) as session:
        await record([Envelope.from_cloudevent(message)], session)
    [entry] = await log.rows()
    assert json.loads(entry.record) == message
    assert entry.happened_at is None
    assert (await log.check()).valid


@pytest.mark.parametrize(
    ("data", "actor"),
    [
        ({"subject": "user:1", "decided_by": "Ada"}, "user:1"),
        ({"decided_by": "Ada", "user_id": "2"}, "Ada"),
        ({"user_id": "2"}, "2"),
        ({"decided_by": None, "subject": ""}, None),
        ({"served_by": 3}, None),
        ({"subject": "x" * 300}, "x" * 200),
        (None, None),
    ],
)
def test_who_did_it_is_read_from_what_events_say(data: object, actor: str | None) -> None:
    assert actor_of({"data": data}) == actor


async def test_a_log_longer_than_a_piece_and_a_range_is_checked_to_its_end(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_in_order, "RANGE_ENTRIES", 7)
    monkeypatch.setattr(rows_in_order, "PIECE_BYTES", 1)
    await log.signed(10, 11)
    found = await log.check()
    assert (found.valid, found.entries, found.checkpoints, found.signed) == (True, 21, 2, 21)


STATEMENTS = [
    *(
        f"update audit.{table} set {column} = {column}"
        for table, column in (
            ("entries", "record"),
            ("tree_nodes", "hash"),
            ("checkpoints", "note"),
            ("signing_keys", "public_key"),
        )
    ),
    *(f"delete from audit.{table}" for table in ("entries", "heads", "tree_nodes", "checkpoints", "signing_keys")),
    *(f"truncate audit.{table}" for table in ("entries", "heads", "tree_nodes", "checkpoints", "signing_keys")),
    "alter table audit.entries disable row level security",
    "drop table audit.entries",
]


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("role", ["service", "dispatch"])
async def test_neither_role_of_the_service_can_change_what_is_written(log: Log, statement: str, role: str) -> None:
    await log.signed(1)
    database = log.database
    async with database.transaction(log.tenant) if role == "service" else database.dispatch() as connection:
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            await connection.execute(text(statement))
        await connection.rollback()
    assert (await log.check()).valid


async def test_a_tenant_reads_its_own_log_alone(log: Log) -> None:
    await log.signed(1)
    async with log.database.transaction(some_tenant()) as session:
        assert await session.scalar(select(func.count()).select_from(LogEntry)) == 0
        assert await session.scalar(select(func.count()).select_from(Head)) == 0
    async with log.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(LogEntry)) == 0


async def test_an_entry_cannot_be_written_for_another_tenant(log: Log) -> None:
    other = some_tenant()
    statement = text(
        "insert into audit.entries (client_account_id, engagement_id, seq, event_id, event_type, record, hash)"
        " values (:client, :engagement, 1, gen_random_uuid(), 'x', '{}', 'x')"
    )
    values = {"client": other.client_account_id, "engagement": other.engagement_id}
    async with log.database.transaction(log.tenant) as session:
        with pytest.raises(ProgrammingError, match="row-level security"):
            await session.execute(statement, values)
        await session.rollback()


async def test_rows_are_read_in_order_whatever_is_in_them(log: Log) -> None:
    events = [
        DeadLetterDropped(
            tenant=log.tenant,
            time=datetime(2026, 1, 1, 12, 0, 0, number, tzinfo=UTC),
            event_id="ü" * number,
            queue="\n\\N\t",
            dropped_by="a\nb",
            flow_id=uuid4() if number % 2 else None,
        )
        for number in range(20)
    ]
    await log.hear(*events)
    taken: list[tuple[int, str]] = []
    async with log.database.transaction(log.tenant) as session:
        await rows_in_order.read_rows(
            session, 3, 18, lambda rows: taken.extend((row[0], json.loads(row[1])["data"]["event_id"]) for row in rows)
        )
    assert taken == [(number + 1, "ü" * number) for number in range(3, 18)]
    assert (await log.check()).valid

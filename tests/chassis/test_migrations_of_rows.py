"""Each version of a service's tables keeps the rows that are there, and fills what it adds as new rows have it."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.envelope import Tenant
from services.audit.app import service as audit
from services.audit.chain import actor_of, happened_at
from services.chassis.service import Service
from services.gateway.app import service as gateway
from tests.chassis.old_rows import AT, TENANTS, old_tables
from tests.conftest import declared_services

# What a version drops on purpose, and why it may.
DROPPED = {
    # It had the bootstrap key alone, which the gateway lets in again when it starts.
    ("gateway", "0009", "api_keys"),
    # Nobody read it, and it outlived deleted flows.
    ("field_mapping", "0009", "imported_tables"),
}
GIVEN = {("entries", "record"): '{"id": "x", "data": {}}', ("api_keys", "created_by"): f"user:{UUID(int=5)}"}
NIL = UUID(int=0)


@pytest.mark.parametrize("service", declared_services(), ids=lambda service: service.name)
async def test_no_version_loses_a_row_or_a_value(service: Service, database: str) -> None:
    async with old_tables(database, service) as tables:
        lost = set()
        before: dict[str, list[dict[str, Any]]] = {}
        for version in tables.versions:
            await tables.upgrade(version)
            after = await tables.rows()
            for name, rows in before.items():
                if not all(any(_goes_on(row, new) for new in after.get(name, [])) for row in rows):
                    lost.add((service.name, version, name))
            await tables.fill(GIVEN)
            before = await tables.rows()
        assert lost == {each for each in DROPPED if each[0] == service.name}
        assert all(len(rows) >= len(TENANTS) for rows in before.values())


def _goes_on(row: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a row is this one, as far as the columns go that both have."""
    return all(new[name] == value for name, value in row.items() if name in new)


async def test_entries_that_were_written_before_are_found_as_new_ones_are(database: str) -> None:
    flow = str(uuid4())
    messages = [
        {"time": "2026-11-20T12:00:00+01:00", "flowid": flow, "data": {"decided_by": "Ada", "by_subject": "user:1"}},
        {"time": "2026-11-20T12:00:00Z", "data": {"subject": "key:x", "requested_by": "Ada"}},
        {"time": "2026-11-20T12:00:00Z", "data": {"subject": "", "changed_by": 5, "made_by": "x" * 300}},
        {"time": "2026-11-20T12:00:00Z", "data": {}},
    ]  # fmt: skip
    async with old_tables(database, audit) as tables:
        await tables.upgrade("0003")
        for tenant in TENANTS:
            await tables.insert("heads", tenant, seq=len(messages), hash="h")
            for seq, message in enumerate(messages, start=1):
                row = {"seq": seq, "event_id": uuid4(), "event_type": "x", "hash": "h", "record": json.dumps(message)}
                await tables.insert("entries", tenant, **row)
        await tables.upgrade("head")
        found = await tables.connection.execute(text("select * from audit.entries order by client_account_id, seq"))
        rows = list(found.mappings())
        heads = list((await tables.connection.execute(text("select seq, unsigned, signed_seq from audit.heads"))).all())
    assert heads == [(len(messages), len(messages), 0)] * len(TENANTS)
    assert len(rows) == len(messages) * len(TENANTS)
    for entry, told in zip(rows, messages * len(TENANTS), strict=True):
        assert entry["actor"] == actor_of(told), told
        assert entry["happened_at"] == happened_at(told)
        assert str(entry["flow_id"]) == str(told.get("flowid"))


async def test_a_client_account_of_before_is_a_tenant_of_its_own(database: str) -> None:
    first, other = TENANTS
    second = first.model_copy(update={"engagement_id": UUID(int=8)})
    async with old_tables(database, gateway) as tables:
        await tables.upgrade("0008")
        for tenant, name in ((first, "Exit"), (second, "Merger"), (other, "Exit")):
            client = f"client {tenant.client_account_id.int}"
            await tables.insert("engagements", tenant, client_name=client, engagement_name=name)
        await tables.upgrade("head")
        rows = (await tables.connection.execute(text("select * from gateway.engagements"))).mappings()
        whole = {row["client_account_id"]: dict(row) for row in rows if row["engagement_id"] == NIL}
    assert {key: (row["client_name"], row["engagement_name"]) for key, row in whole.items()} == {
        first.client_account_id: ("client 1", ""),
        other.client_account_id: ("client 2", ""),
    }


async def test_behind_a_key_of_before_is_the_person_who_made_it_or_the_key_that_did(database: str) -> None:
    ada, platform = UUID(int=5), Tenant(client_account_id=NIL, engagement_id=NIL)
    makers = {"a": f"user:{ada}", "b": "key:a", "c": "key:b", "d": "key:bootstrap"}
    async with old_tables(database, gateway) as tables:
        await tables.upgrade("0017")
        await tables.fill({})
        for tenant in TENANTS:
            for key_id, by in makers.items():
                key = f"{tenant.client_account_id.int}{key_id}"
                maker = (
                    by
                    if ":b" not in by and ":a" not in by
                    else by.replace("key:", f"key:{tenant.client_account_id.int}")
                )
                values = {"name": "n", "digest": "d", "pepper": 1, "role": "viewer", "scopes": "[]"}
                await tables.insert("api_keys", tenant, key_id=key, created_by=maker, created_by_name="n", **values)
                place = {"of_client_account_id": tenant.client_account_id, "of_engagement_id": tenant.engagement_id}
                await tables.insert("api_key_places", platform, key_id=key, **place)
        # Its session was removed by hand.
        await tables.insert("refresh_tokens", platform, digest="orphan", session_id=uuid4(), issued_at=AT)
        kept = (await tables.connection.execute(text("select count(*) from gateway.refresh_tokens"))).scalar_one()
        await tables.upgrade("head")
        rows = await tables.connection.execute(
            text("select key_id, user_id from gateway.api_key_places where key_id ~ '^[12][a-d]$'")
        )
        behind = {row.key_id: row.user_id for row in rows}
        left = (await tables.connection.execute(text("select count(*) from gateway.refresh_tokens"))).scalar_one()
    assert behind == {f"{number}{key}": None if key == "d" else ada for number in (1, 2) for key in makers}
    assert left == kept - 1

"""Claims on a real table: one tenant's thousands of rows neither starve another's one nor make claims dear."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, text, update

from contracts.envelope import Event, Tenant
from services.chassis import leases as leases_module
from services.chassis.bus.in_process import InProcessBus
from services.chassis.leases import Claim, Leases, work_row
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from tests.chassis.handlers import accept, nothing, work_rows, working
from tests.chassis.probe import mapping_request

BACKLOG = 10_000


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    one = Runtime(working(nothing), settings, InProcessBus())
    yield one
    await one.stop()


def leases_of(runtime: Runtime, tenant_limit: int = 1_000) -> Leases:
    return Leases(runtime.database, runtime.service.metadata, 60, tenant_limit)


def request(tenant: Tenant, **envelope: int) -> Event:
    return mapping_request(tenant).model_copy(update=envelope)


async def fill(runtime: Runtime, tenant: Tenant, count: int, **envelope: int) -> None:
    """Many rows at once, as `accept` would write them."""
    rows = [work_row(each, each.to_cloudevent()) for each in (request(tenant, **envelope) for _ in range(count))]
    async with runtime.database.transaction(tenant) as session:
        await session.execute(insert(runtime.service.metadata.work), rows)


def served(claims: list[Claim]) -> Counter[UUID]:
    return Counter(claim.tenant.client_account_id for claim in claims)


async def test_one_row_beside_ten_thousand_of_another_tenant_is_among_the_next_two(runtime: Runtime) -> None:
    busy, late = some_tenant(), some_tenant()
    await fill(runtime, busy, BACKLOG)
    leases = leases_of(runtime)
    for _ in range(5):
        [claim] = await leases.claim()
        await leases.drop(claim)
    await accept(runtime, request(late))
    assert served([claim for _ in range(2) for claim in await leases.claim()])[late.client_account_id] == 1


async def test_claims_touch_a_few_rows_however_many_wait_run_or_wait_for_their_next_attempt(runtime: Runtime) -> None:
    busy, retrying, late = some_tenant(), some_tenant(), some_tenant()
    for tenant in (busy, retrying):
        await fill(runtime, tenant, BACKLOG, work_priority=3)
    await accept(runtime, request(late))
    table = runtime.service.metadata.work
    async with runtime.database.transaction(retrying) as session:
        await session.execute(update(table).values(available_at=func.now() + text("interval '1 hour'")))
    leases = leases_of(runtime)
    await leases.claim(free=4)
    explained = f"explain (analyze, format json) {leases_module._LANES.format(work=table.fullname, kinds='')}"
    async with runtime.database.dispatch() as connection:
        [[[plan]]] = (await connection.execute(text(explained), {"free": 2})).all()
    assert max(touched(plan["Plan"])) < 50


def touched(node: dict[str, Any]) -> Iterator[float]:
    """How many rows each step of a plan has read."""
    yield node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    for child in node.get("Plans", []):
        yield from touched(child)


async def test_tenants_are_served_by_their_weights(runtime: Runtime) -> None:
    heavy, light = some_tenant(), some_tenant()
    await fill(runtime, light, 100)
    await fill(runtime, heavy, 100, work_weight=3)
    expected = {heavy.client_account_id: 30, light.client_account_id: 10}
    assert served(await leases_of(runtime).claim(free=40)) == expected
    leases, ended = leases_of(runtime), []
    async with runtime.database.dispatch() as connection:
        await connection.execute(update(runtime.service.metadata.work).values(lease_until=None))
    for _ in range(40):
        [claim] = await leases.claim()
        assert await leases.drop(claim)
        ended.append(claim)
    assert served(ended) == expected


async def test_higher_priority_first_and_the_older_among_equals(runtime: Runtime) -> None:
    tenant = some_tenant()
    low, middle, high = (request(tenant, work_priority=priority) for priority in (-1, 0, 7))
    younger = request(tenant, work_priority=7)
    for each in (low, middle, high, younger):
        await accept(runtime, each)
    leases = leases_of(runtime)
    claimed = [claim.event_id for _ in range(4) for claim in await leases.claim()]
    assert claimed == [high.id, younger.id, middle.id, low.id]


async def test_no_tenant_has_more_in_work_than_its_limit_however_many_claim_at_once(runtime: Runtime) -> None:
    busy, other = some_tenant(), some_tenant()
    await fill(runtime, busy, 50)
    several = [leases_of(runtime, tenant_limit=3) for _ in range(5)]
    batches = await asyncio.gather(*(leases.claim(free=2) for leases in several))
    claims = [claim for batch in batches for claim in batch]
    assert served(claims) == {busy.client_account_id: 3}
    await fill(runtime, other, 1)
    assert served(await several[0].claim(free=5)) == {other.client_account_id: 1}
    await several[0].release(claims[0])
    assert [claim.event_id for claim in await several[1].claim(free=5)] == [claims[0].event_id]


async def test_priority_and_weight_come_with_the_request_and_are_not_handed_on(runtime: Runtime) -> None:
    asked = mapping_request(some_tenant()).model_copy(update={"work_priority": 5, "work_weight": 3})
    await accept(runtime, asked)
    [row] = await work_rows(runtime)
    assert (row["priority"], row["weight"], row["step"]) == (5, 3, asked.step)
    reply = type(asked).reply_to(asked, tables=asked.tables)
    assert (reply.work_priority, reply.work_weight) == (None, None)

"""What calls cost: each is in the ledger at its exact price, and none is made that a budget does not allow."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import model_configuration as keys
from contracts.configuration_key import Key
from services.agent_runner.models.ledger import LOST_AFTER, decided, scopes
from services.agent_runner.models.session import CALLS_A_RUN, ModelUnavailable
from services.chassis.testing import eventually, some_tenant
from tests.agent_runner.models.conftest import PRICES, QUESTION, STUB, Platform, a_call, anything, code_of, numbered
from tests.model_answers import Said


async def test_every_call_is_in_the_ledger_at_its_exact_price(platform: Platform) -> None:
    platform.stub.answering = lambda asked: Said("x", tokens_in=1_234_567, tokens_out=89)
    tenant, flow_id = await platform.tenant(model_prices={STUB: [0.15, 0.6]}), uuid4()
    session = await platform.session(tenant, flow_id=flow_id)
    await session.complete(QUESTION, anything)
    (row,) = await platform.ledger(tenant)
    assert row.cost_usd == (1_234_567 * Decimal("0.15") + 89 * Decimal("0.6")) / 1_000_000
    assert (row.provider, row.model, row.agent, row.purpose) == ("compatible", "stub", "six_r", "explain")
    assert (row.flow_id, row.task_id, row.outcome, row.cached) == (flow_id, session.context.task_id, "ok", False)
    assert await platform.spending(tenant) == {kind: (row.cost_usd, Decimal(0)) for kind in ("day", "flow")}
    assert await platform.ledger(some_tenant()) == []


@pytest.mark.parametrize("key", [keys.MODEL_BUDGET_USD_PER_DAY, keys.MODEL_BUDGET_USD_PER_FLOW])
async def test_a_budget_stops_before_it_is_exceeded(platform: Platform, key: Key[float | None]) -> None:
    platform.stub.answering = lambda asked: Said("x", tokens_in=10, tokens_out=100)
    tenant = await platform.tenant(model_prices={STUB: [0.0, 1000.0]}, model_calls_at_once=50)
    await platform.set(tenant, key, 1.0)
    flow_id = uuid4()

    async def one(number: int) -> str:
        try:
            session = await platform.session(tenant, flow_id=flow_id)
            await session.complete(numbered(number), anything)
        except ModelUnavailable as error:
            return error.problem.code
        return "ok"

    # Each costs 0.1 USD, and may cost no more; so ten of them fit, whatever runs at once.
    outcomes = await asyncio.gather(*(one(number) for number in range(25)))
    assert sorted(set(outcomes)) == ["model_budget_spent", "ok"]
    assert outcomes.count("ok") == 10
    spent, reserved = (await platform.spending(tenant))["day"]
    assert (spent, reserved) == (Decimal(1), Decimal(0))
    assert await one(99) == "model_budget_spent"


async def test_a_budget_of_nothing_makes_no_call_but_free_models_answer(platform: Platform) -> None:
    tenant = await platform.tenant(model_prices=PRICES, model_budget_usd_per_day=0.0)
    session = await platform.session(tenant)
    assert await code_of(session) == "model_budget_spent"
    assert [call.outcome for call in session.calls] == ["over_budget"]
    assert platform.stub.requests == []
    await platform.set(tenant, keys.MODEL_FALLBACKS, ["compatible/free"])
    assert (await (await platform.session(tenant)).complete(QUESTION, anything)).text == "stub"
    assert platform.stub.requests[-1].body["model"] == "free"


async def test_a_time_out_under_a_budget_counts_as_the_most_that_it_can_have_cost(platform: Platform) -> None:
    platform.stub.repeat("slow")
    tenant = await platform.tenant(model_prices=PRICES, model_budget_usd_per_day=1.0)
    session = await platform.session(tenant, deadline=time.monotonic() + 0.3)
    assert await code_of(session) == "model_timed_out"
    assert (await platform.spending(tenant))["day"] == (session.calls[0].cost_usd, Decimal(0))
    assert session.calls[0].cost_usd > 0


async def test_what_a_killed_process_had_reserved_counts_as_spent(platform: Platform) -> None:
    tenant, flow_id = await platform.tenant(model_prices=PRICES), uuid4()
    now = datetime.now(UTC)
    for age in (LOST_AFTER + timedelta(minutes=1), timedelta(0)):
        call = a_call("0.25", flow_id, now - age)
        assert await platform.models.ledger.reserve(tenant, call, {f"flow:{flow_id}": Decimal(1)}) is None
    for _ in range(2):  # Another process may look at the same time, and nothing counts twice.
        await platform.models.ledger.close_lost(now)
    assert Counter(row.outcome for row in await platform.ledger(tenant)) == {"lost": 1, "open": 1}
    assert (await platform.spending(tenant))["flow"] == (Decimal("0.25"), Decimal("0.25"))


async def test_what_was_reserved_for_a_cancelled_run_is_given_back(platform: Platform) -> None:
    tenant, call = await platform.tenant(model_prices=PRICES), a_call("0.25", None, datetime.now(UTC))
    reserving = asyncio.create_task(platform.models.ledger.reserve(tenant, call, {}))
    await asyncio.sleep(0)
    reserving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reserving

    async def given_back() -> bool:
        return [row.outcome for row in await platform.ledger(tenant)] == ["cancelled"]

    await eventually(given_back)
    assert (await platform.spending(tenant))["day"] == (Decimal(0), Decimal(0))


async def test_the_tokens_of_a_day_stop_before_they_are_exceeded(platform: Platform) -> None:
    platform.stub.answering = lambda asked: Said("x", tokens_in=10, tokens_out=100)
    tenant = await platform.tenant(model_calls_at_once=50)
    await platform.set(tenant, keys.MODEL_TOKENS_PER_DAY, 3000)

    async def one(number: int) -> str:
        try:
            await (await platform.session(tenant)).complete(numbered(number), anything)
        except ModelUnavailable as error:
            return error.problem.code
        return "ok"

    outcomes = await asyncio.gather(*(one(number) for number in range(25)))
    assert sorted(set(outcomes)) == ["model_tokens_of_day_spent", "ok"]
    while await one(len(outcomes)) == "ok":
        outcomes.append("ok")

    async def settled() -> bool:
        return all(row.outcome in ("ok", "over_budget") for row in await platform.ledger(tenant))

    await eventually(settled)
    rows = await platform.ledger(tenant)
    assert sum(row.tokens_in + row.tokens_out for row in rows) == 110 * outcomes.count("ok") <= 3000


@given(st.lists(st.decimals(0, 2, places=6), max_size=30), st.decimals(0, 5, places=6), st.decimals(0, 5, places=6))
def test_what_is_allowed_never_exceeds_a_budget(costs: list[Decimal], day: Decimal, spent: Decimal) -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    (scope,) = scopes(at, None)
    taken = {scope: spent}
    problems = decided([(a_call(str(cost), None, at), {scope: day}) for cost in costs], taken)
    allowed = [cost for cost, problem in zip(costs, problems, strict=True) if problem is None]
    assert taken[scope] == spent + sum(allowed)
    assert not allowed or taken[scope] <= day


async def test_a_run_does_not_use_more_tokens_than_it_may(platform: Platform) -> None:
    platform.stub.repeat("endless")
    session = await platform.session(await platform.tenant(), token_budget=2000)
    for _ in range(5):
        if session.problem is None:
            try:
                await session.complete(QUESTION, anything)
            except ModelUnavailable as error:
                assert error.problem.code == "model_tokens_spent"  # noqa: PT017
    assert session.problem is not None
    assert 0 < session.tokens <= 2000


async def test_a_run_that_never_ends_is_ended(platform: Platform) -> None:
    session = await platform.session(await platform.tenant(model_cache_seconds=0))
    for number in range(CALLS_A_RUN):
        await session.complete(numbered(number), anything)
    assert await code_of(session) == "model_never_stops"


async def test_no_more_calls_run_at_a_time_than_a_tenant_may(platform: Platform) -> None:
    platform.stub.latency = 0.01
    tenant = await platform.tenant(model_calls_at_once=3)
    sessions = [await platform.session(tenant) for _ in range(12)]
    await asyncio.gather(*(session.complete(numbered(n), anything) for n, session in enumerate(sessions)))
    assert platform.stub.most_at_once == 3


async def test_whoever_would_wait_beyond_the_deadline_gives_up(platform: Platform) -> None:
    tenant = await platform.tenant(model_calls_per_minute=1)
    await (await platform.session(tenant)).complete(numbered(1), anything)
    session = await platform.session(tenant, deadline=time.monotonic() + 5)
    assert await code_of(session, numbered(2)) == "model_turn_too_late"

"""Calls of a run: what fails is tried again, then another model is asked, and nothing is paid that was not allowed."""

import time
from decimal import Decimal
from uuid import uuid4

import pytest

from contracts import model_configuration as keys
from contracts.configuration_key import level_tenant
from contracts.envelope import PLATFORM, Problem
from services.agent_runner.app import service
from services.agent_runner.models.answer_cache import AnswerCache, begin_epoch
from services.agent_runner.models.breaker import FAILURES
from services.agent_runner.models.exchange import Answer, Request
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.testing import some_tenant
from tests.agent_runner.models.conftest import PRICES, QUESTION, STUB, Platform, anything, code_of, context, numbered
from tests.chassis.test_cache import REDIS, redis_answers
from tests.model_answers import Said
from tests.model_server import Fault


@pytest.mark.parametrize("fault", ["429", "500", "cut", "garbage"])
async def test_what_fails_once_is_tried_again(platform: Platform, fault: Fault) -> None:
    platform.stub.fail(fault, fault)
    session = await platform.session(await platform.tenant())
    assert (await session.complete(QUESTION, anything)).text == "stub"
    assert [call.outcome for call in session.calls] == ["error", "error", "ok"]


@pytest.mark.parametrize(
    ("fault", "code", "outcomes"),
    [
        ("500", "model_failed", ["error"] * 3),
        ("401", "model_failed", ["error"]),
        ("huge", "model_answer_invalid", ["invalid"]),
    ],
)
async def test_what_goes_on_failing_ends_with_a_reason(
    platform: Platform, fault: Fault, code: str, outcomes: list[str]
) -> None:
    platform.stub.repeat(fault)
    tenant = await platform.tenant()
    session = await platform.session(tenant)
    assert await code_of(session) == code
    assert [call.outcome for call in session.calls] == outcomes
    asked = len(platform.stub.requests)
    assert await code_of(session) == code, "a run that failed fails at once from then on"
    assert len(platform.stub.requests) == asked
    assert [row.outcome for row in await platform.ledger(tenant)] == outcomes


async def test_a_silent_model_is_given_up_at_the_deadline(platform: Platform) -> None:
    platform.stub.repeat("slow")
    session = await platform.session(await platform.tenant(), deadline=time.monotonic() + 0.3)
    assert await code_of(session) == "model_timed_out"
    assert {call.outcome for call in session.calls} == {"timed_out"}


async def test_the_next_model_of_the_chain_answers(platform: Platform) -> None:
    platform.stub.answering = lambda asked: Said(str(asked.body["model"]))
    platform.stub.fail("401")
    session = await platform.session(await platform.tenant(model_fallbacks=["compatible/second"]))
    assert (await session.complete(QUESTION, anything)).text == "second"
    assert [call.model for call in session.calls] == ["stub", "second"]


async def test_with_hedging_the_next_model_answers_for_a_slow_one_and_both_are_booked(platform: Platform) -> None:
    platform.stub.answering = lambda asked: Said(str(asked.body["model"]))
    platform.stub.fail("slow")
    hedging = {"model_fallbacks": ["compatible/second"], "model_hedge_after_seconds": 0.05}
    tenant = await platform.tenant(**hedging)
    session = await platform.session(tenant)
    assert (await session.complete(QUESTION, anything)).text == "second"
    told = {call.model: (call.outcome, call.tokens_out > 0) for call in session.calls}
    assert told == {"stub": ("cancelled", False), "second": ("ok", True)}
    assert {(row.model, row.outcome) for row in await platform.ledger(tenant)} == {
        ("stub", "cancelled"),
        ("second", "ok"),
    }


async def test_a_provider_that_keeps_failing_is_left_alone(platform: Platform) -> None:
    tenant = await platform.tenant()
    platform.stub.repeat("500")
    codes = [await code_of(await platform.session(tenant), numbered(number)) for number in range(3)]
    assert codes[-1] == "model_left_alone"
    assert len(platform.stub.requests) == FAILURES


async def test_what_does_not_fit_is_asked_for_once_more_and_told_why(platform: Platform) -> None:
    def accept(answer: Answer) -> None:
        if answer.text != "fits":
            raise ValueError("it must be 'fits'")

    platform.stub.answering = lambda asked: Said("fits" if "it must be" in asked.prompt else "no")
    session = await platform.session(await platform.tenant())
    assert (await session.complete(QUESTION, accept)).text == "fits"
    assert [call.outcome for call in session.calls] == ["invalid", "ok"]
    platform.stub.answering = lambda asked: Said("never")
    again = await platform.session(await platform.tenant())
    assert await code_of(again, QUESTION, accept) == "model_answer_invalid"
    assert len(again.calls) == 2


async def test_the_same_question_is_answered_from_each_level_of_the_cache(platform: Platform) -> None:
    tenant = await platform.tenant(model_prices=PRICES)
    await (await platform.session(tenant)).complete(QUESTION, anything)
    await platform.models.ledger.write()
    for forgetful in (False, True):
        if forgetful:  # As another process, that has only the table.
            platform.models.cache.__dict__.update(AnswerCache(platform.runtime).__dict__)
        session = await platform.session(tenant)
        assert (await session.complete(QUESTION, anything)).text == "stub"
        assert [(call.cached, call.cost_usd, call.outcome) for call in session.calls] == [(True, Decimal(0), "ok")]
    assert len(platform.stub.requests) == 1


@pytest.mark.skipif(not redis_answers(), reason="no Redis at 127.0.0.1:6379")
async def test_another_process_finds_the_answer_in_redis_and_only_for_this_tenant(platform: Platform) -> None:
    shared = platform.runtime.settings.model_copy(update={"redis_url": REDIS})
    runtimes = [Runtime(service, shared, InProcessBus()) for _ in range(2)]
    try:
        here, there = (AnswerCache(runtime) for runtime in runtimes)
        tenant, digest = some_tenant(), uuid4().hex
        await here.keep(tenant, digest, STUB, Answer("rehost", tokens_in=7, tokens_out=2), 60)
        assert await there.get(tenant, digest) == Answer("rehost", tokens_in=7, tokens_out=2)
        assert await there.get(some_tenant(), digest) is None
    finally:
        for runtime in runtimes:
            await runtime.stop()


@pytest.mark.parametrize("change", ["tenant", "prompt version", "model", "question", "event", "off"])
async def test_what_is_not_the_same_question_is_asked(platform: Platform, change: str) -> None:
    tenant, request, version = await platform.tenant(), QUESTION, "1"
    await (await platform.session(tenant)).complete(QUESTION, anything)
    await platform.models.ledger.write()
    match change:
        case "tenant":
            tenant = await platform.tenant()
        case "prompt version":
            version = "2"
        case "model":
            await platform.set(tenant, keys.MODELS, {"default": "compatible/other"})
        case "question":
            request = numbered(1)
        case "event":
            async with platform.runtime.database.transaction(tenant) as transaction:
                await begin_epoch(transaction)
            platform.models.cache.forget_epoch(tenant)
        case "off":
            await platform.set(tenant, keys.MODEL_CACHE_SECONDS, 0)
    await (await platform.session(tenant, prompt_version=version)).complete(request, anything)
    assert len(platform.stub.requests) == 2


async def test_secrets_and_personal_data_stay_here_unless_the_tenant_lets_them_go(platform: Platform) -> None:
    told = "Ask anna.meier@example.com, password=hunter2secret, about web01.example.com"  # pragma: allowlist secret
    request = Request([{"role": "user", "content": told}])
    tenant = await platform.tenant()
    await (await platform.session(tenant)).complete(request, anything)
    assert platform.stub.requests[-1].prompt == "Ask [mail], password=[secret], about web01.example.com"
    await platform.set(tenant, keys.MODEL_REDACTION, False)
    await (await platform.session(tenant)).complete(request, anything)
    assert platform.stub.requests[-1].prompt == told


async def test_a_key_from_above_never_goes_to_an_address_that_a_tenant_named(platform: Platform) -> None:
    tenant = some_tenant()
    await platform.set(level_tenant("platform", tenant), keys.MODEL_PROVIDER_KEYS, {"openai": "the-platforms-key"})
    await platform.set(tenant, keys.MODEL_BASE_URLS, {"openai": platform.stub.url})
    found = await platform.models.session_for(context(tenant), "explain")
    assert isinstance(found, Problem)
    assert found.code == "model_not_configured"
    await platform.set(tenant, keys.MODELS, {"default": "openai/gpt-4.1"})
    found = await platform.models.session_for(context(tenant), "explain")
    assert isinstance(found, Problem)
    assert found.code == "model_key_missing"
    await platform.set(tenant, keys.MODEL_PROVIDER_KEYS, {"openai": "a-key-of-its-own"})
    await (await platform.session(tenant)).complete(QUESTION, anything)
    assert platform.stub.requests[-1].headers["authorization"] == "Bearer a-key-of-its-own"


async def test_an_address_inside_the_network_is_refused(platform: Platform) -> None:
    tenant = await platform.tenant(model_base_urls={"compatible": "https://169.254.169.254/v1"})
    session = await platform.session(tenant)
    assert await code_of(session) == "model_failed"
    assert session.problem is not None
    assert "no public address" in session.problem.detail


@pytest.mark.parametrize(
    ("models", "code"),
    [
        ({}, "model_not_configured"),
        ({"default": "openai/gpt-4.1"}, "model_key_missing"),
        ({"default": "openai/gpt-99"}, "model_unknown"),
        ({"default": "nobody/gpt"}, "model_provider_unknown"),
        ({"default": "ollama/llama3.1"}, "model_url_missing"),
    ],
)
async def test_who_gets_no_model_is_told_why(platform: Platform, models: dict[str, str], code: str) -> None:
    tenant = some_tenant()
    await platform.set(tenant, keys.MODELS, models)
    found = await platform.models.session_for(context(tenant), "explain")
    assert isinstance(found, Problem)
    assert found.code == code
    assert tenant != PLATFORM

"""The pure parts: prices, choice, breaker, bounds, redaction."""

import re
from decimal import Decimal
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agent_runner.models.breaker import FAILURES, OPEN_SECONDS, Breaker
from services.agent_runner.models.catalogue import Price, providers
from services.agent_runner.models.choice import Configured, wanted
from services.agent_runner.models.exchange import Answer, Request, ToolCall
from services.agent_runner.models.redaction import redact


def configured(models: dict[str, str], *keys: str) -> Configured:
    return Configured(models, [], dict.fromkeys(keys, "a-key"), {}, {})


def test_a_price_is_exact() -> None:
    price = Price(input=Decimal("0.15"), output=Decimal("0.60"), cached_input=Decimal("0.03"))
    assert price.cost(3, 1) == Decimal("0.00000105")
    assert price.cost(1_000_000, 0, 400_000) == Decimal("0.102")


def test_each_price_says_where_it_was_read_or_that_it_was_not() -> None:
    text = files("services.agent_runner.models").joinpath("models.toml").read_text(encoding="utf-8")
    prices = [line for line in text.splitlines() if line.startswith('"')]
    assert len(prices) == sum(len(provider.models) for provider in providers().values())
    said = re.compile(r"}  # (no source found|ollama charges nothing|\S.+, 20\d\d-\d\d-\d\d(: .+)?)$")
    assert [line for line in prices if not said.search(line)] == []


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_more_tokens_never_cost_less(tokens_in: int, tokens_out: int, more: int) -> None:
    price = providers()["openai"].models["gpt-4.1"]
    assert price.cost(tokens_in + more, tokens_out) >= price.cost(tokens_in, tokens_out)
    assert price.cost(tokens_in, tokens_out + more) >= price.cost(tokens_in, tokens_out)


def test_every_provider_offers_models_that_it_lists_or_any() -> None:
    for provider in providers().values():
        for name in (provider.default_model, provider.cheap_model, provider.embedding_model):
            assert name is None or provider.model(name) is not None


@pytest.mark.parametrize(
    ("models", "kind", "expected"),
    [
        ({"six_r/explain": "a/1", "six_r": "a/2", "default": "a/3"}, "default", "a/1"),
        ({"six_r": "a/2", "default": "a/3"}, "default", "a/2"),
        ({"default": "a/3"}, "default", "a/3"),
        ({"cheap": "a/4", "default": "a/3"}, "cheap", "a/4"),
        ({"default": "a/3"}, "cheap", "a/3"),
        ({"six_r": "a/2", "strong": "a/5"}, "strong", "a/5"),
        ({"six_r": "a/2"}, "strong", None),
        ({}, "default", "deepinfra/meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8"),  # pragma: allowlist secret
        ({}, "cheap", "deepinfra/meta-llama/Llama-4-Scout-17B-16E-Instruct"),  # pragma: allowlist secret
        ({}, "embedding", "deepinfra/BAAI/bge-m3"),
    ],
)
def test_the_nearest_choice_counts(models: dict[str, str], kind: str, expected: str | None) -> None:
    own = configured(models, "openai", "deepinfra")
    assert wanted(own, providers(), "six_r", "explain", kind) == expected


def test_without_a_key_there_is_nothing_to_choose() -> None:
    assert wanted(configured({}), providers(), "six_r", "explain", "default") is None


def test_a_breaker_opens_lets_one_try_and_closes() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        assert breaker.admits(0.0)
        breaker.failed(0.0)
    assert not breaker.admits(OPEN_SECONDS - 1)
    assert [breaker.admits(OPEN_SECONDS + 1), breaker.admits(OPEN_SECONDS + 1)] == [True, False]
    breaker.failed(OPEN_SECONDS + 1)
    assert not breaker.admits(OPEN_SECONDS + 2)
    assert breaker.admits(2 * OPEN_SECONDS + 2)
    breaker.succeeded()
    assert all(breaker.admits(2 * OPEN_SECONDS + 3) for _ in range(9))


@given(st.text(max_size=200))
def test_no_text_has_more_tokens_than_its_bound(text: str) -> None:
    assert Request([{"role": "user", "content": text}]).most_tokens_in() >= len(text.encode("utf-8", "ignore"))


@given(st.text(), st.lists(st.tuples(st.text(), st.text(), st.text())), st.integers(0), st.integers(0))
def test_a_cache_keeps_an_answer_as_it_was(
    text: str, calls: list[tuple[str, str, str]], tokens_in: int, tokens_out: int
) -> None:
    answer = Answer(text, tuple(ToolCall(*call) for call in calls), tokens_in, tokens_out)
    kept = Answer.from_json(answer.to_json())
    assert (kept.text, kept.tool_calls, kept.tokens_in, kept.tokens_out) == (
        text,
        answer.tool_calls,
        tokens_in,
        tokens_out,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail bob@example.co.uk now", "mail [mail] now"),
        ("call +49 30 1234567 today", "call [phone] today"),
        ("pay DE89 3704 0044 0532 0130 00.", "pay [account]."),
        ("card 4111 1111 1111 1111 it is", "card [card] it is"),
        ("ssn 078-05-1120", "ssn [person number]"),
        ("key sk-proj-abcdefghijklmnop1234 here", "key [secret] here"),  # pragma: allowlist secret
        ("AKIAABCDEFGHIJKLMNOP", "[secret]"),  # pragma: allowlist secret
        ("Server=db01;Password=hunter2;", "Server=db01;Password=[secret]"),  # pragma: allowlist secret
    ],
)
def test_what_is_secret_or_personal_is_taken_out(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "web01.example.com 10.48.1.121:5432",
        "16 cores, 1099511627776 bytes, 2026-11-20 08:00:00",
        "serial 1234567890123456",
        "00:1B:44:11:3A:B7",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "SLES 15 SP5, kernel 5.14.21-150500.55.31",
    ],
)
def test_what_the_work_is_about_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=300))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)

"""The provider matrix: what each provider is asked, in the shape of its API, and what is made of its answer."""

import json
from typing import Any

import pytest

from contracts import model_configuration as keys
from services.agent_runner.models.catalogue import providers
from services.agent_runner.models.exchange import Request
from services.chassis.testing import some_tenant
from tests.agent_runner.models.conftest import Platform, anything, context
from tests.model_answers import Asked, Said

KEY = "a-key-of-the-tenant"  # pragma: allowlist secret
SCHEMA = {"type": "object", "properties": {"r": {"type": "string"}}, "required": ["r"]}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Looks up.", "parameters": {"type": "object", "properties": {}}},
}
ASKED = Request(
    [{"role": "system", "content": "You assess."}, {"role": "user", "content": "web01?"}],
    tools=[TOOL],
    schema=SCHEMA,
    max_tokens=500,
)
SYSTEM, USER = ({"role": "system", "content": "You assess."}, {"role": "user", "content": "web01?"})
STRUCTURED = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}


def openai_shape(model: str, **changed: Any) -> dict[str, Any]:
    shape = {
        "model": model,
        "messages": [SYSTEM, USER],
        "temperature": 0.0,
        "max_tokens": 500,
        "tools": [TOOL],
        "response_format": STRUCTURED,
    }
    return {name: value for name, value in (shape | changed).items() if value is not None}


TOLD = {"role": "system", "content": f"Answer with one JSON object that fits this JSON Schema:\n{json.dumps(SCHEMA)}"}
SHAPES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "deepinfra": (
        "/v1/openai/chat/completions",
        {"authorization": f"Bearer {KEY}"},
        openai_shape("meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8"),
    ),
    "openai": (
        "/v1/chat/completions",
        {"authorization": f"Bearer {KEY}"},
        openai_shape("gpt-4.1", max_tokens=None, max_completion_tokens=500),
    ),
    "anthropic": (
        "/v1/messages",
        {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 500,
            "temperature": 0.0,
            "system": "You assess.",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "web01?"}]}],
            "tools": [
                {"name": "look_up", "description": "Looks up.", "input_schema": {"type": "object", "properties": {}}},
                {"name": "answer", "description": "Give the answer.", "input_schema": SCHEMA},
            ],
            "tool_choice": {"type": "tool", "name": "answer"},
        },
    ),
    "gemini": (
        "/v1beta/openai/chat/completions",
        {"authorization": f"Bearer {KEY}"},
        openai_shape("gemini-2.5-flash"),
    ),
    "huggingface": (
        "/v1/chat/completions",
        {"authorization": f"Bearer {KEY}"},
        openai_shape("meta-llama/Llama-3.3-70B-Instruct"),
    ),
    "qwen": (
        "/compatible-mode/v1/chat/completions",
        {"authorization": f"Bearer {KEY}"},
        openai_shape("qwen-plus", messages=[SYSTEM, USER, TOLD], response_format={"type": "json_object"}),
    ),
    "ollama": ("/v1/chat/completions", {}, openai_shape("llama3.1")),
    "compatible": ("/v1/chat/completions", {"authorization": f"Bearer {KEY}"}, openai_shape("my-model")),
}


def test_the_matrix_has_every_provider() -> None:
    assert set(SHAPES) == set(providers())


@pytest.mark.parametrize("name", SHAPES)
async def test_a_provider_is_asked_in_its_own_shape(platform: Platform, name: str) -> None:
    path, headers, body = SHAPES[name]
    platform.stub.answering = lambda asked: Said('{"r": "rehost"}', tokens_in=1000, tokens_out=10)
    tenant, prefix = some_tenant(), path.removesuffix("/chat/completions").removesuffix("/messages")
    await platform.set(tenant, keys.MODEL_BASE_URLS, {name: f"http://127.0.0.1:{platform.stub.port}{prefix}"})
    if headers:
        await platform.set(tenant, keys.MODEL_PROVIDER_KEYS, {name: KEY})
    await platform.set(tenant, keys.MODELS, {"default": f"{name}/{body['model']}"})
    session = await platform.session(tenant)
    answer = await session.complete(ASKED, anything)
    asked = platform.stub.requests[-1]
    assert (asked.path, asked.body) == (path, body)
    assert {header: asked.headers.get(header) for header in headers} == headers
    assert headers or "authorization" not in asked.headers
    assert json.loads(answer.text) == {"r": "rehost"}
    price = providers()[name].models.get(body["model"])
    expected = 0 if price is None else (1000 * price.input + 10 * price.output) / 1_000_000
    assert session.calls[0].cost_usd == expected
    assert (session.calls[0].tokens_in, session.calls[0].tokens_out) == (1000, 10)


@pytest.mark.parametrize("name", ["compatible", "anthropic"])
async def test_calls_of_tools_and_their_results_travel_in_the_providers_shape(platform: Platform, name: str) -> None:
    platform.stub.answering = lambda asked: Said("done") if asked.used_tools else Said(calls=[("look_up", {"id": 7})])
    tenant = some_tenant()
    await platform.set(tenant, keys.MODEL_BASE_URLS, {name: platform.stub.url})
    await platform.set(tenant, keys.MODEL_PROVIDER_KEYS, {name: KEY})
    await platform.set(tenant, keys.MODELS, {"default": f"{name}/claude-haiku-4-5"})
    session = await platform.session(tenant)
    first = await session.complete(Request([USER], tools=[TOOL]), anything)
    assert [(call.name, json.loads(call.arguments)) for call in first.tool_calls] == [("look_up", {"id": 7})]
    call = first.tool_calls[0]
    named = {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    messages: list[dict[str, Any]] = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [named]},
        {"role": "tool", "tool_call_id": call.call_id, "content": "web01 is old"},
    ]
    assert (await session.complete(Request(messages, tools=[TOOL]), anything)).text == "done"
    assert "web01 is old" in platform.stub.requests[-1].prompt


async def test_vectors_come_from_the_embedding_model(platform: Platform) -> None:
    tenant = await platform.tenant(models={"embedding": "compatible/vectors"})
    first = await platform.models.embed(context(tenant), ["oracle database", "oracle databases run", "a printer"])
    assert (first.embedder, first.problem) == ("compatible/vectors", None)
    one, *others = first.vectors
    near, far = (sum(a * b for a, b in zip(one, other, strict=True)) for other in others)
    assert near > far
    asked: Asked = platform.stub.requests[-1]
    assert asked.path == "/v1/embeddings"
    assert asked.body == {
        "model": "vectors",
        "input": ["oracle database", "oracle databases run", "a printer"],
        "encoding_format": "float",
    }

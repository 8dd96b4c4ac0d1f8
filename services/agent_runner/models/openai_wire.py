"""OpenAI's chat completions and embeddings, which most providers speak."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.agent_runner.models.catalogue import Provider
from services.agent_runner.models.exchange import Answer, Request, ToolCall, UnusableAnswer

PATH = "/chat/completions"
EMBEDDINGS = "/embeddings"


def headers(key: str | None) -> dict[str, str]:
    """What a call says about who calls."""
    return {"authorization": f"Bearer {key}"} if key else {}


def body(provider: Provider, model: str, request: Request) -> dict[str, Any]:
    """The request as this provider takes it."""
    messages = [dict(message) for message in request.messages]
    written: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "temperature": request.temperature,
        provider.max_tokens_field: request.max_tokens,
    }
    if request.tools:
        written["tools"] = [dict(tool) for tool in request.tools]
    if request.stop:
        written["stop"] = list(request.stop)
    if request.schema is not None and provider.structured == "json_schema":
        named = {"name": "answer", "schema": request.schema}
        written["response_format"] = {"type": "json_schema", "json_schema": named}
    elif request.schema is not None:
        written["response_format"] = {"type": "json_object"}
        told = f"Answer with one JSON object that fits this JSON Schema:\n{json.dumps(request.schema)}"
        written["messages"] = [*messages, {"role": "system", "content": told}]
    return written


def answer(content: bytes) -> Answer:
    """What a provider answered; raises `UnusableAnswer`."""
    try:
        told = orjson.loads(content)
        choice = told["choices"][0]
        message = choice["message"]
        calls = tuple(
            ToolCall(str(call["id"]), str(call["function"]["name"]), str(call["function"]["arguments"]))
            for call in message.get("tool_calls") or ()
        )
        usage = told.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        return Answer(
            str(message.get("content") or ""),
            calls,
            int(usage["prompt_tokens"]),
            int(usage.get("completion_tokens") or 0),
            int(details.get("cached_tokens") or 0),
            "tools" if calls else str(choice.get("finish_reason") or "stop"),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UnusableAnswer(f"no chat completion: {error!r}") from error


def embedding_body(model: str, texts: Sequence[str]) -> dict[str, Any]:
    """The request for vectors of these texts."""
    return {"model": model, "input": list(texts), "encoding_format": "float"}


def vectors(content: bytes, count: int) -> tuple[list[list[float]], int]:
    """The vectors in the order of the texts, and the tokens; raises `UnusableAnswer`."""
    try:
        told: Mapping[str, Any] = orjson.loads(content)
        found = {int(each["index"]): [float(value) for value in each["embedding"]] for each in told["data"]}
        return [found[number] for number in range(count)], int((told.get("usage") or {}).get("prompt_tokens") or 0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UnusableAnswer(f"no embeddings: {error!r}") from error

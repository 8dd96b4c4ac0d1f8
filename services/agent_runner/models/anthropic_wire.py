"""Anthropic's messages: the system text stands apart, and a schema is a tool that the model must call."""

from collections.abc import Mapping
from typing import Any

import orjson

from services.agent_runner.models.exchange import Answer, Request, ToolCall, UnusableAnswer

PATH = "/messages"
VERSION = "2023-06-01"
ANSWER = "answer"


def headers(key: str | None) -> dict[str, str]:
    """What a call says about who calls."""
    return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}


def body(model: str, request: Request) -> dict[str, Any]:
    """The request as Anthropic takes it."""
    system = [str(each.get("content") or "") for each in request.messages if each["role"] == "system"]
    written: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "messages": _turns(request),
    }
    if system:
        written["system"] = "\n\n".join(system)
    tools = [_tool(tool["function"]) for tool in request.tools]
    if request.schema is not None:
        tools.append({"name": ANSWER, "description": "Give the answer.", "input_schema": request.schema})
        written["tool_choice"] = {"type": "tool", "name": ANSWER}
    if tools:
        written["tools"] = tools
    if request.stop:
        written["stop_sequences"] = list(request.stop)
    return written


def answer(content: bytes) -> Answer:
    """What Anthropic answered; raises `UnusableAnswer`."""
    try:
        told = orjson.loads(content)
        blocks = told["content"]
        texts = [str(block["text"]) for block in blocks if block["type"] == "text"]
        used = [block for block in blocks if block["type"] == "tool_use"]
        given = [orjson.dumps(block["input"]).decode() for block in used if block["name"] == ANSWER]
        calls = tuple(
            ToolCall(str(block["id"]), str(block["name"]), orjson.dumps(block["input"]).decode())
            for block in used
            if block["name"] != ANSWER
        )
        usage = told["usage"]
        cached = int(usage.get("cache_read_input_tokens") or 0)
        written = int(usage.get("cache_creation_input_tokens") or 0)
        return Answer(
            given[0] if given else "".join(texts),
            calls,
            int(usage["input_tokens"]) + cached + written,
            int(usage["output_tokens"]),
            cached,
            "tools" if calls else {"max_tokens": "length"}.get(str(told.get("stop_reason")), "stop"),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UnusableAnswer(f"no message: {error!r}") from error


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {"name": function["name"], "description": function.get("description", ""), "input_schema": schema}


def _turns(request: Request) -> list[dict[str, Any]]:
    """Turns that alternate: neighbours of one role are joined, results of tools are the user's."""
    turns: list[dict[str, Any]] = []
    for each in request.messages:
        if each["role"] == "system":
            continue
        role = "assistant" if each["role"] == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += _content(each)
        else:
            turns.append({"role": role, "content": _content(each)})
    return turns or [{"role": "user", "content": [{"type": "text", "text": "Go on."}]}]


def _content(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = str(message.get("content") or "")
    if message["role"] == "tool":
        return [{"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": text}]
    blocks = [{"type": "text", "text": text}] if text else []
    for call in message.get("tool_calls") or ():
        named = {"id": call["id"], "name": call["function"]["name"]}
        blocks.append({"type": "tool_use", **named, "input": _arguments(call["function"]["arguments"])})
    return blocks


def _arguments(written: Any) -> Any:
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError:
        return {"unreadable": str(written)}

"""What the stub of a model says: texts, calls of tools and vectors, each in the shape of a provider's API."""

import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DIMENSIONS = 64
MODEL = "stub"


@dataclass(frozen=True)
class Asked:
    """A request that the stub heard."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """Every text of its messages, in order."""
        system = self.body.get("system")
        messages: Sequence[Any] = self.body.get("messages", ())
        return "\n".join([*_texts(system), *(text for each in messages for text in _texts(each.get("content")))])

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON Schema that the answer must fit, if it names one."""
        named = self.body.get("response_format") or {}
        found: Mapping[str, Any] | None = named.get("json_schema", {}).get("schema")
        forced = (self.body.get("tool_choice") or {}) if isinstance(self.body.get("tool_choice"), dict) else {}
        for tool in self.body.get("tools", ()):
            if forced.get("type") == "tool" and tool.get("name") == forced.get("name"):
                found = tool["input_schema"]
        return found

    @property
    def tools(self) -> list[str]:
        """The names of the tools it offers."""
        return [tool.get("name") or tool["function"]["name"] for tool in self.body.get("tools", ())]

    @property
    def used_tools(self) -> bool:
        """Whether results of tools are among its messages."""
        blocks = [block for each in self.body.get("messages", ()) for block in _blocks(each.get("content"))]
        results = any(block.get("type") == "tool_result" for block in blocks)
        return results or any(each.get("role") == "tool" for each in self.body.get("messages", ()))


@dataclass(frozen=True)
class Said:
    """An answer: a text, or calls of tools as (name, arguments). Tokens that are not given are counted by length."""

    text: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None
    finish: str = "stop"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def usage(self, asked: Asked) -> tuple[int, int]:
        """Tokens in and out."""
        told = self.text or json.dumps([list(call) for call in self.calls])
        counted_in, counted_out = len(asked.prompt) // 4 + 1, len(told) // 4 + 1
        return (
            counted_in if self.tokens_in is None else self.tokens_in,
            counted_out if self.tokens_out is None else self.tokens_out,
        )


def fitting(asked: Asked) -> Said:
    """The stub's own answer: what fits the schema that was asked for, else a word."""
    if asked.schema is None:
        return Said("stub")
    return Said(json.dumps(instance_of(asked.schema, asked.schema.get("$defs", {}))))


def otherwise(asked: Asked) -> Said:
    """An opinion of its own about every doubt of an agent, where one fits: all columns are the support group's, …"""
    data = asked.prompt.partition("<data>\n")[2].partition("\n</data>")[0]
    if not data:
        return fitting(asked)
    other = {
        "field": "support_group",
        "unit": None,
        "strategy": "retire",
        "wave": 1,
        "level": "high",
        "risk": 0.9,
        "confidence": 0.9,
        "rationale": "I think so.",
    }
    answers = [{**doubt["rules_answer"], **other, "key": doubt["key"]} for doubt in json.loads(data)["doubts"]]
    return Said(json.dumps({"answers": answers}))


def using_tools(asked: Asked) -> Said:
    """Calls the first tool that is offered, with plain arguments, and then answers as `fitting`, or with a verdict."""
    if asked.tools and not asked.used_tools:
        offered = asked.body["tools"][0]
        function = offered.get("function", offered)
        arguments = instance_of(function.get("parameters") or function.get("input_schema") or {}, {})
        return Said(calls=[(function["name"], arguments)])
    return fitting(asked) if asked.schema else Said('{"strategy": "rehost", "confidence": 0.9}')


def instance_of(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """The plainest value that fits a JSON Schema as pydantic writes them."""
    if "$ref" in schema:
        return instance_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if options := schema.get("anyOf"):
        return instance_of(options[0], definitions)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: instance_of(properties[name], definitions) for name in schema.get("required", properties)}
        case "array":
            return [instance_of(schema.get("items", {}), definitions)] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + (1 if "exclusiveMinimum" in schema else 0))
        case "boolean":
            return False
        case "null":
            return None
    return "stub".ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 100)]


def chat_completion(asked: Asked, said: Said) -> dict[str, Any]:
    """An answer of OpenAI's chat completions."""
    tokens_in, tokens_out = said.usage(asked)
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
    if said.calls:
        message["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for number, (name, arguments) in enumerate(said.calls)
        ]
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 0,
        "model": asked.body.get("model", MODEL),
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if said.calls else said.finish}],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
        **said.extra,
    }


def chat_chunks(asked: Asked, said: Said) -> Iterator[str]:
    """The same answer as server-sent events, the last one with the usage."""
    whole = chat_completion(asked, said)
    kept = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    message, finish = whole["choices"][0]["message"], whole["choices"][0]["finish_reason"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in re.findall(r"(?s).{1,20}", said.text)]
    for number, call in enumerate(message.get("tool_calls", ())):
        deltas.append({"tool_calls": [{"index": number, **call}]})
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield f"data: {json.dumps({**kept, 'choices': [choice]})}\n\n"
    yield f"data: {json.dumps({**kept, 'choices': [{'index': 0, 'delta': {}, 'finish_reason': finish}]})}\n\n"
    yield f"data: {json.dumps({**kept, 'choices': [], 'usage': whole['usage']})}\n\n"
    yield "data: [DONE]\n\n"


def anthropic_message(asked: Asked, said: Said) -> dict[str, Any]:
    """An answer of Anthropic's messages; where a tool is forced, the text is what it is called with."""
    tokens_in, tokens_out = said.usage(asked)
    content: list[dict[str, Any]] = []
    if asked.schema is not None and not said.calls:
        name = asked.body["tool_choice"]["name"]
        try:
            value = json.loads(said.text)
        except ValueError:
            value = {"text": said.text}
        content.append({"type": "tool_use", "id": "toolu_stub", "name": name, "input": value})
    elif said.text:
        content.append({"type": "text", "text": said.text})
    content += [
        {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": dict(arguments)}
        for number, (name, arguments) in enumerate(said.calls)
    ]
    used = any(block["type"] == "tool_use" for block in content)
    stop = "tool_use" if used else {"stop": "end_turn", "length": "max_tokens"}.get(said.finish, said.finish)
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": asked.body.get("model", MODEL),
        "content": content,
        "stop_reason": stop,
        "usage": {"input_tokens": tokens_in, "output_tokens": tokens_out},
        **said.extra,
    }


def embeddings(asked: Asked) -> dict[str, Any]:
    """Vectors in which texts are the nearer, the more words they share; base64 where asked for."""
    given = asked.body.get("input", "")
    texts = [given] if isinstance(given, str) else list(given)
    dimensions = int(asked.body.get("dimensions") or DIMENSIONS)
    vectors = [_vector(str(text), dimensions) for text in texts]
    packed = asked.body.get("encoding_format") == "base64"
    tokens = sum(len(str(text)) // 4 + 1 for text in texts)
    return {
        "object": "list",
        "model": asked.body.get("model", MODEL),
        "data": [
            {
                "object": "embedding",
                "index": number,
                "embedding": base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode() if packed else vector,
            }
            for number, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _vector(text: str, dimensions: int) -> list[float]:
    counts = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()):
        counts[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % dimensions] += 1
    length = math.sqrt(sum(count * count for count in counts)) or 1.0
    return [count / length for count in counts]


def _blocks(content: Any) -> list[Mapping[str, Any]]:
    return [block for block in content if isinstance(block, Mapping)] if isinstance(content, list) else []


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(block.get("text") or block.get("content") or "") for block in _blocks(content)]

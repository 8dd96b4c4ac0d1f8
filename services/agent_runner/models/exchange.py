"""What is asked of a model and what it answers, whatever the provider's API looks like."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

# What the shape of messages and tools adds to their text, in tokens, at the very most.
TOKENS_A_MESSAGE = 16


@dataclass(frozen=True)
class Request:
    """Messages and tools in the shape of OpenAI's chat completions; `schema` is what the answer must fit."""

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 4096
    temperature: float = 0.0
    stop: Sequence[str] = ()
    embedding: bool = False  # Asks for the vectors of the messages' texts; the answer's text is JSON.

    def most_tokens_in(self) -> int:
        """No tokenizer makes more of it: a token is at least one byte of text."""
        size = len(orjson.dumps([list(self.messages), list(self.tools), self.schema], default=str))
        return size + TOKENS_A_MESSAGE * (len(self.messages) + len(self.tools) + 1)

    def tool_names(self) -> set[str]:
        """The tools that the model was offered."""
        return {str(tool["function"]["name"]) for tool in self.tools}

    def digest(self, *more: str) -> str:
        """What two requests have in common exactly if they ask the same."""
        parts = [*more, list(self.messages), list(self.tools), self.schema, self.max_tokens, self.temperature]
        told = orjson.dumps([*parts, list(self.stop), self.embedding], default=str, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(told).hexdigest()


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants called; `arguments` is JSON as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Answer:
    """A text or calls of tools, and the tokens that the provider counted; `finish` is "stop", "length" or "tools"."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    cached_in: int = 0
    finish: str = "stop"

    def to_json(self) -> dict[str, Any]:
        """What a cache keeps of it."""
        calls = [[call.call_id, call.name, call.arguments] for call in self.tool_calls]
        return {"text": self.text, "tool_calls": calls, "tokens": [self.tokens_in, self.tokens_out]}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Answer":
        """The reverse of `to_json`."""
        calls = tuple(ToolCall(*call) for call in kept["tool_calls"])
        tokens_in, tokens_out = kept["tokens"]
        return cls(kept["text"], calls, tokens_in, tokens_out, finish="tools" if calls else "stop")


class UnusableAnswer(Exception):
    """What came is not an answer in the shape that the provider's API has."""

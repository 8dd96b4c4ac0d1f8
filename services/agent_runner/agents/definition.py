"""What an agent is: typed questions and answers, rules that answer alone, and prompts under version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.agents import AgentDescription
from services.agent_runner.agents.prompts import Prompts

# What the rules are at least so sure of is no model's business.
SURE = 0.75


class Item(BaseModel):
    """One thing that a question is about; `key` is what its answer is known by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(min_length=1, max_length=500)


class Question(BaseModel):
    """What an agent is asked: many things of one kind at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Judgement(BaseModel):
    """The answer about one thing."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(max_length=500, description="As in the question")
    confidence: float = Field(ge=0, le=1)
    rationale: str = Field(default="", max_length=2000, description="Why, for a person, in one to three sentences")


class Answers(BaseModel):
    """What an agent answers: one judgement for each thing, in any order."""

    model_config = ConfigDict(frozen=True)

    answers: Sequence[Judgement]

    @property
    def by_key(self) -> dict[str, Judgement]:
        """The judgements by what they are about."""
        return {answer.key: answer for answer in self.answers}


@dataclass(frozen=True)
class Agent:
    """An agent: who it is, what it takes and gives, and what answers in its place where there is no model.

    `rules` answer every question completely. Only what they are less sure of than `sure` is shown to a model, with
    their answer, the `evidence` for it and the `context` of the whole question. `decides` are the parts of an answer
    in which two opinions differ. `refuses` says why an answer of a model cannot be taken, if it cannot. `tools` are the
    names of those that its model may call. What is `simple` is asked of the cheap model first.
    """

    agent_id: str
    title: str
    capabilities: tuple[str, ...]
    input: type[Question]
    output: type[Answers]
    prompts: Prompts
    rules: Callable[[Any], Answers]
    decides: tuple[str, ...]
    evidence: Callable[[Any, str], Mapping[str, Any]]
    refuses: Callable[[Any, Any], str | None] = lambda question, answer: None
    context: Callable[[Any], Mapping[str, Any]] = lambda question: {}
    sure: float = SURE
    simple: bool = False
    tools: tuple[str, ...] = ()

    @property
    def prompt_version(self) -> str:
        """The number of its prompts and a digest of their text, such as `3-91f0c2ab`."""
        return self.prompts.version

    def describe(self, *, models_ready: bool) -> AgentDescription:
        """What others are told of it."""
        return AgentDescription(
            agent_id=self.agent_id,
            title=self.title,
            capabilities=list(self.capabilities),
            input_schema=self.input.model_json_schema(),
            output_schema=self.output.model_json_schema(mode="serialization"),
            prompt_version=self.prompt_version,
            models_ready=models_ready,
        )

    def decision(self, answer: Judgement) -> tuple[Any, ...]:
        """What an answer decides, without how sure it is and why."""
        return tuple(getattr(answer, name) for name in self.decides)


def item_evidence(question: Any, key: str) -> dict[str, Any]:
    """The evidence of a question with `items`: the item itself, as it was given."""
    return next((item.model_dump(mode="json", exclude_defaults=True) for item in question.items if item.key == key), {})

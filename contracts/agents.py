"""Agents: which there are, what one found out and by which engine, and what models were called for it."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import Field

from contracts.agent_work import AgentWork
from contracts.discovery import Value
from contracts.envelope import Event, Problem


class AgentDescription(Value):
    """What an agent can do, and what it takes and gives."""

    agent_id: str = Field(description="Its name for programs, such as migration_strategist")
    title: str
    capabilities: list[str] = Field(description="An open set: six_r, risk_assessment, gap_analysis, …")
    input_schema: dict[str, Any] = Field(description="JSON Schema of a task's inputs")
    output_schema: dict[str, Any] = Field(description="JSON Schema of a result's output")
    prompt_version: str
    models_ready: bool = Field(description="Whether it can ask models now; its rules answer in any case")


class AgentRegistered(Event, type="agent.registered"):
    """A runner of agents is there; told when it starts, when its models become ready, and every few minutes."""

    agents: list[AgentDescription]


class ToolUse(Value):
    """How often a run called a tool, and how often that failed."""

    tool: str
    calls: int
    failed: int = 0
    problem: str | None = Field(default=None, description="Why it failed, the last time")


class AgentResult(Value):
    """What an agent found out, and how: by rules alone, or by a model that had the rules' answer before it."""

    agent: str
    engine: str = Field(description="An open set: rules, model")
    model: str | None = None
    prompt_version: str
    confidence: float = Field(ge=0, le=1)
    output: dict[str, Any]
    rules_output: dict[str, Any] | None = Field(default=None, description="What the rules said, where it differs")
    differs: bool = Field(default=False, description="Whether model and rules differ")
    rationale: str = ""
    fallback: Problem | None = Field(default=None, description="Why no model answered, where one should have")
    asked: int = Field(default=0, description="Answers that the rules were unsure of")
    otherwise: int = Field(default=0, description="Of these, those that the model answered otherwise")
    calls: int = Field(default=0, description="Calls of models, answers from the cache among them")
    calls_failed: int = Field(default=0, description="Of these, calls that gave no answer that counts")
    tools: list[ToolUse] = Field(default=[], description="Tools that its model called")
    tools_missing: list[Problem] = Field(default=[], description="Why it had to do without tools that it should have")
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = Decimal(0)
    seconds: float = 0
    cpu_seconds: float = Field(
        default=0, description="CPU time of rules and comparison, in their own thread; of crews nobody can tell"
    )
    memories: list[UUID] | None = Field(default=None, description="What of the engagement's memory a model was shown")

    def work(self, step: str) -> AgentWork:
        """What it says of how it came about, for a step of a flow."""
        told = {name: getattr(self, name) for name in AgentWork.model_fields if name != "step"}
        return AgentWork(step=step, **told)


class ModelCall(Value):
    """One call of a language model, or an answer from the cache in its place."""

    call_id: UUID
    at: datetime
    provider: str
    model: str
    agent: str
    task_id: UUID
    flow_id: UUID | None = None
    purpose: str = Field(description="An open set: what the call was for")
    prompt_version: str
    tokens_in: int
    tokens_out: int
    cost_usd: Decimal
    cached: bool
    seconds: float
    outcome: str = Field(description="An open set: ok, error, timed_out, invalid, over_budget")


class ModelCallsRecorded(Event, type="model_calls.recorded"):
    """Models were called for a tenant; each call is told once."""

    calls: list[ModelCall]

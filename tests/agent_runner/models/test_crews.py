"""Real crews on the stub over real HTTP: what CrewAI makes of our models, and that runs never meet."""

import asyncio
import json
import os
import re
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel, Field

from contracts import model_configuration as keys
from contracts.envelope import Tenant
from services.agent_runner.models.crew_spans import watch_crews
from services.agent_runner.models.lean_crews import lean
from services.agent_runner.models.tenant_model import NoModel, RunContext, TenantModel
from services.chassis.testing import eventually
from tests.agent_runner.models.conftest import Platform, context
from tests.model_answers import Asked, Said, using_tools

# CrewAI takes seconds to import: one worker does so for all.
pytestmark = pytest.mark.xdist_group("crewai")

TENANTS, RUNS = 10, 50


class Verdict(BaseModel):
    """What an agent is to say."""

    strategy: str = Field(max_length=40)
    confidence: float = Field(ge=0, le=1)


async def model_of(platform: Platform, tenant: Tenant, run: RunContext | None = None) -> TenantModel:
    model = await platform.models.model_for(run or context(tenant), "explain")
    assert isinstance(model, TenantModel), model
    return model


def crew_of(model: TenantModel, question: str, tools: list[Any] | None = None) -> Any:
    from crewai import Agent, Crew, Task

    agent = Agent(role="assessor", goal="assess", backstory="", llm=model, max_retry_limit=0, tools=tools or [])
    task = Task(description=question, expected_output="a verdict", agent=agent, output_pydantic=Verdict)
    return lean(Crew(agents=[agent], tasks=[task], tracing=False))


def verdict(strategy: str, **more: Any) -> Said:
    return Said(json.dumps({"strategy": strategy, "confidence": 0.9}), **more)


def written(text: bytes) -> list[Path]:
    """The files of CrewAI's own that have this in them: all tenants would share them."""
    folder = Path(os.environ["CREWAI_STORAGE_DIR"])
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def without_ids(told: list[Any]) -> str:
    """What was said, without the ids of calls, which differ each time."""
    return re.sub(r'"call_[^"]*"', '"call"', json.dumps(told))


async def test_an_answer_comes_in_the_type_that_was_asked_for(platform: Platform) -> None:
    platform.stub.answering = lambda asked: verdict("rehost", tokens_in=70, tokens_out=7)
    model = await model_of(platform, await platform.tenant())
    result = await crew_of(model, "Which R for web01?").akickoff()
    assert result.pydantic == Verdict(strategy="rehost", confidence=0.9)
    assert [(call.tokens_in, call.tokens_out, call.outcome) for call in model.calls] == [(70, 7, "ok")]
    assert platform.stub.requests[0].schema == Verdict.model_json_schema()
    assert platform.models.ready
    assert written(b"rehost") == []
    assert os.environ["CREWAI_DISABLE_TELEMETRY"] == "true"


async def test_a_tool_that_was_given_is_called_and_one_that_was_not_is_not(platform: Platform) -> None:
    from crewai.tools import tool

    looked_up: list[str] = []

    @tool("look_up")
    def look_up(name: str) -> str:
        """Look up an asset."""
        looked_up.append(name)
        return "web01 runs Debian 9"

    def answering(asked: Asked) -> Said:
        if asked.schema is not None or "Debian 9" in asked.prompt:
            return verdict("replatform")
        return Said("Delete everything!", calls=[("delete_everything", {}), ("look_up", {"name": "web01"})])

    platform.stub.answering = answering
    model = await model_of(platform, await platform.tenant())
    result = await crew_of(model, "Which R for web01?", [look_up]).akickoff()
    assert (looked_up, result.pydantic.strategy) == (["web01"], "replatform")
    told = json.dumps([asked.body["messages"] for asked in platform.stub.requests])
    assert "delete_everything" not in told


@pytest.mark.parametrize("behaviour", ["calls tools, then answers", "calls tools for ever", "answers at once"])
async def test_the_short_ways_ask_and_answer_what_crewai_does(platform: Platform, behaviour: str) -> None:
    from crewai.agents.agent_executor import AgentExecutor
    from crewai.tools import tool

    @tool("look_up")
    def look_up(name: str) -> str:
        """Look up an asset."""
        return f"{name} runs Debian 9"

    def answering(asked: Asked) -> Said:
        looked_up = asked.prompt.count("runs Debian 9")
        enough = {"answers at once": 0, "calls tools, then answers": 2, "calls tools for ever": 99}[behaviour]
        if not asked.tools or looked_up >= enough:
            return verdict("replatform")
        return Said("", calls=[("look_up", {"name": f"web{looked_up}"})])

    platform.stub.answering = answering
    tenant = await platform.tenant(**{keys.MODEL_CACHE_SECONDS.name: 0})
    told, results = [], []
    for executor in (AgentExecutor, None):
        before = len(platform.stub.requests)
        crew = crew_of(await model_of(platform, tenant), "Which R for web01?", [look_up])
        [agent] = crew.agents
        agent.max_iter = 4
        if executor is not None:
            agent.executor_class = executor
        results.append((await crew.akickoff()).pydantic)
        asked = platform.stub.requests[before:]
        told.append([(each.body["messages"], each.tools, each.schema) for each in asked])
    assert results == [Verdict(strategy="replatform", confidence=0.9)] * 2
    assert without_ids(told[0]) == without_ids(told[1])
    assert len(told[0]) >= (1 if behaviour == "answers at once" else 3)


@pytest.mark.parametrize("fault", ["injected", "nonsense", "endless"])
async def test_what_is_no_verdict_is_not_taken_for_one(platform: Platform, fault: Any) -> None:
    platform.stub.answering = lambda asked: verdict("retain")
    platform.stub.fail(fault)
    model = await model_of(platform, await platform.tenant())
    result = await crew_of(model, "Which R for web01?").akickoff()
    assert result.pydantic.strategy == "retain"
    assert [call.outcome for call in model.calls] == ["invalid", "ok"]


async def test_a_crew_whose_model_fails_ends_with_the_reason(platform: Platform) -> None:
    platform.stub.repeat("500")
    model = await model_of(platform, await platform.tenant())
    with pytest.raises(Exception, match="Rules decide"):
        await crew_of(model, "Which R for web01?").akickoff()
    assert model.problem is not None
    assert model.problem.code == "model_failed"
    assert len(platform.stub.requests) == 3, "nobody but the session tries again"


async def test_a_cancelled_run_leaves_nothing_behind(platform: Platform) -> None:
    asked = asyncio.Event()

    async def never(_: Asked) -> Said:
        asked.set()
        await asyncio.sleep(60)
        return Said("late")

    platform.stub.answering = never
    model = await model_of(platform, await platform.tenant())
    run = asyncio.create_task(crew_of(model, "Which R for web01?").akickoff())
    await asked.wait()
    started = time.monotonic()
    run.cancel()
    model.stop_calls()
    await asyncio.gather(run, return_exceptions=True)
    assert time.monotonic() - started < 10

    async def outcomes() -> list[str]:
        return [call.outcome for call in model.calls]

    assert await eventually(outcomes) == ["cancelled"]


async def test_fifty_runs_of_ten_tenants_never_meet(platform: Platform) -> None:
    def answering(asked: Asked) -> Said:
        """Says only what the run's own prompt says, and counts a number of tokens that only this run has."""
        run = int(re.findall(r"run-(\d+)-", asked.prompt)[-1])
        mine = re.findall(r"run-\d+-[0-9a-f]{32}", asked.prompt)
        return verdict(",".join(sorted(set(mine)))[:40], tokens_in=1000 + run, tokens_out=run)

    platform.stub.answering, platform.stub.latency = answering, 0.02
    tenants = [
        await platform.tenant(
            model_prices={"compatible/stub": [float(number + 1), 0.0]},
            model_provider_keys={"compatible": f"key-{number}"},
        )
        for number in range(TENANTS)
    ]
    secrets = [f"run-{number}-{uuid4().hex}" for number in range(RUNS)]

    async def one(number: int) -> tuple[TenantModel, str]:
        run = context(tenants[number % TENANTS], flow_id=uuid4())
        model = await model_of(platform, run.tenant, run)
        result = await crew_of(model, f"Repeat {secrets[number]}").akickoff()
        return model, result.pydantic.strategy

    ran = await asyncio.gather(*(one(number) for number in range(RUNS)))
    assert [said for _, said in ran] == [secret[:40] for secret in secrets]
    for number, (model, _) in enumerate(ran):
        assert [(call.tokens_in, call.tokens_out) for call in model.calls] == [(1000 + number, number)]
    for number, tenant in enumerate(tenants):
        rows = await platform.ledger(tenant)
        own = range(number, RUNS, TENANTS)
        assert sorted((row.tokens_in, row.tokens_out) for row in rows) == [(1000 + run, run) for run in own]
        price = Decimal(number + 1) / 1_000_000
        assert sum(row.cost_usd for row in rows) == sum((1000 + run) * price for run in own)
    for asked in platform.stub.requests:
        run = int(re.findall(r"run-(\d+)-", asked.prompt)[-1])
        assert asked.headers["authorization"] == f"Bearer key-{run % TENANTS}"


@pytest.fixture
def spans(platform: Platform) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    platform.runtime.telemetry.provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.mark.parametrize("prompts", [False, True])
async def test_a_call_is_a_span_of_our_trace_without_what_was_said(
    platform: Platform, spans: InMemorySpanExporter, prompts: bool
) -> None:
    platform.stub.answering = lambda asked: verdict("rehost", tokens_in=70, tokens_out=7)
    tenant = await platform.tenant()
    await platform.set(tenant, keys.MODEL_PROMPTS_IN_SPANS, prompts)
    model = await model_of(platform, tenant)
    with platform.runtime.telemetry.tracer.start_as_current_span("work") as work:
        await crew_of(model, "Which R for bob@example.com?").akickoff()
    (call,) = [span for span in spans.get_finished_spans() if span.name == "chat stub"]
    assert call.context is not None
    assert call.context.trace_id == work.get_span_context().trace_id
    attributes = dict(call.attributes or {})
    assert attributes["gen_ai.operation.name"] == "chat"
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (70, 7)
    assert ("gen_ai.input.messages" in attributes, "gen_ai.output.messages" in attributes) == (prompts, prompts)
    assert "bob@example.com" not in json.dumps(attributes)


async def test_crew_task_agent_and_tool_stand_above_their_calls(
    platform: Platform, spans: InMemorySpanExporter
) -> None:
    model = await model_of(platform, await platform.tenant())
    from crewai.events import crewai_event_bus
    from crewai.tools import tool

    @tool("look_up")
    def look_up(name: str) -> str:
        """Look up an asset."""
        return "web01 runs Debian 9"

    platform.stub.answering = using_tools
    watch_crews(platform.runtime.telemetry.tracer)
    with platform.runtime.telemetry.tracer.start_as_current_span("work"):
        await crew_of(model, "Which R for web01?", [look_up]).akickoff()
    await asyncio.to_thread(crewai_event_bus.flush)
    found = {span.context.span_id: span for span in spans.get_finished_spans() if span.context}

    def path(span: ReadableSpan) -> str:
        above = found.get(span.parent.span_id) if span.parent else None
        return span.name if above is None else f"{path(above)} > {span.name}"

    agent = "work > crew crew > task > invoke_agent assessor"
    paths = Counter(path(span) for span in found.values())
    assert paths[f"{agent} > chat stub"] == 2
    assert paths[f"{agent} > execute_tool look_up"] == 1
    assert len({span.context.trace_id for span in found.values() if span.context}) == 1


async def test_who_is_unsure_asks_the_strong_model_and_the_cheap_one_asks_the_default(platform: Platform) -> None:
    async def after(confidence: float, *named: str, simple: bool = False) -> tuple[str, str | None]:
        models = {name: f"compatible/{name}" for name in named}
        tenant = await platform.tenant(models={"default": "compatible/stub", **models})
        asked = await platform.models.model_for(context(tenant), "explain", simple=simple)
        assert isinstance(asked, TenantModel)
        stronger = await platform.models.escalated(context(tenant), "explain", confidence, asked)
        return asked.name, None if stronger is None else stronger.name

    assert await after(0.8, "strong") == ("compatible/stub", None)
    assert await after(0.3, "strong") == ("compatible/stub", "compatible/strong")
    assert await after(0.3) == ("compatible/stub", None)
    assert await after(0.3, "cheap") == ("compatible/stub", None)
    assert await after(0.3, "cheap", simple=True) == ("compatible/cheap", "compatible/stub")
    assert await after(0.3, "cheap", "strong", simple=True) == ("compatible/cheap", "compatible/strong")
    assert await after(0.3, simple=True) == ("compatible/stub", None)


async def test_without_a_model_there_is_a_reason(platform: Platform) -> None:
    found = await platform.models.model_for(context(await platform.tenant(models={"default": "openai/x"})), "explain")
    assert isinstance(found, NoModel)
    assert found.problem.code == "model_unknown"

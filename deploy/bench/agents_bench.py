"""`./justw bench agents`: what running agents for many tenants at once gains and costs, against bare CrewAI.

Both ask the same stub of a model, in a process of its own, that takes 50 ms for each answer. Bare CrewAI runs one crew
after another with its own client, as its documentation shows. Ours runs crews of the same task for ten tenants
with everything on: ledger, budgets, cache, redaction, breaker, limits, spans. Each task asks the model twice, first for
a call of a tool and then for a typed verdict. Overhead is what a call through our model costs beside a bare request.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
from pydantic import BaseModel, Field

from contracts import model_configuration as keys
from contracts.configuration import ConfigurationChanged
from contracts.envelope import PLATFORM, Tenant
from deploy.bench.results import Result
from services.agent_runner.app import service
from services.agent_runner.models.exchange import Answer, Request
from services.agent_runner.models.lean_crews import lean
from services.agent_runner.models.loading import prepare_environment
from services.agent_runner.models.session import Session
from services.agent_runner.models.tenant_model import Models, RunContext, TenantModel
from services.chassis.bus.in_process import InProcessBus
from services.chassis.configuration import keep_configuration
from services.chassis.embedded_postgres import EmbeddedPostgres
from services.chassis.migrations import migrate, upgrade_to_head
from services.chassis.outbound import Outbound
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings

PEERS: list[str] = []  # The peer is CrewAI, which the part `agents` brings along.

TASKS, TENANTS = 200, 10
SEQUENTIAL = 20
CALLS = 100
LATENCY_MS = 50
ROOT = Path(__file__).resolve().parent.parent.parent


class Verdict(BaseModel):
    """What an agent is to say."""

    strategy: str = Field(max_length=40)
    confidence: float = Field(ge=0, le=1)


async def run() -> Result:
    """Measure bare crews first, then ours, on the same machine in the same process."""
    with tempfile.TemporaryDirectory(prefix="modernize-bench-") as name, _stub() as url:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "data")
        address = await asyncio.to_thread(postgres.start)
        try:
            settings = Settings(
                database_url=address,
                data_dir=folder / "platform",
                blob_url=(folder / "blobs").as_uri(),
                outbound_allowed="http://127.0.0.1:*",
            )
            await migrate(settings, [service], upgrade_to_head)
            async with _models(settings) as (runtime, _):
                # With a model for the whole platform CrewAI is loaded from the start.
                await _configure(runtime, PLATFORM, url)
            ready_s = await _ready(settings)
            prepare_environment(folder / "crewai")
            return await _measure(settings, url, ready_s)
        finally:
            await asyncio.to_thread(postgres.stop)


async def _measure(settings: Settings, url: str, ready_s: float) -> Result:
    async with _models(settings) as (runtime, models):
        tenants = [Tenant(client_account_id=uuid4(), engagement_id=uuid4()) for _ in range(TENANTS)]
        for tenant in tenants:
            await _configure(runtime, tenant, url)
        await asyncio.gather(*(_ours(models, tenant, 0, "warm") for tenant in tenants))  # CrewAI is loaded now.
        await asyncio.to_thread(_bare, url, "warm")
        started = time.perf_counter()
        for number in range(SEQUENTIAL):
            await asyncio.to_thread(_bare, url, f"bare {number}")
        sequential = SEQUENTIAL / (time.perf_counter() - started)
        started = time.perf_counter()
        runs = (_ours(models, tenants[number % TENANTS], number, "run") for number in range(TASKS))
        await asyncio.gather(*runs)
        ours = TASKS / (time.perf_counter() - started)
        await models.ledger.write()
        bare_ms, call_ms, cached_ms = await _calls(runtime.outbound, models, tenants[0], url)
    figures = {
        "sequential_tasks_per_s": sequential,
        "tasks_per_s": ours,
        "bare_request_ms": bare_ms,
        "call_ms": call_ms,
    }
    ratios = {
        "throughput_vs_sequential_crew": ours / sequential,
        "overhead_ms": call_ms - bare_ms,
        "cached_ms": cached_ms,
        "ready_s": ready_s,
    }
    return Result(figures, ratios)


async def _ready(settings: Settings) -> float:
    """Seconds until a fresh process answers that it is ready, while it loads CrewAI behind that."""
    program = (
        "import asyncio, sys\n"
        "from services.agent_runner.app import service\n"
        "from services.chassis.bus.in_process import InProcessBus\n"
        "from services.chassis.runtime import Runtime\n"
        "from services.chassis.settings import Settings\n"
        "async def main():\n"
        "    runtime = Runtime(service, Settings.model_validate_json(sys.argv[1]), InProcessBus())\n"
        "    await runtime.start()\n"
        "    await runtime.ready()\n"
        "    print('ready', 'crewai' in sys.modules, flush=True)\n"
        "    await runtime.stop()\n"
        "asyncio.run(main())\n"
    )
    given = settings.model_dump_json(include={"database_url", "data_dir", "blob_url", "outbound_allowed"})
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, given, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    seconds = time.perf_counter() - started
    if line.split() != [b"ready", b"True"]:
        raise RuntimeError(f"agent_runner did not become ready with CrewAI loading behind it: {line.decode()!r}")
    await process.wait()
    return seconds


@contextlib.asynccontextmanager
async def _models(settings: Settings) -> AsyncIterator[tuple[Runtime, Models]]:
    runtime = Runtime(service, settings, InProcessBus())
    await asyncio.to_thread(runtime.vault.load)
    models = Models(runtime)
    try:
        async with models.ledger.running():
            yield runtime, models
    finally:
        await runtime.stop()


async def _configure(runtime: Runtime, tenant: Tenant, url: str) -> None:
    values: dict[str, Any] = {
        keys.MODEL_BASE_URLS.name: {"compatible": url},
        keys.MODELS.name: {"default": "compatible/stub"},
        keys.MODEL_PRICES.name: {"compatible/stub": [0.15, 0.6]},
        keys.MODEL_BUDGET_USD_PER_DAY.name: 1000.0,
        keys.MODEL_CALLS_PER_MINUTE.name: 100_000,
        keys.MODEL_CALLS_AT_ONCE.name: 64,
    }
    async with runtime.database.transaction(tenant) as session:
        for key, value in values.items():
            event = ConfigurationChanged(
                tenant=tenant, key=key, version=1, is_set=True, value=value, changed_by="bench", reason="bench"
            )
            await keep_configuration(service.metadata, event, session)


@cache
def _look_up() -> Any:
    from crewai.tools import tool

    @tool("look_up")
    def look_up(name: str) -> str:
        """Look up an asset."""
        return f"{name} runs Debian 9"

    return look_up


def _crew(llm: Any, question: str) -> Any:
    from crewai import Agent, Crew, Task

    tools = [_look_up()]
    agent = Agent(role="assessor", goal="assess", backstory="You assess.", llm=llm, tools=tools, max_retry_limit=0)
    task = Task(description=question, expected_output="a verdict", agent=agent, output_pydantic=Verdict)
    return Crew(agents=[agent], tasks=[task], tracing=False)


def _bare(url: str, question: str) -> None:
    from crewai import LLM

    key = "none"
    llm = LLM(model="stub", custom_openai=True, api_key=key, base_url=url, temperature=0, max_retries=0)
    assert isinstance(_crew(llm, question).kickoff().pydantic, Verdict)


async def _ours(models: Models, tenant: Tenant, number: int, question: str) -> None:
    model = await models.model_for(_context(tenant), "explain")
    assert isinstance(model, TenantModel), model
    result = await lean(_crew(model, f"{question} {number}")).akickoff()
    assert isinstance(result.pydantic, Verdict)


def _context(tenant: Tenant, flow_id: UUID | None = None) -> RunContext:
    return RunContext(tenant, flow_id, uuid4(), "six_r", "1", 1_000_000, time.monotonic() + 120)


async def _calls(outbound: Outbound, models: Models, tenant: Tenant, url: str) -> tuple[float, float, float]:
    """Milliseconds, medians: a bare request, a call of ours, and an answer that was kept."""
    bare: list[float] = []
    ours: list[float] = []
    kept: list[float] = []
    for number in range(CALLS):
        messages = [{"role": "user", "content": f"call {number}"}]
        started = time.perf_counter()
        await outbound.send("POST", f"{url}/chat/completions", content=orjson.dumps({"messages": messages}))
        bare.append(time.perf_counter() - started)
        for times in (ours, kept):
            session = await models.session_for(_context(tenant), "explain")
            assert isinstance(session, Session)
            started = time.perf_counter()
            await session.complete(Request(messages), _anything)
            times.append(time.perf_counter() - started)
    return statistics.median(bare) * 1000, statistics.median(ours) * 1000, statistics.median(kept) * 1000


def _anything(answer: Answer) -> None:
    """Takes every answer."""


@contextlib.contextmanager
def _stub() -> Iterator[str]:
    """The address of a stub in a process of its own."""
    command = [sys.executable, "-m", "tests.model_server", "--latency-ms", str(LATENCY_MS), "--uses-tools"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()

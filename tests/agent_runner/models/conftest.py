"""Models of tenants over real HTTP against the stub, with the ledger in a real database."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import model_configuration as keys
from contracts.agents import ModelCall
from contracts.configuration import ConfigurationChanged, Key
from contracts.envelope import Event, Problem, Tenant
from services.agent_runner.app import service
from services.agent_runner.models import calling
from services.agent_runner.models.exchange import Answer, Request
from services.agent_runner.models.session import ModelUnavailable, Session
from services.agent_runner.models.tenant_model import Models, RunContext
from services.agent_runner.pool import AgentPool
from services.agent_runner.tables import ModelCallRow, ModelSpending
from services.chassis.blobs import Blobs
from services.chassis.bus.in_process import InProcessBus
from services.chassis.configuration import PURPOSE, keep_configuration
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.chassis.work import Job
from tests.model_server import ModelServer, model_server

STUB = "compatible/stub"
PRICES = {STUB: [1.0, 2.0]}
QUESTION = Request([{"role": "user", "content": "Which R for web01?"}])


def anything(answer: Answer) -> None:
    """Takes every answer."""


def numbered(number: int) -> Request:
    """A question like no other."""
    return Request([{"role": "user", "content": f"question {number}"}], max_tokens=100)


def a_call(usd: str, flow_id: UUID | None, at: datetime) -> ModelCall:
    """A call that may cost so much."""
    return ModelCall(
        call_id=uuid4(),
        at=at,
        provider="compatible",
        model="stub",
        agent="six_r",
        task_id=uuid4(),
        flow_id=flow_id,
        purpose="explain",
        prompt_version="1",
        tokens_in=0,
        tokens_out=0,
        cost_usd=Decimal(usd),
        cached=False,
        seconds=0,
        outcome="open",
    )


async def code_of(session: Session, request: Request = QUESTION, accept: Callable[[Answer], object] = anything) -> str:
    """Why there is no answer."""
    with pytest.raises(ModelUnavailable) as failed:
        await session.complete(request, accept)
    return failed.value.problem.code


@dataclass
class RunJob:
    """The parts of a job that a run of an agent uses, without a claim."""

    runtime: Runtime
    tenant: Tenant
    shared: dict[type, Any]
    told: list[Event] = field(default_factory=list)

    @property
    def blobs(self) -> Blobs:
        return self.runtime.blobs

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        async with self.runtime.database.transaction(self.tenant) as session:
            yield session

    async def tell(self, event: Event) -> None:
        self.told.append(event)


@dataclass
class Platform:
    """A runner's models, a stub that they ask, and what is configured."""

    runtime: Runtime
    models: Models
    stub: ModelServer
    pool: AgentPool
    versions: Any = field(default_factory=lambda: itertools.count(1))

    def job(self, tenant: Tenant) -> Job:
        """A job of the tenant's; `told` is what it tells."""
        return cast(Job, RunJob(self.runtime, tenant, {Models: self.models, AgentPool: self.pool}))

    async def set(self, tenant: Tenant, key: Key[Any], value: Any) -> None:
        """Configure a key at the level that the tenant is."""
        secret = key.secret
        sealed = self.runtime.vault.seal(tenant, PURPOSE, key.name, json.dumps(value).encode()) if secret else None
        event = ConfigurationChanged(
            tenant=tenant,
            key=key.name,
            version=next(self.versions),
            is_set=True,
            value=None if secret else value,
            sealed=None if sealed is None else base64.b64encode(sealed).decode(),
            changed_by="me",
            reason="a test",
        )
        async with self.runtime.database.transaction(tenant) as session:
            await keep_configuration(service.metadata, event, session)
        self.runtime.configuration.forget()

    async def tenant(self, **more: Any) -> Tenant:
        """A tenant whose model is the stub; `more` are values by the names of keys."""
        tenant = some_tenant()
        await self.set(tenant, keys.MODEL_BASE_URLS, {"compatible": self.stub.url})
        await self.set(tenant, keys.MODELS, {"default": STUB})
        for name, value in more.items():
            await self.set(tenant, next(key for key in keys.MODEL_KEYS if key.name == name), value)
        return tenant

    async def session(self, tenant: Tenant, task: str = "explain", **more: Any) -> Session:
        """A run of the tenant's."""
        session = await self.models.session_for(context(tenant, **more), task)
        assert not isinstance(session, Problem), session
        return session

    async def ledger(self, tenant: Tenant) -> Sequence[ModelCallRow]:
        """The tenant's entries, oldest first."""
        await self.models.ledger.write()
        async with self.runtime.database.transaction(tenant) as session:
            return (await session.scalars(select(ModelCallRow).order_by(ModelCallRow.call_id))).all()

    async def spending(self, tenant: Tenant) -> dict[str, tuple[Decimal, Decimal]]:
        """What was spent and what is set aside, by kind of budget."""
        await self.models.ledger.write()
        async with self.runtime.database.transaction(tenant) as session:
            rows = await session.scalars(select(ModelSpending))
            return {row.scope.partition(":")[0]: (row.spent_usd, row.reserved_usd) for row in rows}


def context(
    tenant: Tenant,
    *,
    flow_id: UUID | None = None,
    agent: str = "six_r",
    prompt_version: str = "1",
    token_budget: int | None = None,
    deadline: float | None = None,
) -> RunContext:
    """A run of its own."""
    return RunContext(tenant, flow_id, uuid4(), agent, prompt_version, token_budget, deadline)


@pytest.fixture
async def platform(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    """Models that may ask servers on loopback, and do not wait between attempts."""

    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(calling, "wait", at_once)
    allowed = settings.model_copy(update={"outbound_allowed": "http://127.0.0.1:*"})
    runtime = Runtime(service, allowed, InProcessBus())
    await asyncio.to_thread(runtime.vault.load)
    try:
        async with model_server() as stub:
            models, pool = Models(runtime), AgentPool(runtime)
            async with models.ledger.running():
                yield Platform(runtime, models, stub, pool)
            await pool.close()
    finally:
        await runtime.stop()

"""Models of tenants, for agents: which one a run gets, or why it gets none."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from contracts import model_configuration as keys
from contracts.envelope import PLATFORM, Problem, Tenant
from services.agent_runner.memory.recalling import AgentMemory
from services.agent_runner.models.answer_cache import AnswerCache
from services.agent_runner.models.catalogue import Provider, providers
from services.agent_runner.models.choice import CHEAP, DEFAULT, EMBEDDING, NOT_CONFIGURED, STRONG, Configured, chain
from services.agent_runner.models.crew_model import TenantModel, crew_model_class
from services.agent_runner.models.crew_spans import watch_crews
from services.agent_runner.models.embedding import Embedded, embedded_by, embedded_offline, offline_embedder
from services.agent_runner.models.ledger import Ledger
from services.agent_runner.models.loading import NOT_INSTALLED, CrewLoading, installed
from services.agent_runner.models.session import Rules, RunContext, Session, Shared
from services.agent_runner.models.turns import Turns
from services.chassis.runtime import Runtime

__all__ = ["Models", "NoModel", "RunContext", "TenantModel", "models_of"]


@dataclass(frozen=True)
class NoModel:
    """There is no model for a run, and why: the reason for falling back to rules."""

    problem: Problem


class Models:
    """The models of every tenant, in one process."""

    def __init__(self, runtime: Runtime, known: Mapping[str, Provider] | None = None) -> None:
        self._configuration = runtime.configuration
        self._known = providers() if known is None else known
        self.loading = CrewLoading(runtime.settings.data_dir / "crewai")
        self.ledger = Ledger(runtime)
        self.cache = AnswerCache(runtime)
        self.memory = AgentMemory(runtime.database, self.embed)
        self._shared = Shared(
            runtime.outbound, runtime.telemetry, self.ledger, self.cache, Turns(runtime.rate_limits), {}
        )

    async def model_for(self, context: RunContext, task: str, *, simple: bool = False) -> TenantModel | NoModel:
        """The model that a run asks for a task, the cheap one for what is `simple`; a new one for each run."""
        return await self._model(context, task, CHEAP if simple else DEFAULT)

    async def escalated(
        self, context: RunContext, task: str, confidence: float, asked: TenantModel
    ) -> TenantModel | None:
        """The strong model, where an answer was less sure than the tenant wants it; else the default for the cheap.

        None where the answer is sure enough, or no other model is left than the one that was `asked`.
        """
        if confidence >= await self._configuration.value(context.tenant, keys.MODEL_ESCALATION_BELOW):
            return None
        for kind in (STRONG, DEFAULT):
            model = await self._model(context, task, kind)
            if not isinstance(model, NoModel) and model.name != asked.name:
                return model
        return None

    async def embed(self, context: RunContext, texts: Sequence[str]) -> Embedded:
        """A vector for each text, from the tenant's embedding model; offline ones where it has none."""
        session = await self.session_for(context, EMBEDDING, EMBEDDING)
        if not isinstance(session, Problem):
            return await embedded_by(session, texts)
        if session.code == NOT_CONFIGURED:
            return await embedded_offline(texts)
        return Embedded("", [], problem=session)

    async def embedder(self, tenant: Tenant) -> str | None:
        """Whose vectors a tenant's texts get now; None where its embedding model cannot be called as configured."""
        found = chain(await self._configured(tenant), self._known, "", EMBEDDING, EMBEDDING)
        if isinstance(found, Problem):
            return offline_embedder() if found.code == NOT_CONFIGURED else None
        return found[0].name

    async def session_for(self, context: RunContext, task: str, kind: str = DEFAULT) -> Session | Problem:
        """The calls of a run without CrewAI; `kind` is default, cheap, strong or embedding."""
        found = chain(await self._configured(context.tenant), self._known, context.agent, task, kind)
        if isinstance(found, Problem):
            return found
        # Vectors of another model would compare with nothing.
        found = found[:1] if kind == EMBEDDING else found
        return Session(self._shared, context, task, found, await self._rules(context.tenant))

    @property
    def ready(self) -> bool:
        """Whether a run could ask a model at once: CrewAI is loaded."""
        return self.loading.ready

    async def begin_loading(self) -> None:
        """Load CrewAI in the background where the whole platform has a model; else the first run that has one does."""
        if installed() and not isinstance(await self.session_for(_nobody(), ""), Problem):
            self.loading.begin()

    async def _model(self, context: RunContext, task: str, kind: str) -> TenantModel | NoModel:
        session = await self.session_for(context, task, kind)
        if isinstance(session, Problem):
            return NoModel(session)
        if not installed():
            return NoModel(NOT_INSTALLED)
        try:
            patience = None if context.deadline is None else max(0.0, context.deadline - time.monotonic())
            async with asyncio.timeout(patience):
                await self.loading.wait()
        except TimeoutError:
            detail = "CrewAI is still being loaded; it takes some seconds after a start. Rules decide this once."
            return NoModel(Problem(code="agents_loading", detail=detail))
        if self._shared.telemetry.exports:
            watch_crews(self._shared.telemetry.tracer)
        return crew_model_class()(session)

    async def _configured(self, tenant: Tenant) -> Configured:
        value = self._configuration.value
        own_keys, urls = await value(tenant, keys.MODEL_PROVIDER_KEYS), await value(tenant, keys.MODEL_BASE_URLS)
        if await self._configuration.is_set_nearer(tenant, keys.MODEL_BASE_URLS, keys.MODEL_PROVIDER_KEYS):
            # Whoever may name an address must not be sent a key that somebody above gave for another.
            own_keys = {name: key for name, key in own_keys.items() if name not in urls}
        return Configured(
            models=await value(tenant, keys.MODELS),
            fallbacks=await value(tenant, keys.MODEL_FALLBACKS),
            keys=own_keys,
            base_urls=urls,
            prices=await value(tenant, keys.MODEL_PRICES),
        )

    async def _rules(self, tenant: Tenant) -> Rules:
        value = self._configuration.value
        tokens = await value(tenant, keys.MODEL_TOKENS_PER_DAY)
        return Rules(
            per_day=_exact(await value(tenant, keys.MODEL_BUDGET_USD_PER_DAY)),
            tokens_per_day=_exact(tokens),
            per_flow=_exact(await value(tenant, keys.MODEL_BUDGET_USD_PER_FLOW)),
            per_minute=await value(tenant, keys.MODEL_CALLS_PER_MINUTE),
            at_once=await value(tenant, keys.MODEL_CALLS_AT_ONCE),
            hedge_after=await value(tenant, keys.MODEL_HEDGE_AFTER_SECONDS),
            cache_seconds=await value(tenant, keys.MODEL_CACHE_SECONDS),
            redaction=await value(tenant, keys.MODEL_REDACTION),
            prompts_in_spans=await value(tenant, keys.MODEL_PROMPTS_IN_SPANS),
        )


async def models_of(runtime: Runtime) -> AsyncIterator[Models]:
    """The models of a running service, for as long as it runs."""
    async with _running(Models(runtime)) as models:
        yield models


@asynccontextmanager
async def _running(models: Models) -> AsyncIterator[Models]:
    async with models.ledger.running():
        await models.begin_loading()
        yield models


def _exact(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))


def _nobody() -> RunContext:
    return RunContext(PLATFORM, None, PLATFORM.engagement_id, "", "", None, None)

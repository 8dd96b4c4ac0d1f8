"""Which models a run may use, in order: what the tenant chose for the task, and what stands in for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from contracts.envelope import Problem
from services.agent_runner.models.catalogue import Model, Price, Provider

DEFAULT, CHEAP, STRONG, EMBEDDING = "default", "cheap", "strong", "embedding"
NOT_CONFIGURED = "model_not_configured"


@dataclass(frozen=True)
class Configured:
    """What a tenant configured of models; names of models are `provider/model`."""

    models: dict[str, str]
    fallbacks: list[str]
    keys: dict[str, str]
    base_urls: dict[str, str]
    prices: dict[str, list[float]]


@dataclass(frozen=True)
class Endpoint:
    """One model that can be called: where, with which key, and at which price."""

    provider: Provider
    model: str
    base_url: str
    key: str | None
    entry: Model
    price: Price

    @property
    def name(self) -> str:
        """How people name it: `provider/model`."""
        return f"{self.provider.name}/{self.model}"


def wanted(configured: Configured, known: Mapping[str, Provider], agent: str, task: str, kind: str) -> str | None:
    """The model for a task, by name: the nearest choice, else what the first provider that can be called offers.

    `kind` is `default`, `cheap`, `strong` or `embedding`. A choice for the task or agent stands above `default` and
    `cheap`, not above `strong`: who escalates wants another model than the one that was not sure.
    """
    named = [f"{agent}/{task}", agent] if kind in {DEFAULT, CHEAP} else []
    for key in [*named, kind]:
        if key in configured.models:
            return configured.models[key]
    if kind == STRONG:
        return None
    if kind == CHEAP and DEFAULT in configured.models:
        # Whoever chose one model for everything has not asked for another provider's.
        return configured.models[DEFAULT]
    for provider in known.values():
        offered = {CHEAP: provider.cheap_model or provider.default_model, EMBEDDING: provider.embedding_model}
        model = offered.get(kind, provider.default_model)
        if model and _reachable(configured, provider):
            return f"{provider.name}/{model}"
    return None


def endpoint(configured: Configured, known: Mapping[str, Provider], name: str) -> Endpoint | Problem:
    """The model of this name as it can be called, or why it cannot be."""
    provider_name, _, model = name.partition("/")
    provider = known.get(provider_name)
    if provider is None:
        there = ", ".join(known)
        return Problem(
            code="model_provider_unknown",
            detail=f"{name!r} names no provider. Write PROVIDER/MODEL; the providers are {there}.",
        )
    entry = provider.model(model) if model else None
    if entry is None:
        listed = ", ".join(f"{provider_name}/{each}" for each in provider.models)
        return Problem(
            code="model_unknown",
            detail=f"There is no model {name!r}. {provider_name} has {listed}; any other needs a line in models.toml.",
        )
    base_url = configured.base_urls.get(provider_name, provider.base_url)
    if base_url is None:
        return Problem(
            code="model_url_missing",
            detail=f"{provider_name} has no address of its own. Name one: set model_base_urls to "
            f'{{"{provider_name}": "https://…/v1"}}.',
        )
    key = configured.keys.get(provider_name)
    if key is None and provider.key:
        return Problem(
            code="model_key_missing",
            detail=f"There is no API key for {provider_name}. Set model_provider_keys to "
            f'{{"{provider_name}": "…"}}; until then rules decide.',
        )
    own = configured.prices.get(name)
    price: Price = entry if own is None else Price(input=_exact(own[0]), output=_exact(own[1]))
    return Endpoint(provider, model, base_url.rstrip("/"), key, entry, price)


def chain(
    configured: Configured, known: Mapping[str, Provider], agent: str, task: str, kind: str
) -> list[Endpoint] | Problem:
    """What is tried in order for a task, or why there is nothing to try: the choice, then the fallbacks that work."""
    first = wanted(configured, known, agent, task, kind)
    if first is None:
        return Problem(
            code=NOT_CONFIGURED,
            detail="No model is configured, so rules decide alone. To add one, set model_provider_keys to "
            '{"deepinfra": "…"} or name another provider.',
        )
    found = endpoint(configured, known, first)
    if isinstance(found, Problem):
        return found
    others = [endpoint(configured, known, name) for name in configured.fallbacks if name != first]
    return [found, *(other for other in others if isinstance(other, Endpoint))]


def _reachable(configured: Configured, provider: Provider) -> bool:
    if provider.key:
        return provider.name in configured.keys
    return provider.name in configured.base_urls


def _exact(value: float) -> Decimal:
    return Decimal(str(value))

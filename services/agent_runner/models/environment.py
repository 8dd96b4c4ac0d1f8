"""A model that the environment names, for commands that bring their own platform: the demo, evaluation, live tests."""

from collections.abc import Mapping
from typing import Any

from contracts import model_configuration as keys
from contracts.envelope import Problem
from services.agent_runner.models.catalogue import Provider, providers
from services.agent_runner.models.choice import DEFAULT


def configured_by(environment: Mapping[str, str], name: str) -> dict[str, Any] | Problem:
    """What to configure for `provider/model`, by key: the provider's key and address are in variables of its own."""
    provider_name, _, model = name.partition("/")
    provider = providers().get(provider_name)
    if provider is None or not model:
        there = ", ".join(providers())
        return Problem(
            code="model_provider_unknown",
            detail=f"{name!r} is no model. Write PROVIDER/MODEL; the providers are {there}.",
        )
    if provider.model(model) is None:
        listed = ", ".join(f"{provider_name}/{each}" for each in provider.models)
        return Problem(code="model_unknown", detail=f"There is no model {name!r}. {provider_name} has {listed}.")
    if missing := missing_variable(environment, provider):
        return Problem(
            code="model_variable_missing",
            detail=f"{missing} is not set, without which {provider_name} cannot be asked.",
        )
    found: dict[str, Any] = {keys.MODELS.name: {DEFAULT: name}}
    if provider.key_variable and (key := environment.get(provider.key_variable)):
        found[keys.MODEL_PROVIDER_KEYS.name] = {provider_name: key}
    if url := environment.get(provider.url_variable):
        found[keys.MODEL_BASE_URLS.name] = {provider_name: url}
    return found


def missing_variable(environment: Mapping[str, str], provider: Provider) -> str | None:
    """The variable without which a provider cannot be asked: the one of its key, or of its address."""
    if provider.key and not environment.get(provider.key_variable or ""):
        return provider.key_variable
    if provider.base_url is None and not environment.get(provider.url_variable):
        return provider.url_variable
    return None

"""What `./justw test-live` asks real providers, asked of the stub in the place of each, and of nobody without keys."""

import pytest

from services.agent_runner.models.catalogue import providers
from services.agent_runner.models.environment import configured_by
from tests.agent_runner.models.conftest import Platform
from tests.live.providers import keeps_its_contract, missing
from tests.model_answers import using_tools

each_provider = pytest.mark.parametrize("name", providers())


def environment_of(name: str, url: str) -> dict[str, str]:
    """Everything that a provider could need, with the stub's address."""
    provider = providers()[name]
    key = {provider.key_variable: "a-key"} if provider.key_variable else {}
    return {provider.url_variable: url, f"{name.upper()}_MODEL": provider.default_model or "stub", **key}


@each_provider
async def test_each_providers_shape_passes_the_contract(platform: Platform, name: str) -> None:
    platform.stub.answering = using_tools
    environment = environment_of(name, platform.stub.url)
    assert missing(environment, name) is None
    await keeps_its_contract(platform, environment, name)
    assert len(platform.stub.chats()) == 2


@each_provider
def test_a_provider_without_its_variable_is_named_and_not_asked(name: str) -> None:
    provider = providers()[name]
    assert missing({}, name) == (provider.key_variable if provider.key else provider.url_variable)
    assert not isinstance(configured_by({}, f"{name}/{provider.default_model or 'stub'}"), dict)

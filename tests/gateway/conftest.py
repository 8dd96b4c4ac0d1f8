"""The gateway on a fresh database."""

from collections.abc import AsyncIterator

import pytest
from argon2.profiles import CHEAPEST

from services.chassis.settings import Settings
from services.gateway.access import password_hashing
from tests.gateway.people import People, people_of
from tests.gateway.platform import NOBODY, Platform, a_platform


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Nothing can be called but a port of this machine on which nobody listens."""
    return settings.model_copy(update={"outbound_allowed": NOBODY})


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords whose hashes cost next to nothing; `test_password_rules.py` tries what they cost elsewhere."""
    monkeypatch.setattr(password_hashing, "RFC_9106_LOW_MEMORY", CHEAPEST)


@pytest.fixture
async def platform(settings: Settings, cheap_hashes: None) -> AsyncIterator[Platform]:
    """The gateway alone, on a fresh database and an in-process bus."""
    async with a_platform(settings) as platform:
        yield platform


@pytest.fixture
async def people(platform: Platform) -> AsyncIterator[People]:
    """People who use the gateway."""
    async with people_of(platform) as people:
        yield people

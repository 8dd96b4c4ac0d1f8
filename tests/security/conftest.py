"""The gateway on a fresh database, and people of it."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.settings import Settings
from tests.audit.conftest import log
from tests.audit.test_offline import export
from tests.chassis.test_interleavings import narrow
from tests.gateway.conftest import cheap_hashes
from tests.gateway.people import People, people_of
from tests.gateway.platform import Platform, a_platform

# Fixtures of the tests that notice mutants.
__all__ = ["cheap_hashes", "export", "log", "narrow", "people", "platform"]


@pytest.fixture
async def platform(settings: Settings, cheap_hashes: None) -> AsyncIterator[Platform]:
    """The gateway alone, on a fresh database and an in-process bus."""
    async with a_platform(settings) as platform:
        yield platform


@pytest.fixture
async def people(platform: Platform) -> AsyncIterator[People]:
    """People who use that gateway."""
    async with people_of(platform) as people:
        yield people

"""The gateway on a fresh database."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.settings import Settings
from tests.gateway.platform import Platform, a_platform


@pytest.fixture
async def platform(settings: Settings) -> AsyncIterator[Platform]:
    """The gateway alone, on a fresh database and an in-process bus."""
    async with a_platform(settings) as platform:
        yield platform

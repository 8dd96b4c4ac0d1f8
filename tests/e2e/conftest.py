"""The platform as a fixture, on each bus in turn or in this process only."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.bus.in_process import InProcessBus
from services.chassis.settings import Settings
from tests.conftest import TransportOf, declared_services
from tests.e2e.platform import Platform, a_platform


@pytest.fixture
async def platform(bus_settings: Settings, transport_of: TransportOf) -> AsyncIterator[Platform]:
    """All five services on a fresh database, on each bus in turn."""
    async with a_platform(declared_services(), bus_settings, transport_of) as platform:
        yield platform


@pytest.fixture
async def embedded(settings: Settings) -> AsyncIterator[Platform]:
    """All five services on a fresh database and the in-process bus."""
    bus = InProcessBus()
    async with a_platform(declared_services(), settings, lambda service: bus) as platform:
        yield platform


@pytest.fixture(scope="module", params=["in_process", "rabbitmq"])
def a_bus(request: pytest.FixtureRequest) -> str | None:
    """Each bus in turn for a whole module: a broker's address, or None for the one in this process."""
    return request.getfixturevalue("rabbitmq_url") if request.param == "rabbitmq" else None

"""Orchestrators on a fresh database."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.settings import Settings
from tests.flow_orchestrator.process import Process


@pytest.fixture
async def process(settings: Settings) -> AsyncIterator[Process]:
    """An orchestrator without a bus."""
    one = Process(settings)
    yield one
    await one.runtime.stop()


@pytest.fixture
async def another_process(settings: Settings) -> AsyncIterator[Process]:
    """A second one on the same database."""
    one = Process(settings)
    yield one
    await one.runtime.stop()

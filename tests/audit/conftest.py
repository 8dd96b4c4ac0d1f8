"""A log in a fresh database."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from tests.audit.logs import Log, a_log


@pytest.fixture
async def log(settings: Settings) -> AsyncIterator[Log]:
    """An empty log."""
    async with a_log(settings, some_tenant()) as log:
        yield log

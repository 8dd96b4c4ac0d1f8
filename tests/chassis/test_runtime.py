"""A service stops when it is told to, whatever it was just woken for."""

import asyncio

import pytest

from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from tests.chassis.handlers import nothing, working


@pytest.mark.parametrize("turns", range(6))
async def test_a_stop_that_comes_with_a_wake_up_is_not_lost(settings: Settings, turns: int) -> None:
    patient = settings.model_copy(update={"poll_seconds": 30})
    runtime = Runtime(working(nothing), patient, InProcessBus())
    await runtime.start()
    await asyncio.sleep(0.1)
    runtime.committed()
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await runtime.stop()

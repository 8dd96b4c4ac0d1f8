"""A process whose long work waits for a file before it writes its result."""

import asyncio
from pathlib import Path

from contracts.discovery import FieldMappingRequested
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.work import Job
from tests.chassis.handlers import working


def run(settings: Settings, may_write: Path) -> None:
    """Run until killed."""

    async def wait(event: FieldMappingRequested, job: Job) -> None:
        while not await asyncio.to_thread(may_write.exists):  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)

    async def forever() -> None:
        await Runtime(working(wait), settings, InProcessBus()).start()
        await asyncio.Event().wait()

    asyncio.run(forever())

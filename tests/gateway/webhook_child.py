"""A gateway that sends a webhook and never gets to record what was answered."""

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

from services.chassis.bus.in_process import InProcessBus
from services.chassis.leases import Leases
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.gateway.app import service


def run(settings: Settings, about_to_record: Path) -> None:
    """Run until killed; the file appears when an attempt was made."""

    async def never(self: Leases, session: Any, claim: Any) -> None:
        await asyncio.to_thread(about_to_record.touch)
        await asyncio.Event().wait()

    async def forever() -> None:
        await Runtime(service, settings, InProcessBus()).start()
        await asyncio.Event().wait()

    with patch.object(Leases, "hold", never):
        asyncio.run(forever())

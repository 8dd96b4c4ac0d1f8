"""A process that runs the probe service until it is killed, or until it kills itself at a chosen moment."""

import asyncio
import os
import signal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import FieldMappingCompleted, FieldMappingRequested
from contracts.operations import AuditVerificationRequested
from services.chassis import resealing
from services.chassis.runtime import Runtime, transport_for
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.work import Job
from tests.chassis.probe import Interrupted, leave, probe

# Where it dies, as `Interrupted` names the boundaries.
ON_THE_BUS = {"before_publish": "before", "after_publish": "after", "after_commit": "after_delivery"}


def die() -> None:
    """End as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(moment: str) -> Service:
    """The probe service that dies at a moment of its handlers, or, at any other word, not at all."""
    service = probe()

    @service.on
    async def record(event: AuditVerificationRequested, session: AsyncSession) -> None:
        await leave(session, service, event)
        if moment == "in_the_handler":
            die()

    @service.work
    async def map_fields(event: FieldMappingRequested, job: Job) -> FieldMappingCompleted:
        if moment == "in_the_work":
            die()
        await leave(await job.begin(), service, event)
        if moment == "while_the_result_is_written":
            die()
        return FieldMappingCompleted.reply_to(event, mappings=[], review_count=0)

    return service


class Deadly(Interrupted):
    """Dies where the other only breaks."""

    def _break(self, where: str) -> None:
        if self.left[where]:
            die()


def run(settings: Settings, moment: str) -> None:
    """Run until killed."""

    async def forever() -> None:
        breaks = {ON_THE_BUS[moment]: 1} if moment in ON_THE_BUS else {}
        runtime = Runtime(dying(moment), settings, Deadly(transport_for(settings), **breaks))
        await runtime.start()
        await asyncio.Event().wait()

    asyncio.run(forever())


def seal_anew(settings: Settings, after: int | None) -> None:
    """Seal what older root keys sealed anew; killed inside the transaction of the piece after so many, if any."""
    pieces, reseal_piece = 0, resealing.reseal_piece

    async def deadly(*given: Any) -> int:
        nonlocal pieces
        pieces += 1
        rows = await reseal_piece(*given)
        if after is not None and pieces > after:
            die()
        return rows

    async def once() -> None:
        runtime = Runtime(probe(), settings, transport_for(settings))
        await runtime.resealing.look()
        await runtime.stop()

    setattr(resealing, "reseal_piece", deadly)  # noqa: B010 - a patched module, in a process of its own
    asyncio.run(once())

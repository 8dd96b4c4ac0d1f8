"""A flow of six phases that do nothing, and the worker that does it: what remains is the cost of the platform.

It is known in the benchmark's process alone, and has its child rows in the table of plannings.
"""

import asyncio
import time
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event, Problem
from contracts.flows import FlowUpdated
from services.chassis.service import Service
from services.chassis.tables import ServiceMetaData
from services.flow_orchestrator.flow_type import FlowType, Phase
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.tables import CHILD_TABLES

PHASES = 6
WORKER = ServiceMetaData("noop_worker")


class NoopRequested(Event, type="noop.requested"):
    """A flow that does nothing is asked for."""


class NoopStarted(Event, type="noop.started"):
    """It runs."""


class NoopCompleted(Event, type="noop.completed"):
    """All its phases have done nothing."""


class NoopFailed(Event, type="noop.failed"):
    """It could not even do nothing."""

    problem: Problem


class NoopPhaseRequested(Event, type="noop_phase.requested"):
    """Do nothing, in the phase that `step` names."""


class NoopPhaseCompleted(Event, type="noop_phase.completed"):
    """Nothing was done."""


class NoopPhaseFailed(Event, type="noop_phase.failed"):
    """Nothing could not be done."""

    problem: Problem


NOOP = FlowType(
    name="noop",
    version=1,
    requested=NoopRequested,
    started=NoopStarted,
    completed=NoopCompleted,
    failed=NoopFailed,
    phases=tuple(
        Phase(
            name=f"phase_{number}",
            asks=NoopPhaseRequested,
            awaits=NoopPhaseCompleted,
            fails_with=NoopPhaseFailed,
        )
        for number in range(1, PHASES + 1)
    ),
    child_row=lambda state: {"wave_count": state.revision},
)


def orchestrator() -> Service:
    """The product's orchestrator with this flow beside its own; it reads its catalogue when it is imported."""
    FLOW_TYPES.add(NOOP)
    CHILD_TABLES[NOOP.name] = CHILD_TABLES["planning"]
    from services.flow_orchestrator.app import service

    return service


class Worker:
    """Does nothing for each phase, and sees when flows end."""

    def __init__(self, phase_seconds: float = 0.0, reads_along: bool = False) -> None:
        """`reads_along`: also hear what the gateway and the audit would, where neither runs."""
        self.service = Service(WORKER)
        self.ended: dict[UUID, float] = {}
        self._expected = 0
        self._all_ended = asyncio.Event()
        ends: list[type[Event]] = [NoopCompleted, NoopFailed]

        async def do_nothing(events: list[NoopPhaseRequested], session: AsyncSession) -> list[NoopPhaseCompleted]:
            if phase_seconds:
                await asyncio.gather(*(asyncio.sleep(phase_seconds) for _ in events))
            return [NoopPhaseCompleted.reply_to(event) for event in events]

        async def see_ends(events: list[Event], session: AsyncSession) -> None:
            now = time.perf_counter()
            for event in events:
                if isinstance(event, NoopFailed):
                    raise RuntimeError(f"a flow that does nothing failed: {event.problem}")
                if event.flow_id is not None:
                    self.ended.setdefault(event.flow_id, now)
            if len(self.ended) >= self._expected:
                self._all_ended.set()

        async def read_along(events: list[Event], session: AsyncSession) -> None:
            """As a reader does that has nothing to write."""

        self.service.on(do_nothing)
        # Whoever started a flow waits for this, so it may not pass for a reader, which takes its time.
        self.service.subscribe(see_ends, hears=ends, emits=[NoopPhaseCompleted], batch=True)
        if reads_along:
            self.service.subscribe(read_along, hears=[FlowUpdated, NoopStarted], emits=[], batch=True)

    def expect(self, flows: int) -> None:
        """Forget what ended, and wait for so many flows."""
        self.ended.clear()
        self._expected = flows
        self._all_ended.clear()

    async def all_ended(self) -> None:
        """Return once as many flows have ended as are expected."""
        await self._all_ended.wait()

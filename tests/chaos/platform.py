"""The platform under fault: its processes, each started again when it was killed, let go on when it was stopped."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import contracts
from services.chassis.settings import Settings
from services.chassis.testing import eventually
from tests.chaos.boundaries import Diary, Disturbance, Fault
from tests.chaos.child import Part
from tests.rabbitmq_node import free_port

ROOT = Path(contracts.__file__).resolve().parents[1]
EVERY_SERVICE = ("gateway", "flow_orchestrator", "chaos_worker", "audit")
READY_SECONDS = 60
STOP_SECONDS = 30


class Nursery(Protocol):
    """Where processes come from."""

    async def fork(self, part: Part, listener: Callable[[str, int], None]) -> int:
        """The pid of a new one; `listener(what, exit code)` hears when it `stopped` or `ended`."""


@dataclass(frozen=True)
class Plan:
    """What goes wrong in one process, life by life: the faults of its first life, of its second, and so on."""

    name: str
    services: tuple[str, ...]
    lives: tuple[tuple[Fault, ...], ...] = ()
    disturbance: Disturbance = field(default_factory=Disturbance)
    mutant: str | None = None
    # How long a stopped process sleeps: longer than a lease, so that it wakes up as a zombie.
    sleep_seconds: float = 3.0
    # When it begins its first life, and how often it looks where nothing woke it, if not as the others.
    delay_seconds: float = 0.0
    poll_seconds: float | None = None
    # How long a phase of a flow may take, if not as long as in production.
    phase_seconds: float | None = None


class Process:
    """One process of the platform, through all its lives."""

    def __init__(self, plan: Plan, settings: Settings, folder: Path, port: int | None, seed: int) -> None:
        self.plan = plan
        self.diary = folder / f"{plan.name}.diary"
        self.lives = 0
        self.pid: int | None = None
        self.codes: list[int] = []
        self._settings = settings
        self._folder = folder
        self._port = port
        self._seed = seed
        self._stopping = False
        self._ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, nursery: Nursery) -> None:
        """Begin the first life; the others follow by themselves."""
        self._nursery = nursery
        if self.plan.delay_seconds:
            self._later(self._live_later())
        else:
            await self._live()

    async def _live_later(self) -> None:
        await asyncio.sleep(self.plan.delay_seconds)
        await self._live()

    async def _live(self) -> None:
        if self._stopping:
            return
        settings = self._settings
        if self.plan.poll_seconds is not None:
            settings = settings.model_copy(update={"poll_seconds": self.plan.poll_seconds})
        told = settings.model_dump(mode="json", exclude={"database_password", "api_key"}, exclude_none=True)
        part = Part(
            name=self.plan.name,
            services=self.plan.services,
            settings=told,
            diary=str(self.diary),
            log=str(self._folder / f"{self.plan.name}.log"),
            port=self._port if "gateway" in self.plan.services else None,
            faults=self.plan.lives[self.lives] if self.lives < len(self.plan.lives) else (),
            disturbance=self.plan.disturbance,
            seed=self._seed * 1000 + self.lives,
            mutant=self.plan.mutant,
            phase_seconds=self.plan.phase_seconds,
        )
        self.lives += 1
        self.pid = await self._nursery.fork(part, self._hear)
        if self._stopping:
            self.signal(signal.SIGKILL)

    def _hear(self, what: str, code: int) -> None:
        if what == "stopped":
            self._later(self._wake(self.pid))
            return
        self.pid = None
        self.codes.append(code)
        if self._stopping:
            self._ended.set()
        else:
            self._later(self._live())

    def _later(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self, pid: int | None) -> None:
        await asyncio.sleep(self.plan.sleep_seconds)
        if pid is not None and pid == self.pid:
            os.kill(pid, signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal from outside, if it lives."""
        if self.pid is not None:
            os.kill(self.pid, number)

    async def stop(self) -> None:
        """End it in order; raises `TimeoutError` if it does not end, after killing it."""
        self._stopping = True
        self._ended.clear()
        if self.pid is None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._ended.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            raise


class Platform:
    """All processes, and what they noted."""

    def __init__(self, plans: Sequence[Plan], settings: Settings, folder: Path, seed: int) -> None:
        self.settings = settings
        self.folder = folder
        self.port = free_port()
        self.processes = {plan.name: Process(plan, settings, folder, self.port, seed) for plan in plans}

    @property
    def url(self) -> str:
        """Where the gateway answers while it lives."""
        return f"http://127.0.0.1:{self.port}"

    def notes(self) -> dict[str, list[dict[str, object]]]:
        """What each process noted."""
        return {name: Diary.read(process.diary) for name, process in self.processes.items()}

    def struck(self) -> Counter[str]:
        """How often each fault struck, by process."""
        return Counter(
            f"{name}: {Fault(**note['struck'])}"  # type: ignore[arg-type]
            for name, notes in self.notes().items()
            for note in notes
            if "struck" in note
        )

    def planned(self) -> Counter[str]:
        """How often each fault was to strike at least."""
        return Counter(
            f"{process.plan.name}: {fault}"
            for process in self.processes.values()
            for life in process.plan.lives
            for fault in life
        )

    def bitten(self) -> bool:
        """Whether the mutant's code ran."""
        return any("mutant" in note for notes in self.notes().values() for note in notes)

    async def ready(self) -> None:
        """Return once every process said so in its present life."""

        prompt = {name for name, process in self.processes.items() if not process.plan.delay_seconds}

        async def all_ready() -> bool:
            notes = self.notes()
            return all(any("ready" in note for note in notes[name]) for name in prompt)

        await eventually(all_ready, READY_SECONDS)

    async def stop(self) -> None:
        """End every process in order."""
        outcomes = await asyncio.gather(
            *(process.stop() for process in self.processes.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome


@asynccontextmanager
async def a_platform(
    plans: Sequence[Plan], nursery: Nursery, settings: Settings, folder: Path, seed: int
) -> AsyncIterator[Platform]:
    """The platform, running until the block ends; killed if it does not end in order."""
    platform = Platform(plans, settings, folder, seed)
    for process in platform.processes.values():
        await process.start(nursery)
    try:
        yield platform
    finally:
        for process in platform.processes.values():
            process._stopping = True
            process.signal(signal.SIGKILL)

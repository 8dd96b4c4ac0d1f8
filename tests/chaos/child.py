"""A process of the platform under fault: some services, struck as planned, with a mutant in them if one is named."""

import asyncio
import contextlib
import random
import signal
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import structlog
from pydantic import SecretStr

from services.audit.app import service as audit
from services.chassis import consumer, relay, work
from services.chassis.bus import rabbitmq
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import Transport
from services.chassis.logs import configure_logs
from services.chassis.runtime import Runtime, transport_for
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.cli.serving import reserve, serving
from services.flow_orchestrator.app import service as flow_orchestrator
from services.flow_orchestrator.flows.planning import PLANNING
from services.gateway.app import create_api, welcome
from services.gateway.app import service as gateway
from tests.chaos.boundaries import Boundaries, Diary, Disturbance, Fault, FaultyTransport
from tests.chaos.mutants import MUTANTS
from tests.chaos.worker import chaos_worker

log = structlog.get_logger()

API_KEY = "modernize_chaos_key"  # pragma: allowlist secret

# What production waits for in seconds or minutes, so that a short run sees many retries. (module, name): value
SHORT_WAITS: dict[tuple[Any, str], Any] = {
    (consumer, "BACK_OFF"): [timedelta(seconds=s) for s in (0.1, 0.1, 0.2, 0.5, 1.0)],
    (work, "BACK_OFF"): [timedelta(seconds=s) for s in (0.1, 0.1, 0.2, 0.5, 1.0)],
    (work, "PAUSE_SECONDS"): 0.2,
    (relay, "FAILURE_PAUSE_SECONDS"): 0.2,
    (relay, "UNSENT_PAUSE"): timedelta(seconds=0.1),
    (rabbitmq, "PUBLISH_TIMEOUT_SECONDS"): 3,
    (rabbitmq, "RETRY_SECONDS"): (0.1, 0.2, 0.5),
    (rabbitmq, "WATCHDOG_SECONDS"): 2,
}


@dataclass(frozen=True)
class Part:
    """What a process is told: which services it runs, how, and what goes wrong."""

    name: str
    services: tuple[str, ...]
    settings: dict[str, Any]
    diary: str
    log: str
    port: int | None = None
    faults: tuple[Fault, ...] = ()
    disturbance: Disturbance = field(default_factory=Disturbance)
    seed: int = 0
    mutant: str | None = None
    phase_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For the way into the process."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """As `as_json` wrote it."""
        return cls(
            **{
                **told,
                "services": tuple(told["services"]),
                "faults": tuple(Fault(**fault) for fault in told["faults"]),
                "disturbance": Disturbance(**told["disturbance"]),
            }
        )


def shorten_waits() -> None:
    """Put `SHORT_WAITS` in place; raises `AttributeError` where a name is gone."""
    for (module, name), value in SHORT_WAITS.items():
        getattr(module, name)
        setattr(module, name, value)


def shorten_phases(seconds: float) -> None:
    """Let the phases of a planning time out after so long."""
    for phase in PLANNING.phases:
        if phase.time_out <= timedelta(0):
            raise ValueError(f"the phase {phase.name} has no time-out")
        object.__setattr__(phase, "time_out", timedelta(seconds=seconds))


def declared(boundaries: Boundaries | None = None) -> dict[str, Service]:
    """The services under fault by name."""
    services = (gateway, flow_orchestrator, chaos_worker(boundaries), audit)
    return {service.name: service for service in services}


def run(part: Part) -> None:
    """Be the process until it is killed or told to stop."""
    shorten_waits()
    settings = Settings(**part.settings).model_copy(update={"api_key": SecretStr(API_KEY)})
    configure_logs(settings)
    diary = Diary(Path(part.diary))
    boundaries = Boundaries(part.faults, diary)
    boundaries.watch_commits()
    if part.phase_seconds is not None:
        shorten_phases(part.phase_seconds)
    if part.mutant is not None:
        MUTANTS[part.mutant].apply(lambda: diary.note(mutant=part.mutant))
    asyncio.run(_serve(part, settings, boundaries, diary))


async def _serve(part: Part, settings: Settings, boundaries: Boundaries, diary: Diary) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    services = declared(boundaries)
    shared = InProcessBus()

    def transport() -> Transport:
        real = transport_for(settings) if settings.rabbitmq_url else shared
        return FaultyTransport(real, boundaries, part.disturbance, random.Random(part.seed))

    runtimes = {name: Runtime(services[name], settings, transport()) for name in part.services}
    try:
        for runtime in runtimes.values():
            await _until_it_works(runtime.listen)
        for runtime in runtimes.values():
            await _until_it_works(runtime.start)
        async with contextlib.AsyncExitStack() as stack:
            if "gateway" in runtimes and part.port is not None:
                await _until_it_works(lambda: welcome(runtimes["gateway"]))
                listener = stack.enter_context(contextlib.closing(reserve(settings.host, part.port)))
                await stack.enter_async_context(serving(create_api(runtimes["gateway"]), listener))
            diary.note(ready=part.name)
            await stop.wait()
    finally:
        await asyncio.gather(*(runtime.stop() for runtime in runtimes.values()))
    diary.note(stopped=part.name, passed=boundaries.passed)


async def _until_it_works(start: Any) -> None:
    """As an orchestrator of containers does: a service whose broker or database is away is started again."""
    while True:
        try:
            await start()
        except (OSError, TimeoutError, ConnectionError, RuntimeError) as error:
            log.warning("not_yet", error=repr(error))
            await asyncio.sleep(0.2)
        else:
            return

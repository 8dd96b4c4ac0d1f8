"""For each mutant a short run that brings it to light, and the promises of which it breaks at least one."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from tests.chaos.boundaries import Boundary, Disturbance, Fault
from tests.chaos.child import declared
from tests.chaos.driver import Load
from tests.chaos.platform import EVERY_SERVICE, Nursery, Plan
from tests.chaos.scenario import Outcome, Outside, Scene, run, settings_for

LONG_POLL_SECONDS = 60.0
LOST = "every message is consumed or dead-lettered"
POISON = "every message is consumed or dead-lettered, poison too"
STARTS = "accepted starts are flows"
STUCK = "every flow has ended or says what it waits for and until when"
TENANTS = "nobody sees another tenant's rows"
EFFECTS = "exactly one effect an attempt that counted"
LEFT = "outboxes, work tables and queues are empty"
ASKED = "a phase is asked for once an attempt, and again only after its patience"
CALM = Load(flows=6, tenants=1, flaky=0, failing=0, rejected=0, poison=0, stale=0, pause_seconds=0.01)


def embedded(**changes: object) -> list[Plan]:
    """All services in one process."""
    return [replace(Plan("platform", EVERY_SERVICE), **changes)]  # type: ignore[arg-type]


def distributed(**changes: object) -> list[Plan]:
    """A process a service."""
    return [replace(Plan(name, (name,)), **changes) for name in EVERY_SERVICE]  # type: ignore[arg-type]


def lives(boundary: Boundary, *passages: int) -> tuple[tuple[Fault, ...], ...]:
    """One life for each passage of a boundary, ended there."""
    return tuple((Fault(boundary, passage),) for passage in passages)


def with_a_zombie() -> list[Plan]:
    """A process a service, and a second worker that falls asleep over its first piece of work."""
    zombie = Plan("second_worker", ("chaos_worker",), lives=((Fault("in_work", 1, "stop"),),), sleep_seconds=2.0)
    return [*distributed(), zombie]


def on_long_polls() -> list[Plan]:
    """A process a service; all but the first, which is written to from outside, depend on being woken."""
    return [plan if plan.name == "gateway" else replace(plan, poll_seconds=LONG_POLL_SECONDS) for plan in distributed()]


def one_life_of_the_orchestrator() -> list[Plan]:
    """A process a service; the orchestrator dies a few times before it commits."""
    return [
        replace(plan, lives=lives("before_commit", 4, 6, 8)) if plan.name == "flow_orchestrator" else plan
        for plan in distributed()
    ]


def gateway_first() -> list[Plan]:
    """A process a service; the gateway sends before anybody listens."""
    return [plan if plan.name == "gateway" else replace(plan, delay_seconds=2.5) for plan in distributed()]


async def declare_late(scene: Scene) -> None:
    """Declare the others' queues while the gateway sleeps, as it must not send to only some of them."""
    await asyncio.sleep(1)
    scene.platform.processes["gateway"].signal(signal.SIGSTOP)
    await declare_queues(scene.platform.settings)


async def declare_queues(settings: Settings) -> None:
    """As the migration job does: what is sent before a service runs waits for it."""
    assert settings.rabbitmq_url is not None
    bus = RabbitBus(settings.rabbitmq_url, settings.bus_prefix)
    runtimes = [Runtime(service, settings, bus) for service in declared().values()]
    await bus.declare([wanted for runtime in runtimes for wanted in runtime.subscriptions()])
    for runtime in runtimes:
        await runtime.database.close()


@dataclass(frozen=True)
class Exposure:
    """One run."""

    promises: tuple[str, ...]
    plans: Callable[[], list[Plan]] = embedded
    load: Load = CALM
    rabbitmq: bool = False
    outside: Outside | None = None
    schema_change: str | None = None
    settings: dict[str, object] = field(default_factory=dict)
    # How long nothing may move before the run is taken for stuck.
    stall_seconds: float = 4.0


EXPOSURES: dict[str, Exposure] = {
    "acknowledges_before_the_commit": Exposure(
        (LOST, STARTS, STUCK), lambda: embedded(lives=lives("before_commit", 30, 40, 50)), replace(CALM, flows=15)
    ),
    "has_no_inbox": Exposure(
        (EFFECTS,), lambda: embedded(disturbance=Disturbance(stale_before=0.5)), replace(CALM, flows=10)
    ),
    "commits_the_inbox_on_its_own": Exposure((STUCK, LOST), load=replace(CALM, flaky=1.0)),
    "finishes_without_the_fence": Exposure(
        (EFFECTS,),
        with_a_zombie,
        replace(CALM, flows=8, work_centiseconds=(5, 5)),
        rabbitmq=True,
        settings={"lease_seconds": 0.6},
    ),
    "never_renews_its_lease": Exposure(
        ("only what cannot be done is dead-lettered",),
        load=replace(CALM, flows=1, work_centiseconds=(90, 90)),
        settings={"lease_seconds": 0.5},
    ),
    "leases_for_ever": Exposure((LEFT,), lambda: embedded(lives=lives("in_work", 2)), settings={"lease_seconds": 0.6}),
    "publishes_before_the_commit": Exposure(
        (ASKED, EFFECTS, STARTS, STUCK),
        one_life_of_the_orchestrator,
        replace(CALM, flows=10, pause_seconds=0.1),
        rabbitmq=True,
    ),
    "deletes_before_the_confirm": Exposure(
        (LOST, STARTS, STUCK), lambda: embedded(lives=lives("before_publish", 10, 20, 30)), replace(CALM, flows=15)
    ),
    "takes_the_unroutable_for_sent": Exposure((STARTS,), gateway_first, rabbitmq=True, outside=declare_late),
    "loses_the_order": Exposure(("a flow's news arrive in order",), load=replace(CALM, flows=12)),
    "clears_the_wake_up_after_the_look": Exposure((LEFT, STUCK), on_long_polls, replace(CALM, flows=15), rabbitmq=True),
    "accepts_stale_steps": Exposure((EFFECTS,), load=replace(CALM, flows=10, stale=1.0, work_centiseconds=(60, 60))),
    "writes_revisions_twice": Exposure(
        ("journal numbers are dense from 1 to the revision",),
        schema_change="alter table flow_orchestrator.flow_journal drop constraint pk_flow_journal",
    ),
    "drops_what_is_to_be_tried_again": Exposure((LOST, STUCK), load=replace(CALM, flaky=1.0)),
    "sets_nothing_aside": Exposure((POISON,), load=replace(CALM, poison=0.1)),
    "gives_a_batch_up_for_one_event": Exposure((LOST, STUCK), load=replace(CALM, flows=10, failing=0.5)),
    "takes_a_batch_for_one_tenants": Exposure((TENANTS,), load=replace(CALM, flows=10, tenants=2, pause_seconds=0)),
    "enters_no_tenant": Exposure((TENANTS,), load=replace(CALM, tenants=2)),
    "lets_everybody_decide": Exposure(("one decision a human task",)),
    "acts_twice_on_a_time_out": Exposure(
        (ASKED,), lambda: embedded(phase_seconds=1.0), replace(CALM, flows=4, failing=1.0)
    ),
}


async def run_exposed(
    name: str,
    nursery: Nursery,
    database: str,
    folder: Path,
    rabbitmq_url: str | None,
    *,
    exposure: Exposure | None = None,
    mutated: bool = True,
) -> Outcome:
    """Run the exposure of a mutant, with it or without."""
    exposure = exposure or EXPOSURES[name]
    plans = [replace(plan, mutant=name if mutated else None) for plan in exposure.plans()]
    return await run(
        nursery,
        settings_for(database, folder, rabbitmq_url if exposure.rabbitmq else None, **exposure.settings),
        plans,
        exposure.load,
        outside=exposure.outside,
        ordered=all(plan.disturbance == Disturbance() for plan in plans),
        stall_seconds=exposure.stall_seconds,
        schema_change=exposure.schema_change,
    )

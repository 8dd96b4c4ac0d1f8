"""One run: a platform under a plan of faults, a load, time to settle, and what the checks find."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aio_pika
import asyncpg
import structlog
from aio_pika.exceptions import ChannelNotFoundEntity

from services.chassis.bus.transport import DEAD, EVENTS, EXTERNAL, PUBLIC
from services.chassis.settings import Settings
from tests.chaos.child import declared
from tests.chaos.driver import Driver, Load
from tests.chaos.invariants import ENDED, MASTER, Evidence, Violation, violations
from tests.chaos.platform import Nursery, Plan, Platform, a_platform

log = structlog.get_logger()

# Longer than any lease, back-off and sleep of a run, also on a busy machine.
STALL_SECONDS = 20.0
CALM_LOOKS = 5
LOOK_SECONDS = 0.1
LEASE_SECONDS = 1.5
POLL_SECONDS = 0.2

# What happens from outside while the load runs.
Outside = Callable[["Scene"], Awaitable[None]]


@dataclass
class Scene:
    """What a fault from outside can reach."""

    platform: Platform
    driver: Driver
    # How often each fault from outside has struck.
    outside: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    violations: list[Violation]
    flows: Counter[str]
    events: int
    dead_letters: int
    struck: Counter[str]
    not_struck: Counter[str]
    seconds: float
    bitten: bool
    exits: Counter[int] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        """One line."""
        flows = ", ".join(f"{count} {status}" for status, count in sorted(self.flows.items()))
        return (
            f"{sum(self.flows.values())} flows ({flows}), {self.events} events, {self.dead_letters} dead letters, "
            f"{sum(self.struck.values()) + sum(self.outside.values())} faults, {self.seconds:.1f} s"
        )


def settings_for(database: str, folder: Path, rabbitmq_url: str | None, **changes: object) -> Settings:
    """Settings with leases and polls so short that a run sees many of them end."""
    told: dict[str, object] = {
        "database_url": database,
        "data_dir": folder,
        "blob_url": (folder / "blobs").as_uri(),
        "lease_seconds": LEASE_SECONDS,
        "poll_seconds": POLL_SECONDS,
        "log_level": "warning",
        "log_format": "json",
        "rabbitmq_url": rabbitmq_url,
        "bus_prefix": f"chaos-{uuid4().hex[:10]}-" if rabbitmq_url else "",
    }
    return Settings(**{**told, **changes})  # type: ignore[arg-type]


def queues() -> list[str]:
    """The names of all queues of the services under fault."""
    return [
        queue
        for service in declared().values()
        for queue in (
            *(service.queue_of(event) for event in service.heard()),
            f"{service.name}.dead",
            *([f"{service.name}.external"] if service.external is not None else []),
        )
    ]


async def run(
    nursery: Nursery,
    settings: Settings,
    plans: Sequence[Plan],
    load: Load,
    *,
    seed: int = 0,
    outside: Outside | None = None,
    ordered: bool = True,
    stall_seconds: float = STALL_SECONDS,
    schema_change: str | None = None,
) -> Outcome:
    """Run once on a fresh database, and check what is left when everything has settled and stopped."""
    began = time.monotonic()
    folder = settings.data_dir
    if schema_change is not None:
        await _change_schema(settings, schema_change)
    async with a_platform(plans, nursery, settings, folder, seed) as platform:
        patient = any(plan.phase_seconds is not None for plan in plans)
        driver = Driver(settings, platform.url, load, seed, patient=patient)
        scene = Scene(platform, driver)
        try:
            await driver.prepare()
            await platform.ready()
            deciding = asyncio.create_task(driver.decide())
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(driver.start_flows())
                    if outside is not None:
                        group.create_task(_as_task(outside, scene))
                settled = await _settle(settings, driver, stall_seconds)
            finally:
                deciding.cancel()
                await asyncio.wait([deciding])
            if not deciding.cancelled():
                deciding.result()
            if settled:
                await _settle(settings, driver, stall_seconds)
            await platform.stop()
        finally:
            await driver.close()
        left = await _queued(settings)
        return await _judge(settings, scene, left, ordered, began)


async def _change_schema(settings: Settings, statement: str) -> None:
    sql = await asyncpg.connect(str(settings.database_url), user="postgres")
    await sql.execute(statement)
    await sql.close()


async def _as_task(outside: Outside, scene: Scene) -> None:
    await outside(scene)


async def _settle(settings: Settings, driver: Driver, stall_seconds: float) -> bool:
    """Return when all is done, or False when nothing has moved for so long: the checks say what is still open then."""
    calm, moved, last = 0, time.monotonic(), (1, "nothing yet")
    sql: asyncpg.Connection | None = None
    while calm < CALM_LOOKS:
        try:
            sql = sql or await asyncpg.connect(str(settings.database_url), user="postgres")
            seen = await _progress(sql, driver)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # The database is away; nobody can tell whether anything moves.
            sql, calm, moved = None, 0, time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
            continue
        if seen != last:
            calm, moved, last = 0, time.monotonic(), seen
        elif seen[0] == 0:
            calm += 1
        elif time.monotonic() - moved > stall_seconds:
            log.warning("not_settled", open_ends=seen[0], stalled_seconds=stall_seconds)
            break
        await asyncio.sleep(LOOK_SECONDS)
    if sql is not None:
        await sql.close()
    return calm == CALM_LOOKS


async def _progress(sql: asyncpg.Connection, driver: Driver) -> tuple[int, str]:
    """How much still has to happen, and a text that changes whenever something happens."""
    tables = [f"{name}.{table}" for name in declared() for table in ("outbox", "work")]
    waiting = " + ".join(f"(select count(*) from {table})" for table in tables)
    given_up = (
        "select 1 from audit.entries a where a.event_type = 'event.dead_lettered' and"
        " a.record::jsonb -> 'data' -> 'message' ->> 'flowid' = m.flow_id::text"
    )
    excused = "true" if driver.patient else f"not exists ({given_up})"
    open_flows = f"(select count(*) from {MASTER} m where m.status not in {ENDED} and {excused})"
    flows = int(await sql.fetchval(f"select count(*) from {MASTER}"))
    open_ends = int(await sql.fetchval(f"select {waiting} + {open_flows}"))
    inboxes = " || '/' || ".join(f"(select count(*) from {name}.inbox)" for name in declared())
    attempts = " || '/' || ".join(f"(select coalesce(sum(fence), 0) from {name}.work)" for name in declared())
    leaving = " || '/' || ".join(
        f"(select count(*) || ':' || coalesce(max(seq), 0) from {name}.outbox)" for name in declared()
    )
    happened = await sql.fetchval(f"select {inboxes} || ' ' || {attempts} || ' ' || {leaving}")
    return open_ends + max(0, len(driver.accepted.flows) - flows), f"{flows} {open_ends} {happened}"


async def _queued(settings: Settings) -> dict[str, int]:
    """How many messages each queue still has, now that nobody takes any; the queues are deleted then."""
    if settings.rabbitmq_url is None:
        return {}
    left = {}
    connection = await aio_pika.connect(settings.rabbitmq_url, timeout=15)
    async with connection:
        for name in queues():
            channel = await connection.channel()
            try:
                queue = await channel.declare_queue(f"{settings.bus_prefix}{name}", passive=True)
            except ChannelNotFoundEntity:
                continue
            left[name] = queue.declaration_result.message_count or 0
            await channel.queue_delete(queue.name)
            await channel.close()
        channel = await connection.channel()
        for name in (EVENTS, PUBLIC, EXTERNAL, DEAD):
            await channel.exchange_delete(f"{settings.bus_prefix}{name}")
    return left


async def _judge(settings: Settings, scene: Scene, left: dict[str, int], ordered: bool, began: float) -> Outcome:
    platform, driver = scene.platform, scene.driver
    sql = await asyncpg.connect(str(settings.database_url), user="postgres")
    try:
        patience = [process.plan.phase_seconds for process in platform.processes.values()]
        seconds = min((each for each in patience if each is not None), default=3600.0)
        kills = max(process.codes.count(-9) for process in platform.processes.values())
        evidence = Evidence(sql, declared(), driver.accepted, left, ordered, seconds, kills)
        found = await violations(evidence)
        flows = Counter(
            {
                row["status"]: row["count"]
                for row in await sql.fetch(f"select status, count(*) from {MASTER} group by 1")
            }
        )
        events = int(await sql.fetchval("select count(*) from audit.entries"))
        dead = int(await sql.fetchval("select count(*) from audit.entries where event_type = 'event.dead_lettered'"))
    finally:
        await sql.close()
    exits = Counter(code for process in platform.processes.values() for code in process.codes)
    found += [
        Violation("a process ends only when it is killed or told to", f"{count} ended with {code}")
        for code, count in exits.items()
        if code not in (0, -9)
    ]
    return Outcome(
        violations=found,
        flows=flows,
        events=events,
        dead_letters=dead,
        struck=platform.struck(),
        not_struck=platform.planned() - platform.struck(),
        seconds=time.monotonic() - began,
        bitten=platform.bitten(),
        exits=exits,
        outside=scene.outside,
    )

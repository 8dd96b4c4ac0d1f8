"""The plans of faults: every boundary of every service, zombies, a crashing database, a broker that is killed."""

import asyncio
import random
from dataclasses import replace

import asyncpg

from tests.chaos.boundaries import Boundary, Disturbance, Fault
from tests.chaos.exposures import distributed
from tests.chaos.platform import Plan
from tests.chaos.postgres import CrashingPostgres, cut_connections
from tests.chaos.scenario import Outside, Scene
from tests.rabbitmq_node import PrivateNode

# What every service passes; the log sends nothing, so it publishes nothing.
EVERYWHERE: tuple[Boundary, ...] = ("before_commit", "after_commit", "before_ack", "after_ack")
SENDING: tuple[Boundary, ...] = ("before_publish", "after_publish")
DISTURBED = Disturbance(shuffled=0.2, repeated_within=0.2, stale_before=0.2)


def boundaries_of(name: str) -> tuple[Boundary, ...]:
    """Where a process can be struck."""
    sending = () if name == "audit" else SENDING
    working: tuple[Boundary, ...] = ("in_work",) if name in ("chaos_worker", "platform") else ()
    return (*EVERYWHERE, *sending, *working)


def killed_everywhere(plans: list[Plan], rng: random.Random, furthest: int = 3) -> list[Plan]:
    """Each process dies at each of its boundaries, one life after the other, at a passage that is drawn.

    Not a late one: the faster the machine, the more events travel in one message, and the fewer passages there are.
    """

    def lives(name: str) -> tuple[tuple[Fault, ...], ...]:
        order = list(boundaries_of(name))
        rng.shuffle(order)
        return tuple((Fault(each, rng.randint(1, 2 if each == "in_work" else furthest)),) for each in order)

    return [replace(plan, lives=lives(plan.name)) for plan in plans]


def disturbed(plans: list[Plan]) -> list[Plan]:
    """Deliveries come repeated, late and in another order, and confirmations are lost."""
    # A pack whose events are public is many publications, of which none may fail: so not too often.
    lost = (Fault("after_publish", 5, "fail", every=211), Fault("before_publish", 3, "fail", every=307))
    return [replace(plan, disturbance=DISTURBED, lives=(lost,)) for plan in plans]


def frozen(plans: list[Plan], rng: random.Random, sleep_seconds: float) -> list[Plan]:
    """Each process but the gateway falls asleep somewhere, for longer than a lease, and goes on as a zombie."""

    def lives(name: str) -> tuple[tuple[Fault, ...], ...]:
        where = rng.choice(boundaries_of(name)) if name != "chaos_worker" else "in_work"
        return ((Fault(where, rng.randint(2, 6), "stop"),),)

    return [
        plan if plan.name == "gateway" else replace(plan, lives=lives(plan.name), sleep_seconds=sleep_seconds)
        for plan in plans
    ]


def two_of_each() -> list[Plan]:
    """Two processes of every service but the gateway, who compete."""
    seconds = [replace(plan, name=f"second_{plan.name}") for plan in distributed() if plan.name != "gateway"]
    return [*distributed(), *seconds]


def connections_cut(times: int, pause_seconds: float, seed: int) -> Outside:
    """Every other connection of the services to the database is cut, again and again."""

    async def cut(scene: Scene) -> None:
        for number in range(times):
            await asyncio.sleep(pause_seconds)
            sql = await asyncpg.connect(str(scene.platform.settings.database_url), user="postgres")
            scene.outside["connections cut"] += await cut_connections(sql, 2, seed + number)
            await sql.close()

    return cut


def database_crashes(postgres: CrashingPostgres, times: int, pause_seconds: float) -> Outside:
    """The database stops at once and comes back."""

    async def crash(scene: Scene) -> None:
        for _ in range(times):
            await asyncio.sleep(pause_seconds)
            await postgres.crash()
            await asyncio.sleep(0.3)
            await postgres.restart()
            scene.outside["database crashes"] += 1

    return crash


def broker_dies(node: PrivateNode, times: int, pause_seconds: float) -> Outside:
    """The broker is killed and started again."""

    async def die(scene: Scene) -> None:
        for _ in range(times):
            await asyncio.sleep(pause_seconds)
            await asyncio.to_thread(node.kill)
            await asyncio.to_thread(node.start)
            scene.outside["broker kills"] += 1

    return die

"""Faults on real Postgres and RabbitMQ: whatever happens, every promise holds when things have settled."""

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from services.chassis.settings import Settings
from tests.chaos import faults
from tests.chaos.driver import Load
from tests.chaos.exposures import declare_queues, distributed, embedded
from tests.chaos.nursery import Nursery
from tests.chaos.platform import Plan
from tests.chaos.postgres import CrashingPostgres
from tests.chaos.scenario import Outcome, Outside, run, settings_for
from tests.rabbitmq_node import MISSING, PrivateNode, installed_server, new_shared_folder

pytestmark = pytest.mark.timeout(300)

SEED = 20261121
LOAD = Load(flows=24, tenants=3, pause_seconds=0.05)


class Dose:
    """Runs a plan on one bus and insists that nothing is broken and everything planned has struck."""

    def __init__(self, nursery: Nursery, settings: Settings) -> None:
        self._nursery = nursery
        self.settings = settings
        self.plans = embedded() if settings.rabbitmq_url is None else distributed()

    async def run(
        self,
        plans: Sequence[Plan],
        load: Load = LOAD,
        *,
        outside: Outside | None = None,
        ordered: bool = True,
        all_strike: bool = True,
    ) -> Outcome:
        if self.settings.rabbitmq_url is not None:
            await declare_queues(self.settings)
        outcome = await run(self._nursery, self.settings, plans, load, seed=SEED, outside=outside, ordered=ordered)
        assert outcome.violations == [], outcome.summary()
        if all_strike:
            assert not outcome.not_struck
        return outcome


@pytest.fixture
def on_rabbitmq(nursery: Nursery, crash_database: str, tmp_path: Path, rabbitmq_url: str) -> Dose:
    return Dose(nursery, settings_for(crash_database, tmp_path, rabbitmq_url))


@pytest.fixture
def in_one_process(nursery: Nursery, crash_database: str, tmp_path: Path) -> Dose:
    return Dose(nursery, settings_for(crash_database, tmp_path, None))


@pytest.fixture(params=["embedded", "distributed"])
def dose(request: pytest.FixtureRequest, nursery: Nursery, crash_database: str, tmp_path: Path) -> Dose:
    """All services in one process, and a process a service on RabbitMQ."""
    url = request.getfixturevalue("rabbitmq_url") if request.param == "distributed" else None
    return Dose(nursery, settings_for(crash_database, tmp_path, url))


async def test_every_service_killed_at_every_boundary_loses_and_doubles_nothing(on_rabbitmq: Dose) -> None:
    outcome = await on_rabbitmq.run(faults.killed_everywhere(on_rabbitmq.plans, random.Random(SEED)))
    assert outcome.struck.total() == 6 + 6 + 7 + 4


async def test_the_embedded_platform_killed_at_every_boundary_loses_and_doubles_nothing(in_one_process: Dose) -> None:
    plans = faults.killed_everywhere(in_one_process.plans, random.Random(SEED), furthest=12)
    outcome = await in_one_process.run(plans)
    assert outcome.struck.total() == 7


async def test_repeated_reordered_and_unconfirmed_messages_change_nothing(dose: Dose) -> None:
    await dose.run(faults.disturbed(dose.plans), ordered=False, all_strike=False)


async def test_zombies_that_wake_beside_a_second_process_lose(on_rabbitmq: Dose) -> None:
    plans = faults.frozen(faults.two_of_each(), random.Random(SEED), sleep_seconds=3.5)
    outcome = await on_rabbitmq.run(plans, ordered=False, all_strike=False)
    assert outcome.struck.total() >= 3


async def test_connections_that_are_cut_lose_nothing(on_rabbitmq: Dose) -> None:
    outcome = await on_rabbitmq.run(on_rabbitmq.plans, outside=faults.connections_cut(6, 0.4, SEED), ordered=False)
    assert outcome.outside["connections cut"] >= 6


async def test_a_database_that_crashes_loses_nothing(dose: Dose, crashing_postgres: CrashingPostgres) -> None:
    crashes = faults.database_crashes(crashing_postgres, 2, 1.0)
    outcome = await dose.run(dose.plans, outside=crashes, ordered=False)
    assert outcome.outside["database crashes"] == 2


@pytest.fixture
def node() -> Iterator[PrivateNode]:
    """A broker that may be killed."""
    if installed_server() is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(MISSING, pytrace=False)
        pytest.skip(MISSING)
    folder = new_shared_folder()
    one = PrivateNode(folder / "node").start()
    yield one
    one.stop()
    folder.rmdir()


async def test_a_broker_that_is_killed_loses_nothing(
    nursery: Nursery, crash_database: str, tmp_path: Path, node: PrivateNode
) -> None:
    dose = Dose(nursery, settings_for(crash_database, tmp_path, node.url))
    outcome = await dose.run(dose.plans, outside=faults.broker_dies(node, 1, 2.0), ordered=False)
    assert outcome.outside["broker kills"] == 1

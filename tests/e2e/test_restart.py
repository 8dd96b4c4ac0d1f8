"""SIGKILL in mid-flow and a new start: the flow goes on and ends as if nothing had happened."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from contracts.agent_memory import AgentMemoryEmbeddingRequested
from contracts.audit_log import AuditCheckpointSigned, AuditKeyCreated
from contracts.flows import WorkProgressed
from contracts.operations import AuditVerificationCompleted, AuditVerificationRequested
from deploy.demo.generate import generate
from services.chassis.bus.in_process import InProcessBus
from services.chassis.settings import Settings
from services.chassis.testing import TestPostgres
from services.cli.preparation import prepare
from tests.conftest import SERVICES, declared_services
from tests.e2e.child import Child, a_child, moment
from tests.e2e.main_job import FinishedJob, a_platform_on, files_of, finish, finished
from tests.e2e.platform import a_platform

EMBEDDED_ROWS, DISTRIBUTED_ROWS = 20_000, 5_000
# How often they are heard says nothing: progress depends on time, and each run is verified on its own.
# What the clock or a question brings, and how far work is.
UNCOUNTED_EVENTS = (
    *(WorkProgressed, AuditVerificationRequested, AuditVerificationCompleted),
    *(AuditCheckpointSigned, AuditKeyCreated, AgentMemoryEmbeddingRequested),
)
UNCOUNTED = {event.type_name for event in UNCOUNTED_EVENTS}

pytestmark = pytest.mark.timeout(600)


async def undisturbed(postgres: TestPostgres, export: Path, folder: Path) -> FinishedJob:
    """The same files through a platform that nobody kills."""
    async with a_platform_on(None, postgres, folder) as platform:
        return await finish(platform, export)


async def look_behind(settings: Settings, flow_id: str, export: Path) -> FinishedJob:
    """The finished job, through services of this process on the database that the killed ones left."""
    bus = InProcessBus()
    async with a_platform(declared_services(), settings, lambda service: bus) as platform:
        followed = await platform.client.follow(flow_id)
        return await finished(platform, followed, export)


def assert_the_same(job: FinishedJob, reference: FinishedJob) -> None:
    """Nothing is missing, nothing is there twice, and all else is as it would have been."""
    found = job.outcome.identity()
    for what, expected in reference.outcome.identity().items():
        assert found[what] == expected, what
    assert job.outcome.dead_letters == []
    assert job.unfinished == {}
    assert job.audit["valid"], job.audit["detail"]
    assert _counted(job.audited_types) == _counted(reference.audited_types)
    assert Counter(entry["event_type"] for entry in job.journal) == Counter(
        entry["event_type"] for entry in reference.journal
    )
    for name, children in job.children.items():
        assert len(children) == len(reference.children[name]) == 1
    assert job.stored == reference.stored


def _counted(types: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in types.items() if name not in UNCOUNTED}


async def test_an_embedded_platform_that_is_killed_again_and_again_ends_with_the_same_result(
    settings: Settings, postgres: TestPostgres, tmp_path: Path
) -> None:
    export = tmp_path / "export"
    generate(export, rows=EMBEDDED_ROWS, seed=11, dialect="cmdb")
    (tmp_path / "reference").mkdir()
    reference = await undisturbed(postgres, export, tmp_path / "reference")
    database = str(settings.database_url)

    async with a_child(settings, "up") as platform, platform.client() as client:
        flow_id = await client.start_with(files_of(export))
        await moment(database, "field_mapping", "data_import.requested")
        await platform.kill()
    async with a_child(settings, "up") as platform, platform.client() as client:
        await client.approve_next(flow_id)
        await moment(database, "field_mapping", "inventory.requested")
        await platform.kill()
    async with a_child(settings, "up") as platform:
        await moment(database, "gateway", "inventory.completed")
        await platform.kill()
    async with a_child(settings, "up") as platform, platform.client() as client:
        await client.follow(flow_id)

    assert_the_same(await look_behind(settings, flow_id, export), reference)


@asynccontextmanager
async def all_services(settings: Settings) -> AsyncIterator[dict[str, Child]]:
    """Every service in a process of its own."""
    async with AsyncExitStack() as stack:
        children = await asyncio.gather(
            *(stack.enter_async_context(a_child(settings, "service", name)) for name in SERVICES)
        )
        yield dict(zip(SERVICES, children, strict=True))


async def test_services_that_are_killed_one_by_one_lose_nothing(
    settings: Settings, rabbitmq_url: str, bus_prefix: str, postgres: TestPostgres, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"rabbitmq_url": rabbitmq_url, "bus_prefix": bus_prefix})
    export = tmp_path / "export"
    generate(export, rows=DISTRIBUTED_ROWS, seed=12, dialect="cmdb")
    (tmp_path / "reference").mkdir()
    reference = await undisturbed(postgres, export, tmp_path / "reference")
    database = str(settings.database_url)
    await prepare(settings, declared_services())

    async with AsyncExitStack() as stack:
        children = await stack.enter_async_context(all_services(settings))

        async def struck(name: str, at_work: str, event_type: str) -> None:
            """Kill a service while this work is done, and start it again."""
            await moment(database, at_work, event_type)
            await children[name].kill()
            children[name] = await stack.enter_async_context(a_child(settings, "service", name))

        async with children["gateway"].client() as client:
            flow_id = await client.start_with(files_of(export))
            await struck("flow_orchestrator", "field_mapping", "data_import.requested")
            await client.approve_next(flow_id)
            await struck("field_mapping", "field_mapping", "inventory.requested")
        await struck("gateway", "gateway", "inventory.completed")
        async with children["gateway"].client() as client:
            await client.approve_next(flow_id)
            await struck("agent_runner", "agent_runner", "report.requested")
            await client.follow(flow_id)

    # Behind the scenes it is looked at without the broker: nothing is to be said any more.
    quiet = settings.model_copy(update={"rabbitmq_url": None, "bus_prefix": ""})
    assert_the_same(await look_behind(quiet, flow_id, export), reference)

"""What cannot be had any more: the id of a deleted flow, a version that is not there."""

from datetime import UTC, datetime

from contracts.envelope import uuid7
from contracts.lifecycle import FlowControlRefused
from services.chassis.testing import some_tenant
from services.flow_orchestrator.batch import Batch
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.tables import MASTER
from tests.flow_orchestrator.answers import a_discovery
from tests.flow_orchestrator.process import Process
from tests.flow_orchestrator.test_handlers import asks_for


async def test_the_id_of_a_deleted_flow_is_spent(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request, asks_for(request, "cancel"), asks_for(request, "delete"))
    others = a_discovery(some_tenant()).model_copy(update={"flow_id": request.flow_id})
    await process.hear(request.model_copy(update={"id": uuid7()}), others)
    assert await process.sql(request.tenant, f"select 1 from flow_orchestrator.{MASTER}") == []
    assert len(await process.sql(others.tenant, f"select 1 from flow_orchestrator.{MASTER}")) == 1


async def test_a_flow_that_is_deleted_and_asked_for_in_one_batch_stays_gone(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request, asks_for(request, "cancel"))
    async with process.runtime.database.transaction(request.tenant) as session:
        assert request.flow_id is not None
        batch = await Batch.of(session, [request.flow_id], datetime.now(UTC))
        for event in (asks_for(request, "delete"), request.model_copy(update={"id": uuid7()})):
            await batch.take(event)
        await batch.finish()
    assert await process.sql(request.tenant, f"select 1 from flow_orchestrator.{MASTER}") == []


async def test_a_flow_cannot_migrate_to_a_version_that_is_not_there_and_hears_which_are(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request, asks_for(request, "pause"))
    await process.hear(asks_for(request, "migrate").model_copy(update={"version": 99}))
    [refused] = await process.sent(FlowControlRefused)
    known = ", ".join(map(str, FLOW_TYPES.versions("discovery")))
    assert refused.problem.code == "unknown_version"
    assert refused.problem.detail == f"There is no version 99 of discovery; there is {known}."

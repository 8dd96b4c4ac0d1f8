"""What is kept of flows that ended long ago: how they ended, and nothing that is younger or still runs."""

from collections.abc import AsyncIterator

import pytest

from contracts.envelope import Event
from contracts.lifecycle import FlowControlRequested
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.flow_orchestrator import retention
from services.flow_orchestrator.retention import shrink_old_histories
from tests.flow_orchestrator.answers import a_discovery, answer
from tests.flow_orchestrator.process import Process, at_once
from tests.flow_orchestrator.test_repair import repair

DAYS = 30


@pytest.fixture
async def keeping(settings: Settings) -> AsyncIterator[Process]:
    """An orchestrator that keeps histories for thirty days."""
    one = Process(settings.model_copy(update={"history_retention_days": DAYS}))
    yield one
    await one.runtime.stop()


async def a_flow(process: Process, *, days_ago: int, ended: bool = True) -> Event:
    """A flow whose first phase was done, and what happened last happened so long ago."""
    request = a_discovery(some_tenant())
    await process.hear(request)
    await process.hear(answer(await process.request(request.flow_id)))
    if ended:
        await process.hear(cancel(request))
    await process.age(request.tenant, request.flow_id, days=days_ago)
    return request


def cancel(flow: Event, action: str = "cancel") -> FlowControlRequested:
    return FlowControlRequested(tenant=flow.tenant, flow_id=flow.flow_id, action=action, requested_by="Ada")


async def numbers(process: Process, flow: Event) -> list[int]:
    return [entry.seq for entry in await process.journal(flow.tenant, flow.flow_id)]


async def test_a_history_shrinks_to_how_the_flow_ended(keeping: Process) -> None:
    old = await a_flow(keeping, days_ago=DAYS + 1)
    assert any(entry.checkpoint for entry in await keeping.journal(old.tenant, old.flow_id))
    await shrink_old_histories(keeping.runtime)
    [last] = await keeping.journal(old.tenant, old.flow_id)
    assert (last.seq, last.status, last.actor, last.checkpoint) == (3, "cancelled", "Ada", None)


async def test_younger_histories_and_those_of_live_flows_stay(keeping: Process) -> None:
    young = await a_flow(keeping, days_ago=DAYS - 1)
    live = await a_flow(keeping, days_ago=10 * DAYS, ended=False)
    await shrink_old_histories(keeping.runtime)
    assert (await numbers(keeping, young), await numbers(keeping, live)) == ([1, 2, 3], [1, 2])


async def test_a_flow_whose_history_shrank_is_healthy_and_can_be_retried(keeping: Process) -> None:
    old = await a_flow(keeping, days_ago=DAYS + 1)
    await shrink_old_histories(keeping.runtime)
    assert (await repair(keeping, old.tenant)).repairs == []
    await keeping.hear(cancel(old, "retry"))
    assert (await keeping.state(old.tenant, old.flow_id)).status == "running"
    assert (await numbers(keeping, old))[:2] == [3, 4]
    assert (await repair(keeping, old.tenant)).repairs == []


async def test_many_old_flows_shrink_piece_by_piece_whoever_sweeps(
    keeping: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SWEEP_FLOWS", 2)
    first = await a_flow(keeping, days_ago=DAYS + 1)
    for _ in range(4):
        request = a_discovery(first.tenant)
        await keeping.hear(request, cancel(request))
        await keeping.age(request.tenant, request.flow_id, days=DAYS + 1)
    await at_once(shrink_old_histories, keeping, keeping)
    await shrink_old_histories(keeping.runtime)
    rows = await keeping.sql(
        first.tenant, "select count(*), count(distinct flow_id) from flow_orchestrator.flow_journal"
    )
    assert tuple(rows[0]) == (5, 5)

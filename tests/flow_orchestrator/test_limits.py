"""How much a tenant may run at once, and what happens when that changes."""

from typing import Any

from contracts.envelope import Tenant, uuid7
from contracts.flows import ApprovalRequested
from contracts.lifecycle import FlowControlRequested, FlowForkRequested, TenantLimitsSaved
from services.chassis.testing import some_tenant
from tests.flow_orchestrator.answers import a_discovery, answer, decision
from tests.flow_orchestrator.process import Process


def limits(tenant: Tenant, **data: Any) -> TenantLimitsSaved:
    return TenantLimitsSaved(tenant=tenant, saved_by="Ada", **{"weight": 1, **data})


async def statuses(process: Process, tenant: Tenant) -> list[str]:
    rows = await process.sql(
        tenant, "select status from flow_orchestrator.crewai_flow_state_extensions order by created_at"
    )
    return [row.status for row in rows]


async def test_flows_over_the_limit_queue_and_other_tenants_do_not_notice(process: Process) -> None:
    mine, theirs = some_tenant(), some_tenant()
    await process.hear(limits(mine, running_flows=2))
    await process.hear(*(a_discovery(tenant) for tenant in (mine, theirs) for _ in range(4)))
    assert await statuses(process, mine) == ["running", "running", "queued", "queued"]
    assert await statuses(process, theirs) == ["running"] * 4


async def test_more_room_is_used_at_once(process: Process) -> None:
    tenant = some_tenant()
    await process.hear(limits(tenant, running_flows=1), *(a_discovery(tenant) for _ in range(4)))
    await process.hear(limits(tenant, running_flows=3))
    assert await statuses(process, tenant) == ["running", "running", "running", "queued"]
    await process.hear(limits(tenant, running_flows=None))
    assert await statuses(process, tenant) == ["running"] * 4


async def test_a_flow_that_is_approved_resumed_or_forked_queues_where_there_is_no_room(process: Process) -> None:
    tenant = some_tenant()
    first, second = a_discovery(tenant), a_discovery(tenant)
    await process.hear(limits(tenant, running_flows=1), first)
    for _ in range(2):
        await process.hear(answer(await process.request(first.flow_id), review=True))
    # It waits for a person, so the other one runs.
    await process.hear(second)
    [task] = await process.sent(ApprovalRequested, flow_id=first.flow_id)
    await process.hear(decision(task))
    assert await statuses(process, tenant) == ["queued", "running"]
    pause, resume = (
        FlowControlRequested(tenant=tenant, flow_id=second.flow_id, action=action, requested_by="Ada")
        for action in ("pause", "resume")
    )
    await process.hear(pause)
    assert await statuses(process, tenant) == ["running", "paused"]
    await process.hear(resume)
    assert await statuses(process, tenant) == ["running", "queued"]
    fork = FlowForkRequested(tenant=tenant, flow_id=uuid7(), origin_flow_id=first.flow_id, seq=2, requested_by="Ada")
    await process.hear(fork)
    assert await statuses(process, tenant) == ["running", "queued", "queued"]
    await process.hear(limits(tenant, running_flows=3))
    assert await statuses(process, tenant) == ["running", "running", "running"]


async def test_less_room_stops_nothing_that_runs(process: Process) -> None:
    tenant = some_tenant()
    flows = [a_discovery(tenant) for _ in range(3)]
    await process.hear(*flows, limits(tenant, running_flows=1), a_discovery(tenant))
    assert await statuses(process, tenant) == ["running", "running", "running", "queued"]
    for flow in flows:
        assert (await statuses(process, tenant))[-1] == "queued"
        cancel = FlowControlRequested(tenant=tenant, flow_id=flow.flow_id, action="cancel", requested_by="Ada")
        await process.hear(cancel)
    assert await statuses(process, tenant) == ["cancelled", "cancelled", "cancelled", "running"]


async def test_the_limits_said_last_count_in_any_order(process: Process) -> None:
    tenant = some_tenant()
    first, last = limits(tenant, running_flows=1), limits(tenant, running_flows=2, weight=5)
    await process.hear(last, first)
    [row] = await process.sql(tenant, "select weight, running_flows from flow_orchestrator.tenant_limits")
    assert (row.weight, row.running_flows) == (5, 2)


async def test_the_weight_goes_with_the_requests_of_new_flows(process: Process) -> None:
    flow = a_discovery(some_tenant())
    await process.hear(limits(flow.tenant, weight=7), flow)
    assert (await process.request(flow.flow_id)).work_weight == 7

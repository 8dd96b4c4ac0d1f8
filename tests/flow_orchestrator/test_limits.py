"""How much a tenant may run at once, and what happens when that changes."""

from typing import Any

from contracts.envelope import Tenant
from contracts.lifecycle import FlowControlRequested, TenantLimitsSaved
from services.chassis.testing import some_tenant
from tests.flow_orchestrator.answers import a_discovery
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

"""Rows that somebody broke are found, mended and told of; healthy ones are left alone, also while they run."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from contracts.envelope import Event, Tenant
from contracts.flows import FlowUpdated
from contracts.lifecycle import (
    ChildFlowEnded,
    FlowControlRequested,
    FlowRepairCompleted,
    FlowRepairRequested,
    StartOptions,
    TenantLimitsSaved,
)
from contracts.modernization import ModernizationRequested
from contracts.planning import PlanningRequested
from services.chassis.testing import some_tenant
from services.flow_orchestrator import repair_runs
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.repair import GRACE
from services.flow_orchestrator.repair_runs import go_on_with_repairs, look_at_live_flows
from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.tables import MASTER
from services.flow_orchestrator.timers import decide_overdue_flows
from tests.flow_orchestrator.answers import a_discovery, a_modernization, a_planning, answer
from tests.flow_orchestrator.process import Process, at_once
from tests.flow_orchestrator.shapes import PARENT

TABLE = f"flow_orchestrator.{MASTER}"


async def repair(process: Process, tenant: Tenant, flow_id: UUID | None = None) -> FlowRepairCompleted:
    """What a repair says that it found and did."""
    asked = FlowRepairRequested(tenant=tenant, flow_id=flow_id, repair_id=uuid4(), requested_by="Ada")
    await process.hear(asked)
    for _ in range(20):
        await go_on_with_repairs(process.runtime)
        for report in await process.sent(FlowRepairCompleted):
            if isinstance(report, FlowRepairCompleted) and report.repair_id == asked.repair_id:
                return report
    raise AssertionError("the repair did not end")


async def codes(process: Process, tenant: Tenant, flow_id: UUID | None) -> list[str]:
    """What a repair found; a second one finds nothing, and the flow's tables agree."""
    found = await repair(process, tenant)
    assert {each.flow_id for each in found.repairs} <= {flow_id}
    again = await repair(process, tenant)
    assert (again.flows_checked, again.repairs) == (found.flows_checked, [])
    state = await process.state(tenant, flow_id)
    journal = await process.journal(tenant, flow_id)
    assert [entry.seq for entry in journal] == list(range(1, state.revision + 1))
    assert (journal[-1].status, journal[-1].phase) == (state.status, state.current_phase)
    if found.repairs:
        assert (journal[-1].actor, journal[-1].note.split(":")[0]) in [("Ada", "repaired"), (None, "inner")]
        told = (await process.sent(FlowUpdated, flow_id=flow_id))[-1]
        assert (told.revision, told.status) == (state.revision, state.status)
    return [each.code for each in found.repairs]


@pytest.fixture
async def flow(process: Process) -> Event:
    """A discovery that waits for its second phase's work."""
    request = a_discovery(some_tenant())
    await process.hear(request)
    await process.hear(answer(await process.request(request.flow_id)))
    return request


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        (f"update {TABLE} set status = 'completed', current_phase = null", "master_row_differs"),
        (f"update {TABLE} set priority = 9, created_at = now(), concurrency_key = 'x'", "master_row_differs"),
        (f"update {TABLE} set flow_type = 'planning', revision = 1", "master_row_differs"),
        (f"update {TABLE} set waits_until = null", "master_row_differs"),
        (f"update {TABLE} set wake_at = null", "timer_missing"),
        (f"update {TABLE} set wake_at = wake_at + interval '1 day'", "timer_missing"),
        ("delete from flow_orchestrator.discovery_flows", "child_row_missing"),
        ("update flow_orchestrator.discovery_flows set status = 'failed'", "child_row_differs"),
        ("update flow_orchestrator.discovery_flows set import_ids = '[]'", "child_row_differs"),
        ("delete from flow_orchestrator.flow_journal where seq = 1", "journal_incomplete"),
        ("delete from flow_orchestrator.flow_journal where seq = 2", "journal_incomplete"),
        ("delete from flow_orchestrator.flow_journal", "journal_incomplete"),
        ("update flow_orchestrator.flow_journal set status = 'failed' where seq = 2", "journal_differs"),
        ("update flow_orchestrator.flow_journal set seq = 5 where seq = 2", "state_behind_journal"),
    ],
)
async def test_broken_rows_are_mended_and_told_of(process: Process, flow: Event, statement: str, code: str) -> None:
    await process.sql(flow.tenant, statement)
    assert code in await codes(process, flow.tenant, flow.flow_id)
    await process.hear(answer(await process.request(flow.flow_id)))
    assert (await process.state(flow.tenant, flow.flow_id)).current_phase == "inventory"


async def test_a_mended_timer_rings(process: Process, flow: Event) -> None:
    state = await process.state(flow.tenant, flow.flow_id)
    state.phases["field_mapping"].due = state.wake_at = state.waits_until = datetime.now(UTC)
    await process.store_state(flow.tenant, state)
    await process.sql(flow.tenant, f"update {TABLE} set wake_at = null, waits_until = null")
    await decide_overdue_flows(process.runtime)
    assert (await process.state(flow.tenant, flow.flow_id)).phases["field_mapping"].status == "running"
    found = await repair(process, flow.tenant, flow.flow_id)
    assert "timer_missing" in [each.code for each in found.repairs]
    await decide_overdue_flows(process.runtime)
    assert (await process.state(flow.tenant, flow.flow_id)).phases["field_mapping"].status == "backing_off"


async def test_lost_work_is_asked_for_again_by_its_time_out_alone(process: Process, flow: Event) -> None:
    before = await process.sent(flow_id=flow.flow_id)
    assert (await repair(process, flow.tenant)).repairs == []
    assert await process.sent(flow_id=flow.flow_id) == before


async def test_a_flow_without_anything_to_do_goes_on(process: Process, flow: Event) -> None:
    state = await process.state(flow.tenant, flow.flow_id)
    forget(state)
    await process.store_state(flow.tenant, state)
    assert "nothing_active" in await codes(process, flow.tenant, flow.flow_id)
    assert (await process.request(flow.flow_id)).step == "field_mapping:2"


def forget(state: FlowState) -> None:
    """The flow does not know any more what it waits for."""
    view = state.phases[state.active()[0]]
    view.status, view.due = "pending", None


async def test_a_state_that_cannot_be_read_goes_on_from_its_checkpoint(process: Process, flow: Event) -> None:
    await process.hear(answer(await process.request(flow.flow_id)))
    await process.sql(flow.tenant, f'update {TABLE} set state = \'{{"status": "running"}}\'')
    assert await codes(process, flow.tenant, flow.flow_id) == ["state_unreadable"]
    state = await process.state(flow.tenant, flow.flow_id)
    assert (state.status, state.current_phase, state.revision) == ("running", "inventory", 4)


async def test_a_state_without_a_checkpoint_is_told_of_and_left_alone(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request)
    await process.sql(request.tenant, f"update {TABLE} set state = '{{}}'")
    for _ in range(2):
        [found] = (await repair(process, request.tenant)).repairs
        assert (found.code, found.done.split(":")[0]) == ("state_unreadable", "nothing")


async def test_a_definition_that_this_version_lacks_is_left_to_one_that_has_it(process: Process, flow: Event) -> None:
    state = await process.state(flow.tenant, flow.flow_id)
    await process.store_state(flow.tenant, replace(state, version=99))
    [found] = (await repair(process, flow.tenant)).repairs
    assert found.code == "definition_unknown"
    assert (await process.state(flow.tenant, flow.flow_id)).version == 99


@pytest.fixture
def _parents_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of modernization whose second phase is a planning flow."""
    for name in ("_versions", "_newest", "_starts"):
        monkeypatch.setattr(FLOW_TYPES, name, dict(getattr(FLOW_TYPES, name)))
    FLOW_TYPES.add(
        replace(
            PARENT,
            name="modernization",
            version=99,
            child_row=lambda state: {"repository_url": state.result(ModernizationRequested).repository_url},
        )
    )


async def a_parent(process: Process) -> tuple[Event, PlanningRequested]:
    """A flow that waits for a child flow, and the request for that."""
    request = a_modernization(some_tenant())
    await process.hear(request)
    await process.hear(answer(await process.request(request.flow_id)))
    [child] = await process.sent(PlanningRequested)
    assert child.step == "inner:1"
    return request, child


@pytest.mark.usefixtures("_parents_exist")
async def test_a_child_flow_that_never_began_is_asked_for_again(process: Process) -> None:
    request, child = await a_parent(process)
    assert (await repair(process, request.tenant)).repairs == []
    state = await process.state(request.tenant, request.flow_id)
    view = state.phases["inner"]
    assert view.due is not None
    view.due -= GRACE
    state.wake_at = state.waits_until = view.due
    await process.store_state(request.tenant, state)
    await process.sql(request.tenant, f"update {TABLE} set wake_at = :due, waits_until = :due", due=view.due)
    assert await codes(process, request.tenant, request.flow_id) == ["child_flow_missing"]
    first, again = await process.sent(PlanningRequested)
    assert (first.flow_id, first.step) == (again.flow_id, again.step) == (child.flow_id, child.step)
    await process.hear(again, first)
    assert (await process.state(request.tenant, child.flow_id)).revision == 1


@pytest.mark.usefixtures("_parents_exist")
async def test_a_parent_hears_of_its_childs_end_in_the_end(process: Process) -> None:
    request, child = await a_parent(process)
    cancel = FlowControlRequested(tenant=child.tenant, flow_id=child.flow_id, action="cancel", requested_by="Bob")
    await process.hear(child, cancel)
    [lost] = await process.sent(ChildFlowEnded)
    # It may still be on its way.
    assert (await repair(process, request.tenant)).repairs == []
    await process.age(request.tenant, child.flow_id, minutes=6)
    assert await codes(process, request.tenant, request.flow_id) == ["child_flow_ended_unheard"]
    state = await process.state(request.tenant, request.flow_id)
    assert (state.status, state.problem and state.problem["code"]) == ("failed", "cancelled")
    await process.hear(lost)
    assert (await process.state(request.tenant, request.flow_id)).revision == state.revision


async def test_a_queued_flow_with_room_begins(process: Process) -> None:
    tenant = some_tenant()
    first, second = a_discovery(tenant), a_discovery(tenant)
    await process.hear(TenantLimitsSaved(tenant=tenant, weight=1, running_flows=1, saved_by="Ada"), first, second)
    assert (await repair(process, tenant)).repairs == []
    assert (await process.state(tenant, second.flow_id)).status == "queued"
    await process.sql(tenant, "update flow_orchestrator.tenant_limits set running_flows = 2")
    [begun] = (await repair(process, tenant)).repairs
    assert (begun.flow_id, begun.code) == (second.flow_id, "queued_with_room")
    assert (await process.state(tenant, second.flow_id)).status == "running"
    assert (await repair(process, tenant)).repairs == []


async def test_healthy_flows_are_left_alone_while_they_run(process: Process, another_process: Process) -> None:
    tenant = some_tenant()
    flows = [a_discovery(tenant) for _ in range(6)]
    await process.hear(*flows, a_planning(tenant))
    done = asyncio.Event()

    async def keep_repairing() -> list[FlowRepairCompleted]:
        reports = []
        while not done.is_set():
            reports.append(await repair(another_process, tenant))
        return reports

    repairing = asyncio.create_task(keep_repairing())
    for _ in range(4):
        await asyncio.gather(*(answer_one(process, flow.flow_id) for flow in flows))
    done.set()
    reports = await repairing
    assert len(reports) > 1
    assert [each for report in reports for each in report.repairs] == []
    for flow in flows:
        assert (await process.state(tenant, flow.flow_id)).status == "completed"
        assert len(await process.journal(tenant, flow.flow_id)) == 5


async def answer_one(process: Process, flow_id: UUID | None) -> None:
    await process.hear(answer(await process.request(flow_id)))


async def test_a_repair_goes_on_piece_by_piece(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair_runs, "PIECE_FLOWS", 2)
    tenant, other = some_tenant(), some_tenant()
    await process.hear(*(a_discovery(tenant) for _ in range(5)), a_discovery(other))
    await process.sql(tenant, f"update {TABLE} set wake_at = null")
    report = await repair(process, tenant)
    assert (report.flows_checked, len(report.repairs)) == (5, 5)


async def test_the_clock_looks_at_live_flows_and_is_silent_where_nothing_is_wrong(
    process: Process, another_process: Process, flow: Event
) -> None:
    healthy = a_discovery(some_tenant())
    await process.hear(healthy)
    await process.sql(flow.tenant, f"update {TABLE} set wake_at = null")
    await at_once(look_at_live_flows, process, another_process)
    for _ in range(3):
        await at_once(go_on_with_repairs, process, another_process)
    [report] = await process.sent(FlowRepairCompleted)
    assert (report.tenant, report.flows_checked, len(report.repairs)) == (flow.tenant, 1, 1)
    assert len(await process.journal(flow.tenant, flow.flow_id)) == 3
    for tenant in (flow.tenant, healthy.tenant):
        assert await process.sql(tenant, "select * from flow_orchestrator.repair_runs") == []


async def test_a_flow_that_was_refused_at_its_start_is_healthy(process: Process) -> None:
    request = a_discovery(some_tenant(), options=StartOptions(version=99))
    await process.hear(request)
    assert (await process.state(request.tenant, request.flow_id)).status == "failed"
    report = await repair(process, request.tenant)
    assert (report.flows_checked, report.repairs) == (1, [])

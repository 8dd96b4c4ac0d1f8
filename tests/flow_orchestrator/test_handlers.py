"""The orchestrator on a real Postgres: master row, child row and journal always agree."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from contracts.envelope import Event, Tenant
from contracts.flows import ApprovalRequested, FlowUpdated
from contracts.lifecycle import FlowControlRefused, FlowControlRequested, FlowDeleted, FlowForkRequested, StartOptions
from services.chassis.migrations import admin_url
from services.chassis.settings import Settings
from services.chassis.testing import eventually, some_tenant
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import STATE_CAP_BYTES, FlowState
from services.flow_orchestrator.tables import CHILD_TABLES, MASTER
from services.flow_orchestrator.timers import decide_overdue_flows
from tests.flow_orchestrator.answers import a_discovery, a_planning, an_assessment, answer, decision, failure
from tests.flow_orchestrator.process import Process, at_once


async def open_request(process: Process, flow_id: UUID | None) -> Event:
    """The newest thing that somebody has to answer or decide."""
    asks = {phase.asks for flow_type in FLOW_TYPES.all() for phase in flow_type.phases}
    sent: list[Event] = await process.sent(flow_id=flow_id)
    return [event for event in sent if type(event) in asks or isinstance(event, ApprovalRequested)][-1]


async def answer_all(process: Process, request: Event, review: bool = False) -> None:
    """Play worker and person until the flow ends, and check the tables after each step."""
    await process.hear(request)
    for _ in range(20):
        state = await agreed_state(process, request.tenant, request.flow_id)
        if state.ended:
            return
        asked = await open_request(process, request.flow_id)
        await process.hear(decision(asked) if isinstance(asked, ApprovalRequested) else answer(asked, review))
    raise AssertionError("the flow did not end")


async def agreed_state(process: Process, tenant: Tenant, flow_id: UUID | None) -> FlowState:
    """The flow's state, once master row, child row, journal and what was sent agree on it."""
    [master] = await process.sql(tenant, f"select * from flow_orchestrator.{MASTER} where flow_id = :id", id=flow_id)
    table = CHILD_TABLES[master.flow_type]
    [child] = await process.sql(tenant, f"select * from flow_orchestrator.{table} where flow_id = :id", id=flow_id)
    journal = await process.journal(tenant, flow_id)
    state = await process.state(tenant, flow_id)
    last = journal[-1]
    assert [entry.seq for entry in journal] == list(range(1, master.revision + 1))
    now = (master.status, master.current_phase)
    assert (child.status, child.current_phase) == (last.status, last.phase) == now
    assert (state.status, state.current_phase) == now
    assert (state.revision, state.waits_until) == (master.revision, master.waits_until)
    # A timer may ring early; then the sweep looks, and moves it.
    assert (state.wake_at is None) == (master.wake_at is None)
    assert state.wake_at is None or master.wake_at <= state.wake_at
    told: list[FlowUpdated] = await process.sent(FlowUpdated, flow_id=flow_id)
    assert [event.revision for event in told] == list(range(1, master.revision + 1))
    assert told[-1].status == master.status
    return state


async def as_administrator(settings: Settings, statement: str) -> None:
    """Change something that no service may change."""
    engine = create_async_engine(admin_url(settings))
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def asks_for(request: Event, action: str, **data: object) -> FlowControlRequested:
    return FlowControlRequested.model_validate(
        {"tenant": request.tenant, "flow_id": request.flow_id, "action": action, "requested_by": "Ada", **data}
    )


@pytest.mark.parametrize("start", [a_discovery, an_assessment, a_planning])
async def test_the_tables_agree_after_every_step(process: Process, start: Callable[[Tenant], Event]) -> None:
    request = start(some_tenant())
    await answer_all(process, request, review=True)
    assert (await agreed_state(process, request.tenant, request.flow_id)).status == "completed"


async def test_the_child_row_tells_what_a_discovery_found(process: Process) -> None:
    request = a_discovery(some_tenant())
    await answer_all(process, request)
    [row] = await process.sql(request.tenant, "select * from flow_orchestrator.discovery_flows")
    assert (row.asset_count, row.application_count, row.dependency_count, row.completeness) == (10, 5, 6, 0.9)


async def test_requests_and_replies_that_come_twice_change_nothing(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear_packed(request, request)
    await process.hear(request.model_copy(update={"id": UUID(int=9)}))
    assert (await agreed_state(process, request.tenant, request.flow_id)).revision == 1

    reply = answer(await open_request(process, request.flow_id))
    await process.hear_packed(reply, reply)
    await process.hear(reply.model_copy(update={"id": UUID(int=10)}))
    assert (await agreed_state(process, request.tenant, request.flow_id)).revision == 2


async def test_two_orchestrators_start_a_flow_once(process: Process, another_process: Process) -> None:
    for _ in range(5):
        request = a_discovery(some_tenant())
        again = request.model_copy(update={"id": UUID(int=request.id.int + 1)})
        await asyncio.gather(process.hear(request), another_process.hear(again))
        assert (await agreed_state(process, request.tenant, request.flow_id)).revision == 1


async def test_two_orchestrators_decide_each_step_once(process: Process, another_process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request)
    for revision in range(2, 6):
        asked = await open_request(process, request.flow_id)
        await asyncio.gather(process.hear(answer(asked)), another_process.hear(answer(asked)))
        assert (await agreed_state(process, request.tenant, request.flow_id)).revision == revision


async def test_of_two_decisions_at_once_one_wins(process: Process, another_process: Process) -> None:
    request = a_planning(some_tenant())
    await process.hear(request)
    await process.hear(answer(await open_request(process, request.flow_id)))
    task = await open_request(process, request.flow_id)
    assert isinstance(task, ApprovalRequested)

    await asyncio.gather(process.hear(decision(task)), another_process.hear(decision(task, "reject")))

    state = await agreed_state(process, request.tenant, request.flow_id)
    assert state.revision == 3
    assert (state.status, state.current_phase) in [("running", "report"), ("cancelled", "wave_planning")]


async def test_a_failure_is_in_all_tables(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request)
    asked = await open_request(process, request.flow_id)
    await process.hear(failure(FLOW_TYPES.get("discovery").phases[0].fails_with, asked))
    assert (await agreed_state(process, request.tenant, request.flow_id)).status == "failed"


async def test_a_step_that_cannot_be_journalled_leaves_no_trace(process: Process, settings: Settings) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request)
    reply = answer(await open_request(process, request.flow_id))
    table = "flow_orchestrator.flow_journal"
    await as_administrator(settings, f"alter table {table} add constraint broken check (seq < 2)")
    await process.hear(reply)
    assert (await agreed_state(process, request.tenant, request.flow_id)).revision == 1

    await as_administrator(settings, f"alter table {table} drop constraint broken")
    await process.hear(reply)
    assert (await agreed_state(process, request.tenant, request.flow_id)).revision == 2


async def test_flows_of_tenants_in_one_message_stay_apart(process: Process) -> None:
    mine, theirs = a_discovery(some_tenant()), a_discovery(some_tenant())
    same_id = theirs.model_copy(update={"flow_id": mine.flow_id})
    await process.hear_packed(mine, same_id)
    for request in (mine, same_id):
        [master] = await process.sql(request.tenant, f"select * from flow_orchestrator.{MASTER}")
        assert (master.client_account_id, master.flow_id) == (request.tenant.client_account_id, mine.flow_id)


async def test_a_reply_to_a_flow_of_another_tenant_is_ignored(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request)
    forged = answer(await open_request(process, request.flow_id)).model_copy(update={"tenant": some_tenant()})
    await process.hear(forged)
    assert (await agreed_state(process, request.tenant, request.flow_id)).revision == 1


async def make_overdue(process: Process, request: Event) -> None:
    """Let a flow have waited too long, in its state and in the column that the sweep reads."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    state = await process.state(request.tenant, request.flow_id)
    for phase in state.phases.values():
        phase.due = None if phase.due is None else past
    state.waits_until = state.wake_at = past
    await process.store_state(request.tenant, state)
    columns = f"update flow_orchestrator.{MASTER} set waits_until = :past, wake_at = :past where flow_id = :id"
    await process.sql(request.tenant, columns, past=past, id=request.flow_id)


async def test_the_sweep_decides_once_whoever_runs_it(process: Process, another_process: Process) -> None:
    due, not_due = a_discovery(some_tenant()), a_discovery(some_tenant())
    await process.hear(due, not_due)
    await make_overdue(process, due)

    await at_once(decide_overdue_flows, process, another_process)
    state = await agreed_state(process, due.tenant, due.flow_id)
    assert (state.revision, state.phases["data_import"].status) == (2, "backing_off")

    await make_overdue(process, due)
    await at_once(decide_overdue_flows, process, another_process)
    state = await agreed_state(process, due.tenant, due.flow_id)
    assert (state.revision, state.step("data_import")) == (3, "data_import:2")
    assert (await open_request(process, due.flow_id)).step == "data_import:2"
    assert (await agreed_state(process, not_due.tenant, not_due.flow_id)).revision == 1


async def test_a_timer_that_rings_too_early_is_moved(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request)
    early = f"update flow_orchestrator.{MASTER} set wake_at = now() - interval '1 second'"
    await process.sql(request.tenant, early)
    await decide_overdue_flows(process.runtime)
    state = await agreed_state(process, request.tenant, request.flow_id)
    [row] = await process.sql(request.tenant, f"select wake_at from flow_orchestrator.{MASTER}")
    assert (state.revision, row.wake_at) == (1, state.wake_at)


async def test_the_sweep_runs_by_itself(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request)
    await make_overdue(process, request)
    await process.runtime.start()

    async def looked_at() -> bool:
        [row] = await process.sql(request.tenant, f"select revision from flow_orchestrator.{MASTER}")
        return bool(row.revision >= 2)

    await eventually(looked_at)


# -- what people ask of flows


async def test_a_flow_is_paused_resumed_cancelled_and_retried_in_all_tables(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request)
    for action, status in [
        ("pause", "paused"),
        ("resume", "running"),
        ("cancel", "cancelled"),
        ("retry", "running"),
    ]:
        await process.hear(asks_for(request, action))
        assert (await agreed_state(process, request.tenant, request.flow_id)).status == status
    journal = await process.journal(request.tenant, request.flow_id)
    assert [entry.actor for entry in journal] == [None, "Ada", "Ada", "Ada", "Ada", None]
    assert (await open_request(process, request.flow_id)).step == "data_import:2"


async def test_what_is_not_possible_is_refused_and_changes_nothing(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request, asks_for(request, "resume"))
    [refused] = await process.sent(FlowControlRefused)
    assert (refused.problem.code, refused.action) == ("illegal_transition", "resume")
    assert (await agreed_state(process, request.tenant, request.flow_id)).revision == 1


async def test_a_deleted_flow_leaves_no_row(process: Process) -> None:
    request = a_discovery(some_tenant())
    await process.hear(request, asks_for(request, "cancel"), asks_for(request, "delete"))
    for table in (MASTER, "discovery_flows", "flow_journal"):
        assert await process.sql(request.tenant, f"select 1 from flow_orchestrator.{table}") == []
    [gone] = await process.sent(FlowDeleted)
    assert gone.flow_id == request.flow_id


async def test_a_flow_is_forked_from_a_checkpoint_that_is_there(process: Process) -> None:
    request = a_discovery(some_tenant())
    await answer_all(process, request)
    asked = FlowForkRequested(
        tenant=request.tenant,
        flow_id=UUID(int=77),
        origin_flow_id=request.flow_id or UUID(int=0),
        seq=3,
        requested_by="Ada",
    )
    await process.hear(asked, asked.model_copy(update={"flow_id": UUID(int=78), "seq": 1, "id": UUID(int=79)}))
    state = await agreed_state(process, request.tenant, UUID(int=77))
    assert (state.forked_from, state.active()) == (request.flow_id, ["inventory"])
    flows = await process.sql(request.tenant, f"select flow_id from flow_orchestrator.{MASTER}")
    assert {row.flow_id for row in flows} == {request.flow_id, UUID(int=77)}


async def test_flows_of_one_concurrency_key_run_one_after_another(process: Process, another_process: Process) -> None:
    tenant = some_tenant()
    requests = [a_discovery(tenant, options=StartOptions(concurrency_key="shop", priority=n)) for n in range(3)]
    await asyncio.gather(process.hear(requests[0]), another_process.hear(requests[1]))
    await process.hear(requests[2])
    for _ in requests:
        states = [await agreed_state(process, tenant, each.flow_id) for each in requests]
        [running] = [state for state in states if state.status == "running"]
        queued = [state for state in states if state.status == "queued"]
        await process.hear(asks_for(next(each for each in requests if each.flow_id == running.flow_id), "cancel"))
        if queued:
            first = max(queued, key=lambda state: state.priority)
            assert (await agreed_state(process, tenant, first.flow_id)).status == "running"


async def test_a_request_that_is_too_large_is_refused_by_name(process: Process) -> None:
    request = a_discovery(some_tenant())
    [file] = request.files
    large = file.model_copy(update={"file_name": "x" * STATE_CAP_BYTES})
    request = request.model_copy(update={"files": [large]})
    await process.hear(request)
    state = await agreed_state(process, request.tenant, request.flow_id)
    assert state.problem is not None
    assert (state.status, state.problem["code"]) == ("failed", "state_too_large")


async def test_a_version_that_is_not_there_is_refused_by_name(process: Process) -> None:
    request = a_discovery(some_tenant(), options=StartOptions(version=7))
    await process.hear(request)
    state = await agreed_state(process, request.tenant, request.flow_id)
    assert state.problem is not None
    assert (state.status, state.problem["code"]) == ("failed", "unknown_version")
    assert "discovery 7" in state.problem["detail"]

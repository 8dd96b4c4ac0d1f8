"""The orchestrator on a real Postgres: master row, child row and journal always agree."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from contracts.envelope import Event, Tenant
from contracts.flows import ApprovalRequested, FlowUpdated
from services.chassis.bus.in_process import InProcessBus
from services.chassis.bus.transport import Delivery
from services.chassis.migrations import admin_url
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import eventually, some_tenant
from services.flow_orchestrator.app import service
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.tables import CHILD_TABLES, DiscoveryFlow, JournalEntry, MasterFlow
from services.flow_orchestrator.timers import decide_overdue_flows
from tests.flow_orchestrator.answers import a_discovery, a_planning, an_assessment, answer, decision, failure


class Orchestrator:
    """One orchestrator process without a bus: events are handed in, and read from its outbox."""

    def __init__(self, settings: Settings) -> None:
        self.runtime = Runtime(service, settings, InProcessBus())
        self._queues = {each.routing_key: each.deliver for each in self.runtime.subscriptions()}

    async def hear(self, *events: Event) -> None:
        """Take events of one type as one message."""
        body = orjson.dumps([event.to_cloudevent() for event in events])
        await self._queues[events[0].type_name](Delivery(body))

    async def sent(self) -> list[Event]:
        """All that it has sent so far, in order."""
        outbox = service.metadata.outbox
        async with self.runtime.database.dispatch() as connection:
            rows = await connection.execute(select(outbox.c.event, outbox.c.queue).order_by(outbox.c.seq))
            return [Event.from_cloudevent(row.event) for row in rows if row.queue is None]

    async def open_request(self, flow_id: UUID | None) -> Event:
        """The newest thing that somebody has to answer or decide."""
        asks = {phase.asks for flow_type in FLOW_TYPES.values() for phase in flow_type.phases}
        sent = [event for event in await self.sent() if event.flow_id == flow_id]
        return [event for event in sent if type(event) in asks or isinstance(event, ApprovalRequested)][-1]

    async def answer_all(self, request: Event, review: bool = False) -> None:
        """Play worker and person until the flow ends, and check the tables after each step."""
        await self.hear(request)
        for _ in range(20):
            state = await self.agreed_state(request.tenant, request.flow_id)
            if state.ended:
                return
            asked = await self.open_request(request.flow_id)
            await self.hear(decision(asked) if isinstance(asked, ApprovalRequested) else answer(asked, review))
        raise AssertionError("the flow did not end")

    async def agreed_state(self, tenant: Tenant, flow_id: UUID | None) -> FlowState:
        """The flow's state, once master row, child row, journal and what was sent agree on it."""
        async with self.runtime.database.transaction(tenant) as session:
            master = (await session.execute(select(MasterFlow).where(MasterFlow.flow_id == flow_id))).scalar_one()
            child_table = service.metadata.tables[f"flow_orchestrator.{CHILD_TABLES[master.flow_type].__tablename__}"]
            child = (await session.execute(select(child_table).where(child_table.c.flow_id == flow_id))).one()
            entries = select(JournalEntry).where(JournalEntry.flow_id == flow_id).order_by(JournalEntry.seq)
            journal = (await session.execute(entries)).scalars().all()
            state = FlowState.model_validate(master.state)
        last = journal[-1]
        assert [entry.seq for entry in journal] == list(range(1, master.revision + 1))
        now = (master.status, master.current_phase)
        assert (child.status, child.current_phase) == (last.status, last.phase) == now
        assert (state.status, state.current_phase) == now
        assert (state.revision, state.waits_until) == (master.revision, master.waits_until)
        told = [event for event in await self.sent() if isinstance(event, FlowUpdated) and event.flow_id == flow_id]
        assert [event.revision for event in told] == list(range(1, master.revision + 1))
        assert told[-1].status == master.status
        return state


@pytest.fixture
async def orchestrator(settings: Settings) -> AsyncIterator[Orchestrator]:
    one = Orchestrator(settings)
    yield one
    await one.runtime.stop()


@pytest.fixture
async def another(settings: Settings) -> AsyncIterator[Orchestrator]:
    one = Orchestrator(settings)
    yield one
    await one.runtime.stop()


async def as_administrator(settings: Settings, statement: str) -> None:
    """Change something that no service may change."""
    engine = create_async_engine(admin_url(settings))
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@pytest.mark.parametrize("start", [a_discovery, an_assessment, a_planning])
async def test_the_tables_agree_after_every_step(orchestrator: Orchestrator, start: Callable[[Tenant], Event]) -> None:
    request = start(some_tenant())
    await orchestrator.answer_all(request, review=True)
    assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).status == "completed"


async def test_the_child_row_tells_what_a_discovery_found(orchestrator: Orchestrator) -> None:
    request = a_discovery(some_tenant())
    await orchestrator.answer_all(request)
    async with orchestrator.runtime.database.transaction(request.tenant) as session:
        row = (await session.execute(select(DiscoveryFlow))).scalar_one()
    assert (row.asset_count, row.application_count, row.dependency_count, row.completeness) == (10, 5, 6, 0.9)


async def test_requests_and_replies_that_come_twice_change_nothing(orchestrator: Orchestrator) -> None:
    request = a_discovery(some_tenant())
    await orchestrator.hear(request, request)
    await orchestrator.hear(request.model_copy(update={"id": UUID(int=9)}))
    assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).revision == 1

    reply = answer(await orchestrator.open_request(request.flow_id))
    await orchestrator.hear(reply, reply)
    await orchestrator.hear(reply.model_copy(update={"id": UUID(int=10)}))
    assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).revision == 2


async def test_two_orchestrators_start_a_flow_once(orchestrator: Orchestrator, another: Orchestrator) -> None:
    for _ in range(5):
        request = a_discovery(some_tenant())
        again = request.model_copy(update={"id": UUID(int=request.id.int + 1)})
        await asyncio.gather(orchestrator.hear(request), another.hear(again))
        assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).revision == 1


async def test_two_orchestrators_decide_each_step_once(orchestrator: Orchestrator, another: Orchestrator) -> None:
    request = a_discovery(some_tenant())
    await orchestrator.hear(request)
    for revision in range(2, 6):
        asked = await orchestrator.open_request(request.flow_id)
        await asyncio.gather(orchestrator.hear(answer(asked)), another.hear(answer(asked)))
        assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).revision == revision


async def test_of_two_decisions_at_once_one_wins(orchestrator: Orchestrator, another: Orchestrator) -> None:
    request = a_planning(some_tenant())
    await orchestrator.hear(request)
    await orchestrator.hear(answer(await orchestrator.open_request(request.flow_id)))
    task = await orchestrator.open_request(request.flow_id)
    assert isinstance(task, ApprovalRequested)

    await asyncio.gather(orchestrator.hear(decision(task)), another.hear(decision(task, "reject")))

    state = await orchestrator.agreed_state(request.tenant, request.flow_id)
    assert state.revision == 3
    assert (state.status, state.current_phase) in [("running", "report"), ("cancelled", "wave_planning")]


async def test_a_failure_is_in_all_tables(orchestrator: Orchestrator) -> None:
    request = a_discovery(some_tenant())
    await orchestrator.hear(request)
    asked = await orchestrator.open_request(request.flow_id)
    await orchestrator.hear(failure(FLOW_TYPES["discovery"].phases[0].fails_with, asked))
    assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).status == "failed"


async def test_a_step_that_cannot_be_journalled_leaves_no_trace(orchestrator: Orchestrator, settings: Settings) -> None:
    request = a_discovery(some_tenant())
    await orchestrator.hear(request)
    reply = answer(await orchestrator.open_request(request.flow_id))
    table = "flow_orchestrator.flow_journal"
    await as_administrator(settings, f"alter table {table} add constraint broken check (seq < 2)")
    await orchestrator.hear(reply)
    assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).revision == 1

    await as_administrator(settings, f"alter table {table} drop constraint broken")
    await orchestrator.hear(reply)
    assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).revision == 2


async def test_flows_of_tenants_in_one_message_stay_apart(orchestrator: Orchestrator) -> None:
    mine, theirs = a_discovery(some_tenant()), a_discovery(some_tenant())
    same_id = theirs.model_copy(update={"flow_id": mine.flow_id})
    await orchestrator.hear(mine, same_id)
    for request in (mine, same_id):
        async with orchestrator.runtime.database.transaction(request.tenant) as session:
            [master] = (await session.execute(select(MasterFlow))).scalars().all()
        assert (master.client_account_id, master.flow_id) == (request.tenant.client_account_id, mine.flow_id)


async def test_a_reply_to_a_flow_of_another_tenant_is_ignored(orchestrator: Orchestrator) -> None:
    request = a_discovery(some_tenant())
    await orchestrator.hear(request)
    forged = answer(await orchestrator.open_request(request.flow_id)).model_copy(update={"tenant": some_tenant()})
    await orchestrator.hear(forged)
    assert (await orchestrator.agreed_state(request.tenant, request.flow_id)).revision == 1


async def make_overdue(orchestrator: Orchestrator, request: Event) -> None:
    """Let a flow have waited too long, in its state and in the column that the sweep reads."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with orchestrator.runtime.database.transaction(request.tenant) as session:
        statement = select(MasterFlow).where(MasterFlow.flow_id == request.flow_id)
        master = (await session.execute(statement)).scalar_one()
        state = FlowState.model_validate(master.state).model_copy(update={"waits_until": past})
        values = {"state": state.model_dump(mode="json"), "waits_until": past}
        await session.execute(update(MasterFlow).where(MasterFlow.flow_id == request.flow_id).values(values))


async def test_the_sweep_asks_again_once_whoever_runs_it(orchestrator: Orchestrator, another: Orchestrator) -> None:
    due, not_due = a_discovery(some_tenant()), a_discovery(some_tenant())
    await orchestrator.hear(due, not_due)
    await make_overdue(orchestrator, due)

    await asyncio.gather(decide_overdue_flows(orchestrator.runtime), decide_overdue_flows(another.runtime))

    state = await orchestrator.agreed_state(due.tenant, due.flow_id)
    assert (state.revision, state.step) == (2, "data_import:2")
    assert (await orchestrator.open_request(due.flow_id)).step == "data_import:2"
    assert (await orchestrator.agreed_state(not_due.tenant, not_due.flow_id)).revision == 1


async def test_the_sweep_runs_by_itself(orchestrator: Orchestrator) -> None:
    request = a_discovery(some_tenant())
    await orchestrator.hear(request)
    await make_overdue(orchestrator, request)
    await orchestrator.runtime.start()

    async def asked_again() -> bool:
        async with orchestrator.runtime.database.transaction(request.tenant) as session:
            return bool((await session.execute(select(MasterFlow.revision))).scalar() == 2)

    await eventually(asked_again)

"""The orchestrator's shell: lock the flow, let the engine decide, write state, child row and journal together."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalRequested, FlowUpdated
from services.chassis.service import Service
from services.flow_orchestrator.engine import Decision, decide, start
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.tables import CHILD_TABLES, JournalEntry, MasterFlow, Tables

service = Service(Tables.metadata)

_STARTS: dict[type[Event], FlowType] = {flow_type.requested: flow_type for flow_type in FLOW_TYPES.values()}


async def advance(event: Event, session: AsyncSession) -> list[Event]:
    """Start the flow that the event asks for, or move the one it belongs to."""
    statement = select(MasterFlow).where(MasterFlow.flow_id == event.flow_id).with_for_update()
    master = (await session.execute(statement)).scalar_one_or_none()
    now = datetime.now(UTC)
    if master is None:
        flow_type = _STARTS.get(type(event))
        decision = start(flow_type, event, now) if flow_type is not None else None
    else:
        decision = decide(FLOW_TYPES[master.flow_type], FlowState.model_validate(master.state), event, now)
    if decision is None:
        return []
    await save(session, decision, now, event)
    return list(decision.events)


async def save(session: AsyncSession, decision: Decision, now: datetime, cause: Event | None) -> None:
    """Write one decision: master row, child row and journal entry; `cause` is None for the clock."""
    state = decision.state
    visible = {"status": state.status, "current_phase": state.current_phase}
    master = {
        "flow_id": state.flow_id,
        "flow_type": state.flow_type,
        "version": state.version,
        "revision": state.revision,
        "waits_until": state.waits_until,
        "state": state.model_dump(mode="json"),
        "created_at": state.created_at,
        "updated_at": now,
        **visible,
    }
    child = {"flow_id": state.flow_id, **visible, **FLOW_TYPES[state.flow_type].child_row(state)}
    key = ["client_account_id", "engagement_id", "flow_id"]
    for table, row in ((MasterFlow, master), (CHILD_TABLES[state.flow_type], child)):
        await session.execute(insert(table).values(row).on_conflict_do_update(index_elements=key, set_=row))
    entry = {
        "flow_id": state.flow_id,
        "seq": state.revision,
        "at": now,
        "event_id": None if cause is None else cause.id,
        "event_type": "time_out" if cause is None else cause.type_name,
        "phase": state.current_phase,
        "status": state.status,
        "note": decision.note,
    }
    await session.execute(insert(JournalEntry).values(entry))


service.subscribe(
    advance,
    hears=[ApprovalDecided, *(event for flow_type in FLOW_TYPES.values() for event in flow_type.hears())],
    emits=[
        ApprovalRequested,
        FlowUpdated,
        *(event for flow_type in FLOW_TYPES.values() for event in flow_type.emits()),
    ],
)

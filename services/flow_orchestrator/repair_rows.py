"""The rows of flows as a repair compares them, and the writes that no decision makes."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES, UnknownFlowType
from services.flow_orchestrator.repair import REPEATED, Child, Journal, Rows
from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.store import KEY, SCHEMA
from services.flow_orchestrator.tables import CHILD_TABLES, MASTER

_MASTERS = (
    f"select flow_id, {', '.join(REPEATED)}, wake_at, updated_at, state::text as state from {SCHEMA}.{MASTER}"
    " where flow_id = any(cast(:flow_ids as uuid[])) order by flow_id"
)
_JOURNALS = text(f"""
    select flow_id, array_agg(seq order by seq) as numbers, (array_agg(status order by seq))[1] as first_status,
        (array_agg(status order by seq desc))[1] as last_status, (array_agg(phase order by seq desc))[1] as last_phase,
        max(seq) filter (where checkpoint is not null) as checkpoint
    from {SCHEMA}.flow_journal where flow_id = any(cast(:flow_ids as uuid[])) group by flow_id
""")
_MARK_LOST = text(f"""
    insert into {SCHEMA}.flow_journal (flow_id, seq, at, event_type, status, note)
    select :flow_id, seq, :at, 'clock', :status, 'lost; this entry stands in its place'
    from unnest(cast(:numbers as int[])) as seq
""")
# What a flow is born with is never written again by its decisions.
_REWRITE = text(f"""
    update {SCHEMA}.{MASTER} set flow_type = :flow_type, priority = :priority, created_at = :created_at,
        parent_flow_id = :parent_flow_id
    where flow_id = :flow_id
""")


DAMAGED, UNKNOWN = "state_unreadable", "definition_unknown"


@dataclass(frozen=True)
class Unreadable:
    """A flow whose state, or definition, cannot be read: why, its newest journal entry and its newest checkpoint.

    There is a checkpoint only where it helps: not against a definition that this orchestrator does not have.
    """

    flow_id: UUID
    code: str
    reason: str
    last: int
    checkpoint: int | None


@dataclass(frozen=True)
class Readable:
    """A flow with its definition and its rows."""

    flow_type: FlowType
    rows: Rows


async def read(
    session: AsyncSession, flow_ids: Collection[UUID], *, locked: bool = False
) -> list[Readable | Unreadable]:
    """What the tables hold about flows; if `locked`, no other transaction changes them until this one ends."""
    # Flows that somebody else has in hand right now are in motion; they are looked at another time.
    statement = text(f"{_MASTERS} for update skip locked" if locked else _MASTERS)
    masters = (await session.execute(statement, {"flow_ids": list(flow_ids)})).mappings().all()
    held = [master["flow_id"] for master in masters]
    found = {row.flow_id: row for row in await session.execute(_JOURNALS, {"flow_ids": held})}
    states = {master["flow_id"]: _state(master["state"]) for master in masters}
    readable = [state for state in states.values() if isinstance(state, FlowState)]
    children = await _children(session, readable)
    child_rows = await _child_rows(session, readable)
    answer: list[Readable | Unreadable] = []
    for master in masters:
        flow_id = master["flow_id"]
        state, journal = states[flow_id], found.get(flow_id)
        if isinstance(state, tuple):
            code, reason = state
            last = journal.numbers[-1] if journal is not None else 0
            checkpoint = journal.checkpoint if journal is not None and code == DAMAGED else None
            answer.append(Unreadable(flow_id, code, reason, last, checkpoint))
            continue
        kept = Journal()
        if journal is not None:
            kept = Journal(tuple(journal.numbers), journal.first_status, journal.last_status, journal.last_phase)
        rows = Rows(dict(master), state, child_rows.get(flow_id), kept, children)
        answer.append(Readable(FLOW_TYPES.get(state.flow_type, state.version), rows))
    return answer


async def write(session: AsyncSession, state: FlowState, lost: list[int], now: datetime) -> None:
    """Write what decisions leave alone: what a flow is born with, and the places of lost journal entries."""
    born = {name: getattr(state, name) for name in ("flow_type", "priority", "created_at", "parent_flow_id")}
    await session.execute(_REWRITE, {**born, "flow_id": state.flow_id})
    if lost:
        marks = {"flow_id": state.flow_id, "at": now, "status": state.status, "numbers": lost}
        await session.execute(_MARK_LOST, marks)


def _state(stored: str) -> FlowState | tuple[str, str]:
    """The state, or a code and the reason why it cannot be used."""
    try:
        state = FlowState.load(orjson.loads(stored))
        flow_type = FLOW_TYPES.get(state.flow_type, state.version)
        flow_type.child_row(state)
        if set(state.phases) != {phase.name for phase in flow_type.phases}:
            return UNKNOWN, f"its phases are not those of {flow_type.name} {flow_type.version}"
    except UnknownFlowType as error:
        return UNKNOWN, str(error)
    # A state that was damaged can lack anything, anywhere.
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return DAMAGED, f"its state cannot be read: {type(error).__name__}: {error}"
    return state


async def _children(session: AsyncSession, states: list[FlowState]) -> dict[UUID, Child]:
    wanted = [view.child_flow_id for state in states for view in state.phases.values() if view.child_flow_id]
    if not wanted:
        return {}
    rows = (await session.execute(text(_MASTERS), {"flow_ids": wanted})).all()
    loaded = {row.flow_id: (_state(row.state), row.updated_at) for row in rows}
    return {
        flow_id: Child(state, updated_at)
        for flow_id, (state, updated_at) in loaded.items()
        if isinstance(state, FlowState)
    }


async def _child_rows(session: AsyncSession, states: list[FlowState]) -> dict[UUID, dict[str, Any]]:
    by_table: dict[str, list[UUID]] = defaultdict(list)
    for state in states:
        by_table[CHILD_TABLES[state.flow_type]].append(state.flow_id)
    found: dict[UUID, dict[str, Any]] = {}
    for table, flow_ids in by_table.items():
        statement = text(
            f"select flow_id, to_json(child)::text as child from {SCHEMA}.{table} child"
            " where flow_id = any(cast(:flow_ids as uuid[]))"
        )
        rows = await session.execute(statement, {"flow_ids": flow_ids})
        found |= {row.flow_id: orjson.loads(row.child) for row in rows}
    return found


async def next_flows(session: AsyncSession, after: UUID | None, *, live: bool, limit: int) -> list[UUID]:
    """The flows of the tenant that follow one, in the order of their ids; only those that have not ended if `live`."""
    only = "and status not in ('completed', 'failed', 'cancelled')" if live else ""
    # nosemgrep: raw-sql - names of ours, no values
    statement = text(f"select flow_id from {SCHEMA}.{MASTER} where flow_id > :after {only} order by {KEY} limit :limit")
    rows = await session.execute(statement, {"after": after or UUID(int=0), "limit": limit})
    return list(rows.scalars())

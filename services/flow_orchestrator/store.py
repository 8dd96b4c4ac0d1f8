"""The rows of flows, read and written for a whole batch at once: master, child and journal always together."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.flow_orchestrator.decision import Decision
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import FlowState
from services.flow_orchestrator.tables import CHILD_TABLES, MASTER

SCHEMA = "flow_orchestrator"
KEY = "client_account_id, engagement_id, flow_id"

_MASTER_COLUMNS = (
    *("flow_id", "flow_type", "version", "revision", "status", "current_phase", "waits_until", "wake_at"),
    *("priority", "concurrency_key", "parent_flow_id", "created_at"),
)

# In the order of their ids, so that two batches that share flows cannot wait for each other.
_LOCK = text(
    f"select state::text as state from {SCHEMA}.{MASTER} where flow_id = any(cast(:flow_ids as uuid[]))"
    " order by flow_id for update"
)
_LOCK_UNLESS_HELD = text(f"{_LOCK.text} skip locked")

# A timer that moves away stays where it is: it is looked at early once, and the row's update touches no index.
_MASTERS = f"""
    insert into {SCHEMA}.{MASTER} as stored (flow_id, flow_type, version, revision, status, current_phase, waits_until,
        wake_at, priority, concurrency_key, parent_flow_id, state, created_at, updated_at)
    select r.*, :now from unnest(
        cast(:flow_id as uuid[]), cast(:flow_type as text[]), cast(:version as int[]), cast(:revision as int[]),
        cast(:status as text[]), cast(:current_phase as text[]), cast(:waits_until as timestamptz[]),
        cast(:wake_at as timestamptz[]), cast(:priority as int[]), cast(:concurrency_key as text[]),
        cast(:parent_flow_id as uuid[]), cast(:state as json[]), cast(:created_at as timestamptz[])
    ) r
    on conflict ({KEY}) do update set
        version = excluded.version, revision = excluded.revision, status = excluded.status,
        current_phase = excluded.current_phase, waits_until = excluded.waits_until,
        wake_at = case when stored.wake_at <= excluded.wake_at then stored.wake_at else excluded.wake_at end,
        concurrency_key = excluded.concurrency_key, state = excluded.state, updated_at = excluded.updated_at
"""

_JOURNAL = f"""
    insert into {SCHEMA}.flow_journal
        (flow_id, seq, at, event_id, event_type, phase, status, note, actor, checkpoint)
    select * from unnest(
        cast(:entry_flow_id as uuid[]), cast(:seq as int[]), cast(:at as timestamptz[]), cast(:event_id as uuid[]),
        cast(:event_type as text[]), cast(:phase as text[]), cast(:entry_status as text[]), cast(:note as text[]),
        cast(:actor as text[]), cast(:checkpoint as json[])
    )
"""


async def locked(
    session: AsyncSession, flow_ids: Collection[UUID], *, skip_locked: bool = False
) -> dict[UUID, FlowState]:
    """The flows of these ids that there are, locked until the transaction ends."""
    if not flow_ids:
        return {}
    rows = await session.execute(_LOCK_UNLESS_HELD if skip_locked else _LOCK, {"flow_ids": list(flow_ids)})
    states = (FlowState.load(orjson.loads(row.state)) for row in rows)
    return {state.flow_id: state for state in states}


async def deleted(session: AsyncSession, flow_ids: Collection[UUID]) -> set[UUID]:
    """Those of these flows that were there and were deleted: their ids are spent."""
    if not flow_ids:
        return set()
    statement = text(f"select flow_id from {SCHEMA}.deleted_flows where flow_id = any(cast(:flow_ids as uuid[]))")
    return set((await session.execute(statement, {"flow_ids": list(flow_ids)})).scalars())


async def checkpoint(session: AsyncSession, flow_id: UUID, seq: int) -> FlowState | None:
    """The state that a flow had when a phase ended, if there is a checkpoint of that number."""
    statement = text(
        f"select checkpoint::text from {SCHEMA}.flow_journal"
        " where flow_id = :flow_id and seq = :seq and checkpoint is not null"
    )
    stored = (await session.execute(statement, {"flow_id": flow_id, "seq": seq})).scalar()
    return None if stored is None else FlowState.load(orjson.loads(stored))


def flow_type_of(state: FlowState) -> FlowType:
    """The definition, in the version, that a flow runs under."""
    return FLOW_TYPES.get(state.flow_type, state.version)


async def save(session: AsyncSession, decisions: Sequence[Decision], now: datetime) -> None:
    """Write decisions in the order in which they were taken: of each flow the last state, and every journal entry."""
    if not decisions:
        return
    last = {each.state.flow_id: each for each in decisions}
    kept = [each for each in last.values() if not each.deleted]
    gone = [flow_id for flow_id, each in last.items() if each.deleted]
    if kept:
        await _write(session, kept, [each for each in decisions if not last[each.state.flow_id].deleted], now)
    if gone:
        await _delete(session, gone)


async def _write(session: AsyncSession, last: list[Decision], entries: list[Decision], now: datetime) -> None:
    """Masters and children as the last decisions have them, and the journal of all, in one round trip."""
    children = _children([each.state for each in last])
    rows = {_child_rows(number): orjson.dumps(rows).decode() for number, rows in enumerate(children.values())}
    await session.execute(_writing(tuple(children)), {"now": now, **_masters(last), **_entries(entries), **rows})


def _masters(decisions: list[Decision]) -> dict[str, Any]:
    states = [each.state for each in decisions]
    rows: dict[str, Any] = {name: [getattr(state, name) for state in states] for name in _MASTER_COLUMNS}
    return {**rows, "state": [each.stored for each in decisions]}


def _entries(decisions: list[Decision]) -> dict[str, Any]:
    entries = [each.entry for each in decisions]
    return {
        "entry_flow_id": [each.state.flow_id for each in decisions],
        "event_id": [each.cause_id for each in decisions],
        "event_type": [entry.cause for entry in entries],
        "entry_status": [entry.status for entry in entries],
        "checkpoint": [each.stored if each.entry.checkpoint else None for each in decisions],
        **{name: [getattr(entry, name) for entry in entries] for name in ("seq", "at", "phase", "note", "actor")},
    }


# The table of some child rows, and their columns.
_Child = tuple[str, tuple[str, ...]]


def _children(states: list[FlowState]) -> dict[_Child, list[dict[str, Any]]]:
    found: dict[_Child, list[dict[str, Any]]] = defaultdict(list)
    for state in states:
        row = {"flow_id": state.flow_id, "status": state.status, "current_phase": state.current_phase}
        row |= flow_type_of(state).child_row(state)
        found[CHILD_TABLES[state.flow_type], tuple(row)].append(row)
    return found


def _child_rows(number: int) -> str:
    return f"children_{number}"


@cache
def _writing(children: tuple[_Child, ...]) -> TextClause:
    """The statement that writes masters, these kinds of child rows, and the journal."""
    parts = [f"masters as ({_MASTERS})"]
    for number, (table, columns) in enumerate(children):
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "flow_id")
        name, names = _child_rows(number), ", ".join(columns)
        parts.append(
            f"{name} as (insert into {SCHEMA}.{table} ({names})"
            f" select {names} from json_populate_recordset(null::{SCHEMA}.{table}, cast(:{name} as json))"
            f" on conflict ({KEY}) do update set {changes})"
        )
    # nosemgrep: raw-sql - names of ours, no values
    return text(f"with {', '.join(parts)} {_JOURNAL}")


async def _delete(session: AsyncSession, flow_ids: list[UUID]) -> None:
    for table in ("flow_journal", *CHILD_TABLES.values(), MASTER):
        # nosemgrep: raw-sql - names of ours, no values
        statement = text(f"delete from {SCHEMA}.{table} where flow_id = any(cast(:flow_ids as uuid[]))")
        await session.execute(statement, {"flow_ids": flow_ids})
    spent = text(f"insert into {SCHEMA}.deleted_flows (flow_id) select unnest(cast(:flow_ids as uuid[]))")
    await session.execute(spent, {"flow_ids": flow_ids})


async def move_timers(session: AsyncSession, later: dict[UUID, datetime | None]) -> None:
    """Let timers that were looked at too early ring when they are due."""
    if not later:
        return
    statement = text(
        f"update {SCHEMA}.{MASTER} stored set wake_at = moved.wake_at from unnest(cast(:flow_ids as uuid[]),"
        " cast(:times as timestamptz[])) moved(flow_id, wake_at) where stored.flow_id = moved.flow_id"
    )
    await session.execute(statement, {"flow_ids": list(later), "times": list(later.values())})

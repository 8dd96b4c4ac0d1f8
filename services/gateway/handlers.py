"""The read model: what the other services say is shown to people, newest revision first."""

import hashlib
from typing import Any, cast
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from pydantic import TypeAdapter
from sqlalchemy import Table, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.discovery import FieldMappingCompleted, InventoryRequested
from contracts.envelope import Event
from contracts.flows import ApprovalRequested, FlowUpdated, PhaseView, TimelineEntry, WorkProgressed
from contracts.operations import EventDeadLettered
from contracts.planning import ReportCompleted
from services.chassis.rows import insert_rows, replacing
from services.chassis.service import Service
from services.gateway.read_model.flow_counters import observe
from services.gateway.read_model.flow_tables import FlowEntry
from services.gateway.tables import (
    Approval,
    DeadLetter,
    Flow,
    Mappings,
    ReportFile,
    Tables,
)

service = Service(Tables.metadata)

_PHASES = TypeAdapter(list[PhaseView])
_NOT_DELETED = "where not exists (select from gateway.deleted_flows gone where gone.flow_id = given.flow_id)"


def flow_of(event: Event) -> UUID:
    """The flow an event belongs to; raises `ValueError` where it says none."""
    if event.flow_id is None:
        raise ValueError(f"{event.type_name} {event.id} belongs to no flow")
    return event.flow_id


@service.on
async def show_flow(events: list[FlowUpdated], session: AsyncSession) -> None:
    """Keep the newest revision of each flow, and every entry of their timelines; not of flows that are gone."""
    newest: dict[UUID, FlowUpdated] = {}
    for event in events:
        flow_id = flow_of(event)
        if flow_id not in newest or newest[flow_id].revision < event.revision:
            newest[flow_id] = event
    # In the order of their keys, so that two batches that share flows cannot wait for each other.
    rows = [_flow_row(flow_id, newest[flow_id]) for flow_id in sorted(newest)]
    table = cast(Table, Flow.__table__)
    newer = replacing(table, tuple(rows[0]), "flows.revision < excluded.revision")
    await insert_rows(session, table, rows, f"{_NOT_DELETED} {newer}")
    entries = [_entry_row(event, event.entry) for event in events if event.entry is not None]
    if entries:
        await insert_rows(session, cast(Table, FlowEntry.__table__), entries, f"{_NOT_DELETED} on conflict do nothing")
    observe(events)


def _flow_row(flow_id: UUID, event: FlowUpdated) -> dict[str, Any]:
    return {
        "flow_id": flow_id,
        "flow_type": event.flow_type,
        "revision": event.revision,
        "status": event.status,
        "current_phase": event.current_phase,
        "phases": _PHASES.dump_json(event.phases).decode(),
        "progress": None,
        "waits_for": event.waits_for,
        "waits_until": event.waits_until,
        "problem": event.problem.model_dump_json() if event.problem else None,
        "parent_flow_id": event.parent_flow_id,
        "forked_from": event.forked_from,
        "version": event.version,
        "priority": event.priority,
        "concurrency_key": event.concurrency_key,
        "correlation_id": event.correlation_id,
        "deadline": event.deadline,
        "created_at": event.created_at,
        "started_at": event.started_at,
        "ended_at": event.ended_at,
        "updated_at": event.time,
    }


def _entry_row(event: FlowUpdated, entry: TimelineEntry) -> dict[str, Any]:
    return {
        "flow_id": event.flow_id,
        "seq": entry.seq,
        "at": entry.at,
        "cause": entry.cause,
        "cause_id": event.causation_id,
        "actor": entry.actor,
        "phase": entry.phase,
        "status": entry.status,
        "note": entry.note,
        "checkpoint": entry.checkpoint,
        "waits_for": event.waits_for,
        "waits_until": event.waits_until,
    }


@service.on
async def show_progress(event: WorkProgressed, session: AsyncSession) -> None:
    """Show how far the work of a flow's current phase is."""
    progress = {"done": event.done, "total": event.total, "message": event.message}
    phase = (event.step or "").partition(":")[0]
    await session.execute(
        update(Flow).where(Flow.flow_id == event.flow_id, Flow.current_phase == phase).values(progress=progress)
    )


@service.on
async def show_approval(event: ApprovalRequested, session: AsyncSession) -> None:
    """Put a task before the people who may decide it."""
    row = {
        "task_id": event.task_id,
        "flow_id": flow_of(event),
        "kind": event.kind,
        "title": event.title,
        "details": event.details,
        "assignee": event.assignee,
        "expires_at": event.expires_at,
        "remind_at": event.remind_at,
    }
    # One that was decided or withdrawn before stays so.
    key = ["client_account_id", "engagement_id", "task_id"]
    await session.execute(insert(Approval).values(row).on_conflict_do_update(index_elements=key, set_=row))


@service.on
async def show_mappings(event: FieldMappingCompleted | InventoryRequested, session: AsyncSession) -> None:
    """Show how the columns are mapped: as proposed, until the flow goes on with what was decided."""
    row = {
        "flow_id": flow_of(event),
        "decided": isinstance(event, InventoryRequested),
        "mappings": [mapping.model_dump(mode="json") for mapping in event.mappings],
    }
    key = ["client_account_id", "engagement_id", "flow_id"]
    statement = insert(Mappings).values(row)
    keep_decision = ~Mappings.decided | statement.excluded.decided
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=row, where=keep_decision))


@service.on
async def show_report(event: ReportCompleted, session: AsyncSession) -> None:
    """Offer the report's files for download, in place of what an earlier attempt wrote."""
    key = ["client_account_id", "engagement_id", "flow_id", "format"]
    for name, file in event.files.items():
        row = {"flow_id": flow_of(event), "format": name, "file": file.model_dump(mode="json")}
        await session.execute(insert(ReportFile).values(row).on_conflict_do_update(index_elements=key, set_=row))


@service.on
async def show_dead_letter(event: EventDeadLettered, session: AsyncSession) -> None:
    """List an event that was set aside; one that comes back after a replay is open again."""
    row = {
        "dead_letter_id": uuid5(NAMESPACE_URL, f"{event.queue}#{event.event_id or _digest(event.message)}"),
        **event.model_dump(include=set(event.data_fields())),
        "status": "open",
        "dead_lettered_at": event.time,
    }
    key = ["client_account_id", "engagement_id", "dead_letter_id"]
    await session.execute(insert(DeadLetter).values(row).on_conflict_do_update(index_elements=key, set_=row))


def _digest(message: dict[str, Any]) -> str:
    """What tells a message without an id from others of its kind."""
    return hashlib.sha256(orjson.dumps(message, option=orjson.OPT_SORT_KEYS)).hexdigest()

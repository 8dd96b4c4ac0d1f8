"""The read model about flows beside their newest state: refusals, tasks that need no answer, deletions, repairs."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from contracts.discovery import DiscoveryStarted
from contracts.lifecycle import (
    ApprovalReminded,
    ApprovalWithdrawn,
    FlowControlRefused,
    FlowDeleted,
    FlowRepairCompleted,
)
from contracts.webhooks import WebhookDeliveryRequested
from services.chassis.work import Job
from services.gateway.agents.tables import AgentNewsRow, AgentTask
from services.gateway.flows.lineage import is_needed
from services.gateway.handlers import flow_of, service
from services.gateway.read_model.asset_tables import AssetChange, AssetOrigin, DuplicatePair
from services.gateway.read_model.flow_tables import (
    DeletedFlow,
    FlowEntry,
    FlowImport,
    FlowRefusal,
    FlowRepairRun,
    FlowResult,
)
from services.gateway.read_model.projections import table_of
from services.gateway.read_model.quality_tables import QualityFailure, QualityFigure, QualityMeasurement
from services.gateway.tables import (
    Application,
    Approval,
    Asset,
    CellProblem,
    Dependency,
    Flow,
    Mappings,
    PlannedWave,
    RejectedRow,
    ReportFile,
    Treatment,
)
from services.gateway.webhooks.deliveries import fan_out

_OWN: tuple[type[DeclarativeBase], ...] = (
    *(Flow, FlowEntry, FlowRefusal, FlowImport, Approval, ReportFile),
    *(AgentTask, AgentNewsRow),
)
# What forks of a flow show as well, as long as there is one.
_SHARED: tuple[type[DeclarativeBase], ...] = (
    *(Application, Asset, AssetChange, AssetOrigin, CellProblem, Dependency, DuplicatePair, FlowResult),
    *(QualityFailure, QualityFigure, QualityMeasurement),
    *(Mappings, PlannedWave, RejectedRow, Treatment),
)


@service.on
async def show_refusal(event: FlowControlRefused, session: AsyncSession) -> None:
    """Keep what was asked of a flow too late, and why it was not done."""
    newest = select(Flow.revision).where(Flow.flow_id == event.flow_id).scalar_subquery()
    row: dict[str, Any] = {
        "flow_id": flow_of(event),
        "request_id": event.causation_id or event.id,
        "at": event.time,
        "after_seq": func.coalesce(newest, 0),
        "action": event.action,
        "requested_by": event.requested_by,
        "problem": event.problem.model_dump(mode="json"),
    }
    await session.execute(insert(FlowRefusal).values(row).on_conflict_do_nothing())


@service.on
async def show_files(event: DiscoveryStarted, session: AsyncSession) -> list[WebhookDeliveryRequested]:
    """Remember which files a discovery reads, whoever started it; endpoints that want to know of it get it, too."""
    rows = [{"flow_id": flow_of(event), "import_id": import_id} for import_id in event.import_ids]
    await session.execute(insert(FlowImport).values(rows).on_conflict_do_nothing())
    return await fan_out(event, session)


@service.on
async def show_reminder(event: ApprovalReminded, session: AsyncSession) -> None:
    """Say that somebody was told again."""
    await session.execute(update(Approval).where(Approval.task_id == event.task_id).values(reminded_at=event.time))


@service.on
async def withdraw_approval(event: ApprovalWithdrawn, session: AsyncSession) -> None:
    """Take a task away from the people who might decide it, also where it is told of only later."""
    withdrawn = {"status": "withdrawn", "withdrawn_reason": event.reason}
    row = {
        "task_id": event.task_id,
        "flow_id": flow_of(event),
        "kind": "withdrawn",
        "title": "a task that was withdrawn before it arrived",
        "details": {},
        **withdrawn,
    }
    await session.execute(
        insert(Approval)
        .values(row)
        .on_conflict_do_update(
            index_elements=["client_account_id", "engagement_id", "task_id"],
            set_=withdrawn,
            where=Approval.status == "pending",
        )
    )


@service.on
async def show_repair(event: FlowRepairCompleted, session: AsyncSession) -> None:
    """Show what a repair found and did."""
    await session.execute(
        update(FlowRepairRun)
        .where(FlowRepairRun.repair_id == event.repair_id)
        .values(
            status="done",
            flows_checked=event.flows_checked,
            repairs=[repair.model_dump(mode="json") for repair in event.repairs],
        )
    )


@service.work
async def forget_flow(event: FlowDeleted, job: Job) -> None:
    """Remove a flow and what belongs to it; what its forks show as well goes with the last of them."""
    flow_id = flow_of(event)
    session = await job.begin()
    forked_from = await session.scalar(select(Flow.forked_from).where(Flow.flow_id == flow_id))
    tombstone = {
        "flow_id": flow_id,
        "forked_from": forked_from,
        "deleted_by": event.deleted_by,
        "deleted_at": event.time,
    }
    await session.execute(insert(DeletedFlow).values(tombstone).on_conflict_do_nothing())
    # A fork that was asked for and that the orchestrator has not begun never comes: there is no checkpoint any more.
    await session.execute(delete(Flow).where(Flow.forked_from == flow_id, Flow.revision == 0))
    await _delete(session, _OWN, flow_id)
    gone: UUID | None = flow_id
    while gone is not None and not await is_needed(session, gone):
        await _delete(session, _SHARED, gone)
        origin = select(DeletedFlow.forked_from).where(DeletedFlow.flow_id == gone).scalar_subquery()
        gone = await session.scalar(select(DeletedFlow.flow_id).where(DeletedFlow.flow_id == origin))


async def _delete(session: AsyncSession, tables: tuple[type[DeclarativeBase], ...], flow_id: UUID) -> None:
    for mapped in tables:
        table = table_of(mapped)
        await session.execute(delete(table).where(table.c.flow_id == flow_id))

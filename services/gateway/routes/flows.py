"""Flows: start them, list them, watch them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.discovery import DiscoveryRequested
from contracts.envelope import uuid7
from contracts.flows import FlowStatus, FlowTypeName
from services.chassis.errors import NotFound
from services.gateway.discovery_start import with_files
from services.gateway.keys import Caller
from services.gateway.pagination import Page
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.tables import Approval, Flow, Mappings, ReportFile

router = APIRouter(tags=["flows"])

POLL_RUNNING, POLL_WAITING, POLL_ENDED = 5, 15, 30
# Shorter than any advised interval, so that a burst of pollers costs one query and nobody sees old news.
POLL_CACHE_SECONDS = 1.0


@router.post("/flows", status_code=202)
async def start_flow(body: rest.FlowStart, caller: Caller, gateway: Gateway) -> rest.FlowDetail:
    """Start a discovery of uploaded files; assessment and planning follow as asked."""
    asked = DiscoveryRequested(tenant=caller.tenant, flow_id=uuid7(), import_ids=body.import_ids, then=body.then)
    async with gateway.database.transaction(caller.tenant) as session:
        await emit(session, await with_files(session, asked))
        detail = await flow_detail(session, asked.flow_id)
    gateway.committed()
    return detail


@router.get("/flows")
async def list_flows(
    session: Reading,
    page: Page,
    status: Annotated[FlowStatus | None, Query()] = None,
    flow_type: Annotated[FlowTypeName | None, Query()] = None,
) -> rest.Page[rest.FlowView]:
    """Flows in the order they were started; those that other systems started come between."""
    statement = select(Flow)
    if status is not None:
        statement = statement.where(Flow.status == status)
    if flow_type is not None:
        statement = statement.where(Flow.flow_type == flow_type)
    rows, cursor = await page.fetch(session, statement, Flow.flow_id)
    return rest.Page(items=[rest.FlowView.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/flows/{flow_id}")
async def show_flow(flow_id: UUID, session: Reading) -> rest.FlowDetail:
    """A flow with its phases and what belongs to it."""
    return await flow_detail(session, flow_id)


@router.get("/polling/flow-status/{flow_id}", tags=["polling"])
async def poll_flow(flow_id: UUID, caller: Caller, gateway: Gateway) -> rest.FlowPoll:
    """A flow, and in how many seconds to ask again."""
    key = f"flow_status:{flow_id}"
    cached: dict[str, Any] | None = await gateway.cache.get(caller.tenant, key)
    if cached is not None:
        return rest.FlowPoll.model_validate(cached)
    async with gateway.database.transaction(caller.tenant) as session:
        detail = await flow_detail(session, flow_id)
    pause = {"running": POLL_RUNNING, "waiting": POLL_WAITING}.get(detail.status, POLL_ENDED)
    poll = rest.FlowPoll(**detail.model_dump(), next_poll_seconds=pause)
    await gateway.cache.set(caller.tenant, key, poll.model_dump(mode="json"), POLL_CACHE_SECONDS)
    return poll


@router.get("/flows/{flow_id}/mappings")
async def show_mappings(flow_id: UUID, session: Reading) -> rest.MappingsView:
    """How the columns of the flow's files are mapped: proposed, or decided."""
    row = await session.scalar(select(Mappings).where(Mappings.flow_id == flow_id))
    if row is None:
        raise NotFound("mappings_not_found", f"The flow {flow_id} has no mapping yet, or does not exist.")
    return rest.MappingsView.model_validate(row)


async def flow_detail(session: AsyncSession, flow_id: UUID | None) -> rest.FlowDetail:
    """A flow with what belongs to it; raises `NotFound`."""
    flow = await session.scalar(select(Flow).where(Flow.flow_id == flow_id))
    if flow is None:
        raise NotFound("flow_not_found", f"There is no flow {flow_id} in this engagement.")
    following = await session.scalars(select(Flow.flow_id).where(Flow.parent_flow_id == flow_id))
    pending = await session.scalars(
        select(Approval.task_id).where(Approval.flow_id == flow_id, Approval.status == "pending")
    )
    formats = await session.scalars(select(ReportFile.format).where(ReportFile.flow_id == flow_id))
    detail = rest.FlowDetail.model_validate(flow)
    update = {
        "next_flow_ids": list(following),
        "pending_approval_ids": list(pending),
        "report_formats": sorted(formats),
    }
    return detail.model_copy(update=update)


async def newest_flow(session: AsyncSession, flow_type: FlowTypeName, flow_id: UUID | None) -> UUID | None:
    """`flow_id` if given, else the newest completed flow of a type; None if there is none."""
    if flow_id is not None:
        return flow_id
    statement = select(Flow.flow_id).where(Flow.flow_type == flow_type, Flow.status == "completed")
    newest: UUID | None = await session.scalar(statement.order_by(Flow.created_at.desc()).limit(1))
    return newest

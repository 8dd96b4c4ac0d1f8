"""Flows as they stand and how they came there: list them, watch them, read their timeline."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.flows import FlowTypeName
from contracts.lifecycle import FlowStatus
from contracts.rest_flows import TimelineItem
from services.chassis.errors import NotFound
from services.gateway.flows.details import flow_detail, no_flow
from services.gateway.flows.lineage import holder
from services.gateway.pagination import Page
from services.gateway.principal import Caller
from services.gateway.read_model.flow_tables import FlowEntry, FlowRefusal
from services.gateway.routes.access import Gateway, Reading
from services.gateway.tables import Flow, Mappings

router = APIRouter(tags=["flows"])

POLL_RUNNING, POLL_WAITING, POLL_ENDED = 5, 15, 30
_POLL_SECONDS: dict[FlowStatus, int] = {
    **dict.fromkeys(("queued", "running"), POLL_RUNNING),
    **dict.fromkeys(("created", "scheduled", "waiting", "paused"), POLL_WAITING),
    **dict.fromkeys(("completed", "failed", "cancelled"), POLL_ENDED),
}
# Shorter than any advised interval, so that a burst of pollers costs one query and nobody sees old news.
POLL_CACHE_SECONDS = 1.0


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
    poll = rest.FlowPoll(**detail.model_dump(), next_poll_seconds=_POLL_SECONDS[detail.status])
    await gateway.cache.set(caller.tenant, key, poll.model_dump(mode="json"), POLL_CACHE_SECONDS)
    return poll


@router.get("/flows/{flow_id}/mappings")
async def show_mappings(flow_id: UUID, session: Reading) -> rest.MappingsView:
    """How the columns of the flow's files are mapped: proposed, or decided."""
    source = await holder(session, flow_id, Mappings.flow_id)
    row = await session.scalar(select(Mappings).where(Mappings.flow_id == source))
    if row is None:
        raise NotFound("mappings_not_found", f"The flow {flow_id} has no mapping yet, or does not exist.")
    return rest.MappingsView(flow_id=flow_id, decided=row.decided, mappings=row.mappings)


@router.get("/flows/{flow_id}/timeline")
async def show_timeline(flow_id: UUID, session: Reading, page: Page) -> rest.Page[TimelineItem]:
    """What happened to the flow, when and by whom, and what it waited for then; oldest first.

    Beside the decisions it has what was asked and refused; that comes without counting towards `limit`.
    """
    await required_flow(session, flow_id)
    entries, cursor = await page.fetch(session, select(FlowEntry).where(FlowEntry.flow_id == flow_id), FlowEntry.seq)
    items = [TimelineItem.model_validate(entry) for entry in entries]
    first = entries[0].seq if entries and page.cursor is not None else 0
    refused = select(FlowRefusal).where(FlowRefusal.flow_id == flow_id, FlowRefusal.after_seq >= first)
    if cursor is not None:
        refused = refused.where(FlowRefusal.after_seq <= entries[-1].seq)
    statuses = {entry.seq: entry.status for entry in entries}
    refusals = await session.scalars(refused.order_by(FlowRefusal.at).limit(page.limit))
    items += [_refused_item(refusal, statuses.get(refusal.after_seq, "")) for refusal in refusals]
    items.sort(key=lambda item: (item.seq, item.refused, item.at))
    return rest.Page(items=items, next_cursor=cursor)


def _refused_item(refusal: FlowRefusal, status: str) -> TimelineItem:
    return TimelineItem(
        seq=refusal.after_seq,
        at=refusal.at,
        cause="flow_control.requested",
        actor=refusal.requested_by,
        phase=None,
        status=status,
        note=f"{refusal.action} was refused: {refusal.problem['detail']}",
        checkpoint=False,
        waits_for=None,
        waits_until=None,
        refused=True,
    )


async def required_flow(session: AsyncSession, flow_id: UUID | None) -> Flow:
    """The row of a flow; raises `NotFound`."""
    flow = await session.scalar(select(Flow).where(Flow.flow_id == flow_id))
    if flow is None:
        raise no_flow(flow_id)
    return flow


async def newest_flow(session: AsyncSession, flow_type: FlowTypeName, flow_id: UUID | None) -> UUID | None:
    """`flow_id` if given, else the newest completed flow of a type; None if there is none."""
    if flow_id is not None:
        return flow_id
    statement = select(Flow.flow_id).where(Flow.flow_type == flow_type, Flow.status == "completed")
    newest: UUID | None = await session.scalar(statement.order_by(Flow.created_at.desc()).limit(1))
    return newest

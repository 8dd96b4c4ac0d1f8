"""What people do with flows: start, pause, resume, cancel, retry, skip, migrate, delete, fork, repair."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Path, Response
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from contracts import rest
from contracts.envelope import uuid7
from contracts.lifecycle import (
    FlowAction,
    FlowControlRequested,
    FlowForkRequested,
    FlowRepairRequested,
    StartOptions,
)
from contracts.rest_flows import (
    FlowAccepted,
    FlowControlBody,
    FlowForkBody,
    FlowRepairBody,
    FlowRepairView,
    FlowRequestView,
    FlowStart,
)
from services.chassis.errors import Conflict, NotFound
from services.gateway.flows.details import flow_detail
from services.gateway.flows.requested_flows import check_queue, show_requested
from services.gateway.flows.starts import requested
from services.gateway.idempotency import Creating, Once
from services.gateway.principal import Caller, Principal
from services.gateway.quotas import check_flow
from services.gateway.read_model.flow_tables import FlowEntry, FlowRefusal, FlowRepairRun
from services.gateway.read_model.transitions import check_action
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.flows import required_flow

router = APIRouter(tags=["flows"])

Action = Annotated[
    Literal["start", "pause", "resume", "cancel", "retry", "skip", "migrate"],
    Path(description="What the flow is to do; `possible_actions` of the flow says what it can do now"),
]
Asked = Annotated[FlowControlBody, Body()]


@router.post("/flows", status_code=202)
async def start_flow(body: FlowStart, caller: Caller, gateway: Gateway, once: Creating) -> rest.FlowDetail:
    """Start a flow, or with `options` create it held, at a time, with a priority or a deadline.

    429 with `Retry-After` while too many flows of the engagement have not begun.
    """
    async with once.transaction() as session:
        await check_queue(session, gateway.settings.queued_flows_limit)
        await check_flow(session, caller.tenant)
        request = await requested(session, caller.tenant, body.root)
        await emit(session, request)
        return once.keep(await flow_detail(session, request.flow_id))


@router.post("/flows/{flow_id}/fork", status_code=202)
async def fork_flow(
    flow_id: UUID, body: FlowForkBody, caller: Caller, gateway: Gateway, once: Creating
) -> FlowAccepted:
    """Begin a new flow from a checkpoint of this one; what was finished then is kept. Returns the new flow."""
    async with once.transaction() as session:
        origin = await required_flow(session, flow_id)
        of_flow = select(FlowEntry.seq).where(FlowEntry.flow_id == flow_id, FlowEntry.checkpoint)
        checkpoints = list(await session.scalars(of_flow.order_by(FlowEntry.seq)))
        if body.seq not in checkpoints:
            known = f"It has {', '.join(map(str, checkpoints))}." if checkpoints else "It has none yet."
            raise Conflict("no_such_checkpoint", f"The flow {flow_id} has no checkpoint {body.seq}. {known}")
        await check_queue(session, gateway.settings.queued_flows_limit)
        await check_flow(session, caller.tenant)
        request = FlowForkRequested(
            tenant=caller.tenant, flow_id=uuid7(), origin_flow_id=flow_id, seq=body.seq, requested_by=caller.name
        )
        await show_requested(session, request, origin.flow_type, StartOptions(), forked_from=flow_id)
        await emit(session, request)
        detail = await flow_detail(session, request.flow_id)
        return once.keep(FlowAccepted(**detail.model_dump(), request_id=request.id))


@router.post("/flows/{flow_id}/{action}", status_code=202)
async def control_flow(
    flow_id: UUID,
    action: Action,
    caller: Caller,
    once: Creating,
    response: Response,
    body: Asked = FlowControlBody(),  # noqa: B008 - FastAPI reads the default, and it is never changed
) -> FlowAccepted:
    """Start, pause, resume, cancel, retry, skip or migrate a flow. 409 names what is possible if this is not."""
    return await _ask(flow_id, action, body, caller, once, response)


@router.delete("/flows/{flow_id}", status_code=202)
async def delete_flow(flow_id: UUID, caller: Caller, once: Creating, response: Response) -> FlowAccepted:
    """Remove an ended flow with its history and what it found; the audit log keeps what happened."""
    return await _ask(flow_id, "delete", FlowControlBody(), caller, once, response)


async def _ask(
    flow_id: UUID,
    action: FlowAction,
    asked: FlowControlBody,
    caller: Principal,
    once: Once,
    response: Response,
) -> FlowAccepted:
    async with once.transaction() as session:
        detail = await flow_detail(session, flow_id)
        check_action(detail, action, asked)
        request = FlowControlRequested(
            tenant=caller.tenant, flow_id=flow_id, action=action, requested_by=caller.name, **asked.model_dump()
        )
        await emit(session, request)
        location = f"/api/v1/flows/{flow_id}/requests/{request.id}"
        accepted = once.keep(FlowAccepted(**detail.model_dump(), request_id=request.id), location)
    response.headers["Location"] = location
    return accepted


@router.get("/flows/{flow_id}/requests/{request_id}")
async def show_request(flow_id: UUID, request_id: UUID, session: Reading) -> FlowRequestView:
    """What became of something that was asked of a flow: done, refused because the flow had moved on, or pending."""
    await required_flow(session, flow_id)
    refusal = await session.scalar(
        select(FlowRefusal).where(FlowRefusal.flow_id == flow_id, FlowRefusal.request_id == request_id)
    )
    if refusal is not None:
        return FlowRequestView.model_validate(
            {"request_id": request_id, "status": "refused", "problem": refusal.problem}
        )
    note = await session.scalar(
        select(FlowEntry.note)
        .where(FlowEntry.flow_id == flow_id, FlowEntry.cause_id == request_id)
        .order_by(FlowEntry.seq)
        .limit(1)
    )
    return FlowRequestView(request_id=request_id, status="pending" if note is None else "done", note=note)


@router.post("/flow-repairs", status_code=202)
async def repair_flows(body: FlowRepairBody, caller: Caller, once: Creating) -> FlowRepairView:
    """Look for flows whose rows, work or timers disagree, and mend them; safe at any time."""
    repair_id = uuid7()
    async with once.transaction() as session:
        if body.flow_id is not None:
            await required_flow(session, body.flow_id)
        await session.execute(insert(FlowRepairRun).values(repair_id=repair_id, flow_id=body.flow_id))
        await emit(
            session,
            FlowRepairRequested(
                tenant=caller.tenant, flow_id=body.flow_id, repair_id=repair_id, requested_by=caller.name
            ),
        )
        return once.keep(FlowRepairView(repair_id=repair_id, status="running", flow_id=body.flow_id))


@router.get("/flow-repairs/{repair_id}")
async def show_repair(repair_id: UUID, session: Reading) -> FlowRepairView:
    """What a repair found and did."""
    row = await session.scalar(select(FlowRepairRun).where(FlowRepairRun.repair_id == repair_id))
    if row is None:
        raise NotFound("repair_not_found", f"There is no repair {repair_id} in this engagement.")
    about = {"repair_id": repair_id, "status": row.status, "flow_id": row.flow_id}
    return FlowRepairView.model_validate({**about, "flows_checked": row.flows_checked, "repairs": row.repairs or []})

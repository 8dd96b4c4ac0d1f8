"""A flow with what belongs to it, in one query: it is what clients ask for most."""

from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from services.chassis.errors import NotFound
from services.gateway.read_model.flow_tables import FlowRefusal
from services.gateway.read_model.transitions import possible_actions
from services.gateway.tables import Approval, Flow, ReportFile

_ID = bindparam("flow_id", type_=Uuid)
_REFUSAL = (
    select(*(FlowRefusal.__table__.c[name] for name in rest.Refusal.model_fields))
    .where(FlowRefusal.flow_id == _ID)
    .order_by(FlowRefusal.at.desc())
    .limit(1)
    .subquery()
)
_NEXT = select(Flow.flow_id).where(Flow.parent_flow_id == _ID).order_by(Flow.flow_id)
_PENDING = (
    select(Approval.task_id).where(Approval.flow_id == _ID, Approval.status == "pending").order_by(Approval.task_id)
)
_FORMATS = select(ReportFile.format).where(ReportFile.flow_id == _ID).order_by(ReportFile.format)
_DETAIL = select(
    *(Flow.__table__.c[name] for name in rest.FlowView.model_fields),
    func.array(_NEXT.scalar_subquery(), type_=ARRAY(Uuid)).label("next_flow_ids"),
    func.array(_PENDING.scalar_subquery(), type_=ARRAY(Uuid)).label("pending_approval_ids"),
    func.array(_FORMATS.scalar_subquery(), type_=ARRAY(Text)).label("report_formats"),
    select(func.row_to_json(_REFUSAL.table_valued())).scalar_subquery().label("last_refusal"),
).where(Flow.flow_id == _ID)


async def flow_detail(session: AsyncSession, flow_id: UUID | None) -> rest.FlowDetail:
    """A flow with what belongs to it; raises `NotFound`."""
    row = (await session.execute(_DETAIL, {"flow_id": flow_id})).one_or_none()
    if row is None:
        raise no_flow(flow_id)
    detail = rest.FlowDetail.model_validate(row)
    return detail.model_copy(update={"possible_actions": list(possible_actions(detail))})


def no_flow(flow_id: UUID | None) -> NotFound:
    """The failure that says that there is no such flow here."""
    return NotFound("flow_not_found", f"There is no flow {flow_id} in this engagement.")

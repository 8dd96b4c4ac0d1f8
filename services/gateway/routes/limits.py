"""For operators: how much of the platform an engagement may use at once."""

from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from contracts.lifecycle import TenantLimitsSaved
from contracts.rest_operations import LimitsBody, LimitsView
from services.gateway.principal import Caller
from services.gateway.read_model.operation_tables import Limits
from services.gateway.routes.access import Gateway, Reading, emit

router = APIRouter(tags=["operations"])


@router.get("/limits")
async def show_limits(session: Reading) -> LimitsView:
    """The limits of this engagement."""
    row = await session.scalar(select(Limits))
    return LimitsView() if row is None else LimitsView.model_validate(row)


@router.put("/limits")
async def save_limits(body: LimitsBody, caller: Caller, gateway: Gateway) -> LimitsView:
    """Set the limits of this engagement. More room is used at once; less stops nothing that runs."""
    async with gateway.database.transaction(caller.tenant) as session:
        row = {**body.model_dump(), "saved_by": caller.name, "saved_at": datetime.now(UTC)}
        key = ["client_account_id", "engagement_id"]
        statement = insert(Limits).values(row).on_conflict_do_update(index_elements=key, set_=row)
        limits = (await session.scalars(statement.returning(Limits))).one()
        # Made once the row is held, so that of two at once the one whose row stays is also told last.
        await emit(session, TenantLimitsSaved(tenant=caller.tenant, **body.model_dump(), saved_by=caller.name))
        view = LimitsView.model_validate(limits)
    gateway.committed()
    return view

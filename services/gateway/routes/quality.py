"""Data quality in detail: figures, the rows behind each, and what an inventory is ready for."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert

from contracts import rest
from contracts.discovery import QualityReport
from contracts.envelope import BlobRef
from contracts.quality import QualityRequested
from contracts.rest_quality import QualityFailureView, QualityFigureView, QualityView
from services.chassis.errors import NotFound
from services.gateway.flows.lineage import holder
from services.gateway.pagination import Page
from services.gateway.principal import Caller
from services.gateway.read_model.flow_tables import FlowResult
from services.gateway.read_model.quality_tables import QualityFailure, QualityFigure, QualityMeasurement
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.flows import newest_flow
from services.gateway.routes.inventory import FlowId, listed

router = APIRouter(tags=["quality"])
Measure = Annotated[
    Literal["completeness", "validity", "uniqueness", "consistency", "timeliness"] | None,
    Query(description="Only of this measure"),
]
Of = Annotated[str | None, Query(alias="of", description="Only of this field, or rule of consistency")]
AssetType = Annotated[str | None, Query(description="Only of this asset type; left out: whatever the type")]


@router.get("/quality", responses={202: {"model": QualityView, "description": "Asked for; ask again in a moment"}})
async def show_quality(caller: Caller, gateway: Gateway, response: Response, flow_id: FlowId = None) -> QualityView:
    """What a discovery's inventory is ready for: for each phase the figures that are too low, and what to do.

    It is measured when somebody first asks: until then the status is `asked`, with 202.
    """
    async with gateway.database.transaction(caller.tenant) as session:
        flow = await holder(session, await newest_flow(session, "discovery", flow_id), FlowResult.flow_id)
        inventory = await session.scalar(
            select(FlowResult.result).where(FlowResult.flow_id == flow, FlowResult.name == "inventory")
        )
        if flow is None or inventory is None:
            raise NotFound("inventory_not_found", "There is no inventory to measure. Import files first.")
        found = await session.scalar(select(QualityMeasurement).where(QualityMeasurement.flow_id == flow))
        if found is None:
            request = QualityRequested(
                tenant=caller.tenant,
                flow_id=flow,
                assets=BlobRef.model_validate(inventory["assets"]),
                quality=QualityReport.model_validate(inventory["quality"]),
                applications=inventory.get("applications"),
            )
            row = {"flow_id": flow, "request_id": request.id}
            asked = insert(QualityMeasurement).values(row).on_conflict_do_nothing()
            # Of two who ask at the same time one sends the question.
            if await session.scalar(asked.returning(QualityMeasurement.flow_id)) is not None:
                await emit(session, request)
        view = _view(flow, found)
    gateway.committed()
    if view.status == "asked":
        response.status_code = 202
        response.headers["Retry-After"] = "1"
    return view


def _view(flow_id: UUID, found: QualityMeasurement | None) -> QualityView:
    if found is None or (found.readiness is None and found.problem is None):
        return QualityView(flow_id=flow_id, status="asked")
    status = "measured" if found.problem is None else "failed"
    told = {"flow_id": flow_id, "status": status, "readiness": found.readiness or [], "problem": found.problem}
    return QualityView.model_validate(told)


@router.get("/quality/figures")
async def list_quality_figures(
    session: Reading,
    page: Page,
    flow_id: FlowId = None,
    measure: Measure = None,
    of: Of = None,
    asset_type: AssetType = None,
) -> rest.Page[QualityFigureView]:
    """Every figure that was measured; ask GET /quality first."""
    statement = _filtered(select(QualityFigure), QualityFigure, measure, of, asset_type)
    keys = (QualityFigure.flow_id, QualityFigure.number)
    return await listed(session, page, ("discovery", flow_id), statement, keys, QualityFigureView)


@router.get("/quality/failures")
async def list_quality_failures(
    session: Reading,
    page: Page,
    flow_id: FlowId = None,
    measure: Measure = None,
    of: Of = None,
    asset_type: AssetType = None,
) -> rest.Page[QualityFailureView]:
    """The assets and cells behind the figures, but for completeness, of which only the count is kept."""
    statement = _filtered(select(QualityFailure), QualityFailure, measure, of, asset_type)
    keys = (QualityFailure.flow_id, QualityFailure.number)
    return await listed(session, page, ("discovery", flow_id), statement, keys, QualityFailureView)


def _filtered(
    statement: Select[Any],
    mapped: type[QualityFigure] | type[QualityFailure],
    measure: str | None,
    of: str | None,
    asset_type: str | None,
) -> Select[Any]:
    for column, wanted in ((mapped.measure, measure), (mapped.of, of), (mapped.asset_type, asset_type)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    return statement

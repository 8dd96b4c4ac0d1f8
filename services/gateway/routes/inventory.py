"""What was found and decided: assets, applications, dependencies, treatments, waves, and what could not be read."""

from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from contracts import rest
from contracts.assessment import SixR
from contracts.flows import FlowTypeName
from services.gateway.lineage import holder
from services.gateway.pagination import Page, Paging
from services.gateway.routes.access import Reading
from services.gateway.routes.flows import newest_flow
from services.gateway.tables import (
    Application,
    Asset,
    CellProblem,
    Dependency,
    PlannedWave,
    RejectedRow,
    Treatment,
)

router = APIRouter(tags=["inventory"])
V = TypeVar("V", bound=rest.View)
FlowId = Annotated[UUID | None, Query(description="The flow that found it; the newest completed one if left out")]


class AssetFilter:
    """Which assets to list; texts are compared without regard to case."""

    def __init__(
        self,
        q: Annotated[str | None, Query(description="Part of the name")] = None,
        environment: str | None = None,
        operating_system: Annotated[str | None, Query(description="Part of the operating system's name")] = None,
        application_name: str | None = None,
        asset_type: str | None = None,
    ) -> None:
        self.conditions: list[ColumnElement[bool]] = []
        for column, part in ((Asset.name, q), (Asset.operating_system, operating_system)):
            if part is not None:
                self.conditions.append(column.icontains(part, autoescape=True))
        exact = (
            (Asset.environment, environment),
            (Asset.application_name, application_name),
            (Asset.asset_type, asset_type),
        )
        for column, value in exact:
            if value is not None:
                self.conditions.append(column.ilike(_literal(value), escape="\\"))


def _literal(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def listed(
    session: AsyncSession,
    paging: Paging,
    found_by: tuple[FlowTypeName, UUID | None],
    statement: Select[Any],
    keys: tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]],
    view: type[V],
) -> rest.Page[V]:
    """A page of what a flow, or its origin before the fork, found; `keys`: columns of the flow's id and the order."""
    flow_id = await holder(session, await newest_flow(session, *found_by), keys[0])
    rows, cursor = await paging.fetch(session, statement.where(keys[0] == flow_id), keys[1])
    return rest.Page(items=[view.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/assets")
async def list_assets(
    session: Reading, page: Page, wanted: Annotated[AssetFilter, Depends()], flow_id: FlowId = None
) -> rest.Page[rest.AssetView]:
    """Assets of a discovery."""
    statement = select(Asset).where(*wanted.conditions)
    keys = (Asset.flow_id, Asset.asset_uid)
    return await listed(session, page, ("discovery", flow_id), statement, keys, rest.AssetView)


@router.get("/applications")
async def list_applications(
    session: Reading,
    page: Page,
    flow_id: FlowId = None,
    q: Annotated[str | None, Query(description="Part of the name")] = None,
    inferred: Annotated[
        bool | None, Query(description="Only those that no list names, or only those that one does")
    ] = None,
) -> rest.Page[rest.ApplicationView]:
    """Applications of a discovery."""
    statement = select(Application)
    if q is not None:
        statement = statement.where(Application.name.icontains(q, autoescape=True))
    if inferred is not None:
        statement = statement.where(Application.inferred == inferred)
    keys = (Application.flow_id, Application.application_uid)
    return await listed(session, page, ("discovery", flow_id), statement, keys, rest.ApplicationView)


@router.get("/dependencies")
async def list_dependencies(
    session: Reading,
    page: Page,
    flow_id: FlowId = None,
    application_uid: Annotated[UUID | None, Query(description="Either end")] = None,
) -> rest.Page[rest.DependencyView]:
    """Dependencies between the applications of a discovery."""
    statement = select(Dependency)
    if application_uid is not None:
        ends = (Dependency.source_application_uid, Dependency.target_application_uid)
        statement = statement.where((ends[0] == application_uid) | (ends[1] == application_uid))
    keys = (Dependency.flow_id, Dependency.dependency_id)
    return await listed(session, page, ("discovery", flow_id), statement, keys, rest.DependencyView)


@router.get("/treatments")
async def list_treatments(
    session: Reading, page: Page, flow_id: FlowId = None, strategy: SixR | None = None
) -> rest.Page[rest.TreatmentView]:
    """The 6R treatment of each application, with its reason."""
    statement = select(Treatment)
    if strategy is not None:
        statement = statement.where(Treatment.strategy == strategy)
    keys = (Treatment.flow_id, Treatment.application_uid)
    return await listed(session, page, ("assessment", flow_id), statement, keys, rest.TreatmentView)


@router.get("/waves")
async def list_waves(session: Reading, page: Page, flow_id: FlowId = None) -> rest.Page[rest.WaveView]:
    """The waves of a plan, pilot first."""
    keys = (PlannedWave.flow_id, PlannedWave.number)
    return await listed(session, page, ("planning", flow_id), select(PlannedWave), keys, rest.WaveView)


@router.get("/rejected-rows")
async def list_rejected_rows(session: Reading, page: Page, flow_id: FlowId = None) -> rest.Page[rest.RejectedRowView]:
    """Rows that no asset could be made of, as they came, with the reason."""
    keys = (RejectedRow.flow_id, RejectedRow.number)
    return await listed(session, page, ("discovery", flow_id), select(RejectedRow), keys, rest.RejectedRowView)


@router.get("/cell-problems")
async def list_cell_problems(session: Reading, page: Page, flow_id: FlowId = None) -> rest.Page[rest.CellProblemView]:
    """Cells whose value could not be read, with the reason."""
    keys = (CellProblem.flow_id, CellProblem.number)
    return await listed(session, page, ("discovery", flow_id), select(CellProblem), keys, rest.CellProblemView)

"""What was found and decided: assets, applications, dependencies, treatments, waves, and what could not be read."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from contracts import rest
from contracts.assessment import SixR
from contracts.catalog import CATALOG
from contracts.flows import FlowTypeName
from contracts.rest_planning import TreatmentView, WaveView
from services.chassis.errors import ExpectedFailure
from services.gateway.flows.exact_search import found_exactly, refuse_part_of_application, refuse_part_of_name
from services.gateway.flows.lineage import holder
from services.gateway.pagination import Page, Paging
from services.gateway.routes.access import Reading
from services.gateway.routes.fields import own_field_ids
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
# What figures of data quality call the type of an asset of which no row states one.
UNKNOWN_TYPE = "unknown"
FlowId = Annotated[UUID | None, Query(description="The flow that found it; the newest completed one if left out")]


@dataclass(frozen=True)
class AssetFilter:
    """Which assets to list."""

    missing: str | None
    part: str | None
    whole: dict[str, str]
    conditions: list[ColumnElement[bool]]


async def asset_filter(
    q: Annotated[str | None, Query(description="Part of the name; refused where names are sealed")] = None,
    name: Annotated[str | None, Query(max_length=300, description="Host name, FQDN or VM name as a whole")] = None,
    address: Annotated[str | None, Query(max_length=100, description="IP or MAC address as a whole")] = None,
    environment: str | None = None,
    operating_system: Annotated[str | None, Query(description="Part of the operating system's name")] = None,
    application_name: str | None = None,
    asset_type: Annotated[str | None, Query(description="`unknown`: those of which no row states it")] = None,
    missing: Annotated[str | None, Query(description="Only assets without a value of this field, by its id")] = None,
) -> AssetFilter:
    """What is asked for; texts are compared without regard to case."""
    conditions: list[ColumnElement[bool]] = []
    for column, part in ((Asset.name, q), (Asset.operating_system, operating_system)):
        if part is not None:
            conditions.append(column.icontains(part, autoescape=True))
    exact = (
        (Asset.environment, environment),
        (Asset.application_name, application_name),
        (Asset.asset_type, None if asset_type == UNKNOWN_TYPE else asset_type),
    )
    for column, value in exact:
        if value is not None:
            conditions.append(column.ilike(_literal(value), escape="\\"))
    if asset_type == UNKNOWN_TYPE:
        conditions.append(Asset.asset_type.is_(None))
    if missing is not None:
        conditions.append(_lacks(missing))
    whole = {kind: text for kind, text in (("name", name), ("address", address)) if text is not None}
    return AssetFilter(missing, q, whole, conditions)


def _lacks(field: str) -> ColumnElement[bool]:
    """That an asset has no value of a field: in its column, or among the attributes."""
    column = Asset.__table__.columns.get(field)
    return Asset.attributes[field].as_string().is_(None) if column is None else column.is_(None)


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


def _discovery(flow_id: UUID | None) -> tuple[FlowTypeName, UUID | None]:
    return "discovery", flow_id


@router.get("/assets")
async def list_assets(
    session: Reading, page: Page, wanted: Annotated[AssetFilter, Depends(asset_filter)], flow_id: FlowId = None
) -> rest.Page[rest.AssetView]:
    """Assets of a discovery; with `missing` those that lack a field, which is what counts against its completeness."""
    if wanted.missing is not None and wanted.missing not in CATALOG.keys() | await own_field_ids(session):
        raise ExpectedFailure("unknown_field", f"There is no field {wanted.missing!r}. GET /fields lists them all.")
    keys, found_by = (Asset.flow_id, Asset.asset_uid), _discovery(flow_id)
    if wanted.part is not None:
        await refuse_part_of_name(session, await holder(session, await newest_flow(session, *found_by), keys[0]))
    exact = [await found_exactly(session, kind, text) for kind, text in wanted.whole.items()]
    statement = select(Asset).where(*wanted.conditions, *exact)
    return await listed(session, page, found_by, statement, keys, rest.AssetView)


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
    if q is not None and inferred is not False:
        flow = await newest_flow(session, *_discovery(flow_id))
        await refuse_part_of_application(session, await holder(session, flow, Application.flow_id))
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
) -> rest.Page[TreatmentView]:
    """The 6R treatment of each application, with its reason."""
    statement = select(Treatment)
    if strategy is not None:
        statement = statement.where(Treatment.strategy == strategy)
    keys = (Treatment.flow_id, Treatment.application_uid)
    return await listed(session, page, ("assessment", flow_id), statement, keys, TreatmentView)


@router.get("/waves")
async def list_waves(session: Reading, page: Page, flow_id: FlowId = None) -> rest.Page[WaveView]:
    """The waves of a plan, pilot first."""
    keys = (PlannedWave.flow_id, PlannedWave.number)
    return await listed(session, page, ("planning", flow_id), select(PlannedWave), keys, WaveView)


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

"""Single assets: where their values come from, what an import changed of them, and which are one machine."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rest
from contracts.assets import AssetOriginRequested, AssetSplitRequested, DuplicateDecided
from contracts.rest_assets import (
    AssetChangeView,
    AssetOriginView,
    AssetSplitBody,
    DuplicateDecisionBody,
    DuplicateView,
)
from services.chassis.errors import Conflict, NotFound
from services.gateway.flows.lineage import holder
from services.gateway.idempotency import Creating
from services.gateway.pagination import Page
from services.gateway.principal import Caller
from services.gateway.read_model.asset_tables import AssetChange, AssetOrigin, DuplicatePair
from services.gateway.routes.access import Gateway, Reading, emit
from services.gateway.routes.flows import newest_flow
from services.gateway.routes.inventory import FlowId, listed
from services.gateway.tables import Asset

router = APIRouter(tags=["assets"])


@router.get(
    "/assets/{asset_uid}/origin",
    responses={202: {"model": AssetOriginView, "description": "Asked for; ask again in a moment"}},
)
async def show_asset_origin(
    asset_uid: UUID, caller: Caller, gateway: Gateway, response: Response, flow_id: FlowId = None
) -> AssetOriginView:
    """For each value the cell it comes from, the rule that read it, and the cells that say something else.

    It is computed when somebody first asks: until then the status is `asked`, with 202.
    """
    async with gateway.database.transaction(caller.tenant) as session:
        asset = await _asset(session, asset_uid, flow_id)
        found = await session.scalar(
            select(AssetOrigin).where(AssetOrigin.flow_id == asset.flow_id, AssetOrigin.asset_uid == asset_uid)
        )
        if found is None:
            question = AssetOriginRequested(
                tenant=caller.tenant, flow_id=asset.flow_id, asset_uid=asset_uid, source_rows=asset.source_rows
            )
            row = {"flow_id": asset.flow_id, "asset_uid": asset_uid, "request_id": question.id}
            asked = insert(AssetOrigin).values(row).on_conflict_do_nothing().returning(AssetOrigin.asset_uid)
            # Of two who ask at the same time one sends the question.
            if await session.scalar(asked) is not None:
                await emit(session, question)
        view = _origin_view(asset, found)
    gateway.committed()
    if view.status == "asked":
        response.status_code = 202
        response.headers["Retry-After"] = "1"
    return view


def _origin_view(asset: Asset, found: AssetOrigin | None) -> AssetOriginView:
    if found is None or (found.fields is None and found.problem is None):
        return AssetOriginView(asset_uid=asset.asset_uid, flow_id=asset.flow_id, status="asked")
    return AssetOriginView.model_validate(
        {
            "asset_uid": asset.asset_uid,
            "flow_id": asset.flow_id,
            "status": "told" if found.problem is None else "failed",
            "fields": found.fields or [],
            "rules_changed": bool(found.rules_changed),
            "problem": found.problem,
        }
    )


@router.post("/assets/{asset_uid}/split", status_code=202)
async def split_asset(
    asset_uid: UUID, body: AssetSplitBody, caller: Caller, once: Creating, flow_id: FlowId = None
) -> rest.AssetView:
    """Take rows out of an asset that are another machine: it becomes two, in this and every later import."""
    async with once.transaction() as session:
        asset = await _asset(session, asset_uid, flow_id)
        rows = asset.source_rows.split("; ")
        if not set(body.source_rows) < set(rows):
            raise Conflict.with_alternatives(
                "not_its_rows",
                "Name some of the rows that this asset was merged of, and leave it at least one.",
                rows,
            )
        request = AssetSplitRequested(
            tenant=caller.tenant, flow_id=asset.flow_id, asset_uid=asset_uid, source_rows=asset.source_rows,
            apart=body.source_rows, decided_by=caller.name,
        )  # fmt: skip
        await emit(session, request)
        return once.keep(rest.AssetView.model_validate(asset))


@router.get("/asset-changes")
async def list_asset_changes(
    session: Reading,
    page: Page,
    flow_id: FlowId = None,
    change: Annotated[
        Literal["appeared", "returned", "changed", "vanished"] | None, Query(description="Only changes of this kind")
    ] = None,
) -> rest.Page[AssetChangeView]:
    """What a discovery changed of the assets that the engagement had before."""
    statement = select(AssetChange)
    if change is not None:
        statement = statement.where(AssetChange.change == change)
    keys = (AssetChange.flow_id, AssetChange.number)
    return await listed(session, page, ("discovery", flow_id), statement, keys, AssetChangeView)


@router.get("/duplicates")
async def list_duplicates(
    session: Reading,
    page: Page,
    flow_id: FlowId = None,
    undecided: Annotated[bool, Query(description="Only pairs that nobody decided")] = False,
) -> rest.Page[DuplicateView]:
    """Pairs of assets that might be one machine: too alike to ignore, too different to merge."""
    statement = select(DuplicatePair)
    if undecided:
        statement = statement.where(DuplicatePair.same.is_(None))
    keys = (DuplicatePair.flow_id, DuplicatePair.number)
    return await listed(session, page, ("discovery", flow_id), statement, keys, DuplicateView)


@router.post("/duplicates/{asset_uid}/{other_uid}/decide", status_code=202)
async def decide_duplicate(
    asset_uid: UUID, other_uid: UUID, body: DuplicateDecisionBody, caller: Caller, once: Creating
) -> DuplicateView:
    """Say whether two assets are one machine; it holds from the engagement's next inventory on."""
    pair = (asset_uid, other_uid)
    async with once.transaction() as session:
        known = DuplicatePair.asset_uid.in_(pair) & DuplicatePair.other_uid.in_(pair)
        found = await session.scalar(select(DuplicatePair).where(known).limit(1))
        if found is None or asset_uid == other_uid:
            raise NotFound("pair_not_found", "No discovery of this engagement lists these two assets as a pair.")
        decided = DuplicateDecided(
            tenant=caller.tenant, asset_uid=asset_uid, other_uid=other_uid, same=body.same, decided_by=caller.name
        )
        await emit(session, decided)
        pair_as_was = DuplicateView.model_validate(found)
        return once.keep(pair_as_was.model_copy(update={"same": body.same, "decided_by": caller.name}))


async def _asset(session: AsyncSession, asset_uid: UUID, flow_id: UUID | None) -> Asset:
    """The asset as the flow, or its origin before the fork, found it."""
    flow = await holder(session, await newest_flow(session, "discovery", flow_id), Asset.flow_id)
    asset = await session.scalar(select(Asset).where(Asset.flow_id == flow, Asset.asset_uid == asset_uid))
    if asset is None:
        raise NotFound("asset_not_found", f"There is no asset {asset_uid} in this discovery. GET /assets lists them.")
    return asset

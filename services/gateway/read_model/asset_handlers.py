"""The read model about single assets: where their values come from, and what became of them when one was split."""

from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.assets import AssetOriginCompleted, AssetOriginFailed, AssetSplitCompleted, DuplicateDecided
from services.chassis.frames import insert_frames
from services.chassis.sealed_events import opened_origin
from services.chassis.sealed_rows import sealed_row, vault_of
from services.chassis.work import Job
from services.gateway.handlers import flow_of, service
from services.gateway.read_model.asset_tables import AssetOrigin, DuplicatePair
from services.gateway.read_model.projections import as_stored, asset_rows, table_of
from services.gateway.tables import Asset


@service.on
async def show_origin(event: AssetOriginCompleted | AssetOriginFailed, session: AsyncSession) -> None:
    """Keep the answer to who asked where an asset's values come from; only the newest question counts."""
    asked = update(AssetOrigin).where(AssetOrigin.request_id == event.causation_id)
    if isinstance(event, AssetOriginFailed):
        await session.execute(asked.values(problem=event.problem.model_dump(mode="json")))
        return
    vault = vault_of(session)
    fields = [field.model_dump(mode="json") for field in opened_origin(vault, event)]
    told: dict[str, Any] = {"fields": fields, "rules_changed": event.rules_changed, "sealed": None}
    if event.sealed is not None:
        key = {"flow_id": flow_of(event), "asset_uid": event.asset_uid}
        told = sealed_row(vault, event.tenant, table_of(AssetOrigin), {**key, **told})
    await session.execute(asked.values(**told))


@service.work
async def show_split(event: AssetSplitCompleted, job: Job) -> None:
    """Show the two assets that one became, in its place."""
    flow_id, table = flow_of(event), table_of(Asset)
    async with job.blobs.local(event.tenant, event.assets) as path:
        rows = await job.run(list, asset_rows(path))
    session = await job.begin()
    stored = await as_stored(session, job, event, Asset)
    uids = (event.asset_uid, event.other_uid)
    for mapped in (table, table_of(AssetOrigin)):
        await session.execute(delete(mapped).where(mapped.c.flow_id == flow_id, mapped.c.asset_uid.in_(uids)))
    await insert_frames(session, table, rows, {"flow_id": flow_id}, stored=stored)


@service.on
async def show_decision(event: DuplicateDecided, session: AsyncSession) -> None:
    """Show what a person said of two assets, wherever they are listed."""
    pair = (event.asset_uid, event.other_uid)
    listed = DuplicatePair.asset_uid.in_(pair) & DuplicatePair.other_uid.in_(pair)
    await session.execute(update(DuplicatePair).where(listed).values(same=event.same, decided_by=event.decided_by))

"""What people ask of single assets, answered from the files' tables and the mapping that made them."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.assets import (
    AssetOriginCompleted,
    AssetOriginFailed,
    AssetOriginRequested,
    AssetSplitCompleted,
    AssetSplitFailed,
    AssetSplitRequested,
    DuplicateDecided,
)
from contracts.configuration import READINESS_THRESHOLDS
from contracts.discovery import ColumnMapping, TableMapping, TableProfile
from contracts.envelope import Event
from contracts.quality import QualityCompleted, QualityFailed, QualityRequested
from services.chassis.configuration import configured
from services.chassis.errors import ExpectedFailure
from services.chassis.frames import insert_frames, load_frame, store_frame
from services.chassis.inventory_sealing import is_sealed
from services.chassis.sealed_events import sealed_origin
from services.chassis.sealed_rows import sealed_frame
from services.chassis.work import Job
from services.field_mapping.handlers import asset_rows, service
from services.field_mapping.knowledge import read_own_types
from services.field_mapping.normalise import RULES_VERSION, SourceTable
from services.field_mapping.origin import origins, rows_of
from services.field_mapping.quality_measures import measure
from services.field_mapping.readiness import Lacking, readiness
from services.field_mapping.splitting import SplitRefused, other_uid, split_asset
from services.field_mapping.tables import Asset, IdentityDecision, Mapping
from services.field_mapping.withholding import withheld


@service.work
async def tell_origin(event: AssetOriginRequested, job: Job) -> AssetOriginCompleted | AssetOriginFailed:
    """Read the asset's source rows again, and tell what each of its values was made of."""
    used, tables = await _source_tables(event, job, event.source_rows)
    fields = await job.run(origins, tables, event.source_rows)
    async with job.reading() as session:
        sealed = await is_sealed(session, service.metadata, event.tenant)
    return AssetOriginCompleted.reply_to(
        event,
        asset_uid=event.asset_uid,
        fields=[] if sealed else fields,
        sealed=sealed_origin(job.vault, event.tenant, event.asset_uid, fields) if sealed else None,
        rules_changed=any(row.rules_version != RULES_VERSION for row in used),
    )


@service.work
async def split(event: AssetSplitRequested, job: Job) -> AssetSplitCompleted | AssetSplitFailed:
    """Make two assets of one, and remember that they are different machines."""
    async with job.reading() as session:
        newest = await session.scalar(select(Asset.flow_id).where(Asset.asset_uid == event.asset_uid))
    if newest != event.flow_id:
        raise ExpectedFailure(
            "not_the_newest_asset",
            "This asset was imported again since, so its rows are others now. Split it in the newest discovery"
            f"{f', {newest}' if newest else ''}.",
        )
    _, tables = await _source_tables(event, job, event.source_rows)
    try:
        assets = await job.run(split_asset, tables, event.asset_uid, event.source_rows, event.apart)
    except SplitRefused as error:
        raise ExpectedFailure("split_refused", str(error)) from error
    other = other_uid(event.asset_uid, event.apart)
    blob = await store_frame(job, event.tenant, "split_assets", assets)
    session = await job.begin()
    table = cast(Table, Asset.__table__)
    stored = None
    if await is_sealed(session, service.metadata, event.tenant):
        stored = partial(sealed_frame, job.vault, event.tenant, table, fixed={})
    rows = [asset_rows(assets, assets.columns)]
    await insert_frames(session, table, rows, {"flow_id": event.flow_id}, replace=True, stored=stored)
    await _decide(session, event, (event.asset_uid, other), same=False, decided_by=event.decided_by)
    return AssetSplitCompleted.reply_to(event, asset_uid=event.asset_uid, other_uid=other, assets=blob)


@service.on
async def keep_decision(event: DuplicateDecided, session: AsyncSession) -> None:
    """Remember what a person said of two assets; the next inventory of the engagement heeds it."""
    await _decide(session, event, (event.asset_uid, event.other_uid), same=event.same, decided_by=event.decided_by)


async def _decide(session: AsyncSession, event: Event, pair: tuple[UUID, UUID], *, same: bool, decided_by: str) -> None:
    one, other = sorted(pair)
    row = {"asset_uid": one, "other_uid": other, "same": same, "decided_by": decided_by, "decided_at": event.time}
    key = ["client_account_id", "engagement_id", "asset_uid", "other_uid"]
    await session.execute(insert(IdentityDecision).values(row).on_conflict_do_update(index_elements=key, set_=row))


@service.work
async def measure_quality(event: QualityRequested, job: Job) -> QualityCompleted | QualityFailed:
    """Measure an inventory in detail, which nobody waits for while it is imported."""
    _, tables = await _source_tables(event, job, None)
    assets = await load_frame(job, event.tenant, event.assets)
    applications = None if event.applications is None else await load_frame(job, event.tenant, event.applications)
    async with job.reading() as session:
        thresholds = await configured(session, service.metadata, event.tenant, READINESS_THRESHOLDS)
        sealed = await is_sealed(session, service.metadata, event.tenant)
    lacking = Lacking(thresholds, applications)
    await job.run(lacking.add, assets)
    measured = await job.run(measure, assets, tables, event.time.date())
    judged = readiness(event.flow_id, event.quality, lacking, thresholds)
    return QualityCompleted.reply_to(
        event,
        figures=await store_frame(job, event.tenant, "quality_figures", measured.figures),
        failures=await store_frame(job, event.tenant, "quality_failures", measured.failures),
        readiness=withheld(judged) if sealed else judged,
    )


async def _source_tables(
    event: Event, job: Job, source_rows: str | None
) -> tuple[Sequence[Row[Any]], list[SourceTable]]:
    """The tables that hold these rows, or all, as the flow read them, and the mappings that it used."""
    async with job.reading() as session:
        statement = select(Mapping.table_id, Mapping.columns, Mapping.source, Mapping.rules_version)
        used = (await session.execute(statement.where(Mapping.flow_id == event.flow_id))).all()
        own_types = await read_own_types(session)
    tables = []
    for row in used:
        # The profile of the columns is not kept: what they mean is decided.
        profile = TableProfile.model_validate({**row.source, "columns": []}) if row.source else None
        if profile and (source_rows is None or rows_of(profile, source_rows)):
            columns = [ColumnMapping.model_validate(column) for column in row.columns]
            mapping = TableMapping(
                table_id=row.table_id,
                file_name=profile.file_name,
                sheet=profile.sheet,
                kind=profile.kind,
                columns=columns,
            )
            frame = await load_frame(job, event.tenant, profile.rows)
            tables.append(SourceTable(profile, mapping, frame.lazy(), own_types))
    if not tables:
        raise ExpectedFailure(
            "origin_unknown",
            "The tables that this was made of are not known: they were imported before they were kept. "
            "Import the files again.",
        )
    return used, tables

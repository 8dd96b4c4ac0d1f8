"""The large part of the read model: Parquet files of other services become rows to page through."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import polars as pl
from sqlalchemy import Table, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from contracts.assessment import SixRCompleted
from contracts.discovery import DependencyAnalysisCompleted, InventoryCompleted
from contracts.envelope import BlobRef, Event
from contracts.inventory_sealing import with_names
from contracts.planning import WavePlanningCompleted
from services.chassis.frame_files import pieces
from services.chassis.frames import PIECE_ROWS, insert_frames, load_frame
from services.chassis.inventory_sealing import is_sealed
from services.chassis.sealed_rows import sealed_frame, sealed_rows, sealing_of
from services.chassis.work import Job
from services.gateway.handlers import flow_of, service
from services.gateway.read_model.asset_tables import AssetChange, AssetOrigin, DuplicatePair
from services.gateway.read_model.flow_tables import FlowResult
from services.gateway.read_model.quality_tables import QualityMeasurement
from services.gateway.tables import (
    Application,
    Asset,
    CellProblem,
    Dependency,
    PlannedWave,
    RejectedRow,
    Treatment,
)


def table_of(mapped: type[DeclarativeBase]) -> Table:
    """The table of a mapped class."""
    assert isinstance(mapped.__table__, Table)
    return mapped.__table__


def asset_rows(path: Path) -> Iterator[pl.DataFrame]:
    """Assets as the read model stores them, piece by piece: its own columns, and as JSON what else each has."""
    names = pl.read_parquet_schema(path)
    own = [column.name for column in table_of(Asset).columns if column.name in names]
    for assets in pieces(path):
        others = [name for name in names if name not in own and assets[name].count()]
        attributes = _without_nulls(pl.struct(others).struct.json_encode()) if others else pl.lit("{}")
        yield assets.select(*own, attributes.alias("attributes"))


def _without_nulls(objects: pl.Expr) -> pl.Expr:
    """JSON objects of scalars without their null members; inside a string every quote has a backslash before it."""
    return objects.str.replace_all(r'"[a-z0-9_]+":null,?', "").str.replace(r",\}$", "}")


def plain_rows(path: Path, mapped: type[DeclarativeBase]) -> pl.DataFrame:
    """The columns of a Parquet file that the table has."""
    frame = pl.read_parquet(path)
    return frame.select([column.name for column in table_of(mapped).columns if column.name in frame.columns])


def dependency_rows(path: Path) -> pl.DataFrame:
    """Dependencies with an id of their own, the same whenever the same file is read."""
    rows = plain_rows(path, Dependency)
    ids = [
        str(uuid5(NAMESPACE_OID, "|".join(str(part) for part in key)))
        for key in rows.select("source_application_uid", "target_application_uid", "kind", "port").iter_rows()
    ]
    return rows.with_columns(pl.Series("dependency_id", ids, dtype=pl.String))


def numbered_rows(path: Path, mapped: type[DeclarativeBase]) -> pl.DataFrame:
    """Rows without a key of their own, numbered from 1 in the file's order."""
    return plain_rows(path, mapped).with_columns(pl.int_range(1, pl.len() + 1).alias("number"))


@service.work
async def show_assets(event: InventoryCompleted, job: Job) -> None:
    """Make a discovery's assets listable, and what could not be read of its files."""
    async with job.blobs.local(event.tenant, event.rejected_rows) as path:
        rejected = await job.run(numbered_rows, path, RejectedRow)
    async with job.blobs.local(event.tenant, event.cell_problems) as path:
        problems = await job.run(numbered_rows, path, CellProblem)
    listed: list[tuple[type[DeclarativeBase], pl.DataFrame]] = [(RejectedRow, rejected), (CellProblem, problems)]
    lists: tuple[tuple[type[DeclarativeBase], BlobRef | None], ...] = (
        (AssetChange, event.change_list),
        (DuplicatePair, event.duplicates),
    )
    for mapped, ref in lists:
        if ref is not None:
            async with job.blobs.local(event.tenant, ref) as path:
                listed.append((mapped, await job.run(numbered_rows, path, mapped)))
    async with job.blobs.local(event.tenant, event.assets) as path:
        await replace_rows(job, event, Asset, asset_rows(path))
    for mapped, rows in listed:
        await replace_rows(job, event, mapped, rows.iter_slices(PIECE_ROWS))
    # What was told of an earlier attempt's inventory is not told of this one.
    session = await job.begin()
    for mapped in (AssetOrigin, QualityMeasurement):
        await session.execute(delete(table_of(mapped)).where(table_of(mapped).c.flow_id == event.flow_id))
    await _remember(job, event, "inventory", {"assets", "applications", "quality", "changes", "readiness"})


@service.work
async def show_applications(event: DependencyAnalysisCompleted, job: Job) -> None:
    """Make a discovery's applications and dependencies listable."""
    async with job.blobs.local(event.tenant, event.applications) as path:
        applications = await job.run(plain_rows, path, Application)
    async with job.blobs.local(event.tenant, event.dependencies) as path:
        dependencies = await job.run(dependency_rows, path)
    await replace_rows(job, event, Application, applications.iter_slices(PIECE_ROWS))
    await replace_rows(job, event, Dependency, dependencies.iter_slices(PIECE_ROWS))
    await _remember(job, event, "dependency_analysis", {"applications", "dependencies"})


@service.work
async def show_treatments(event: SixRCompleted, job: Job) -> None:
    """Make an assessment's treatments listable."""
    async with job.blobs.local(event.tenant, event.assessments) as path:
        rows = await job.run(plain_rows, path, Treatment)
    await replace_rows(job, event, Treatment, rows.iter_slices(PIECE_ROWS))
    await _remember(job, event, "six_r", {"assessments"})


@service.work
async def show_waves(event: WavePlanningCompleted, job: Job) -> None:
    """Make a planning's waves listable."""
    async with job.reading() as session:
        sealed = await is_sealed(session, service.metadata, event.tenant)
    # Where names are withheld from events, the plan itself has them.
    waves = event.waves
    if sealed:
        plan = await load_frame(job, event.tenant, event.plan)
        waves = with_names(waves, dict(plan.select("application_uid", "name").iter_rows()))
    session = await job.begin()
    await session.execute(delete(PlannedWave).where(PlannedWave.flow_id == event.flow_id))
    columns = set(PlannedWave.__table__.columns.keys())
    rows = [{"flow_id": flow_of(event), **wave.model_dump(include=columns)} for wave in waves]
    if sealed:
        rows = sealed_rows(job.vault, event.tenant, table_of(PlannedWave), rows)
    if rows:
        await session.execute(insert(PlannedWave), rows)


async def replace_rows(job: Job, event: Event, mapped: type[DeclarativeBase], rows: Iterable[pl.DataFrame]) -> None:
    """Write `rows` in place of what an earlier attempt of the phase left for this event's flow."""
    table, flow_id = table_of(mapped), flow_of(event)
    session = await job.begin()
    await session.execute(delete(table).where(table.c.flow_id == flow_id))
    stored = await as_stored(session, job, event, mapped)
    await insert_frames(session, table, rows, {"flow_id": flow_id}, stored=stored)


async def as_stored(
    session: AsyncSession, job: Job, event: Event, mapped: type[DeclarativeBase]
) -> Callable[[pl.DataFrame], pl.DataFrame] | None:
    """What makes of rows of the event's flow what is stored of them; None where they are stored as they are."""
    table = table_of(mapped)
    if sealing_of(table) is None or not await is_sealed(session, service.metadata, event.tenant):
        return None
    return partial(sealed_frame, job.vault, event.tenant, table, fixed={"flow_id": flow_of(event)})


async def _remember(job: Job, event: Event, name: str, fields: set[str]) -> None:
    """Keep these fields of an event for flows that are started from its results."""
    session = await job.begin()
    row = {"flow_id": flow_of(event), "name": name, "result": event.model_dump(mode="json", include=fields)}
    key = ["client_account_id", "engagement_id", "flow_id", "name"]
    await session.execute(insert(FlowResult).values(row).on_conflict_do_update(index_elements=key, set_=row))

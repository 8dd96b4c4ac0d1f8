"""The large part of the read model: Parquet files of other services become rows to page through."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import polars as pl
from sqlalchemy import Table, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase

from contracts.assessment import SixRCompleted
from contracts.discovery import DependencyAnalysisCompleted, InventoryCompleted
from contracts.planning import WavePlanningCompleted
from services.chassis.frames import PIECE_ROWS, insert_frames, rows_with_attributes
from services.chassis.work import Job
from services.gateway.handlers import flow_of, service
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


def asset_rows(path: Path, flow_id: str) -> Iterator[pl.DataFrame]:
    """Assets as the read model stores them: `attributes` has only what an asset has."""
    return rows_with_attributes(pl.read_parquet(path), table_of(Asset), "asset_uid", flow_id, tidy=_without_nulls)


def _without_nulls(objects: pl.Expr) -> pl.Expr:
    """JSON objects of scalars without their null members; inside a string every quote has a backslash before it."""
    return objects.str.replace_all(r'"[a-z0-9_]+":null,?', "").str.replace(r",\}$", "}")


def plain_rows(path: Path, flow_id: str, mapped: type[DeclarativeBase]) -> pl.DataFrame:
    """The columns of a Parquet file that the table has, with the flow they belong to."""
    frame = pl.read_parquet(path).with_columns(pl.lit(flow_id).alias("flow_id"))
    return frame.select([column.name for column in table_of(mapped).columns if column.name in frame.columns])


def dependency_rows(path: Path, flow_id: str) -> pl.DataFrame:
    """Dependencies with an id of their own, the same whenever the same file is read."""
    rows = plain_rows(path, flow_id, Dependency)
    ids = [
        str(uuid5(NAMESPACE_OID, "|".join(str(part) for part in key)))
        for key in rows.select("source_application_uid", "target_application_uid", "kind", "port").iter_rows()
    ]
    return rows.with_columns(pl.Series("dependency_id", ids, dtype=pl.String))


def numbered_rows(path: Path, flow_id: str, mapped: type[DeclarativeBase]) -> pl.DataFrame:
    """Rows without a key of their own, numbered from 1 in the file's order."""
    rows = plain_rows(path, flow_id, mapped)
    return rows.with_columns(pl.int_range(1, pl.len() + 1).alias("number"))


@service.work
async def show_assets(event: InventoryCompleted, job: Job) -> None:
    """Make a discovery's assets listable, and what could not be read of its files."""
    flow_id = str(flow_of(event))
    async with job.blobs.local(event.tenant, event.rejected_rows) as path:
        rejected = await job.run(numbered_rows, path, flow_id, RejectedRow)
    async with job.blobs.local(event.tenant, event.cell_problems) as path:
        problems = await job.run(numbered_rows, path, flow_id, CellProblem)
    async with job.blobs.local(event.tenant, event.assets) as path:
        await _replace(job, event.flow_id, Asset, asset_rows(path, flow_id))
    for mapped, rows in ((RejectedRow, rejected), (CellProblem, problems)):
        await _replace(job, event.flow_id, mapped, rows.iter_slices(PIECE_ROWS))


@service.work
async def show_applications(event: DependencyAnalysisCompleted, job: Job) -> None:
    """Make a discovery's applications and dependencies listable."""
    flow_id = str(flow_of(event))
    async with job.blobs.local(event.tenant, event.applications) as path:
        applications = await job.run(plain_rows, path, flow_id, Application)
    async with job.blobs.local(event.tenant, event.dependencies) as path:
        dependencies = await job.run(dependency_rows, path, flow_id)
    await _replace(job, event.flow_id, Application, applications.iter_slices(PIECE_ROWS))
    await _replace(job, event.flow_id, Dependency, dependencies.iter_slices(PIECE_ROWS))


@service.work
async def show_treatments(event: SixRCompleted, job: Job) -> None:
    """Make an assessment's treatments listable."""
    async with job.blobs.local(event.tenant, event.assessments) as path:
        rows = await job.run(plain_rows, path, str(flow_of(event)), Treatment)
    await _replace(job, event.flow_id, Treatment, rows.iter_slices(PIECE_ROWS))


@service.work
async def show_waves(event: WavePlanningCompleted, job: Job) -> None:
    """Make a planning's waves listable."""
    session = await job.begin()
    await session.execute(delete(PlannedWave).where(PlannedWave.flow_id == event.flow_id))
    columns = {"number", "name", "application_names", "asset_count", "risk", "move_groups", "reason"}
    rows = [{"flow_id": flow_of(event), **wave.model_dump(include=columns)} for wave in event.waves]
    if rows:
        await session.execute(insert(PlannedWave), rows)


async def _replace(job: Job, flow_id: object, mapped: type[DeclarativeBase], rows: Iterable[pl.DataFrame]) -> None:
    """Write `rows` in place of what an earlier attempt of the phase left for this flow."""
    table = table_of(mapped)
    session = await job.begin()
    await session.execute(delete(table).where(table.c.flow_id == flow_id))
    await insert_frames(session, table, rows)

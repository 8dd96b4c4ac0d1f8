"""Field mapping's work: read files, propose what their columns mean, build the clean inventory."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid5

import polars as pl
from sqlalchemy import Table, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.configuration import READINESS_GATE, READINESS_THRESHOLDS, ROWS_PER_IMPORT, SEALED_INVENTORY
from contracts.discovery import (
    DataImportCompleted,
    DataImportFailed,
    DataImportRequested,
    FieldMappingCompleted,
    FieldMappingFailed,
    FieldMappingRequested,
    ImportFile,
    InventoryCompleted,
    InventoryFailed,
    InventoryRequested,
    TableMapping,
    TableProfile,
)
from contracts.envelope import BlobRef, Tenant
from contracts.learning import OWN_PREFIX, MappingSaved
from contracts.model_configuration import MODEL_BASE_URLS, MODEL_PROVIDER_KEYS, MODELS
from services.chassis.configuration import settings_in_force, value_in
from services.chassis.errors import ExpectedFailure
from services.chassis.frame_files import FrameFile
from services.chassis.frames import PARQUET, PIECE_ROWS, insert_frames, scan_frame, store_frame
from services.chassis.inventory_sealing import is_sealed
from services.chassis.leases import LeaseLost
from services.chassis.sealed_rows import sealed_frame
from services.chassis.service import Service
from services.chassis.work import Job
from services.field_mapping.inventory import Inventory, MappingMismatch, SourceTable, build_inventory
from services.field_mapping.knowledge import keep_proposals, read_headers, read_knowledge, read_own_types, save_mappings
from services.field_mapping.normalise import RULES_VERSION
from services.field_mapping.profile import profile
from services.field_mapping.proposing import propose_known
from services.field_mapping.read_table import FileRejected, ReadTable
from services.field_mapping.readiness import Lacking, readiness
from services.field_mapping.reading import read_tables
from services.field_mapping.refusals import check_rows, no_assets
from services.field_mapping.reimport import Comparison, known_machines, mark_vanished
from services.field_mapping.rvtools import is_tab_alone, join_files
from services.field_mapping.sources import file_family
from services.field_mapping.table_kind import table_kind
from services.field_mapping.tables import Asset, Mapping, Tables
from services.field_mapping.withholding import with_samples, withheld

service = Service(Tables.metadata)

# Where one of these is set, agents may have a model; whether it answers, they find out.
MODEL_SETTINGS = frozenset(key.name for key in (MODEL_PROVIDER_KEYS, MODEL_BASE_URLS, MODELS))

# Columns are cleaned at the same time: polars computes without the interpreter's lock.
_COLUMNS = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="columns")


@service.work
async def import_files(event: DataImportRequested, job: Job) -> DataImportCompleted | DataImportFailed:
    """Read every file of a discovery into tables of strings, each kept as Parquet and profiled."""
    async with job.reading() as session:
        in_force = await settings_in_force(session, service.metadata, event.tenant)
    quota, sealed = value_in(in_force, ROWS_PER_IMPORT), value_in(in_force, SEALED_INVENTORY)
    profiles: dict[int, list[TableProfile]] = {}
    tabs: dict[int, list[ReadTable]] = {}
    rows_read = 0
    for number, file in enumerate(event.files):
        await job.progress(number, len(event.files), f"reading {file.file_name}")
        found = await _read(job, event.tenant, file)
        rows_read += sum(table.height for table in found)
        check_rows(rows_read, quota, file.file_name)
        if is_tab_alone(found):
            tabs[number] = found
        else:
            profiles[number] = await _profiled(job, event.tenant, file, found)
    for number, found in zip(tabs, await job.run(join_files, list(tabs.values())), strict=True):
        profiles[number] = await _profiled(job, event.tenant, event.files[number], found)
    tables = [table for number in sorted(profiles) for table in profiles[number]]
    return DataImportCompleted.reply_to(event, tables=withheld(tables) if sealed else tables)


async def _read(job: Job, tenant: Tenant, file: ImportFile) -> list[ReadTable]:
    try:
        async with job.blobs.local(tenant, file.file) as path:
            return await job.run(read_tables, path, file.file_name)
    except FileRejected as error:
        raise ExpectedFailure.of(error.problem) from error


async def _profiled(job: Job, tenant: Tenant, file: ImportFile, found: Sequence[ReadTable]) -> list[TableProfile]:
    return [await _profiled_table(job, tenant, file, position, read) for position, read in enumerate(found)]


async def _profiled_table(job: Job, tenant: Tenant, file: ImportFile, position: int, read: ReadTable) -> TableProfile:
    storing = job.blobs.put_bytes(tenant, "tables", read.parquet, PARQUET)
    columns, rows = await asyncio.gather(job.run(profile, read.rows, partial(columns_of, job)), storing)
    return TableProfile(
        table_id=uuid5(file.import_id, f"{position}"),
        import_id=file.import_id,
        file_name=read.file_name,
        sheet=read.sheet,
        kind=table_kind(columns),
        header_row=read.header_row,
        row_count=read.height,
        columns=columns,
        rows=rows,
        problems=read.problems,
    )


@service.work
async def map_fields(event: FieldMappingRequested, job: Job) -> FieldMappingCompleted | FieldMappingFailed:
    """Propose a mapping for every column of every table, by what the tenant taught and the sources it knows."""
    async with job.reading() as session:
        known = await read_knowledge(session)
        kinds = [(table.kind, file_family(table.file_name, table.sheet)) for table in event.tables]
        headers = await read_headers(session, kinds)
        sealed = await is_sealed(session, service.metadata, event.tenant)
        in_force = await settings_in_force(session, service.metadata, event.tenant)
    tables = [await with_samples(job, event.tenant, table) for table in event.tables]
    mappings = [await job.run(propose_known, table, headers, known) for table in tables]
    if sealed:
        mappings = withheld(mappings)
    columns = [column for mapping in mappings for column in mapping.columns]
    if all(column.field is None for column in columns):
        names = ", ".join(sorted({table.file_name for table in event.tables}))
        raise ExpectedFailure(
            "nothing_mapped",
            f"None of the {len(columns)} columns of {names} looks like part of an inventory. "
            "Import a list of servers, applications or connections with a header row.",
        )
    review = sum(column.status == "review" for column in columns)
    await keep_proposals(await job.begin(), event.flow_id, mappings)
    # What is sealed here is not shown to a model either.
    ask = not sealed and not MODEL_SETTINGS.isdisjoint(in_force)
    return FieldMappingCompleted.reply_to(event, mappings=mappings, review_count=review, ask_agent=ask)


@service.work
async def make_inventory(
    event: InventoryRequested, job: Job
) -> list[InventoryCompleted | MappingSaved] | InventoryFailed:
    """Clean, merge and store the assets of the tables, with the mapping that was decided."""
    decided = {mapping.table_id: mapping for mapping in event.mappings}
    total = sum(table.row_count for table in event.tables)
    await job.progress(0, total, f"cleaning {total:,} rows")
    async with job.reading() as session:
        own_types = await read_own_types(session)
        known = await known_machines(session)
        in_force = await settings_in_force(session, service.metadata, event.tenant)
    asks, thresholds = value_in(in_force, READINESS_GATE), value_in(in_force, READINESS_THRESHOLDS)
    sealed = value_in(in_force, SEALED_INVENTORY)
    async with AsyncExitStack() as files:
        sources: list[SourceTable] = []
        for table in event.tables:
            frame = await files.enter_async_context(scan_frame(job, event.tenant, table.rows))
            sources.append(SourceTable(table, decided[table.table_id], frame, own_types))
        try:
            inventory = await job.run(
                build_inventory, sources, event.tenant.engagement_id, partial(columns_of, job), known
            )
        except MappingMismatch as error:
            raise ExpectedFailure("mapping_mismatch", str(error)) from error
    if not inventory.asset_count and inventory.applications.is_empty():
        raise no_assets(event.tables, inventory.rejected_rows)
    tables = [await with_samples(job, event.tenant, table) for table in event.tables]
    await job.progress(total, total, f"storing {inventory.asset_count:,} assets")
    session = await job.begin()
    comparison = None if known is None else Comparison(session, known)
    # The database and the blob store work at the same time; what fails in one still waits for the other to end.
    storing = asyncio.create_task(_store(job, event.tenant, inventory))
    lacking = Lacking(thresholds, inventory.applications)
    try:
        assets = await _store_assets(job, session, event, inventory, comparison, lacking, sealed=sealed)
    finally:
        blobs = await storing
    changes = None if comparison is None else await comparison.changes()
    figures = inventory.figures()
    judged = readiness(event.flow_id, figures.quality, lacking, thresholds, inventory.rejected_rows)
    if sealed:
        judged = withheld(judged)
    await session.execute(delete(Mapping).where(Mapping.flow_id == event.flow_id))
    await session.execute(insert(Mapping), [_used(table, decided[table.table_id], event) for table in event.tables])
    if changes is not None:
        await mark_vanished(session, changes, event.flow_id)
        blobs["change_list"] = await store_frame(job, event.tenant, "asset_changes", changes.listed)
    completed = InventoryCompleted.reply_to(
        event,
        **blobs,
        assets=assets,
        asset_count=inventory.asset_count,
        application_count=inventory.applications.height,
        connection_count=inventory.connections.height,
        quality=figures.quality,
        assets_by_environment=figures.assets_by_environment,
        assets_by_operating_system=figures.assets_by_operating_system,
        duplicate_count=inventory.duplicates.height,
        changes=changes.counts if changes is not None else None,
        readiness=judged if asks else [],
    )
    return [completed, *await save_mappings(session, event, tables, sealed=sealed)]


def columns_of(job: Job, function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
    """Several columns at a time; of work that was cancelled no more of them, so that its thread is free soon."""
    for result in _COLUMNS.map(function, *columns):
        if job.cancelled:
            raise LeaseLost("the work was cancelled while its columns were looked at")
        yield result


def _used(table: TableProfile, mapping: TableMapping, event: InventoryRequested) -> dict[str, Any]:
    return {
        "flow_id": event.flow_id,
        "table_id": table.table_id,
        "columns": [column.model_dump() for column in mapping.columns],
        "source": table.model_dump(mode="json", exclude={"columns", "problems"}),
        "rules_version": RULES_VERSION,
    }


async def _store(job: Job, tenant: Tenant, inventory: Inventory) -> dict[str, BlobRef]:
    names = ("applications", "connections", "duplicates", "rejected_rows", "cell_problems")
    return {name: await store_frame(job, tenant, name, getattr(inventory, name)) for name in names}


async def _store_assets(
    job: Job,
    session: AsyncSession,
    event: InventoryRequested,
    inventory: Inventory,
    comparison: Comparison | None,
    lacking: Lacking,
    *,
    sealed: bool,
) -> BlobRef:
    """Put the assets together piece by piece, each into the database and into the claim check, which is returned."""
    assert isinstance(Asset.__table__, Table)
    stored = partial(sealed_frame, job.vault, event.tenant, Asset.__table__, fixed={}) if sealed else None
    fields, loop, complete = inventory.fields(), asyncio.get_running_loop(), asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="modernize-") as folder:
        path = Path(folder) / "assets.parquet"
        with FrameFile(path) as file:

            def rows() -> Iterator[pl.DataFrame]:
                for assets in inventory.pieces(PIECE_ROWS):
                    file.write(assets)
                    lacking.add(assets)
                    yield asset_rows(assets, fields)
                file.finish()
                loop.call_soon_threadsafe(complete.set)

            async def keep() -> BlobRef:
                # While the server still works on the last pieces.
                await complete.wait()
                return await job.blobs.put_file(event.tenant, "assets", path, PARQUET)

            keeping = asyncio.create_task(keep())
            try:
                await insert_frames(
                    session,
                    Asset.__table__,
                    rows(),
                    {"flow_id": event.flow_id},
                    replace=True,
                    before=None if comparison is None else comparison.add,
                    stored=stored,
                )
                return await keeping
            finally:
                # What went wrong is on its way already; the folder stays until nobody reads it any more.
                keeping.cancel()
                await asyncio.wait([keeping])


def asset_rows(assets: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
    """These fields of assets as the table takes them: fields of the tenant's own as one JSON object."""
    rows = assets.select(fields)
    own = rows.select(pl.selectors.starts_with(OWN_PREFIX))
    if not own.width:
        return rows
    return rows.drop(own.columns).with_columns(own_fields=own.to_struct("own_fields").struct.json_encode())

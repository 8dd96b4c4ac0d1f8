"""Field mapping's work: read files, propose what their columns mean, build the clean inventory."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid5

import polars as pl
from sqlalchemy import Table, delete
from sqlalchemy.dialects.postgresql import insert

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
from services.chassis.errors import ExpectedFailure
from services.chassis.frames import PARQUET, PIECE_ROWS, insert_frames, scan_frame, store_frame
from services.chassis.service import Service
from services.chassis.work import Job
from services.field_mapping.inventory import Inventory, MappingMismatch, SourceTable, build_inventory
from services.field_mapping.knowledge import keep_proposals, read_headers, read_knowledge, read_own_types, save_mappings
from services.field_mapping.normalise import RULES_VERSION
from services.field_mapping.profile import profile
from services.field_mapping.proposing import propose_known
from services.field_mapping.read_table import FileRejected, ReadTable
from services.field_mapping.reading import read_tables
from services.field_mapping.reimport import find_changes, known_machines, mark_vanished
from services.field_mapping.sources import file_family
from services.field_mapping.table_kind import table_kind
from services.field_mapping.tables import Asset, ImportedTable, Mapping, Tables

service = Service(Tables.metadata)

# Columns are cleaned at the same time: polars computes without the interpreter's lock.
_COLUMNS = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="columns")


@service.work
async def import_files(event: DataImportRequested, job: Job) -> DataImportCompleted | DataImportFailed:
    """Read every file of a discovery into tables of strings, each kept as Parquet and profiled."""
    tables: list[TableProfile] = []
    for number, file in enumerate(event.files):
        await job.progress(number, len(event.files), f"reading {file.file_name}")
        for position, read in enumerate(await _read(job, event.tenant, file)):
            tables.append(await _profiled(job, event.tenant, file, position, read))
    session = await job.begin()
    await session.execute(delete(ImportedTable).where(ImportedTable.flow_id == event.flow_id))
    rows = [
        {
            "flow_id": event.flow_id,
            **table.model_dump(include={"table_id", "import_id", "file_name", "sheet", "kind", "row_count"}),
            "problems": [problem.model_dump() for problem in table.problems],
        }
        for table in tables
    ]
    await session.execute(insert(ImportedTable), rows)
    return DataImportCompleted.reply_to(event, tables=tables)


async def _read(job: Job, tenant: Tenant, file: ImportFile) -> list[ReadTable]:
    try:
        async with job.blobs.local(tenant, file.file) as path:
            return await job.run(read_tables, path, file.file_name)
    except FileRejected as error:
        raise ExpectedFailure.of(error.problem) from error


async def _profiled(job: Job, tenant: Tenant, file: ImportFile, position: int, read: ReadTable) -> TableProfile:
    storing = job.blobs.put_bytes(tenant, "tables", read.parquet, PARQUET)
    columns, rows = await asyncio.gather(job.run(profile, read.rows), storing)
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
    mappings = [await job.run(propose_known, table, headers, known) for table in event.tables]
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
    return FieldMappingCompleted.reply_to(event, mappings=mappings, review_count=review)


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
    async with AsyncExitStack() as files:
        sources: list[SourceTable] = []
        for table in event.tables:
            frame = await files.enter_async_context(scan_frame(job, event.tenant, table.rows))
            sources.append(SourceTable(table, decided[table.table_id], frame, own_types))
        try:
            inventory = await job.run(build_inventory, sources, event.tenant.engagement_id, _COLUMNS.map, known)
        except MappingMismatch as error:
            raise ExpectedFailure("mapping_mismatch", str(error)) from error
    if inventory.assets.is_empty() and inventory.applications.is_empty():
        raise _no_assets(event.tables, inventory.rejected_rows)
    await job.progress(total, total, f"storing {inventory.assets.height:,} assets")
    session = await job.begin()
    changes = None if known is None else await find_changes(session, inventory.assets)
    assert isinstance(Asset.__table__, Table)
    # The database and the blob store work at the same time; what fails in one still waits for the other to end.
    storing = asyncio.create_task(_store(job, event.tenant, inventory))
    try:
        rows = asset_rows(inventory.assets)
        await insert_frames(session, Asset.__table__, rows, {"flow_id": event.flow_id}, replace=True)
    finally:
        blobs = await storing
    await session.execute(delete(Mapping).where(Mapping.flow_id == event.flow_id))
    await session.execute(insert(Mapping), [_used(table, decided[table.table_id], event) for table in event.tables])
    if changes is not None:
        await mark_vanished(session, changes, event.flow_id)
        blobs["change_list"] = await store_frame(job, event.tenant, "asset_changes", changes.listed)
    completed = InventoryCompleted.reply_to(
        event,
        **blobs,
        asset_count=inventory.assets.height,
        application_count=inventory.applications.height,
        connection_count=inventory.connections.height,
        quality=inventory.quality,
        assets_by_environment=inventory.assets_by_environment,
        assets_by_operating_system=inventory.assets_by_operating_system,
        duplicate_count=inventory.duplicates.height,
        changes=changes.counts if changes is not None else None,
    )
    return [completed, *await save_mappings(session, event)]


def _used(table: TableProfile, mapping: TableMapping, event: InventoryRequested) -> dict[str, Any]:
    return {
        "flow_id": event.flow_id,
        "table_id": table.table_id,
        "columns": [column.model_dump() for column in mapping.columns],
        "source": table.model_dump(mode="json", exclude={"columns", "problems"}),
        "rules_version": RULES_VERSION,
    }


async def _store(job: Job, tenant: Tenant, inventory: Inventory) -> dict[str, BlobRef]:
    # The largest last: the first rows for the database are made ready before it.
    names = ("applications", "connections", "duplicates", "rejected_rows", "cell_problems", "assets")
    return {name: await store_frame(job, tenant, name, getattr(inventory, name)) for name in names}


def _no_assets(tables: Sequence[TableProfile], rejected: pl.DataFrame) -> ExpectedFailure:
    """Why no row of these tables became an asset, with the first row that was rejected as the example."""
    total = sum(table.row_count for table in tables)
    if rejected.is_empty():
        names = ", ".join(sorted({table.file_name for table in tables}))
        detail = f"All {total:,} rows of {names} are connections. Import the list of servers that they connect, too."
        return ExpectedFailure("no_assets", detail)
    first = rejected.row(0, named=True)
    return ExpectedFailure(
        "no_assets",
        f"None of the {total:,} rows became an asset. Row {first['row']:,} of {first['file_name']}: {first['reason']} "
        "Check which column was mapped to the host name.",
        file_name=first["file_name"],
        row=first["row"],
    )


def _with_own_fields(assets: pl.DataFrame) -> pl.DataFrame:
    """Assets with the fields of the tenant's own as one JSON object."""
    own = assets.select(pl.selectors.starts_with(OWN_PREFIX))
    if not own.width:
        return assets
    return assets.drop(own.columns).with_columns(own_fields=own.to_struct("own_fields").struct.json_encode())


def asset_rows(assets: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Assets in the order of their key, piece by piece; only the columns that are filled."""
    filled = _with_own_fields(assets.select(name for name in assets.columns if assets[name].count()))
    # By the first eight hexadecimal digits of the key: the rest hardly ever decides.
    order = filled["asset_uid"].str.slice(0, 8).str.to_integer(base=16).arg_sort()
    for start in range(0, filled.height, PIECE_ROWS):
        yield filled[order.slice(start, PIECE_ROWS)]

"""Imported tables for tests, from a few columns of text, and the whole inventory of some."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_DNS, UUID, uuid5

import polars as pl

from contracts.claim_checks import ASSETS, ROW_NUMBER
from contracts.discovery import ColumnMapping, MappingStatus, QualityReport, TableKind, TableMapping, TableProfile
from contracts.envelope import BlobRef
from services.field_mapping.inventory import build_inventory, laid_out
from services.field_mapping.merging import Known
from services.field_mapping.normalise import SourceTable

NAMESPACE = UUID(int=7)
Cells = list[str | None]


def mapped(
    column: str, field: str | None, unit: str | None = None, status: MappingStatus = "accepted", confidence: float = 0.9
) -> ColumnMapping:
    return ColumnMapping(column=column, field=field, unit=unit, status=status, confidence=confidence, reason="test")


def source_table(
    columns: dict[str, Cells],
    mapping: list[ColumnMapping] | None = None,
    kind: TableKind = "inventory",
    file_name: str = "export.csv",
    sheet: str | None = None,
) -> SourceTable:
    """A table whose columns are named by the fields they mean, unless a mapping says otherwise; data start in row 2."""
    height = max(len(cells) for cells in columns.values())
    table_id = uuid5(NAMESPACE_DNS, f"{file_name}/{sheet}")
    frame = pl.DataFrame(
        {
            ROW_NUMBER: pl.Series(range(2, height + 2), dtype=pl.Int64),
            **{name: pl.Series(cells, dtype=pl.String) for name, cells in columns.items()},
        }
    )
    decided = mapping if mapping is not None else [mapped(name, name) for name in columns]
    return SourceTable(
        profile=TableProfile(
            table_id=table_id,
            import_id=UUID(int=2),
            file_name=file_name,
            sheet=sheet,
            kind=kind,
            header_row=1,
            row_count=height,
            columns=[],
            rows=BlobRef(key="a/b/c/d", sha256="0" * 64, size_bytes=1, media_type="application/vnd.apache.parquet"),
        ),
        mapping=TableMapping(table_id=table_id, file_name=file_name, sheet=sheet, kind=kind, columns=decided),
        frame=frame.lazy(),
    )


@dataclass(frozen=True)
class WholeInventory:
    """An inventory with all of its assets."""

    assets: pl.DataFrame
    applications: pl.DataFrame
    connections: pl.DataFrame
    duplicates: pl.DataFrame
    rejected_rows: pl.DataFrame
    cell_problems: pl.DataFrame
    quality: QualityReport
    assets_by_environment: dict[str, int]
    assets_by_operating_system: dict[str, int]


def inventory_of(
    tables: Sequence[SourceTable], namespace: UUID = NAMESPACE, known: Known | None = None, size: int = 10_000
) -> WholeInventory:
    """The inventory of these tables, its assets put together so many at a time."""
    inventory = build_inventory(list(tables), namespace, known=known)
    pieces = list(inventory.pieces(size))
    figures = inventory.figures()
    return WholeInventory(
        pl.concat([laid_out(pl.DataFrame(), ASSETS), *pieces], how="diagonal"),
        inventory.applications,
        inventory.connections,
        inventory.duplicates,
        inventory.rejected_rows,
        inventory.cell_problems,
        figures.quality,
        figures.assets_by_environment,
        figures.assets_by_operating_system,
    )

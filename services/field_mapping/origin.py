"""Where the values of an asset come from: computed anew from its source rows, by the rules that made it.

Nothing is stored for this but the files' tables and the mapping that was used, which are kept anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from contracts.assets import FieldOrigin, OriginCell
from contracts.catalog import CATALOG
from contracts.claim_checks import ROW_NUMBER
from contracts.discovery import TableProfile
from services.field_mapping.cleaned_rows import ORDER
from services.field_mapping.identity import SOURCE, split_names, with_identity_columns
from services.field_mapping.merging import merge_groups
from services.field_mapping.normalise import (
    SourceTable,
    accepted,
    cells_of,
    field_types,
    normalise_column,
    normalise_table,
)
from services.field_mapping.reading_rules import ReadColumn, rule_of, written

_NAMES = ("hostname", "fqdn", "domain")


@dataclass(frozen=True)
class _Cell:
    """A cell, the row that it stands in, and what the row says in all."""

    field: str
    place: str
    told: OriginCell


def place_of(profile: TableProfile) -> str:
    """The beginning of the places of a table's rows."""
    return f"{profile.file_name}{f'/{profile.sheet}' if profile.sheet else ''}:"


def rows_of(profile: TableProfile, source_rows: str) -> list[int]:
    """The rows of this table among an asset's source rows."""
    begin = place_of(profile)
    numbers = [place.removeprefix(begin) for place in source_rows.split("; ") if place.startswith(begin)]
    return [int(number) for number in numbers if number.isdigit()]


def origins(tables: Sequence[SourceTable], source_rows: str) -> list[FieldOrigin]:
    """The origin of each field of the asset that was made of these rows, in the catalogue's order."""
    cells = [cell for table in tables for cell in _cells(table, rows_of(table.profile, source_rows))]
    stacked = read_again(tables, source_rows)
    record = merge_groups(stacked, one_group(stacked.height)).row(0, named=True)
    fullest = _fullest_first(stacked)
    found = [_field(field, record.get(field), [cell for cell in cells if cell.field == field], fullest, stacked)
             for field in CATALOG]  # fmt: skip
    return [origin for origin in found if origin is not None]


def read_again(tables: Sequence[SourceTable], source_rows: str) -> pl.DataFrame:
    """The rows of one asset as they were before they were merged, in source order."""
    rows = []
    for table in tables:
        wanted = rows_of(table.profile, source_rows)
        places = pl.format(place_of(table.profile) + "{}", ROW_NUMBER)
        read = normalise_table(table).frame.filter(pl.col(ROW_NUMBER).is_in(wanted))
        rows.append(read.with_columns(places.alias(SOURCE)))
    order = {place: number for number, place in enumerate(source_rows.split("; "))}
    stacked = pl.concat(rows, how="diagonal").with_columns(
        pl.col(SOURCE).replace_strict(order, return_dtype=pl.Int64).alias(ORDER)
    )
    return split_names(with_identity_columns(stacked.sort(ORDER)))


def one_group(height: int) -> pl.Series:
    """So many rows as one group."""
    return pl.Series("group", [0], dtype=pl.UInt32).new_from_index(0, height)


def _cells(table: SourceTable, wanted: list[int]) -> list[_Cell]:
    """What each accepted column of a table says in these rows."""
    kinds = field_types(table.profile.kind)
    rows = cells_of(table, ROW_NUMBER)
    chosen = rows.is_in(wanted)
    numbers = rows.filter(chosen)
    found = []
    for column in accepted(table.mapping):
        values, problems = normalise_column(table, column)
        lost = {
            row: reason for part in problems for row, reason in part.filter("lost").select("row", "reason").iter_rows()
        }
        whole = ReadColumn(column, kinds.get(column.field or "", "string"), cells_of(table, column.column))
        for row, raw, value in zip(numbers, whole.cells.filter(chosen), values.filter(chosen), strict=True):
            rule = lost.get(row) or rule_of(whole, raw, value)
            told = OriginCell(
                file_name=table.profile.file_name, sheet=table.profile.sheet, row=row, column=column.column,
                raw=raw, value=written(value), rule=rule, chosen=False,
            )  # fmt: skip
            found.append(_Cell(column.field or "", f"{place_of(table.profile)}{row}", told))
    return found


def _fullest_first(rows: pl.DataFrame) -> list[tuple[str, int]]:
    """The rows in the order in which they are asked for a value, each with the number of its filled fields."""
    filled = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int16) for name in rows.columns if name in CATALOG)
    counted = rows.select(SOURCE, ORDER, filled=filled).sort(-pl.col("filled"), ORDER)
    return list(counted.select(SOURCE, "filled").iter_rows())


def _field(
    field: str, value: Any, cells: list[_Cell], fullest: list[tuple[str, int]], rows: pl.DataFrame
) -> FieldOrigin | None:
    if value is None and not any(cell.told.raw for cell in cells):
        return None
    said = {cell.told.value.lower() for cell in cells if cell.told.value is not None}
    if value is None or CATALOG[field].type == "list":
        winner = None
    else:
        has = dict(rows.select(SOURCE, field).drop_nulls(field).iter_rows())
        winner = next((place for place, _ in fullest if place in has), None)
    first = next((cell for cell in cells if cell.place == winner and cell.told.value is not None), None)
    return FieldOrigin(
        field=field,
        value=written(value),
        reason=_reason(field, value, cells, said, dict(fullest), winner),
        conflict=len(said) > 1 and field not in _NAMES and CATALOG[field].type != "list",
        cells=[
            cell.told.model_copy(update={"chosen": cell is first or (winner is None and cell.told.value is not None)})
            for cell in cells
        ],
    )


def _reason(
    field: str, value: Any, cells: list[_Cell], said: set[str], filled: dict[str, int], winner: str | None
) -> str:
    if value is None:
        return "no cell could be read"
    if CATALOG[field].type == "list":
        return "the entries of all rows together"
    if not said:
        return (
            "CPU sockets times cores per socket"
            if field == "cpu_cores"
            else "taken from the other names of the machine"
        )
    if field in _NAMES and (written(value) or "").lower() not in said:
        return "the name in lower case, host and domain apart"
    if len({cell.place for cell in cells if cell.told.value is not None}) == 1:
        return "the only row that has it" if len(filled) > 1 else "from the only row"
    if len(said) == 1:
        return "all rows that have it agree"
    return f"from the row with the most filled fields ({filled.get(winner or '', 0)}) among those that have it"

"""Workbooks as tables: every visible sheet that holds one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import fastexcel
import polars as pl

from contracts.claim_checks import ROW_NUMBER
from contracts.envelope import Problem
from services.field_mapping.header import column_names, find_header
from services.field_mapping.read_table import ReadLimits, ReadTable, at_most, packed, reject
from services.field_mapping.sheet_content import SheetContent
from services.field_mapping.table_cleaning import clean_table, filled_rows, titles_above, without_zero_characters
from services.field_mapping.tables_of_file import beside_tables
from services.field_mapping.workbook_check import Package, broken_workbook, check_workbook

_HEAD_ROWS = 200
_MIDNIGHT = r"^\d{4}-\d\d-\d\d 00:00:00$"
_DATE_TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$"
# Excel counts days from the end of 1899, so a bare time of day comes as a moment of its day zero.
_DAY_ZERO = r"^1899-12-3[01] "


def read_workbook(path: Path, file_name: str, kind: Package | Literal["xls"], limits: ReadLimits) -> list[ReadTable]:
    """The tables of a workbook in the order of its sheets.

    Raises `FileRejected` when a sheet is too large or when no sheet holds a table: `empty_file`, `no_rows`,
    `no_header`, or one of the codes of `check_workbook`.
    """
    contents = None if kind == "xls" else check_workbook(path, file_name, kind, limits)
    tables: list[ReadTable] = []
    refused: list[Problem] = []
    hidden: list[str] = []
    try:
        reader = fastexcel.read_excel(path)
        for sheet in reader.sheet_names:
            loaded = _loaded(reader, sheet) if contents is None or sheet in contents else None
            if loaded is None or loaded.visible != "visible":
                hidden.append(sheet)
                continue
            found = _read_sheet(loaded, contents[sheet] if contents else SheetContent(), file_name)
            if isinstance(found, ReadTable):
                tables.append(found)
            elif found is not None:
                refused.append(found)
    except fastexcel.FastExcelError as error:
        broken_workbook(file_name, str(error).partition("\n")[0])
    except BaseException as error:
        # The parser gives up on some damaged .xls files with a panic, which is no Exception and has no class to import.
        if type(error).__name__ != "PanicException":
            raise
        broken_workbook(file_name, error)
    if not tables and not refused:
        reject(
            "empty_file",
            file_name,
            "No visible sheet of the workbook has a value in it. Upload the one with the table.",
        )
    # An empty sheet below a header is nothing to speak of beside sheets with rows.
    told = [problem for problem in refused if problem.code == "no_header"] if tables else refused
    told += [_hidden(hidden, file_name)] if tables and hidden else []
    return beside_tables(tables, told, file_name)


def _loaded(reader: fastexcel.ExcelReader, sheet: str) -> fastexcel.ExcelSheet:
    # Not skipping empty rows at the top keeps row numbers those of the sheet.
    return reader.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")


def _hidden(sheets: Sequence[str], file_name: str) -> Problem:
    detail = (
        f"Hidden, or no sheets of cells: {', '.join(sheets)}. They were not read; unhide those that belong to the "
        "inventory and import the file again."
    )
    return Problem(code="sheet_not_read", detail=detail, file_name=file_name)


def _read_sheet(loaded: fastexcel.ExcelSheet, content: SheetContent, file_name: str) -> ReadTable | Problem | None:
    """The table of a sheet, why it holds none, or None for an empty one."""
    if loaded.width == 0 or loaded.height == 0:
        return None
    sheet = loaded.name
    first_column = loaded.available_columns()[0].absolute_index
    raw = without_zero_characters(loaded.to_polars())
    if content.exact and (raw.height < content.rows or first_column + raw.width < content.columns):
        broken_workbook(file_name, f"sheet '{sheet}' cannot be read beyond row {raw.height:,}")
    raw = _with_unread(raw, content, first_column)
    first_rows = [["" if cell is None else cell for cell in row] for row in raw.head(_HEAD_ROWS).rows()]
    header = find_header(first_rows)
    if header is None:
        return None
    if not header.naming:
        detail = (
            f"The first full row of sheet '{sheet}' holds values, not column names. Add a row that names the columns."
        )
        return Problem(code="no_header", detail=detail, file_name=file_name, row=header.index + 1)
    header_row = header.index + 1
    body = _readable_dates(raw.slice(header_row))
    numbers = pl.int_range(header_row + 1, header_row + 1 + body.height, dtype=pl.Int64)
    cells = header.cells + [""] * (body.width - len(header.cells))
    body.columns = column_names(cells)
    filled = filled_rows(body.lazy().select(numbers.alias(ROW_NUMBER), pl.all())).collect()
    rows, problems, left_out = clean_table(filled.lazy(), cells, file_name)
    frame = rows.collect()
    if frame.is_empty():
        detail = (
            f"Sheet '{sheet}' has a header in row {header_row} but no rows below it. Export it again with its rows."
        )
        return Problem(code="no_rows", detail=detail, file_name=file_name, row=header_row)
    problems = titles_above(first_rows[: header.index], header_row, file_name) + problems
    return ReadTable(file_name, sheet, header_row, packed(frame), at_most(problems, file_name), left_out)


def _with_unread(raw: pl.DataFrame, content: SheetContent, first_column: int) -> pl.DataFrame:
    """The sheet with the cells that the parser passes over."""
    for column, cells in content.unread.items():
        series = raw.to_series(column - first_column)
        raw = raw.with_columns(series.scatter(list(cells), list(cells.values())))
    return raw


def _readable_dates(body: pl.DataFrame) -> pl.DataFrame:
    """Dates without their midnight where a whole column is dates, and times of day without Excel's day zero."""
    changed = []
    for column in body.iter_columns():
        if column.str.starts_with("1899-12-3").any():
            column = column.str.replace(_DAY_ZERO, "")
        if column.str.ends_with(" 00:00:00").any():
            moments = column.filter(column.str.contains(_DATE_TIME))
            if moments.str.contains(_MIDNIGHT).all():
                column = column.str.replace(r"^(\d{4}-\d\d-\d\d) 00:00:00$", "$1")
        changed.append(column)
    return pl.DataFrame(changed)

"""Frames as Excel sheets, row by row: typed cells, a frozen header, filters and widths that fit.

Text is written as text, whatever it begins with: nothing of an imported file can become a formula or a link.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
import polars.selectors as cs
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from contracts.catalog import CATALOG
from services.agent_runner.reporting.wording import value_label

# Limits of the file format: "Excel specifications and limits", support.microsoft.com.
EXCEL_ROWS = 1_048_576
EXCEL_TEXT = 32_767
CUT = " … [cut: longer than a cell can be]"
# Excel believes that 1900 was a leap year, so serial numbers of days before this one are a day off.
FIRST_DATE = date(1900, 3, 1)
ROWS_AT_ONCE = 5_000
ROWS_MEASURED = 200
PERCENTS = frozenset({"confidence", "risk", "complexity", "completeness", "validity"})
WIDEST = 60


@dataclass(frozen=True)
class Formats:
    """The cell formats of one workbook."""

    title: Format
    heading: Format
    sentence: Format
    header: Format
    text: Format
    integer: Format
    number: Format
    percent: Format
    date: Format
    datetime: Format


def make_formats(book: Workbook) -> Formats:
    """Register the formats with the book."""
    top = {"valign": "top"}
    return Formats(
        title=book.add_format({"bold": True, "font_size": 20, "font_color": "#10243F"}),
        heading=book.add_format({"bold": True, "font_size": 13, "font_color": "#10243F"}),
        sentence=book.add_format({"text_wrap": True, **top}),
        header=book.add_format(
            {"bold": True, "font_color": "#FFFFFF", "bg_color": "#10243F", "text_wrap": True, "valign": "vcenter"}
        ),
        text=book.add_format(top),
        integer=book.add_format({"num_format": "#,##0", **top}),
        number=book.add_format({"num_format": "#,##0.0", **top}),
        percent=book.add_format({"num_format": "0%", **top}),
        date=book.add_format({"num_format": "yyyy-mm-dd", "align": "left", **top}),
        datetime=book.add_format({"num_format": "yyyy-mm-dd hh:mm", "align": "left", **top}),
    )


def write_table(
    book: Workbook, formats: Formats, name: str, frame: pl.DataFrame, titles: dict[str, str] | None = None
) -> list[Worksheet]:
    """A frame as a sheet, or as several ("Assets", "Assets 2") when it has more rows than Excel allows."""
    writable = _writable(frame)
    sheets = []
    room = EXCEL_ROWS - 1
    for number, start in enumerate(range(0, max(frame.height, 1), room), start=1):
        sheet = book.add_worksheet(name if number == 1 else f"{name} {number}")
        _write_sheet(sheet, formats, writable.slice(start, room), titles or {})
        sheets.append(sheet)
    return sheets


def column_title(column: str, titles: dict[str, str]) -> str:
    """What a column is called: as told, as in the catalogue with its unit, or its own name in words."""
    if column in titles:
        return titles[column]
    field = CATALOG.get(column)
    if field is None:
        return value_label(column)
    return f"{field.label} ({field.unit})" if field.unit and field.unit != "count" else field.label


def _writable(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without what a cell cannot hold: long text is cut, infinite numbers are left out, times are in UTC."""
    text = cs.string()
    long = text.str.len_chars() > EXCEL_TEXT
    zoned = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone]
    return frame.with_columns(
        pl.when(long).then(text.str.head(EXCEL_TEXT - len(CUT)) + CUT).otherwise(text).name.keep(),
        pl.when(cs.float().is_finite()).then(cs.float()).name.keep(),
        pl.col(zoned).dt.convert_time_zone("UTC").dt.replace_time_zone(None),
    )


def _write_sheet(sheet: Worksheet, formats: Formats, frame: pl.DataFrame, titles: dict[str, str]) -> None:
    """Header, widths, filter and rows; the rows in order, as a book in constant memory requires."""
    headers = [column_title(column, titles) for column in frame.columns]
    for number, (column, title) in enumerate(zip(frame.columns, headers, strict=True)):
        sheet.set_column(number, number, _width(frame[column], title))
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, frame.height, max(len(headers) - 1, 0))
    sheet.set_row(0, 32)
    sheet.repeat_rows(0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    for number, title in enumerate(headers):
        sheet.write_string(0, number, title, formats.header)
    writers = [_cell_writer(sheet, formats, column, kind) for column, kind in frame.schema.items()]
    row = 0
    for piece in frame.iter_slices(ROWS_AT_ONCE):
        for values in piece.iter_rows():
            row += 1
            for number, value in enumerate(values):
                if value is not None:
                    writers[number](row, number, value)


def _cell_writer(sheet: Worksheet, formats: Formats, column: str, kind: pl.DataType) -> Callable[[int, int, Any], Any]:
    """What writes the cells of a column, by its type."""
    if kind == pl.Boolean:
        return lambda row, number, value: sheet.write_string(row, number, "yes" if value else "no")
    if kind.is_numeric():
        style = formats.percent if column in PERCENTS else formats.integer if kind.is_integer() else formats.number
        return lambda row, number, value: sheet.write_number(row, number, value, style)
    if kind.is_temporal():
        style = formats.date if kind == pl.Date else formats.datetime

        def write_date(row: int, number: int, value: date) -> None:
            if (value.date() if isinstance(value, datetime) else value) < FIRST_DATE:
                sheet.write_string(row, number, value.isoformat())
            else:
                sheet.write_datetime(row, number, value, style)

        return write_date
    write_text: Callable[[int, int, Any], Any] = sheet.write_string
    return write_text


def _width(values: pl.Series, title: str) -> float:
    """A width that fits the title's longest word and most of the first values, in characters."""
    shown: Sequence[str] = [str(value) for value in values.head(ROWS_MEASURED).drop_nulls().to_list()]
    words = max((len(word) for word in title.split()), default=0) + 4
    return float(min(max([words, 9, *(len(value) + 2 for value in shown)]), WIDEST))

"""Writes tables as CSV files and workbooks, with the rows that people put above and below them."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from typing import Any, Protocol

import xlsxwriter

from deploy.demo.columns import Cell, Column, Dialect
from deploy.demo.company import TODAY

TITLE_ROWS = 2  # the title and an empty row below it


class Table(Protocol):
    """Something that rows can be added to."""

    def writerows(self, rows: Iterable[Sequence[Cell]], /) -> object:
        """Add rows at the end."""


@contextmanager
def csv_table(
    path: Path, columns: Iterable[Column[Any]], *, encoding: str, delimiter: str, title: str = ""
) -> Iterator[Table]:
    """A CSV file with its title and header written; quoted only where needed, lines end as on Windows."""
    headers = [column.header for column in columns]
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        if title:
            writer.writerow([title, *[""] * (len(headers) - 1)])
            writer.writerow([""] * len(headers))
        writer.writerow(headers)
        yield writer


class Sheet:
    """One sheet of a workbook, written row by row and kept on disk meanwhile."""

    def __init__(self, worksheet: Any, columns: Iterable[Column[Any]], title: str = "") -> None:
        self._worksheet = worksheet
        self._next_row = 0
        headers = [column.header for column in columns]
        if title:
            worksheet.merge_range(0, 0, 0, min(len(headers), 12) - 1, title)
            self._next_row = TITLE_ROWS
        self.writerows([headers])

    def writerows(self, rows: Iterable[Sequence[Cell]], /) -> None:
        """Add rows at the end; empty cells are left out of the file."""
        write_number, write_string = self._worksheet.write_number, self._worksheet.write_string
        for cells in rows:
            row = self._next_row
            for index, cell in enumerate(cells):
                if isinstance(cell, str):
                    if cell:
                        write_string(row, index, cell)
                else:
                    write_number(row, index, cell)
            self._next_row = row + 1


@contextmanager
def workbook(path: Path) -> Iterator[Any]:
    """A workbook whose properties carry the export's date instead of the clock's."""
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        book.set_properties({"created": datetime.combine(TODAY, time())})
        yield book


class Totals:
    """Adds up the columns that the totals row shows."""

    def __init__(self, dialect: Dialect) -> None:
        self._sums = {index: 0.0 for index, column in enumerate(dialect.columns) if column.total}
        self._width = len(dialect.columns)

    def add(self, cells: Sequence[Cell]) -> None:
        """Add a row; cells that are no numbers count nothing, as in a spreadsheet."""
        for index in self._sums:
            cell = cells[index]
            if not isinstance(cell, str):
                self._sums[index] += cell

    def row(self) -> list[Cell]:
        """The row to put at the end."""
        return ["Total", *(round(self._sums[index]) if index in self._sums else "" for index in range(1, self._width))]

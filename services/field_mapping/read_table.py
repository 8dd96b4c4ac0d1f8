"""What reading a file gives: tables, or one clear problem that says why there are none."""

import io
from dataclasses import dataclass
from typing import NoReturn

import polars as pl

from contracts.envelope import Problem

# `contracts.discovery.TableProfile` carries at most this many problems.
MAX_PROBLEMS = 100


@dataclass(frozen=True)
class ReadLimits:
    """How large a file may be before it is refused instead of read."""

    max_columns: int = 2_000
    max_rows: int = 5_000_000
    max_unpacked_bytes: int = 2 * 1024**3
    max_cell_chars: int = 131_072
    # A worksheet is held as a dense grid of about 32 bytes a cell, so one stray cell far out costs gigabytes.
    max_sheet_cells: int = 20_000_000
    # An empty cell of a table still costs 16 bytes, so few short rows under a wide header cost gigabytes, too.
    max_table_cells: int = 250_000_000
    max_entries: int = 500
    # How many archives may stand inside each other: a gzip file of a ZIP archive of ZIP archives.
    max_nesting: int = 3
    # How deep objects may stand inside each other in JSON.
    max_depth: int = 50


@dataclass(frozen=True)
class ReadTable:
    """One table of a file, packed as Parquet: in memory its texts would take ten times the room.

    `frame` has `_row` (Int64, the row in the file, from 1) and then every column of the file as a string, stripped of
    outer blanks, null where a cell is empty; perhaps `_joined`, the places of rows of other sheets that were joined to
    each row. `file_name` is "archive.zip/entry.csv" for an entry of an archive. `sheet` is a worksheet, or the path of
    a list in a JSON document. `header_row` is the row of the header in the file, from 1, or 0 where names are not in a
    row. `left_out` counts the filled rows below the header that are not in `frame`; `problems` says why.
    """

    file_name: str
    sheet: str | None
    header_row: int
    parquet: bytes
    problems: list[Problem]
    left_out: int = 0

    @property
    def rows(self) -> pl.LazyFrame:
        """The rows, of which only what is collected is unpacked."""
        return pl.scan_parquet(io.BytesIO(self.parquet))

    @property
    def frame(self) -> pl.DataFrame:
        """All rows, unpacked."""
        return pl.read_parquet(io.BytesIO(self.parquet))

    @property
    def columns(self) -> list[str]:
        """The names of the columns, `_row` and `_joined` included."""
        return self.rows.collect_schema().names()

    @property
    def height(self) -> int:
        """The number of rows."""
        return height_of(self.rows)


def packed(rows: pl.DataFrame | pl.LazyFrame) -> bytes:
    """Rows as Parquet, lightly compressed; of a lazy frame never all at once in memory."""
    parquet = io.BytesIO()
    rows.lazy().sink_parquet(parquet, compression="lz4", statistics=False)
    return parquet.getvalue()


def height_of(rows: pl.LazyFrame) -> int:
    """The number of rows."""
    height: int = rows.select(pl.len()).collect().item()
    return height


class FileRejected(Exception):
    """A file that cannot be read into tables; `problem` says why, where, and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def reject(code: str, file_name: str, detail: str, row: int | None = None, column: str | None = None) -> NoReturn:
    """Raise `FileRejected` for the file."""
    raise FileRejected(Problem(code=code, detail=detail, file_name=file_name, row=row, column=column))


def at_most(problems: list[Problem], file_name: str) -> list[Problem]:
    """The first problems, with a last one that counts the rest when there are more than `MAX_PROBLEMS`."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    rest = len(problems) - MAX_PROBLEMS + 1
    more = Problem(
        code="more_problems",
        detail=f"{rest:,} more rows or cells were treated like these; they are not listed one by one.",
        file_name=file_name,
    )
    return [*problems[: MAX_PROBLEMS - 1], more]


def refuse_many_cells(rows: int, columns: int, file_name: str, limits: ReadLimits) -> None:
    """Refuse a table that would not fit into memory, before it is made."""
    if rows * columns > limits.max_table_cells:
        reject(
            "table_too_large",
            file_name,
            f"The table has {rows:,} rows and {columns:,} columns; at most {limits.max_table_cells:,} cells can be "
            "read. Export fewer columns, or split the file and upload the parts.",
        )


def refuse_many_rows(file_name: str, limits: ReadLimits, row: int | None) -> NoReturn:
    """Refuse a table whose row `row` is one more than the limit, or tables that have too many together."""
    reject(
        "too_many_rows",
        file_name,
        f"The file has more than the {limits.max_rows:,} rows that can be read. Split it and upload the parts.",
        row=row,
    )


def too_many_columns(columns: int, file_name: str, limits: ReadLimits, row: int | None) -> NoReturn:
    """Refuse a row wider than the limit."""
    reject(
        "too_many_columns",
        file_name,
        f"{f'Row {row:,}' if row else 'The table'} has {columns:,} columns or more; at most {limits.max_columns:,} can "
        "be read. Check that rows and columns are not swapped, and export only the columns that describe the assets.",
        row=row,
    )


def cell_too_long(row: int, file_name: str, limits: ReadLimits, column: str | None = None) -> NoReturn:
    """Refuse a cell longer than the limit."""
    reject(
        "cell_too_long",
        file_name,
        f'A cell in row {row:,} has more than {limits.max_cell_chars:,} characters. Often this is a quote (") that is '
        "opened and never closed: close or remove it, or shorten the cell, and upload the file again.",
        row=row,
        column=column,
    )

"""Text tables, delimited or in columns: found dialect, polars for the well-formed, a tolerant rewrite for the rest."""

import contextlib
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import polars as pl

from contracts.claim_checks import ROW_NUMBER
from contracts.envelope import Problem
from services.field_mapping.csv_layout import USUAL_DELIMITERS, Dialect, Layout, find_layout, lenient
from services.field_mapping.csv_repair import rewrite
from services.field_mapping.file_format import HEAD_BYTES
from services.field_mapping.header import column_names
from services.field_mapping.read_table import (
    ReadLimits,
    ReadTable,
    at_most,
    cell_too_long,
    height_of,
    packed,
    refuse_many_cells,
    refuse_many_rows,
    reject,
    too_many_columns,
)
from services.field_mapping.table_cleaning import clean_table, filled_rows, titles_above
from services.field_mapping.text_encoding import CHUNK_BYTES, to_utf8

_MAX_LINE_BYTES = 64 * 1024**2
_LONG_ROW_BYTES = 256 * 1024
_LONE_RETURN = re.compile(rb"\r(?!\n)")


def read_csv(path: Path, file_name: str, limits: ReadLimits) -> ReadTable:
    """The one table of a text file, delimited or in columns of fixed width.

    Raises `FileRejected` with `unreadable_encoding`, `too_many_columns`, `too_many_rows`, `no_header`, `no_rows`,
    `empty_file`, `cell_too_long` or `unclosed_quote`.
    """
    _refuse_wide_start(path, file_name, limits)
    with TemporaryDirectory(prefix="modernize-read-") as folder:
        text = to_utf8(path, Path(folder), file_name)
        layout = find_layout(text, file_name)
        if len(layout.header.cells) > limits.max_columns:
            too_many_columns(len(layout.header.cells), file_name, limits, layout.header.index + 1)
        parquet, cells, problems = _read_records(text, layout, Path(folder), file_name, limits)
    header_row = layout.header.index + 1
    filled = pl.scan_parquet(io.BytesIO(parquet))
    if (filled.select(pl.col(ROW_NUMBER).max()).collect().item() or 0) - header_row > limits.max_rows:
        refuse_many_rows(file_name, limits, header_row + limits.max_rows + 1)
    rows, dropped, left_out = clean_table(filled, cells, file_name)
    _refuse_long_cells(rows, file_name, limits)
    if not height_of(rows):
        reject(
            "no_rows",
            file_name,
            f"The file has a header in row {header_row} but no rows below it. Export it again with its rows.",
            row=header_row,
        )
    problems = [*titles_above(layout.above, header_row, file_name), *problems, *dropped]
    if rows is not filled:
        parquet = packed(rows)
    return ReadTable(file_name, None, header_row, parquet, at_most(problems, file_name), left_out)


def _refuse_wide_start(path: Path, file_name: str, limits: ReadLimits) -> None:
    """Decide from the first bytes, so that millions of columns cost no more than two."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for delimiter in USUAL_DELIMITERS:
        # Zero bytes go so that UTF-16 can be counted like any other text.
        text = head.replace(b"\0", b"").decode("latin-1")
        columns = len(next(lenient(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), []))
        if columns > limits.max_columns:
            too_many_columns(columns, file_name, limits, 1)


def _read_records(
    text: Path, layout: Layout, folder: Path, file_name: str, limits: ReadLimits
) -> tuple[bytes, list[str], list[Problem]]:
    """The filled records below the header, packed, their header's cells, and what had to be treated specially."""
    cells, first = layout.header.cells, layout.header.index + 2
    dialect = layout.dialect
    if isinstance(dialect, Dialect) and dialect.plain:
        lines = _plain_lines(text, dialect.delimiter, file_name)
        if lines is not None:
            refuse_many_cells(min(lines, limits.max_rows), len(cells), file_name, limits)
            # More cells than columns somewhere raise: only the tolerant way keeps them all.
            with contextlib.suppress(pl.exceptions.ComputeError, pl.exceptions.SchemaError):
                return _pack(text, dialect.delimiter, cells, first, layout.lines), cells, []
    repaired = folder / "repaired.csv"
    widest, rows, problems = rewrite(text, repaired, dialect, layout.header.index + 1, len(cells), file_name, limits)
    refuse_many_cells(rows, widest, file_name, limits)
    cells = cells + [""] * (widest - len(cells))
    return _pack(repaired, ",", cells, first, skip_lines=0), cells, problems


def _pack(text: Path, delimiter: str, cells: list[str], first: int, skip_lines: int) -> bytes:
    """The filled rows of even, well-quoted CSV, read, cleaned and packed piece by piece; `first` is the first row."""
    names = column_names(cells)
    try:
        raw = pl.scan_csv(
            text,
            has_header=False,
            schema=dict.fromkeys(names, pl.String),
            separator=delimiter,
            skip_lines=skip_lines,
            missing_columns="insert",
            row_index_name=ROW_NUMBER,
            row_index_offset=first,
        )
        return packed(filled_rows(raw.with_columns(pl.col(ROW_NUMBER).cast(pl.Int64))))
    except pl.exceptions.NoDataError:
        return packed(pl.DataFrame(schema={ROW_NUMBER: pl.Int64, **dict.fromkeys(names, pl.String)}))


def _plain_lines(text: Path, delimiter: str, file_name: str) -> int | None:
    """The number of lines, or None where a quote or a zero character stands that does not belong there, or a carriage
    return alone."""
    border = bytes.maketrans(delimiter.encode() + b"\r", b"\n\n")
    lines, opening, closing, plain = 0, 0, 0, True
    with text.open("rb") as file:
        # Whole lines at a time, so that what belongs together is never torn apart.
        while chunk := file.read(CHUNK_BYTES):
            rest = file.readline(_MAX_LINE_BYTES)
            chunk += rest
            # polars would make a column of every cell of such a row before it says that they are too many.
            plain = plain and len(rest) < _LONG_ROW_BYTES
            ends = chunk.count(b"\n")
            lines += ends
            if b"\0" in chunk:
                plain = False
            if b"\r" in chunk:
                plain = plain and not _LONE_RETURN.search(chunk)
            elif not ends and len(chunk) > _MAX_LINE_BYTES:
                _line_too_long(lines + 1, file_name)
            if plain and b'"' in chunk:
                # Most files have few lines with quotes, and the others need no look.
                quoted = b"\n".join(_lines_with_quotes(chunk))
                cells = (b"\n" + quoted + b"\n").translate(border)
                opens, closes = cells.count(b'\n"'), cells.count(b'"\n')
                # In well-formed text every quote opens a cell, closes one, or is one of a pair inside it.
                inside = quoted.count(b'"') - opens - closes
                plain = inside == 0 or inside == 2 * quoted.count(b'""')
                opening, closing = opening + opens, closing + closes
    return lines + 1 if plain and opening == closing else None


def _lines_with_quotes(chunk: bytes) -> Iterator[bytes]:
    quote = chunk.find(b'"')
    while quote >= 0:
        end = chunk.find(b"\n", quote)
        yield chunk[chunk.rfind(b"\n", 0, quote) + 1 : end if end >= 0 else None]
        quote = chunk.find(b'"', end) if end >= 0 else -1


def _line_too_long(row: int, file_name: str) -> NoReturn:
    reject(
        "cell_too_long",
        file_name,
        f"Row {row:,} is longer than {_MAX_LINE_BYTES:,} bytes, so this is no table of rows. "
        "Export it again with one line for each asset.",
        row=row,
    )


def _refuse_long_cells(frame: pl.LazyFrame, file_name: str, limits: ReadLimits) -> None:
    longest = frame.select(pl.exclude(ROW_NUMBER).str.len_bytes().max()).collect(engine="streaming")
    for name in longest.columns:
        if (longest[name].item() or 0) <= limits.max_cell_chars:
            continue
        long = frame.filter(pl.col(name).str.len_chars() > limits.max_cell_chars).select(ROW_NUMBER).collect()
        if not long.is_empty():
            cell_too_long(long[ROW_NUMBER][0], file_name, limits, column=name)

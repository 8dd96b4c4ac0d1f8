"""The tolerant way through a delimited text: rewritten as even, well-quoted CSV that loses no cell."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from contracts.envelope import Problem
from services.field_mapping.read_table import ReadLimits, reject

_END = "\x00end of file\x00"


def rewrite(
    text: Path, target: Path, delimiter: str, skip_records: int, width: int, file_name: str, limits: ReadLimits
) -> tuple[int, list[Problem]]:
    """Write the records after the first `skip_records` to `target`, comma separated, one record a row.

    Answers the cells of the widest record (at least `width`) and a problem for each record with more than `width`.
    Raises `FileRejected` with `too_many_columns`, `too_many_rows`, `cell_too_long` or `unclosed_quote`.
    """
    problems: list[Problem] = []
    widest, row, closed = width, skip_records, False
    with (
        text.open(encoding="utf-8-sig", newline="") as source,
        target.open("w", encoding="utf-8", newline="") as output,
    ):
        write = csv.writer(output).writerow
        reader = csv.reader(itertools.chain(source, [_END]), delimiter=delimiter)
        for record in _numbered_errors(itertools.islice(reader, skip_records, None), skip_records, file_name, limits):
            closed = record == [_END]
            if closed:
                break
            row += 1
            if len(record) > width:
                _drop_empty_surplus(record, width)
                if len(record) > limits.max_columns:
                    too_many_columns(len(record), file_name, limits, row)
                if len(record) > width:
                    widest = max(widest, len(record))
                    problems.append(_surplus(record, width, row, file_name))
            write(record)
    if not closed:
        reject(
            "unclosed_quote",
            file_name,
            f'A cell in row {row:,} begins with a quote (") that is never closed, so everything after it would become '
            "one cell. Close or remove the quote and upload the file again.",
            row=row,
        )
    return widest, problems


def _numbered_errors(records: Iterator[list[str]], row: int, file_name: str, limits: ReadLimits) -> Iterator[list[str]]:
    """The records as they are; the parser's own limit on a cell becomes a rejection that names the row."""
    csv.field_size_limit(max(csv.field_size_limit(), limits.max_cell_chars))
    try:
        for record in records:
            row += 1
            yield record
    except csv.Error:
        cell_too_long(row + 1, file_name, limits)


def _drop_empty_surplus(record: list[str], width: int) -> None:
    while len(record) > width and not record[-1].strip():
        record.pop()


def _surplus(record: list[str], width: int, row: int, file_name: str) -> Problem:
    surplus = len(record) - width
    detail = (
        f"Row {row:,} has {len(record)} cells, but the header names {width}; the surplus is kept in "
        f"column {width + 1}{f' to {len(record)}' if surplus > 1 else ''}. If a cell holds the delimiter, quote it."
    )
    return Problem(code="surplus_cells", detail=detail, file_name=file_name, row=row, column=f"column {width + 1}")


def too_many_columns(columns: int, file_name: str, limits: ReadLimits, row: int) -> NoReturn:
    """Refuse a row wider than the limit."""
    reject(
        "too_many_columns",
        file_name,
        f"Row {row:,} has {columns:,} columns or more; at most {limits.max_columns:,} can be read. Check that rows and "
        "columns are not swapped, and export only the columns that describe the assets.",
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

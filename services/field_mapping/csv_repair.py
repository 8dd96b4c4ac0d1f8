"""The tolerant way through a delimited text: rewritten as even, well-quoted CSV that loses no cell."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

from contracts.envelope import Problem
from services.field_mapping.csv_layout import Dialect
from services.field_mapping.fixed_width import FixedRecords, FixedWidth
from services.field_mapping.read_table import MAX_PROBLEMS, ReadLimits, cell_too_long, reject, too_many_columns

_SEPARATORS = frozenset("\x1c\x1d\x1e\x1f")
_END = "\x00end-of-file\x00"


def rewrite(
    text: Path,
    target: Path,
    dialect: Dialect | FixedWidth,
    skip_records: int,
    width: int,
    file_name: str,
    limits: ReadLimits,
) -> tuple[int, int, list[Problem]]:
    """Write the records after the first `skip_records` to `target`, comma separated, one record a row.

    Answers the cells of the widest record (at least `width`), the number of records, and a problem for each record
    with more than `width` cells. Raises `FileRejected` with `too_many_columns`, `cell_too_long` or `unclosed_quote`.
    """
    problems: list[Problem] = []
    widest, row, surplus, closed = width, skip_records, 0, False
    with (
        text.open(encoding="utf-8-sig", newline="") as source,
        target.open("w", encoding="utf-8", newline="") as output,
    ):
        write = csv.writer(output).writerow
        # No database takes the zero character, so it becomes a sign that shows it.
        lines = (line.replace("\0", "\ufffd") for line in source)
        # Only a quote can reach over the end.
        ending = [_END] if isinstance(dialect, Dialect) else []
        reader = dialect.records(itertools.chain(lines, ending))
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
                    surplus += 1
                    if surplus < MAX_PROBLEMS:
                        problems.append(_surplus(record, width, row, file_name))
            write(record)
    if ending and not closed:
        reject(
            "unclosed_quote",
            file_name,
            f'A cell in row {row:,} begins with a quote (") that is never closed, so everything after it would become '
            "one cell. Close or remove the quote and upload the file again.",
            row=row,
        )
    if isinstance(reader, FixedRecords):
        problems += reader.problems(skip_records, file_name)
    if surplus > len(problems):
        more = f"{surplus - len(problems):,} more rows have more cells than the header; they are not listed one by one."
        problems.append(Problem(code="surplus_cells", detail=more, file_name=file_name))
    return widest, row - skip_records, problems


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
    while len(record) > width and _is_empty(record[-1]):
        record.pop()


def _is_empty(cell: str) -> bool:
    # Python takes these four for blanks, Unicode and polars do not.
    return not cell.strip() and _SEPARATORS.isdisjoint(cell)


def _surplus(record: list[str], width: int, row: int, file_name: str) -> Problem:
    surplus = len(record) - width
    detail = (
        f"Row {row:,} has {len(record)} cells, but the header names {width}; the surplus is kept in "
        f"column {width + 1}{f' to {len(record)}' if surplus > 1 else ''}. If a cell holds the delimiter, quote it."
    )
    return Problem(code="surplus_cells", detail=detail, file_name=file_name, row=row, column=f"column {width + 1}")

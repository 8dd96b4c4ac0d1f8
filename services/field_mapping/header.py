"""Where the header of a table is, and what its columns are called. Pure: works on the first rows only."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.claim_checks import ROW_NUMBER

Row = Sequence[str]

# A header has no addresses and ids in it, and hardly ever numbers, dates or truth values.
_IDENTIFIER = re.compile(
    r"\d{1,3}(\.\d{1,3}){3}(/\d+)?|([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"[-+]?[\d.,' \xa0]*\d\s*(%|[KMGT]i?B|[MG]Hz|€|\$)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}( .*)?|true|false|yes|no",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Header:
    """A header that was found: its place among the rows (from 0), its cells, and how well the rows fit it."""

    index: int
    cells: list[str]
    fit: float


def find_header(rows: Sequence[Row]) -> Header | None:
    """The header among the first rows of a file, or None when the first full row holds values instead of names.

    Title and metadata rows are narrower than the table, so the first row about as wide as the table decides.
    """
    stripped = [[cell.strip() for cell in row] for row in rows]
    filled = [row for row in stripped if any(row)]
    if not filled:
        return None
    width = _table_width(filled)
    for index, row in enumerate(stripped):
        extent = _extent(row)
        names = sum(map(bool, row))
        # A row without gaps may be a header that is narrower than its rows: they have surplus cells then.
        compact = names == extent == len(set(row[:extent])) and extent >= max(3, 0.4 * width)
        if names == 0 or not (compact or (extent >= 0.7 * width and names * 2 >= width)):
            continue
        if not _is_naming(row):
            return None
        above = sum(any(other) for other in stripped[:index])
        below = [_extent(other) for other in stripped[index:] if any(other)]
        fitting = sum(0.3 * extent <= other <= extent for other in below) / len(below)
        return Header(index, row, fitting * (extent - 1) * 0.5 ** min(above, 6))
    return None


def _table_width(filled: Sequence[Row]) -> int:
    """Cells of a typical row: trailing empty cells do not count, neither do a few rows with surplus cells."""
    usual, _ = Counter(len(row) for row in filled).most_common(1)[0]
    extents = sorted(_extent(row) for row in filled)
    return min(usual, extents[math.ceil(0.9 * (len(extents) - 1))])


def _extent(row: Row) -> int:
    return next((at + 1 for at in range(len(row) - 1, -1, -1) if row[at]), 0)


def _is_naming(row: Row) -> bool:
    cells = [cell for cell in row if cell]
    if any(_IDENTIFIER.fullmatch(cell) for cell in cells):
        return False
    return sum(_VALUE.fullmatch(cell) is not None for cell in cells) * 3 <= len(cells)


def column_names(cells: Row) -> list[str]:
    """A unique name for each column: as in the file, 'column 7' for an empty one, ' (2)' after a repeated one."""
    taken = {ROW_NUMBER} | {cell for cell in cells if cell}
    seen: set[str] = {ROW_NUMBER}
    names = []
    for number, cell in enumerate(cells, start=1):
        name = cell or f"column {number}"
        wanted, copy = name, 2
        while name in seen or (name != cell and name in taken):
            name, copy = f"{wanted} ({copy})", copy + 1
        seen.add(name)
        names.append(name)
    return names

"""Where the header of a table is, and what its columns are called. Pure: works on the first rows only."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.claim_checks import JOINED_ROWS, ROW_NUMBER

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
_NO_VALUE = re.compile(r"[-–?.]*|n/?a|#\S+|null|none|nil|unknown|tbd|tbc|unbekannt|inconnu|desconocido", re.IGNORECASE)
# A line that is drawn between rows, as consoles and Markdown do.
_RULER = re.compile(r"[-=+|:\s]{3,}|:?-{2,}:?")


@dataclass(frozen=True)
class Header:
    """The first full row of a table: its place among the rows (from 0), its cells, whether they are names at all,
    and how well the rows below fit it."""

    index: int
    cells: list[str]
    naming: bool
    fit: float


def find_header(rows: Sequence[Row]) -> Header | None:
    """The header among the first rows of a file, or None when no row has a value.

    A table without a header is told by `naming`: then the first full row holds values instead of names.
    Title and metadata rows are narrower than the table, so the first row about as wide as the table decides.
    """
    stripped = [[cell.strip() for cell in row] for row in rows]
    filled = [row for row in stripped if any(row)]
    if not filled:
        return None
    width = _table_width([row for row in filled if not is_ruler(row)] or filled)
    for index, row in enumerate(stripped):
        extent = _extent(row)
        names = sum(map(bool, row))
        # A row without gaps may be a header that is narrower than its rows: they have surplus cells then.
        compact = names == extent == len(set(row[:extent])) and extent >= max(3, 0.4 * width)
        labelled = names == 2 and row[0].endswith(":")
        if names == 0 or labelled or not (compact or (extent >= 0.6 * width and names * 2 >= width)):
            continue
        naming = _is_naming(row)
        above = sum(any(other) for other in stripped[:index])
        below = [_extent(other) for other in stripped[index:] if any(other)]
        fitting = sum(0.3 * extent <= other <= extent for other in below) / len(below)
        certainty = (1 if naming else 0.75) * 0.5 ** min(above, 6)
        last, cells = _with_second_row(stripped, index)
        return Header(last, cells, naming, fitting * (extent - 1) * certainty)
    return None


def _with_second_row(rows: Sequence[Row], index: int) -> tuple[int, list[str]]:
    """The last row of the header that `index` belongs to, and the names of both where groups stand above columns."""
    for first in (index, index - 1):
        if 0 <= first < len(rows) - 1 and (
            cells := _names_under_groups(rows[first], rows[first + 1], rows[first + 2 :])
        ):
            return first + 1, cells
    return index, list(rows[index])


def _names_under_groups(groups: Row, names: Row, below: Sequence[Row]) -> list[str] | None:
    """The columns of a header of two rows: names below groups, which merged cells leave gaps after; None if it is none.

    What tells the second row from data: it names every gap of the first, has no value and nothing that stands below it,
    and numbers or addresses are below one of its words.
    """
    width = max(_extent(groups), _extent(names))
    groups, names = ([*row, *[""] * width][:width] for row in (groups, names))
    gaps = [place for place in range(width) if not groups[place]]
    filled = [place for place in range(width) if names[place]]
    if len(filled) <= len(gaps) or sum(map(bool, groups)) < 2 or not gaps or not set(gaps) <= set(filled):
        return None
    columns = {place: [row[place] for row in below if place < len(row) and row[place]] for place in filled}
    if any(_is_value(names[place]) or names[place] in column for place, column in columns.items()):
        return None
    if not any(len(column) > 1 and all(map(_is_value, column)) for column in columns.values()):
        return None
    spanning = [next((group for group in groups[place::-1] if group), "") for place in range(width)]
    repeated = {name for name, count in Counter(filter(None, names)).items() if count > 1}
    return [
        f"{group} {name}" if name in repeated and group else name or group
        for name, group in zip(names, spanning, strict=True)
    ]


def _is_value(cell: str) -> bool:
    return bool(_IDENTIFIER.fullmatch(cell) or _VALUE.fullmatch(cell) or _NO_VALUE.fullmatch(cell))


def is_ruler(row: Iterable[str | None]) -> bool:
    """Whether a row that has cells consists of nothing but drawn lines."""
    return all(_RULER.fullmatch(cell) for cell in row if cell)


def _table_width(filled: Sequence[Row]) -> int:
    """Cells of a well-filled row: empty cells do not count, neither do a few rows with surplus cells."""
    usual, _ = max(Counter(len(row) for row in filled).items(), key=lambda item: (item[1], item[0]))
    counts = sorted(sum(map(bool, row)) for row in filled)
    return min(usual, counts[math.ceil(0.9 * (len(counts) - 1))])


def _extent(row: Row) -> int:
    return next((at + 1 for at in range(len(row) - 1, -1, -1) if row[at]), 0)


def _is_naming(row: Row) -> bool:
    cells = [cell for cell in row if cell]
    if any(_IDENTIFIER.fullmatch(cell) for cell in cells):
        return False
    return sum(_VALUE.fullmatch(cell) is not None for cell in cells) * 3 <= len(cells)


def column_names(cells: Row) -> list[str]:
    """A unique name for each column: as in the file, 'column 7' for an empty one, ' (2)' after a repeated one."""
    taken = {ROW_NUMBER, JOINED_ROWS} | {cell for cell in cells if cell}
    seen: set[str] = {ROW_NUMBER, JOINED_ROWS}
    names = []
    for number, cell in enumerate(cells, start=1):
        name = cell or f"column {number}"
        wanted, copy = name, 2
        while name in seen or (name != cell and name in taken):
            name, copy = f"{wanted} ({copy})", copy + 1
        seen.add(name)
        names.append(name)
    return names

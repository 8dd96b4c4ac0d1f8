"""Text tables whose columns stand one below the other, as consoles print them: found by the blanks between columns."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from contracts.envelope import Problem
from services.field_mapping.header import is_ruler
from services.field_mapping.read_table import MAX_PROBLEMS

# A line of dashes below each column's name, as PowerShell, SQL*Plus, sqlcmd and Db2 draw it.
_RULER = re.compile(r"\s*([-=]+)(\s+[-=]+)+\s*")
_DASHES = re.compile(r"[-=]+")
_BETWEEN = re.compile(r"\s{2,}")
_GROUP = re.compile(r"\S+(?:\s\S+)*")
_WORD = re.compile(r"\S+")
_RULER_WITHIN = 50
_BLOCK_LINES = 200
_TITLE_LINES = 3
# One blank may stand in every value by chance.
_LEAST_GAP = 2
# The share of lines whose values may reach beyond their columns.
_TORN = 0.1
_NAMED = 0.8
_MOST_TABBED = 0.1
_LEAST_SPACED = 0.3


@dataclass(frozen=True)
class FixedWidth:
    """Where a line is cut into cells: at places that are blank in nearly every line looked at."""

    cuts: tuple[int, ...]

    def records(self, lines: Iterable[str]) -> "FixedRecords":
        """A reader of the lines' records, each of which is one line."""
        return FixedRecords(self.cuts, lines)


class FixedRecords:
    """The cells of each line, as `csv.reader` gives those of a record.

    Where a word reaches across a cut it stays whole: if the line has as many groups of words as there are columns, or
    as many words that were pushed to the right, each is a cell; else each group belongs to the column that it begins
    in. `problems` tells of such lines.
    """

    def __init__(self, cuts: tuple[int, ...], lines: Iterable[str]) -> None:
        self._cuts = cuts
        self._lines = iter(lines)
        self._torn: list[int] = []
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        line = next(self._lines).rstrip("\r\n")
        self.line_num += 1
        if not line.strip():
            return []
        if is_ruler([line]) or all(len(line) <= cut or line[cut].isspace() for cut in self._cuts):
            ends = (*self._cuts, len(line))
            return [line[begin:end].strip() for begin, end in zip((0, *self._cuts), ends, strict=True)]
        self._torn.append(self.line_num)
        groups = _BETWEEN.split(line.strip())
        if len(groups) == len(self._cuts) + 1:
            return groups
        words = list(_WORD.finditer(line))
        if len(words) == len(self._cuts) + 1 and all(self._column(word) >= at for at, word in enumerate(words)):
            return [word[0] for word in words]
        # A title or a closing note is one group.
        cells: list[list[str]] = [[] for _ in range(len(self._cuts) + 1 if len(groups) > 1 else 1)]
        for group in _GROUP.finditer(line):
            cells[self._column(group) if len(groups) > 1 else 0].append(group[0])
        return ["  ".join(parts) for parts in cells]

    def _column(self, text: re.Match[str]) -> int:
        """The column that a part of the line begins in."""
        return sum(cut < text.start() for cut in self._cuts)

    def problems(self, after: int, file_name: str) -> list[Problem]:
        """A problem for each line after this one whose cells do not keep to the columns, the last for all the rest."""
        torn = [row for row in self._torn if row > after]
        found = [
            Problem(
                code="cells_off_columns",
                detail=f"Row {row:,} has values that reach beyond their columns; it was divided where its blanks are.",
                file_name=file_name,
                row=row,
            )
            for row in torn[:MAX_PROBLEMS]
        ]
        if len(torn) > MAX_PROBLEMS:
            more = f"{len(torn) - MAX_PROBLEMS + 1:,} more rows have values that reach beyond their columns."
            found[-1] = found[-1].model_copy(update={"detail": more})
        return found


def ruled_columns(lines: Sequence[str]) -> FixedWidth | None:
    """The columns that a line of dashes draws, or None where none does."""
    for number, line in enumerate(lines[1:_RULER_WITHIN], start=1):
        if not _RULER.fullmatch(line) or not lines[number - 1].strip():
            continue
        dashes = list(_DASHES.finditer(line))
        if max(dash.end() - dash.start() for dash in dashes) < 2:
            continue
        rows = [each for each in lines[number - 1 :] if each.strip()][:_BLOCK_LINES]
        gaps = [range(left.end(), right.start()) for left, right in itertools.pairwise(dashes)]
        return FixedWidth(tuple(_blankest(rows, gap) for gap in gaps))
    return None


def aligned_columns(lines: Sequence[str]) -> FixedWidth | None:
    """The columns that the lines of one block, a header and rows, have in common, or None where they have none."""
    tabbed = sum("\t" in line for line in lines)
    spaced = sum("  " in line for line in lines)
    if tabbed > _MOST_TABBED * len(lines) or spaced < _LEAST_SPACED * len(lines):
        return None
    best: tuple[int, ...] = ()
    for block in _blocks(lines):
        for skipped in range(min(_TITLE_LINES, len(block) - 1)):
            # The last line may be a closing note.
            for last in (len(block), len(block) - 1):
                cuts = _cuts(block[skipped:last]) if last - skipped >= 2 else ()
                if len(cuts) > len(best):
                    best = cuts
    return FixedWidth(best) if best else None


def _blankest(rows: Sequence[str], places: range) -> int:
    """The place that is blank in most rows; of several the last one, as most columns begin at their left."""
    return max(places, key=lambda at: (sum(len(row) <= at or row[at].isspace() for row in rows), at))


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            if not is_ruler([line]):
                block.append(line)
            continue
        if len(block) >= 2:
            yield block[:_BLOCK_LINES]
        block = []


def _cuts(rows: Sequence[str]) -> tuple[int, ...]:
    """The blankest place of each gap between columns; none if the first row does not name most columns."""
    taken = Counter(at for row in rows for at, letter in enumerate(row) if not letter.isspace())
    named = {at for at, letter in enumerate(rows[0]) if not letter.isspace()}
    full = {at for at, count in taken.items() if at in named or count > _TORN * len(rows)}
    cuts, begin = [], min(full)
    for at in range(min(full), max(full) + 1):
        if at in full:
            if at - begin >= _LEAST_GAP:
                cuts.append(min(range(begin, at), key=lambda place: (taken[place], -place)))
            begin = at + 1
    header = rows[0]
    names = [header[begin:end].strip() for begin, end in zip((0, *cuts), (*cuts, len(header)), strict=True)]
    return tuple(cuts) if sum(map(bool, names)) >= _NAMED * len(names) else ()

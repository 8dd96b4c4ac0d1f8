"""What a dialect is made of: columns with their meaning, and the habits of the file they stand in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from deploy.demo.dirt import Dirt
from deploy.demo.estate import Asset

Cell = str | int | float
Row = TypeVar("Row")


@dataclass(slots=True)
class Entry:
    """One row of an inventory: an asset under the name and number that this row gives it."""

    asset: Asset
    record: int  # of the row, so the rows of a duplicate differ
    name: str


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: its header, how its cell is written, and what it truly means.

    `fields` are the canonical fields (`contracts.catalog`) that are right for it, the best one first; empty means that
    it maps to nothing. `optional` says that leaving it unmapped is right too, `doubtful` that its header and values
    leave the meaning open, so that a person should be asked. `identifies` marks what could tell an asset
    from others, `total` what the totals row adds up.
    """

    header: str
    fields: tuple[str, ...]
    write: Callable[[Row, Dirt], Cell]
    optional: bool = False
    doubtful: bool = False
    identifies: bool = False
    total: bool = False


@dataclass(frozen=True)
class Dialect:
    """How one source writes its inventory file."""

    name: str
    file_name: str
    columns: tuple[Column[Entry], ...]
    title: str = ""  # a row above the header, then an empty row
    totals: bool = False
    encoding: str = "utf-8"
    delimiter: str = ","
    virtual_only: bool = False  # a vCenter knows its virtual machines; its hosts stand in a sheet of their own

    def cells(self, entry: Entry, dirt: Dirt) -> list[Cell]:
        """The row of an entry."""
        return [column.write(entry, dirt) for column in self.columns]


def always(value: Cell) -> Callable[[object, Dirt], Cell]:
    """A cell that is the same in every row."""
    return lambda _row, _dirt: value

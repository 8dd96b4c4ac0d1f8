"""What stands in the sheets of a workbook, as far as it has to be known before the parser opens it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass
class SheetContent:
    """What a worksheet holds: its last row and column (from 1), and by column and row (from 0) the texts of cells that
    the parser would read as empty, such as the values of failed formulas. `exact`: a parser that does not reach the
    last row and column has stopped too early; else they may be those of an empty cell."""

    rows: int = 0
    columns: int = 0
    exact: bool = False
    unread: dict[int, dict[int, str]] = field(default_factory=dict)


class PartWatcher(Protocol):
    """Looks at one part of a package while it is unpacked; raises `ValueError` for what is no such part."""

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the part, of any length."""

    def close(self) -> None:
        """The part has ended."""

    @property
    def sheets(self) -> Mapping[str, SheetContent]:
        """The worksheets of this part by name."""

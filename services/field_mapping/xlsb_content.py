"""The worksheets of a binary workbook, looked at record by record ([MS-XLSB] 2.1.4 and 2.4)."""

import struct
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping

from services.field_mapping.sheet_content import PartWatcher, SheetContent
from services.field_mapping.xlsx_content import related_worksheets

_ROW, _BLANK, _ERROR, _FORMULA_ERROR, _LAST_CELL, _LAST_SHORT_CELL, _SHEET = 0, 1, 3, 11, 11, 18, 156
# [MS-XLSB] 2.5.97.2
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
_MOST_OF_A_CELL = 9
_MOST_OF_AN_INDEX = 16 * 1024**2


def watch_xlsb(package: zipfile.ZipFile) -> dict[str, PartWatcher]:
    """A watcher for each part that holds a visible worksheet."""
    targets = related_worksheets(package, "xl/_rels/workbook.bin.rels")
    index = _BundleRecords()
    if package.getinfo("xl/workbook.bin").file_size > _MOST_OF_AN_INDEX:
        raise zipfile.BadZipFile("xl/workbook.bin is far too large")
    index.feed(package.read("xl/workbook.bin"))
    return {targets[relation]: _SheetWatcher(name) for relation, name in index.visible if relation in targets}


class _Records(ABC):
    """Cuts bytes into records, whose beginnings it hands on."""

    most = _MOST_OF_A_CELL

    def __init__(self) -> None:
        self._rest = b""
        self._skipped = 0

    def feed(self, chunk: bytes) -> None:
        data = self._rest + chunk
        at, end = min(self._skipped, len(data)), len(data)
        self._skipped -= at
        while at < end:
            start = self._content_of(data, at)
            if start is None:
                break
            kind, size, begin = start
            kept = min(size, self.most)
            if begin + kept > end:
                break
            self.take(kind, data[begin : begin + kept])
            at = begin + size
            if at > end:
                self._skipped, at = at - end, end
        self._rest = data[at:]

    def close(self) -> None:
        if self._rest or self._skipped:
            raise ValueError("a record is cut off")

    @abstractmethod
    def take(self, kind: int, content: bytes) -> None:
        """The beginning of the next record."""

    @staticmethod
    def _content_of(data: bytes, at: int) -> tuple[int, int, int] | None:
        """Kind and size of the record at this place and where its content begins; None where that is not known yet."""
        head = data[at : at + 6]
        kind, used = head[0], 1
        if kind & 0x80:
            if len(head) < 2:
                return None
            kind, used = kind & 0x7F | (head[1] & 0x7F) << 7, 2
        size = 0
        for position, byte in enumerate(head[used : used + 4]):
            size |= (byte & 0x7F) << 7 * position
            if not byte & 0x80 or position == 3:
                return kind, size, at + used + position + 1
        return None


class _BundleRecords(_Records):
    """The visible sheets of a workbook: the ids of their relationships, and their names."""

    most = 4096

    def __init__(self) -> None:
        super().__init__()
        self.visible: list[tuple[str, str]] = []

    def take(self, kind: int, content: bytes) -> None:
        if kind == _SHEET:
            (state,) = struct.unpack_from("<I", content)
            relation, after = _text(content, 8)
            name, _ = _text(content, after)
            if state == 0:
                self.visible.append((relation, name))


class _SheetWatcher(_Records):
    """One worksheet."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._content = SheetContent(exact=True)
        self._row = 0
        self.sheets: Mapping[str, SheetContent] = {name: self._content}

    def take(self, kind: int, content: bytes) -> None:
        if kind == _ROW:
            (self._row,) = struct.unpack_from("<I", content)
        elif kind <= _LAST_CELL and kind != _BLANK:
            (column,) = struct.unpack_from("<I", content)
            self._content.rows = max(self._content.rows, self._row + 1)
            self._content.columns = max(self._content.columns, column + 1)
            if kind in (_ERROR, _FORMULA_ERROR):
                self._content.unread.setdefault(column, {})[self._row] = _ERRORS.get(content[8], "#N/A")
        elif _LAST_CELL < kind <= _LAST_SHORT_CELL:
            # The parser passes over them without a word.
            raise ValueError("it has cells in the short form, which Excel itself does not write")


def _text(content: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<I", content, at)
    end = at + 4 + 2 * length
    if end > len(content):
        raise ValueError("a sheet's name is cut off")
    return content[at + 4 : end].decode("utf-16-le"), end

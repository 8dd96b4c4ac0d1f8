"""The worksheets of an .xlsx package (ECMA-376 part 1, 18.3), looked at row by row."""

import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath
from xml.etree import ElementTree  # nosec B405 # see parsed

from services.field_mapping.sheet_content import PartWatcher, SheetContent

# A row of a sheet is never that long; what is gets looked at in pieces.
_LONGEST_ROW_BYTES = 64 * 1024**2
_LARGEST_INDEX_BYTES = 16 * 1024**2
_RELATIONSHIP_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATIONSHIP_ID = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\br=["']([A-Za-z]+)([0-9]+)["'][^>]*(?<!/)>""")
_ERROR_CELL = re.compile(rb"""<(?:\w+:)?c\s([^>]*?\bt=["']e["'][^>]*)(?<!/)>(.*?)</(?:\w+:)?c>""", re.DOTALL)
_REFERENCE = re.compile(rb"""\br=["']([A-Za-z]+)([0-9]+)["']""")
_VALUE = re.compile(rb"<(?:\w+:)?v>(.*?)</")


def watch_xlsx(package: zipfile.ZipFile) -> dict[str, PartWatcher]:
    """A watcher for each part that holds a visible worksheet (ECMA-376 part 1, 18.2)."""
    targets = related_worksheets(package, "xl/_rels/workbook.xml.rels")
    watchers: dict[str, PartWatcher] = {}
    for element in parsed(package, "xl/workbook.xml").iter():
        if element.tag.rpartition("}")[2] == "sheet" and element.get("state", "visible") == "visible":
            part = targets.get(element.get(_RELATIONSHIP_ID) or element.get(_STRICT_RELATIONSHIP_ID) or "")
            if part is not None:
                watchers[part] = _SheetWatcher(element.get("name", ""))
    return watchers


def related_worksheets(package: zipfile.ZipFile, part: str) -> dict[str, str]:
    """The parts with worksheets by the ids that a workbook's relationships give them."""
    return {
        relation.get("Id", ""): str(PurePosixPath("xl", relation.get("Target", ""))).lstrip("/")
        for relation in parsed(package, part)
        if relation.get("Type", "").endswith("/worksheet")
    }


def parsed(package: zipfile.ZipFile, part: str) -> ElementTree.Element:
    """A small part as XML; raises what the standard library does, for one that is none or far too large."""
    if package.getinfo(part).file_size > _LARGEST_INDEX_BYTES:
        raise zipfile.BadZipFile(f"{part} is far too large")
    # Expat itself stops entities that explode, since 2.4.1, and never fetches one from elsewhere.
    return ElementTree.fromstring(package.read(part))  # nosec B314


class _SheetWatcher:
    """One worksheet, cut behind the ends of rows so that no cell is torn apart."""

    def __init__(self, name: str) -> None:
        self._content = SheetContent()
        self._kept = b""
        self.sheets: Mapping[str, SheetContent] = {name: self._content}

    def feed(self, chunk: bytes) -> None:
        self._kept += chunk
        end = self._kept.rfind(b"row>") + 4
        if end > 3:
            self._look_at(self._kept[:end])
            self._kept = self._kept[end:]
        elif len(self._kept) > _LONGEST_ROW_BYTES:
            self.close()

    def close(self) -> None:
        self._look_at(self._kept)
        self._kept = b""

    def _look_at(self, rows: bytes) -> None:
        content = self._content
        cells = _CELL.findall(rows)
        if not cells:
            return
        content.rows = max(content.rows, *map(int, {row for _, row in cells}))
        content.columns = max(content.columns, *map(_column_number, {letters for letters, _ in cells}))
        if b't="e"' not in rows and b"t='e'" not in rows:
            return
        for attributes, inner in _ERROR_CELL.findall(rows):
            reference, value = _REFERENCE.search(b" " + attributes), _VALUE.search(inner)
            if reference and value:
                column, row = _column_number(reference[1]) - 1, int(reference[2]) - 1
                text = sys.intern(value[1].decode("utf-8", errors="replace"))
                content.unread.setdefault(column, {})[row] = text


def _column_number(letters: bytes) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number

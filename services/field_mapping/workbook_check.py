"""What is inside an Excel package, looked at before it is opened: sizes, sheets, far cells, error values.

The parser holds a worksheet as one dense grid and aborts the process when that does not fit into memory, so both the
unpacked size and the extent of each sheet have to be known first. It also reads error values (#REF!) as empty.
"""

import copy
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn
from xml.etree import ElementTree

from services.field_mapping.read_table import ReadLimits, reject
from services.field_mapping.unpacking import MOST_SHRINKAGE, SMALL_BYTES

_CHUNK_BYTES = 1 << 20
# A row of a sheet is never that long; what is gets looked at in pieces.
_LONGEST_ROW_BYTES = 64 * 1024**2
_LARGEST_INDEX_BYTES = 16 * 1024**2
_RELATIONSHIP_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATIONSHIP_ID = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\br=["']([A-Za-z]+)([0-9]+)["'][^>]*(?<!/)>""")
_ERROR_CELL = re.compile(rb"""<(?:\w+:)?c\s([^>]*?\bt=["']e["'][^>]*)(?<!/)>(.*?)</(?:\w+:)?c>""", re.DOTALL)
_REFERENCE = re.compile(rb"""\br=["']([A-Za-z]+)([0-9]+)["']""")
_VALUE = re.compile(rb"<(?:\w+:)?v>(.*?)</")


# What the standard library raises for a package that is cut off, altered or packed in a way it does not know.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    ElementTree.ParseError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    ValueError,
)


@dataclass
class SheetContent:
    """What a worksheet holds: its last row and column (from 1), and error values by column and row (from 0)."""

    rows: int = 0
    columns: int = 0
    errors: dict[int, dict[int, str]] = field(default_factory=dict)


def check_workbook(path: Path, file_name: str, limits: ReadLimits) -> dict[str, SheetContent]:
    """The worksheets of an .xlsx package by name.

    Raises `FileRejected` with `unpacks_too_large`, `broken_workbook`, `too_many_columns`, `too_many_rows` or
    `sheet_too_large`.
    """
    try:
        with zipfile.ZipFile(path) as package:
            _check_size(package, path, file_name, limits)
            parts = _sheet_parts(package)
            budget = limits.max_unpacked_bytes
            contents: dict[str, SheetContent] = {}
            for entry in package.infolist():
                content = SheetContent()
                for chunk in _whole_rows(_unpacked(package, entry)):
                    budget -= len(chunk)
                    if budget < 0:
                        _too_large(file_name, limits)
                    if entry.filename in parts:
                        _look_at(chunk, content)
                if entry.filename in parts:
                    contents[parts[entry.filename]] = content
    except _DAMAGE as error:
        broken_workbook(file_name, error)
    for sheet, content in contents.items():
        _check_extent(sheet, content, file_name, limits)
    return contents


def broken_workbook(file_name: str, error: object) -> NoReturn:
    """Refuse a workbook that cannot be unpacked or parsed."""
    reject(
        "broken_workbook",
        file_name,
        f"The workbook is damaged ({error}). Open it in Excel, save it again as .xlsx, and upload that.",
    )


def _too_large(file_name: str, limits: ReadLimits) -> NoReturn:
    reject(
        "unpacks_too_large",
        file_name,
        f"Unpacked, the workbook would be larger than the {limits.max_unpacked_bytes:,} bytes that can be read, or it "
        "is packed far tighter than any real workbook. Remove what is not part of the table, or upload it as CSV.",
    )


def _check_size(package: zipfile.ZipFile, path: Path, file_name: str, limits: ReadLimits) -> None:
    """Judge by the sizes that the package declares; what it really unpacks to is counted while reading."""
    unpacked = sum(entry.file_size for entry in package.infolist())
    tight = unpacked > SMALL_BYTES and unpacked > path.stat().st_size * MOST_SHRINKAGE
    if unpacked > limits.max_unpacked_bytes or tight:
        _too_large(file_name, limits)


def _sheet_parts(package: zipfile.ZipFile) -> dict[str, str]:
    """Name of every visible worksheet by the part of the package that holds it (ECMA-376 part 1, 18.2)."""
    targets = {
        relation.get("Id"): str(PurePosixPath("xl", relation.get("Target", ""))).lstrip("/")
        for relation in _parsed(package, "xl/_rels/workbook.xml.rels")
        if relation.get("Type", "").endswith("/worksheet")
    }
    sheets = {}
    for element in _parsed(package, "xl/workbook.xml").iter():
        if element.tag.rpartition("}")[2] == "sheet" and element.get("state", "visible") == "visible":
            part = targets.get(element.get(_RELATIONSHIP_ID) or element.get(_STRICT_RELATIONSHIP_ID))
            if part is not None:
                sheets[part] = element.get("name", "")
    return sheets


def _parsed(package: zipfile.ZipFile, part: str) -> ElementTree.Element:
    if package.getinfo(part).file_size > _LARGEST_INDEX_BYTES:
        raise zipfile.BadZipFile(f"{part} is far too large")
    return ElementTree.fromstring(package.read(part))


def _unpacked(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of an entry to its real end, whatever size the package declares for it."""
    entry = copy.copy(entry)
    entry.file_size = sys.maxsize
    with package.open(entry) as part:
        while chunk := part.read(_CHUNK_BYTES):
            yield chunk


def _whole_rows(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut behind the end of a row so that no cell is torn apart."""
    kept = b""
    for chunk in chunks:
        kept += chunk
        end = kept.rfind(b"row>") + 4
        if end > 3:
            yield kept[:end]
            kept = kept[end:]
        elif len(kept) > _LONGEST_ROW_BYTES:
            yield kept
            kept = b""
    yield kept


def _look_at(chunk: bytes, content: SheetContent) -> None:
    cells = _CELL.findall(chunk)
    if not cells:
        return
    content.rows = max(content.rows, *map(int, {row for _, row in cells}))
    content.columns = max(content.columns, *map(_column_number, {letters for letters, _ in cells}))
    if b't="e"' not in chunk and b"t='e'" not in chunk:
        return
    for attributes, inner in _ERROR_CELL.findall(chunk):
        reference, value = _REFERENCE.search(b" " + attributes), _VALUE.search(inner)
        if reference and value:
            column, row = _column_number(reference[1]) - 1, int(reference[2]) - 1
            content.errors.setdefault(column, {})[row] = sys.intern(value[1].decode("utf-8", errors="replace"))


def _column_number(letters: bytes) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _check_extent(sheet: str, content: SheetContent, file_name: str, limits: ReadLimits) -> None:
    reach = f"Sheet '{sheet}' has values as far as row {content.rows:,} and column {content.columns:,}"
    if content.columns > limits.max_columns:
        reject(
            "too_many_columns",
            file_name,
            f"{reach}; at most {limits.max_columns:,} columns can be read. Delete stray cells beside the table.",
            column=f"column {content.columns}",
        )
    if content.rows > limits.max_rows:
        reject(
            "too_many_rows",
            file_name,
            f"{reach}; at most {limits.max_rows:,} rows can be read. Split the sheet and upload the parts.",
            row=content.rows,
        )
    if content.rows * content.columns > limits.max_sheet_cells:
        reject(
            "sheet_too_large",
            file_name,
            f"{reach}, a grid of more than {limits.max_sheet_cells:,} cells. Delete stray cells below and beside the "
            "table; if the table itself is that large, upload it as CSV.",
            row=content.rows,
            column=f"column {content.columns}",
        )

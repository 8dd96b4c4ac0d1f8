"""What is inside a workbook's package, looked at before it is opened: sizes, far cells, values the parser passes over.

The parser holds a worksheet as one dense grid and aborts the process when that does not fit into memory, so both the
unpacked size and the extent of each sheet have to be known first. It also reads error values (#REF!) as empty.
"""

import copy
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NoReturn
from xml.etree import ElementTree  # nosec B405 # only its exceptions are used

from services.field_mapping.ods_content import watch_ods
from services.field_mapping.read_table import ReadLimits, reject
from services.field_mapping.sheet_content import SheetContent
from services.field_mapping.unpacking import MOST_SHRINKAGE, SMALL_BYTES
from services.field_mapping.xlsb_content import watch_xlsb
from services.field_mapping.xlsx_content import watch_xlsx

Package = Literal["xlsx", "xlsb", "ods"]
_WATCHERS = {"xlsx": watch_xlsx, "xlsb": watch_xlsb, "ods": watch_ods}
_CHUNK_BYTES = 1 << 20
# Beyond it the parser cuts a sheet off, as Excel and LibreOffice know no more rows.
_LAST_ROW = 1_048_576

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
    struct.error,
)


def check_workbook(path: Path, file_name: str, kind: Package, limits: ReadLimits) -> dict[str, SheetContent]:
    """The visible worksheets of a package by name; of an OpenDocument spreadsheet also the hidden ones.

    Raises `FileRejected` with `unpacks_too_large`, `broken_workbook`, `too_many_columns`, `too_many_rows` or
    `sheet_too_large`.
    """
    try:
        with zipfile.ZipFile(path) as package:
            _check_size(package, path, file_name, limits)
            watchers = _WATCHERS[kind](package)
            budget = limits.max_unpacked_bytes
            contents: dict[str, SheetContent] = {}
            for entry in package.infolist():
                watcher = watchers.get(entry.filename)
                for chunk in _unpacked(package, entry):
                    budget -= len(chunk)
                    if budget < 0:
                        _too_large(file_name, limits)
                    if watcher is not None:
                        watcher.feed(chunk)
                if watcher is not None:
                    watcher.close()
                    contents |= watcher.sheets
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
        f"The workbook is damaged, or written in a way that cannot be read ({error}). Open it in Excel or LibreOffice, "
        "save it again as .xlsx, and upload that.",
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


def _unpacked(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of an entry to its real end, whatever size the package declares for it."""
    entry = copy.copy(entry)
    entry.file_size = sys.maxsize
    with package.open(entry) as part:
        while chunk := part.read(_CHUNK_BYTES):
            yield chunk


def _check_extent(sheet: str, content: SheetContent, file_name: str, limits: ReadLimits) -> None:
    reach = f"Sheet '{sheet}' has values as far as row {content.rows:,} and column {content.columns:,}"
    if content.columns > limits.max_columns:
        reject(
            "too_many_columns",
            file_name,
            f"{reach}; at most {limits.max_columns:,} columns can be read. Delete stray cells beside the table.",
            column=f"column {content.columns}",
        )
    most = min(limits.max_rows, _LAST_ROW)
    if content.rows > most:
        reject(
            "too_many_rows",
            file_name,
            f"{reach}; at most {most:,} rows can be read. Split the sheet and upload the parts.",
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

"""Workbooks of the kinds that no library here writes: OpenDocument spreadsheets and Excel's binary workbooks.

Written after OpenDocument 1.3 part 3 (section 9) and [MS-XLSB] (2.4), with no more than their readers need.
"""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from xml.sax.saxutils import escape, quoteattr

Cell = object
Sheet = Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Broken:
    """A cell whose formula failed."""

    shown: str


# [MS-XLSB] 2.5.97.2
_ERROR_CODES = {
    "#NULL!": 0x00,
    "#DIV/0!": 0x07,
    "#VALUE!": 0x0F,
    "#REF!": 0x17,
    "#NAME?": 0x1D,
    "#NUM!": 0x24,
    "#N/A": 0x2A,
    "#GETTING_DATA": 0x2B,
}
_DAY_ZERO = datetime.fromisoformat("1899-12-30")
_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
_NAMESPACES = " ".join(f'xmlns:{name}="{_ODF}{name}:1.0"' for name in ("office", "table", "text", "style", "manifest"))
_CALC = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of these parts."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return content.getvalue()


def ods(sheets: Mapping[str, Sheet], hidden: str = "") -> bytes:
    """An OpenDocument spreadsheet; the sheet called `hidden` is."""
    return ods_of("".join(ods_sheet(name, rows, hidden=name == hidden) for name, rows in sheets.items()))


def ods_of(sheets: str, manifest: str = "") -> bytes:
    """An OpenDocument spreadsheet of these table elements."""
    hiding = '<style:style style:name="gone" style:family="table"><style:table-properties table:display="false"/>'
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_NAMESPACES} {_CALC}>'
        f"<office:automatic-styles>{hiding}</style:style></office:automatic-styles>"
        f"<office:body><office:spreadsheet>{sheets}</office:spreadsheet></office:body></office:document-content>"
    )
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": (
                f'<manifest:manifest {_NAMESPACES} manifest:version="1.3"><manifest:file-entry manifest:full-path="/" '
                'manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/><manifest:file-entry '
                f'manifest:full-path="content.xml" manifest:media-type="text/xml">{manifest}</manifest:file-entry>'
                "</manifest:manifest>"
            ),
            "content.xml": content,
        }
    )


def ods_sheet(name: str, rows: Sheet, hidden: bool = False) -> str:
    """The table element of a sheet, padded to the last row and column as LibreOffice pads it."""
    style = ' table:style-name="gone"' if hidden else ""
    padding = '<table:table-cell table:number-columns-repeated="16000"/>'
    written = "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}{padding}</table:table-row>" for row in rows)
    rest = f'<table:table-row table:number-rows-repeated="{1_048_576 - len(rows)}">{padding}</table:table-row>'
    return f"<table:table table:name={quoteattr(name)}{style}>{written}{rest}</table:table>"


def _ods_cell(value: Cell) -> str:
    match value:
        case None | "":
            return "<table:table-cell/>"
        case bool():
            kind, shown = f'"boolean" office:boolean-value="{str(value).lower()}"', str(value).upper()
        case int() | float():
            kind, shown = f'"float" office:value="{value}"', f"{value}"
        case Broken():
            kind, shown = '"string" office:string-value="" calcext:value-type="error"', value.shown
        case datetime() | date():
            kind, shown = f'"date" office:date-value="{value.isoformat()}"', f"{value:%d.%m.%y}"
        case time():
            kind, shown = f'"time" office:time-value="PT{value:%HH%MM%S}S"', f"{value:%H:%M}"
        case _:
            kind, shown = '"string"', f"{value}"
    return f"<table:table-cell office:value-type={kind}><text:p>{escape(shown)}</text:p></table:table-cell>"


def xlsb(sheets: Mapping[str, Sheet], hidden: str = "") -> bytes:
    """A binary workbook; the sheet called `hidden` is."""
    return xlsb_of(
        {name: b"".join(_xlsb_row(number, row) for number, row in enumerate(rows)) for name, rows in sheets.items()},
        hidden,
    )


def xlsb_of(sheets: Mapping[str, bytes], hidden: str = "") -> bytes:
    """A binary workbook of sheets whose rows are these records."""
    package = "http://schemas.openxmlformats.org/package/2006/"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{office}worksheet" Target="worksheets/sheet{n}.bin"/>'
        for n in range(1, len(sheets) + 1)
    )
    styles = f'<Relationship Id="rId0" Type="{office}styles" Target="styles.bin"/>'
    bundle = b"".join(
        record(156, struct.pack("<II", int(name == hidden), number) + _text(f"rId{number}") + _text(name))
        for number, name in enumerate(sheets, start=1)
    )
    extent = record(148, struct.pack("<4I", 0, 1, 0, 1))
    return packed(
        {
            "[Content_Types].xml": (
                f'<Types xmlns="{package}content-types"><Default Extension="rels" '
                'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="bin" '
                'ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/></Types>'
            ),
            "_rels/.rels": (
                f'<Relationships xmlns="{package}relationships"><Relationship Id="rId1" '
                f'Type="{office}officeDocument" Target="xl/workbook.bin"/></Relationships>'
            ),
            "xl/_rels/workbook.bin.rels": (
                f'<Relationships xmlns="{package}relationships">{styles}{relations}</Relationships>'
            ),
            "xl/workbook.bin": record(131) + record(143) + bundle + record(144) + record(132),
            # A general format, one of days and one of moments (the built-in formats 14 and 22).
            "xl/styles.bin": record(278)
            + record(617, struct.pack("<I", 3))
            + b"".join(record(47, struct.pack("<HH12x", 0, code)) for code in (0, 14, 22))
            + record(618)
            + record(279),
            **{
                f"xl/worksheets/sheet{number}.bin": record(129)
                + extent
                + record(145)
                + rows
                + record(146)
                + record(130)
                for number, rows in enumerate(sheets.values(), start=1)
            },
        }
    )


def record(kind: int, content: bytes = b"") -> bytes:
    """One record: its kind, its size and its content ([MS-XLSB] 2.1.4)."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, left = b"", len(content)
    while left >= 128:
        size, left = size + bytes([left & 0x7F | 0x80]), left >> 7
    return head + size + bytes([left]) + content


def xlsb_row(number: int) -> bytes:
    """The record that begins a row, from 0."""
    return record(0, struct.pack("<II9xI", number, 0, 0)[:-4] + struct.pack("<I", 0))


def _xlsb_row(number: int, row: Sequence[Cell]) -> bytes:
    return xlsb_row(number) + b"".join(xlsb_cell(column, value) for column, value in enumerate(row))


def xlsb_cell(column: int, value: Cell) -> bytes:
    """The record of a cell, from column 0."""
    style, kind, content = 0, 6, b""
    match value:
        case None | "":
            kind = 1
        case bool():
            kind, content = 4, bytes([value])
        case int() | float():
            kind, content = 5, struct.pack("<d", value)
        case Broken():
            kind, content = 3, bytes([_ERROR_CODES[value.shown]])
        case datetime():
            style, kind, content = 2, 5, struct.pack("<d", (value - _DAY_ZERO).total_seconds() / 86_400)
        case date():
            style, kind, content = 1, 5, struct.pack("<d", value.toordinal() - _DAY_ZERO.toordinal())
        case _:
            content = _text(f"{value}")
    return record(kind, struct.pack("<II", column, style) + content)


def _text(text: str) -> bytes:
    wide = text.encode("utf-16-le")
    return struct.pack("<I", len(wide) // 2) + wide

"""The sheets of an OpenDocument spreadsheet (OpenDocument 1.3 part 3, section 9), all in one part of XML."""

import re
import zipfile
from collections.abc import Mapping
from xml.parsers import expat

from services.field_mapping.sheet_content import PartWatcher, SheetContent

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_TABLE, _TEXT, _OFFICE = (f"{_OASIS}{name}:1.0 " for name in ("table", "text", "office"))
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 "
_CELLS = frozenset({f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"})
_TIME = re.compile(r"PT(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S")
# Each is kept beside the sheet; real ones have few.
_MOST_UNREAD = 1_000_000


def watch_ods(_: zipfile.ZipFile) -> dict[str, PartWatcher]:
    """A watcher for the part that holds all sheets."""
    return {"content.xml": _ContentWatcher()}


class _ContentWatcher:
    """Where each sheet ends, and the times of day and failed formulas, which the parser reads as empty."""

    def __init__(self) -> None:
        self.sheets: dict[str, SheetContent] = {}
        self._content = SheetContent()
        self._tables = 0  # a cell may hold a table of its own
        self._row, self._rows, self._column, self._columns = 0, 1, 0, 1
        self._depth = 0  # of elements within a cell: a comment has paragraphs, too
        self._kind: str | None = None
        self._value: str | None = None
        self._text: list[str] | None = None
        self._unread = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = _no_doctype

    def feed(self, chunk: bytes) -> None:
        self._parse(chunk, final=False)

    def close(self) -> None:
        self._parse(b"", final=True)

    def _parse(self, chunk: bytes, final: bool) -> None:
        try:
            self._parser.Parse(chunk, final)
        except expat.ExpatError as error:
            raise ValueError(f"content.xml: {error}") from error

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == f"{_TABLE}table":
            self._tables += 1
            if self._tables == 1:
                self._content = self.sheets[attributes.get(f"{_TABLE}name", "")] = SheetContent(exact=True)
                self._row = self._rows = 0
        elif self._tables != 1:
            return
        elif name == f"{_TABLE}table-row":
            self._row += self._rows
            self._rows = _repeated(attributes, "number-rows-repeated")
            self._column = self._columns = 0
        elif name in _CELLS:
            self._begin_cell(attributes)
        elif self._depth:
            self._depth += 1
            if self._depth == 2 and name == f"{_TEXT}p":
                self._text = []

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        self._depth = 1
        self._column += self._columns
        self._columns = _repeated(attributes, "number-columns-repeated")
        self._value = attributes.get(f"{_OFFICE}time-value")
        self._kind = attributes.get(f"{_OFFICE}value-type")
        if self._kind is not None:
            self._fill()
        if attributes.get(f"{_CALC}value-type") == "error":
            self._kind = "error"

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        if name == f"{_TABLE}table":
            self._tables -= 1
        elif self._tables != 1 or not self._depth:
            return
        elif name in _CELLS:
            self._depth = 0
            if self._value is not None:
                self._keep(_clock(self._value))
        else:
            self._depth -= 1
            if self._depth == 1 and self._text is not None:
                self._end_paragraph("".join(self._text))

    def _end_paragraph(self, text: str) -> None:
        self._text = None
        if self._kind == "error":
            self._value = self._value or text
        elif self._kind is None and text.strip():
            # The parser passes over them without a word.
            raise ValueError("content.xml: it has cells with a text and no type")

    def _fill(self) -> None:
        self._content.rows = max(self._content.rows, self._row + self._rows)
        self._content.columns = max(self._content.columns, self._column + self._columns)

    def _keep(self, text: str) -> None:
        self._unread += self._rows * self._columns
        if self._unread > _MOST_UNREAD:
            raise ValueError(f"it has more than {_MOST_UNREAD:,} times of day and failed formulas")
        for column in range(self._column, self._column + self._columns):
            cells = self._content.unread.setdefault(column, {})
            cells.update(dict.fromkeys(range(self._row, self._row + self._rows), text))


def _repeated(attributes: Mapping[str, str], name: str) -> int:
    return max(1, int(attributes.get(_TABLE + name, "1")))


def _clock(value: str) -> str:
    """A time of day or a duration as spreadsheets show it; other texts as they are."""
    match = _TIME.fullmatch(value)
    return f"{int(match[1]):02}:{match[2]}:{match[3]}" if match else value


def _no_doctype(*_: object) -> None:
    raise ValueError("content.xml: it has a document type of its own")

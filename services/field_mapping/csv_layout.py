"""How a delimited text is written, and where its table begins: found by trying what could be meant."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from services.field_mapping.file_format import HEAD_BYTES
from services.field_mapping.fixed_width import FixedWidth, aligned_columns, ruled_columns
from services.field_mapping.header import Header, find_header, is_ruler
from services.field_mapping.read_table import reject
from services.field_mapping.text_encoding import CHUNK_BYTES

if TYPE_CHECKING:
    from _csv import Reader

USUAL_DELIMITERS = ",;\t|"
# They stand in names and values, too, so they divide a table only where all its rows have the same number of cells.
_OTHER_DELIMITERS = ":~^!#$%&*@/\x1f\x1e\x01¦¬§·"
_EVEN = 0.95
_MOSTLY_EVEN = 0.8
_HEAD_RECORDS = 200
_ENCODED_BOM = "\ufeff"
# A first line of nothing but cells in single quotes.
_SINGLE_QUOTED = re.compile(r"\s*'[^'\r\n]*'([^\w\s']+|\t)('[^'\r\n]*'(\1|[ ]*\r?\n))+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_BACKSLASH = re.compile(r"""\\(["'\\])?""")


@dataclass(frozen=True)
class Dialect:
    """How cells are divided and quoted; `escaped` where a quote in a cell has a backslash instead of a second quote."""

    delimiter: str
    quote: str = '"'
    escaped: bool = False

    @property
    def plain(self) -> bool:
        """Whether a reader for bytes that knows the usual quoting can read it."""
        return self.delimiter.isascii() and self.quote == '"' and not self.escaped

    def records(self, lines: Iterable[str]) -> "Reader":
        """A reader of the lines' records."""
        if not self.escaped:
            return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote)
        # A backslash before anything but a quote or another one is one of a Windows path, not an escape.
        lines = (_BACKSLASH.sub(lambda found: found[0] if found[1] else "\\\\", line) for line in lines)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, escapechar="\\")


@dataclass(frozen=True)
class Layout:
    """Where the table of a text file begins: the header's record and the lines up to its end."""

    dialect: Dialect | FixedWidth
    header: Header
    lines: int
    above: list[list[str]]
    even: float  # share of the first rows that have as many cells as the header


@dataclass(frozen=True)
class _Head:
    text: str
    complete: bool
    named: str  # the delimiter that the file's own first line names


def find_layout(text: Path, file_name: str) -> Layout:
    """Try each dialect and take the one whose header fits the rows best.

    Raises `FileRejected` with `empty_file` or `no_header`.
    """
    with text.open("rb") as file:
        content = file.read(HEAD_BYTES)
        complete = not file.read(1)
    head = content.decode("utf-8", errors="ignore").removeprefix(_ENCODED_BOM)
    if not head.strip() and (complete or _is_blank(text)):
        reject(
            "empty_file", file_name, "The file holds nothing but blank lines. Export it again and upload the new file."
        )
    # Excel's own first line, such as "sep=;", names the delimiter.
    first_line = head.split("\n", 1)[0].strip('\r "').lower()
    best = _best(_Head(head, complete, first_line[4:] if re.fullmatch(r"sep=.", first_line) else ""))
    if best is None or not best.header.naming:
        reject(
            "no_header",
            file_name,
            "The first full row of the file holds values, not column names. Add a header row that names the columns.",
            row=best.header.index + 1 if best else 1,
        )
    return best


def lenient(records: Iterator[list[str]]) -> Iterator[list[str]]:
    """The records up to the first one that is too long to be one."""
    try:
        yield from records
    except csv.Error:
        return


def _is_blank(text: Path) -> bool:
    with text.open("rb") as file:
        return not any(chunk.strip() for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))


def _best(head: _Head) -> Layout | None:
    lines = _LINE_END.split(head.text)[: None if head.complete else -1]
    ruled = None if head.named else _fixed(head, ruled_columns(lines))
    if ruled is not None and ruled.header.naming:
        return ruled
    quote = "'" if _SINGLE_QUOTED.match(head.text) else '"'
    best = _fittest(_layout(head, Dialect(each, quote)) for each in head.named or USUAL_DELIMITERS)
    if not head.named and (best is None or best.even < _EVEN or best.header.index):
        aligned = _fixed(head, aligned_columns(lines))
        if aligned is not None and (best is None or _fits_better(aligned, best)):
            return aligned
    if best is None or best.even < _EVEN or best.header.index:
        possible = [each for each in _OTHER_DELIMITERS if each in head.text]
        escapes = (False, True) if f"\\{quote}" in head.text else (False,)
        others = (_layout(head, Dialect(each, quote, escaped)) for each in possible for escaped in escapes)
        best = _fittest([best, *(other for other in others if other and other.even >= _EVEN and other.header.naming)])
    if best is None or isinstance(best.dialect, FixedWidth):
        return best
    end = rf"[{re.escape(best.dialect.delimiter)}\r\n]"
    # A backslash and a quote within a cell; at its end they close a Windows path.
    if re.search(rf"(?:^|{end}){quote}[^{quote}\r\n]*\\{quote}(?!{end}|{quote}|$)", head.text):
        return _fittest([_layout(head, replace(best.dialect, escaped=True)), best])
    return best


def _fits_better(aligned: Layout, best: Layout) -> bool:
    """Whether columns explain the text better than a delimiter, which then does not stand in their header."""
    if len(best.header.cells) == 1:
        return True
    elsewhere = aligned.header.index != best.header.index
    return elsewhere and aligned.header.naming and len(aligned.header.cells) > len(best.header.cells)


def _fixed(head: _Head, columns: FixedWidth | None) -> Layout | None:
    """The layout of text in columns, if most rows keep to them."""
    layout = _layout(head, columns) if columns is not None else None
    return layout if layout is not None and layout.even >= _MOSTLY_EVEN else None


def _fittest(layouts: Iterable[Layout | None]) -> Layout | None:
    found = [layout for layout in layouts if layout is not None]
    return max(found, key=lambda layout: (layout.header.fit, layout.even, layout.header.naming), default=None)


def _layout(head: _Head, dialect: Dialect | FixedWidth) -> Layout | None:
    reader = dialect.records(io.StringIO(head.text, newline=""))
    records, lines = [], []
    for record in itertools.islice(lenient(reader), _HEAD_RECORDS):
        records.append(record)
        lines.append(reader.line_num)
    if not head.complete and len(records) > 1 and len(records) < _HEAD_RECORDS:
        records.pop()
    skip = bool(head.named)
    header = find_header([[], *records[1:]] if skip else records)
    if header is None:
        return None
    # With a wrong delimiter a quote in the middle of the text opens a cell, which swallows line after line.
    header = replace(header, fit=header.fit * len(records) / max(lines))
    below = [len(record) for record in records[header.index :] if any(record) and not is_ruler(record)]
    even = below.count(len(header.cells)) / len(below) if len(header.cells) > 1 else 0.0
    return Layout(dialect, header, lines[header.index], records[int(skip) : header.index], even)

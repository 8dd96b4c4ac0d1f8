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
from services.field_mapping.header import Header, find_header
from services.field_mapping.read_table import reject
from services.field_mapping.text_encoding import CHUNK_BYTES

if TYPE_CHECKING:
    from _csv import Reader

USUAL_DELIMITERS = ",;\t|"
# They stand in names and values, too, so they divide a table only where all its rows have the same number of cells.
_OTHER_DELIMITERS = ":~^!#$%&*@/\x1f\x1e\x01¦¬§·"
_EVEN = 0.95
_HEAD_RECORDS = 200
_ENCODED_BOM = "\ufeff"
# A first line of nothing but cells in single quotes.
_SINGLE_QUOTED = re.compile(r"\s*'[^'\r\n]*'([^\w\s']+|\t)('[^'\r\n]*'(\1|[ ]*\r?\n))+")
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

    dialect: Dialect
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
    quote = "'" if _SINGLE_QUOTED.match(head.text) else '"'
    best = _fittest(_layout(head, Dialect(each, quote)) for each in head.named or USUAL_DELIMITERS)
    if best is None or best.even < _EVEN or best.header.index:
        possible = [each for each in _OTHER_DELIMITERS if each in head.text]
        others = (_layout(head, Dialect(each, quote)) for each in possible)
        best = _fittest([best, *(other for other in others if other and other.even >= _EVEN and other.header.naming)])
    if best is None:
        return None
    end = rf"[{re.escape(best.dialect.delimiter)}\r\n]"
    # A backslash and a quote within a cell; at its end they close a Windows path.
    if re.search(rf"(?:^|{end}){quote}[^{quote}\r\n]*\\{quote}(?!{end}|{quote}|$)", head.text):
        return _fittest([_layout(head, replace(best.dialect, escaped=True)), best])
    return best


def _fittest(layouts: Iterable[Layout | None]) -> Layout | None:
    found = [layout for layout in layouts if layout is not None]
    return max(found, key=lambda layout: (layout.header.fit, layout.even, layout.header.naming), default=None)


def _layout(head: _Head, dialect: Dialect) -> Layout | None:
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
    below = [len(record) for record in records[header.index :] if any(record)]
    even = below.count(len(header.cells)) / len(below) if len(header.cells) > 1 else 0.0
    return Layout(dialect, header, lines[header.index], records[int(skip) : header.index], even)

"""JSON documents and lines of JSON as tables, read record by record."""

import codecs
import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NoReturn

import ijson
import polars as pl

from contracts.envelope import Problem
from services.field_mapping.json_list import NotPlain, plain_records
from services.field_mapping.read_table import ReadLimits, ReadTable, packed, reject, too_many_columns
from services.field_mapping.record_rows import table_of_records
from services.field_mapping.text_encoding import to_utf8

_EXAMPLES = 5
# The parser holds a whole record, and at each step of its way in the path to there: both have to be bounded here.
_MAX_RECORD_BYTES = 4 * 1024**2
_BYTES_OF_A_CHARACTER = 4  # at most, in UTF-8
_MAX_RECORD_PARTS = 5_000
_MAX_PATH_CHARS = 2_000
_BUFFER_BYTES = 4 * 1024
# Numbers stay as they are written.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


@dataclass
class _Contents:
    """What a JSON document holds: paths of its lists of objects, and of the single values beside them."""

    is_list: bool = False
    lists: dict[str, None] = field(default_factory=dict)
    values: dict[str, None] = field(default_factory=dict)


class _Watched:
    """A file of which the parser may take no more than one record can need, until it has something to show for it."""

    def __init__(self, file: BinaryIO, file_name: str) -> None:
        self._file, self._file_name = file, file_name
        self._bytes = self._parts = 0
        self.taken = 0
        self.number: int | None = None  # of the record that was read last

    def read(self, size: int) -> bytes:
        chunk = self._file.read(size)
        self.taken += len(chunk)
        self._bytes += len(chunk)
        self._parts += chunk.count(b"{") + chunk.count(b"[")
        if self._bytes > _MAX_RECORD_BYTES or self._parts > _MAX_RECORD_PARTS + len(chunk):
            _record_too_large(None if self.number is None else self.number + 1, self._file_name)
        return chunk

    def shown(self) -> None:
        """The parser gave a record or a step of its way."""
        self._bytes = self._parts = 0


def read_json(path: Path, file_name: str, limits: ReadLimits) -> list[ReadTable]:
    """A table for each list of objects, however deep it lies; a document without one is a table of one row.

    A record's `_row` is its place in the list, from 1. Raises `FileRejected` with `broken_json`, `not_a_table`,
    `no_rows`, `record_too_large`, `nested_too_deep`, `unreadable_encoding`, or what `table_of_records` raises.
    """
    with TemporaryDirectory(prefix="modernize-read-") as folder:
        text = to_utf8(path, Path(folder), file_name)
        contents = _look_into(text, file_name, limits)
        if contents.is_list and not contents.lists:
            _no_rows(file_name)
        if not contents.lists and text.stat().st_size > _MAX_RECORD_BYTES:
            _record_too_large(None, file_name)
        tables = []
        for name in contents.lists or [""]:
            prefix = (f"{name}.item" if name else "item") if contents.lists else ""
            frame = _table(text, prefix, file_name, limits)
            if not frame.is_empty():
                tables.append(ReadTable(file_name, name or None, 0, packed(frame), []))
    if not tables:
        _no_rows(file_name)
    if contents.lists and contents.values:
        tables[0].problems.append(_beside(contents, file_name))
    return tables


def _table(text: Path, prefix: str, file_name: str, limits: ReadLimits) -> pl.DataFrame:
    if prefix == "item":
        with contextlib.suppress(NotPlain), _opened(text) as file:
            records = plain_records(file, _MAX_RECORD_BYTES // _BYTES_OF_A_CHARACTER, _MAX_RECORD_PARTS)
            return table_of_records(records, file_name, limits)
    return table_of_records(_records(text, prefix, file_name), file_name, limits)


def read_json_lines(path: Path, file_name: str, limits: ReadLimits) -> list[ReadTable]:
    """The table of a file with one object a line; `_row` is the line. Raises what `read_json` raises."""
    with TemporaryDirectory(prefix="modernize-read-") as folder:
        text = to_utf8(path, Path(folder), file_name)
        frame = table_of_records(_lines(text, file_name), file_name, limits)
    if frame.is_empty():
        reject("no_rows", file_name, "The lines of JSON hold no values. Export the file again with its rows.")
    return [ReadTable(file_name, None, 0, packed(frame), [])]


def _look_into(text: Path, file_name: str, limits: ReadLimits) -> _Contents:
    """Where the records are. Nothing but the first sign is read of a document that is one list."""
    contents = _Contents()
    open_lists: list[bool] = []
    with _opened(text) as file:
        watched = _Watched(file, file_name)
        events = _damage_named(ijson.parse(watched, buf_size=_BUFFER_BYTES), file_name)
        for prefix, event, _ in events:
            watched.shown()
            if len(prefix) > _MAX_PATH_CHARS:
                _nested_too_deep(prefix, file_name)
            if event == "start_map" and open_lists and open_lists[-1]:
                path = prefix.removesuffix("item").removesuffix(".")
                contents.lists[path] = None
                if not path:
                    return contents
                _pass_over(events, path, watched, file_name)
                open_lists.pop()
            elif event in ("start_map", "start_array"):
                contents.is_list |= event == "start_array" and not open_lists
                open_lists.append(event == "start_array")
            elif event in ("end_map", "end_array"):
                open_lists.pop()
            elif event != "map_key":
                contents.values[prefix.removesuffix(".item")] = None
                if len(contents.values) > limits.max_columns:
                    too_many_columns(len(contents.values), file_name, limits, row=None)
    return contents


def _pass_over(events: Iterator[tuple[str, str, Any]], path: str, watched: _Watched, file_name: str) -> None:
    """Go to the end of the list of records at `path`, of which none may be too large to be held."""
    ended, item = watched.taken, len(path) + len(".item")
    for prefix, event, _ in events:
        watched.shown()
        if event == "end_array" and prefix == path:
            return
        if len(prefix) > _MAX_PATH_CHARS:
            _nested_too_deep(prefix, file_name)
        if event == "end_map" and len(prefix) == item:
            ended = watched.taken
        elif watched.taken - ended > _MAX_RECORD_BYTES:
            _record_too_large(None, file_name)


def _records(text: Path, prefix: str, file_name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with _opened(text) as file:
        watched = _Watched(file, file_name)
        watched.number = 0
        # In other documents the way to the records may be long, and `_look_into` has measured them.
        source = watched if prefix == "item" else file
        for record in _damage_named(ijson.items(source, prefix, buf_size=_BUFFER_BYTES), file_name):
            watched.shown()
            watched.number += 1
            yield watched.number, _checked(record, watched.number, file_name)


def _lines(text: Path, file_name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with _opened(text) as file:
        number = 0
        while line := file.readline(_MAX_RECORD_BYTES + 1):
            number += 1
            if len(line) > _MAX_RECORD_BYTES:
                _record_too_large(number, file_name)
            if not line.strip():
                continue
            try:
                record = _DECODER.decode(line.decode("utf-8-sig", "surrogatepass"))
            except json.JSONDecodeError as error:
                _broken(f"{error.msg} at character {error.pos + 1:,}", file_name, number)
            except (ValueError, RecursionError) as error:
                _broken(str(error), file_name, number)
            yield number, _checked(record, number, file_name)


def _opened(text: Path) -> BinaryIO:
    file = text.open("rb")
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    return file


def _damage_named(events: Iterable[Any], file_name: str) -> Iterator[Any]:
    try:
        yield from events
    except (ijson.JSONError, ValueError, ArithmeticError) as error:
        _broken(str(error), file_name)


def _checked(record: object, number: int, file_name: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        reject(
            "not_a_table",
            file_name,
            f"Record {number:,} is not an object with named values, as the others are. Export records of one kind.",
            row=number,
        )
    return record


def _broken(error: str, file_name: str, row: int | None = None) -> NoReturn:
    what = " ".join(error.split())[:200]
    reject(
        "broken_json",
        file_name,
        f"{f'Line {row:,}' if row else 'The document'} is not valid JSON ({what}). Perhaps the file was cut off: "
        "export it again.",
        row=row,
    )


def _record_too_large(number: int | None, file_name: str) -> NoReturn:
    reject(
        "record_too_large",
        file_name,
        f"{f'Record {number:,}' if number else 'A record'} is larger than {_MAX_RECORD_BYTES:,} bytes or has more than "
        f"{_MAX_RECORD_PARTS:,} parts, so this is no list of assets. Export one record for each asset.",
        row=number,
    )


def _nested_too_deep(path: str, file_name: str) -> NoReturn:
    reject(
        "nested_too_deep",
        file_name,
        f"The document has values at a path of more than {_MAX_PATH_CHARS:,} characters. Export flat records instead.",
        column=path[:100],
    )


def _no_rows(file_name: str) -> NoReturn:
    reject("no_rows", file_name, "The JSON document holds no records with values. Export it again with its rows.")


def _beside(contents: _Contents, file_name: str) -> Problem:
    names = ", ".join(list(contents.values)[:_EXAMPLES])
    more = f" and {len(contents.values) - _EXAMPLES:,} more" if len(contents.values) > _EXAMPLES else ""
    detail = f"Values beside the lists of records are not part of a table: {names}{more}."
    return Problem(code="values_beside_table", detail=detail, file_name=file_name)

"""Records with named values, as JSON and Parquet have them, as rows of text: what is nested becomes dotted columns."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import polars as pl

from contracts.claim_checks import ROW_NUMBER
from services.field_mapping.header import column_names
from services.field_mapping.read_table import (
    ReadLimits,
    cell_too_long,
    refuse_many_cells,
    refuse_many_rows,
    reject,
    too_many_columns,
)
from services.field_mapping.table_cleaning import filled_rows

_PIECE_CELLS = 500_000
# Keeps a path of the file apart from our own column until all of them are known.
_MARK = "."


def table_of_records(
    records: Iterable[tuple[int, Mapping[str, object]]], file_name: str, limits: ReadLimits
) -> pl.DataFrame:
    """The filled rows of numbered records, held as text in `_row` and a column for each path to a value.

    `{"os": {"name": "RHEL"}, "ips": ["10.0.0.1", "10.0.0.2"]}` has the columns "os.name" and "ips", the latter with
    "10.0.0.1; 10.0.0.2"; the same goes for a path through a list of objects. Raises `FileRejected` with
    `too_many_rows`, `too_many_columns`, `table_too_large`, `cell_too_long` or `nested_too_deep`.
    """
    pieces: list[pl.DataFrame] = []
    names: dict[str, None] = {}
    cells = 0
    piece: list[tuple[int, dict[str, str]]] = []
    for rows, (number, record) in enumerate(records, start=1):
        if rows > limits.max_rows:
            refuse_many_rows(file_name, limits, number)
        flat = _flattened(number, record, file_name, limits)
        names.update(dict.fromkeys(flat))
        if len(names) > limits.max_columns:
            too_many_columns(len(names), file_name, limits, number)
        refuse_many_cells(rows, len(names), file_name, limits)
        piece.append((number, flat))
        cells += len(flat)
        if cells > _PIECE_CELLS:
            pieces.append(_frame(piece))
            piece, cells = [], 0
    if piece:
        pieces.append(_frame(piece))
    if not pieces:
        return pl.DataFrame(schema={ROW_NUMBER: pl.Int64})
    frame = filled_rows(pl.concat(pieces, how="diagonal").lazy()).collect()
    # An object that is null in some records looks like a value of its own there.
    branches = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."}
    empty = [name for name in frame.columns if name.removeprefix(_MARK) in branches and not frame[name].count()]
    frame = frame.drop(empty)
    frame.columns = [ROW_NUMBER, *column_names([name.removeprefix(_MARK).strip() for name in frame.columns[1:]])]
    refuse_long_cells(frame, file_name, limits)
    return frame


def _frame(piece: list[tuple[int, dict[str, str]]]) -> pl.DataFrame:
    names = dict.fromkeys(name for _, row in piece for name in row)
    columns = [pl.Series(_MARK + name, [row.get(name) for _, row in piece], dtype=pl.String) for name in names]
    return pl.DataFrame([pl.Series(ROW_NUMBER, [number for number, _ in piece], dtype=pl.Int64), *columns])


def _flattened(number: int, record: Mapping[str, object], file_name: str, limits: ReadLimits) -> dict[str, str]:
    if not any(isinstance(value, dict | list) for value in record.values()):
        return {_name(key): "" if value is None else _written(value) for key, value in record.items()}
    cells: dict[str, list[str]] = {}
    # A list of its own instead of calls into each other: the file decides how deep it goes.
    pending: list[tuple[str, object, int]] = [("", record, 0)]
    while pending:
        path, value, depth = pending.pop()
        if value is None:
            cells.setdefault(path, [])
            continue
        if depth > limits.max_depth:
            reject(
                "nested_too_deep",
                file_name,
                f"Record {number:,} has values more than {limits.max_depth} levels deep. Export flat records instead.",
                row=number,
                column=path[:100],
            )
        if isinstance(value, dict):
            inner = [(f"{path}.{key}" if path else str(key), each, depth + 1) for key, each in value.items()]
            pending.extend(reversed(inner))
        elif isinstance(value, list):
            pending.extend((path, each, depth + 1) for each in reversed(value))
        else:
            cells.setdefault(path, []).append(_written(value))
    return {_name(path): texts[0] if len(texts) == 1 else "; ".join(texts) for path, texts in cells.items()}


@lru_cache(maxsize=4096)
def _name(path: str) -> str:
    return _written(path)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else str(value)
    # JSON can spell halves of characters, which no text may have, and the zero character, which no database takes.
    return (
        text if text.isascii() and "\0" not in text else text.encode(errors="replace").decode().replace("\0", "\ufffd")
    )


def refuse_long_cells(frame: pl.DataFrame, file_name: str, limits: ReadLimits) -> None:
    """Refuse a table with a cell longer than the limit, naming its row and column."""
    for column in frame.drop(ROW_NUMBER).iter_columns():
        long = (column.str.len_chars() > limits.max_cell_chars).arg_true()
        if not long.is_empty():
            cell_too_long(frame[ROW_NUMBER][long[0]], file_name, limits, column=column.name)

"""Records with named values, as JSON and Parquet have them, as rows of text: what is nested becomes dotted columns."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from types import NoneType

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

# Records are objects of Python until they are columns: few at a time, for each may hold thousands of parts.
_PIECE_ROWS, _PIECE_CELLS = 2_000, 100_000
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
    rows = 0
    for piece in _batches(records):
        found = _flat_columns(piece)
        wider = len({**names, **(found or {})})
        if found is None or rows + len(piece) > limits.max_rows or wider > limits.max_columns:
            found = _flattened_columns(piece, rows, names, file_name, limits)
        names.update(dict.fromkeys(found))
        rows += len(piece)
        refuse_many_cells(rows, len(names), file_name, limits)
        numbers = pl.Series(ROW_NUMBER, [number for number, _ in piece], dtype=pl.Int64)
        pieces.append(pl.DataFrame([numbers, *(column.alias(_MARK + name) for name, column in found.items())]))
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


def _batches(records: Iterable[tuple[int, Mapping[str, object]]]) -> Iterator[list[tuple[int, Mapping[str, object]]]]:
    """The records in lists of bounded size."""
    batch: list[tuple[int, Mapping[str, object]]] = []
    cells = 0
    for record in records:
        batch.append(record)
        cells += len(record[1]) + 1
        if cells > _PIECE_CELLS or len(batch) == _PIECE_ROWS:
            yield batch
            batch, cells = [], 0
    if batch:
        yield batch


def _flat_columns(piece: list[tuple[int, Mapping[str, object]]]) -> dict[str, pl.Series] | None:
    """The columns of records in which nothing is nested, or None: most exports have such ones, and need no walk."""
    records = [record for _, record in piece]
    found = {}
    for name in dict.fromkeys(chain.from_iterable(records)):
        values = [record.get(name) for record in records]
        kinds = set(map(type, values))
        if dict in kinds or list in kinds or _written(name) != name:
            return None
        if not kinds <= {str, NoneType}:
            values = [value if value is None or type(value) is str else _written(value) for value in values]
        try:
            column = pl.Series(values, dtype=pl.String)
        except UnicodeEncodeError:
            return None
        found[name] = column.str.replace_all("\0", "\ufffd", literal=True)
    return found


def _flattened_columns(
    piece: list[tuple[int, Mapping[str, object]]],
    before: int,
    known: Iterable[str],
    file_name: str,
    limits: ReadLimits,
) -> dict[str, pl.Series]:
    """The columns of records that are walked through one by one; `before` were read already, with `known` names."""
    names, flat = dict.fromkeys(known), []
    for rows, (number, record) in enumerate(piece, start=before + 1):
        if rows > limits.max_rows:
            refuse_many_rows(file_name, limits, number)
        flat.append(_flattened(number, record, file_name, limits))
        names.update(dict.fromkeys(flat[-1]))
        if len(names) > limits.max_columns:
            too_many_columns(len(names), file_name, limits, number)
        refuse_many_cells(rows, len(names), file_name, limits)
    given = dict.fromkeys(chain.from_iterable(flat))
    return {name: pl.Series([row.get(name) for row in flat], dtype=pl.String) for name in given}


def _flattened(number: int, record: Mapping[str, object], file_name: str, limits: ReadLimits) -> dict[str, str]:
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

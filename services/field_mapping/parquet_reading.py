"""Parquet files as tables of text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from contracts.claim_checks import ROW_NUMBER
from services.field_mapping.header import column_names
from services.field_mapping.read_table import (
    ReadLimits,
    ReadTable,
    packed,
    refuse_many_cells,
    refuse_many_rows,
    reject,
    too_many_columns,
)
from services.field_mapping.record_rows import refuse_long_cells, table_of_records
from services.field_mapping.table_cleaning import filled_rows, without_zero_characters

_PIECE_ROWS = 20_000
_NUMBERED = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW_NUMBER)


def read_parquet(path: Path, file_name: str, limits: ReadLimits) -> list[ReadTable]:
    """The one table of a Parquet file; nested values become dotted columns, and `_row` is the place, from 1.

    Raises `FileRejected` with `broken_parquet`, `no_rows`, `unpacks_too_large`, or what `table_of_records` raises.
    """
    try:
        frame = _read(path, file_name, limits)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        _broken(error, file_name)
    except BaseException as error:
        # The parser gives up on some damaged files with a panic, which is no Exception and has no class to import.
        if type(error).__name__ != "PanicException":
            raise
        _broken(error, file_name)
    if frame.is_empty():
        reject("no_rows", file_name, "The Parquet file holds no rows with values. Export it again with its rows.")
    return [ReadTable(file_name, None, 0, packed(frame), [])]


def _read(path: Path, file_name: str, limits: ReadLimits) -> pl.DataFrame:
    scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
    schema = scan.collect_schema()
    if len(schema) > limits.max_columns:
        too_many_columns(len(schema), file_name, limits, row=None)
    rows = scan.select(pl.len()).collect().item()
    if rows > limits.max_rows:
        refuse_many_rows(file_name, limits, limits.max_rows + 1)
    refuse_many_cells(rows, len(schema), file_name, limits)
    _refuse_large_content(scan, schema, file_name, limits)
    flat = [name for name, kind in schema.items() if not kind.is_nested()]
    names = column_names([name.strip() for name in flat])
    texts = [_as_text(name, schema[name]).alias(text) for name, text in zip(flat, names, strict=True)]
    frame = scan.select(_NUMBERED, *texts).collect()
    frame = frame.with_columns(_decoded(column) for column in frame.iter_columns() if column.dtype == pl.Binary)
    if len(flat) < len(schema):
        nested = table_of_records(_nested(scan, schema, rows), file_name, limits)
        frame = frame.join(nested, on=ROW_NUMBER, how="left", maintain_order="left", suffix=" (nested)")
    frame = filled_rows(without_zero_characters(frame).lazy()).collect()
    refuse_long_cells(frame, file_name, limits)
    return frame


def _refuse_large_content(scan: pl.LazyFrame, schema: pl.Schema, file_name: str, limits: ReadLimits) -> None:
    """A dictionary makes a long text a thousand times repeated small, so the sizes are added up piece by piece."""
    sizes = [
        pl.col(name).cast(pl.String).str.len_bytes().sum()
        if kind in (pl.String, pl.Categorical, pl.Enum)
        else pl.col(name).bin.size().sum()
        if kind == pl.Binary
        else pl.col(name).list.len().sum() * 8
        for name, kind in schema.items()
        if kind in (pl.String, pl.Categorical, pl.Enum, pl.Binary, pl.List)
    ]
    if sizes and sum(scan.select(sizes).collect(engine="streaming").row(0)) > limits.max_unpacked_bytes:
        reject(
            "unpacks_too_large",
            file_name,
            f"The Parquet file holds more than the {limits.max_unpacked_bytes:,} bytes that can be read. "
            "Split it and upload the parts.",
        )


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        return column.dt.strftime("%Y-%m-%d %H:%M:%S%.f%:z" if kind.time_zone else "%Y-%m-%d %H:%M:%S%.f")
    if kind == pl.Duration:
        return column.dt.to_string("iso")
    return column if kind == pl.Binary else column.cast(pl.String)


def _decoded(column: pl.Series) -> pl.Series:
    """Text where all of it is, for some tools write text as bytes; else hexadecimal digits."""
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError:
        return column.bin.encode("hex")


def _nested(scan: pl.LazyFrame, schema: pl.Schema, rows: int) -> Iterator[tuple[int, dict[str, Any]]]:
    names = [name for name, kind in schema.items() if kind.is_nested()]
    for start in range(0, rows, _PIECE_ROWS):
        piece = scan.select(names).slice(start, _PIECE_ROWS).collect()
        yield from enumerate(piece.iter_rows(named=True), start=start + 1)


def _broken(error: BaseException, file_name: str) -> NoReturn:
    what = str(error).partition("\n")[0][:200]
    reject("broken_parquet", file_name, f"The Parquet file is damaged or incomplete ({what}). Export it again.")

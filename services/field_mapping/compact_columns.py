"""Cleaned columns in little memory: of a column that repeats itself each different value is kept once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Coded:
    """Each different value once, and for each row the index of its value."""

    codes: pl.Series
    values: pl.Series


Column = pl.Series | Coded
# `map`, or what does the same with several threads.
Each = Callable[..., Iterable[Any]]


def whole(column: Column) -> pl.Series:
    """The value of each row."""
    return column.values.gather(column.codes) if isinstance(column, Coded) else column


def gathered(column: Column, rows: pl.Series) -> Column:
    """The same column of these rows, by their indices."""
    return Coded(column.codes.gather(rows), column.values) if isinstance(column, Coded) else column.gather(rows)


def filled(column: Column) -> pl.Series:
    """Whether each row has a value."""
    if isinstance(column, pl.Series):
        return column.is_not_null()
    if not column.values.null_count():
        return pl.Series([True]).new_from_index(0, column.codes.len())
    return column.values.is_not_null().gather(column.codes)


def count(column: Column) -> int:
    """How many rows have a value."""
    if isinstance(column, pl.Series) or not column.values.null_count():
        return column.count() if isinstance(column, pl.Series) else column.codes.len()
    return int(filled(column).sum())


def stacked(columns: Sequence[Column | int]) -> Column:
    """Columns one below the other; a number stands for so many rows without a value."""
    given = [column for column in columns if not isinstance(column, int)]
    kind = (given[0].values if isinstance(given[0], Coded) else given[0]).dtype
    if len(columns) == 1:
        return given[0]
    if not all(isinstance(column, Coded) for column in given):
        nothing = pl.Series([None], dtype=kind)
        parts = [nothing.new_from_index(0, part) if isinstance(part, int) else whole(part) for part in columns]
        return pl.concat([part.alias("") for part in parts], rechunk=True)
    values, codes = [pl.Series("", [None], dtype=kind)], []
    for part in columns:
        if isinstance(part, Coded):
            codes.append((part.codes + sum(map(len, values))).cast(pl.UInt32).alias(""))
            values.append(part.values.alias(""))
        elif not isinstance(part, pl.Series):
            codes.append(pl.Series("", [0], dtype=pl.UInt32).new_from_index(0, part))
    return Coded(pl.concat(codes, rechunk=True), pl.concat(values, rechunk=True))

"""Cleaned columns in little memory: of a column that repeats itself each different value is kept once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Coded:
    """Each different value once, and for each row the index of its value, in as few bytes as it takes."""

    codes: pl.Series
    values: pl.Series

    def of_each(self, of_values: pl.Series) -> pl.Series:
        """For each row what `of_values` has for its value."""
        # Indices of another width are converted one by one.
        return rows_of(of_values, self.codes.cast(pl.UInt32))


Column = pl.Series | Coded
# `map`, or what does the same with several threads.
Each = Callable[..., Iterable[Any]]
# Few enough that what is made of a column's texts on the way to a result takes little room, and stays in the cache.
_SLICE_ROWS = 50_000


def coded(texts: pl.Series) -> Coded:
    """Texts by their different values, in the order in which they come; null is the last one."""
    values = texts.unique(maintain_order=True).drop_nulls()
    # Twice as fast as a join with the values.
    codes = texts.cast(pl.Enum(values)).to_physical()
    if not codes.null_count():
        return Coded(codes, values)
    kind = pl.UInt8 if values.len() < 2**8 else pl.UInt16 if values.len() < 2**16 else pl.UInt32
    return Coded(codes.cast(kind).fill_null(values.len()), values.append(pl.Series([None], dtype=pl.String)))


def in_slices(function: Callable[[pl.DataFrame], pl.DataFrame], rows: pl.DataFrame, each: Each) -> pl.DataFrame:
    """What `function` makes of rows of which each is looked at by itself, some at a time."""
    starts = range(0, max(1, rows.height), _SLICE_ROWS)
    found: pl.DataFrame = pl.concat(each(function, [rows.slice(start, _SLICE_ROWS) for start in starts]), rechunk=True)
    return found


def whole(column: Column) -> pl.Series:
    """The value of each row."""
    return column.of_each(column.values) if isinstance(column, Coded) else column


def rows_of(column: pl.Series, rows: pl.Series) -> pl.Series:
    """These rows of a column, by their indices."""
    # `gather` builds and runs a query, which for some thousand rows takes several times as long.
    found: pl.Series = column[rows]
    return found


def gathered(column: Column, rows: pl.Series) -> Column:
    """The same column of these rows, by their indices."""
    return Coded(rows_of(column.codes, rows), column.values) if isinstance(column, Coded) else rows_of(column, rows)


def filled(column: Column) -> pl.Series:
    """Whether each row has a value."""
    if isinstance(column, pl.Series):
        return column.is_not_null()
    if not column.values.null_count():
        return pl.Series([True]).new_from_index(0, column.codes.len())
    return column.of_each(column.values.is_not_null())


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
            codes.append((part.codes.cast(pl.UInt32) + sum(map(len, values))).alias(""))
            values.append(part.values.alias(""))
        elif not isinstance(part, pl.Series):
            codes.append(pl.Series("", [0], dtype=pl.UInt32).new_from_index(0, part))
    return Coded(pl.concat(codes, rechunk=True), pl.concat(values, rechunk=True))

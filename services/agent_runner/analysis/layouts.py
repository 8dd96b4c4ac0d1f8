"""Bring a table into the layout that `contracts.claim_checks` states."""

from typing import TypeVar

import polars as pl

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)
_TYPES: dict[str, pl.DataType] = {
    "String": pl.String(),
    "Int64": pl.Int64(),
    "Float64": pl.Float64(),
    "Boolean": pl.Boolean(),
    "Date": pl.Date(),
    "Datetime": pl.Datetime(),
    "List(String)": pl.List(pl.String()),
}


def schema_of(layout: dict[str, str]) -> pl.Schema:
    """The polars schema of a layout."""
    return pl.Schema({name: _TYPES[type_name] for name, type_name in layout.items()})


def conform(table: Frame, layout: dict[str, str]) -> Frame:
    """The columns of `layout`, in its order and types; a column that is missing becomes nulls, others are dropped.

    Raises `polars.exceptions.InvalidOperationError` for values that do not fit the type.
    """
    schema, given = schema_of(layout), table.collect_schema()
    return table.select(
        pl.col(name).cast(dtype) if name in given else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in schema.items()
    )

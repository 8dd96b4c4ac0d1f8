"""The cleaned rows of all tables that are read together, column by column, and where each row stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import polars as pl

from contracts.claim_checks import JOINED_ROWS, ROW_NUMBER
from services.field_mapping.compact_columns import Coded, Column, gathered, rows_of, stacked, whole
from services.field_mapping.identity import SOURCE, TABLE
from services.field_mapping.normalise import SourceTable, cells_of

# The column of the position among all rows, beside the canonical fields, until rows are merged.
ORDER = "_order"


@dataclass(frozen=True)
class Rows:
    """Rows by their position, from 0.

    `tables` says of each row in which "<file name>[/<sheet>]:" it stands, `numbers` in which row of that, and `joined`
    the places of the rows that were joined to it.
    """

    columns: Mapping[str, Column]
    tables: Coded
    numbers: pl.Series
    joined: pl.Series | None = None

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Self:
        """The rows of a frame that has `_source`."""
        places = frame[SOURCE].str.extract_groups(r"^(?<table>.*:)(?<number>\d+)$").struct.unnest()
        tables = places["table"].unique(maintain_order=True)
        codes = places["table"].replace_strict(tables, pl.int_range(tables.len(), eager=True), return_dtype=pl.UInt32)
        columns = {name: frame[name] for name in frame.columns if name not in (SOURCE, ORDER)}
        return cls(columns, Coded(codes, tables), places["number"].cast(pl.Int64))

    @classmethod
    def of_table(cls, table: SourceTable, columns: Mapping[str, Column]) -> Self:
        """The rows of one table, whose columns are cleaned."""
        numbers = cells_of(table, ROW_NUMBER)
        profile = table.profile
        place = f"{profile.file_name}{f'/{profile.sheet}' if profile.sheet else ''}:"
        here = Coded(pl.Series([0], dtype=pl.UInt32).new_from_index(0, numbers.len()), pl.Series([place]))
        joined = cells_of(table, JOINED_ROWS) if JOINED_ROWS in table.frame.collect_schema() else None
        return cls(columns, here, numbers, joined)

    @property
    def height(self) -> int:
        """How many there are."""
        return self.numbers.len()

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each field."""
        columns = self.columns.items()
        return {name: (column.values if isinstance(column, Coded) else column).dtype for name, column in columns}

    def whole(self, fields: Sequence[str]) -> pl.DataFrame:
        """Those of these fields that there are, and the table of each row."""
        given = {name: whole(self.columns[name]) for name in fields if name in self.columns}
        return pl.DataFrame({**given, TABLE: whole(self.tables)})

    def counted(self, fields: Sequence[str]) -> pl.DataFrame:
        """The different values that these fields have together, the `count` of rows with each, and their `first`."""
        columns = {name: self.columns[name] for name in fields}
        codes = {name: column.codes if isinstance(column, Coded) else column for name, column in columns.items()}
        count, first = pl.len().alias("count"), pl.col(ROW_NUMBER).min().alias("first")
        found = pl.DataFrame({**codes, ROW_NUMBER: self.numbers}).group_by(fields).agg(count, first)
        written = {name: column.values for name, column in columns.items() if isinstance(column, Coded)}
        values = (texts.gather(found[name]).alias(name) for name, texts in written.items())
        # What was written in two ways has one value and two codes.
        counted = found.with_columns(values).group_by(fields).agg(pl.col("count").sum(), pl.col("first").min())
        return counted.sort("first")

    def take(self, positions: pl.Series, fields: Sequence[str] | None = None) -> pl.DataFrame:
        """These rows: all fields, or those of the given ones that there are, with `_source` and `_order`."""
        wanted = self.columns if fields is None else [name for name in fields if name in self.columns]
        taken = {name: whole(gathered(self.columns[name], positions)) for name in wanted}
        own = pl.concat_str(whole(gathered(self.tables, positions)), rows_of(self.numbers, positions))
        joined = [] if self.joined is None else [pl.lit(self.joined.gather(positions))]
        source = pl.select(pl.concat_str(own, *joined, separator="; ", ignore_nulls=True)).to_series()
        return pl.DataFrame({**taken, SOURCE: source, ORDER: positions.cast(pl.Int64)})

    def chosen(self, positions: pl.Series) -> Self:
        """Only these rows; the same object where that is all of them."""
        if positions.len() == self.height:
            return self
        tables = Coded(self.tables.codes.gather(positions), self.tables.values)
        columns = {name: gathered(column, positions) for name, column in self.columns.items()}
        joined = None if self.joined is None else self.joined.gather(positions)
        return replace(self, columns=columns, tables=tables, numbers=rows_of(self.numbers, positions), joined=joined)

    def with_columns(self, frame: pl.DataFrame) -> Self:
        """The rows with other values in these columns."""
        return replace(self, columns={**self.columns, **{column.name: column for column in frame.iter_columns()}})


def stack(parts: Sequence[Rows]) -> Rows:
    """The rows of several tables, one below the other; at least one."""
    if len(parts) == 1:
        return parts[0]
    fields = dict.fromkeys(name for part in parts for name in part.columns)
    columns = {name: stacked([part.columns.get(name, part.height) for part in parts]) for name in fields}
    tables = stacked([part.tables for part in parts])
    assert isinstance(tables, Coded)
    joined = None
    if any(part.joined is not None for part in parts):
        nothing = pl.Series([None], dtype=pl.String)
        joined = pl.concat(
            [nothing.new_from_index(0, part.height) if part.joined is None else part.joined.alias("") for part in parts]
        )
    return Rows(columns, tables, pl.concat([part.numbers for part in parts], rechunk=True), joined)

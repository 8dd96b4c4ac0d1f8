"""Rows by column in little memory: they are what a plain frame of them would be."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from services.field_mapping.cleaned_rows import ORDER, Rows, stack
from services.field_mapping.compact_columns import Coded, Column, count, filled, gathered, stacked, whole
from services.field_mapping.identity import SOURCE, may_repeat

TEXTS = st.lists(st.one_of(st.none(), st.sampled_from("abc"), st.text(max_size=3)), min_size=1, max_size=12)


def series(values: list[str | None]) -> pl.Series:
    return pl.Series("", values, dtype=pl.String)


def coded(values: list[str | None]) -> Coded:
    different = list(dict.fromkeys(values))
    return Coded(pl.Series([different.index(value) for value in values], dtype=pl.UInt32), series(different))


@given(TEXTS, st.data())
def test_a_coded_column_is_the_column_that_it_was_made_of(values: list[str | None], data: st.DataObject) -> None:
    rows = pl.Series(data.draw(st.lists(st.integers(0, len(values) - 1))), dtype=pl.UInt32)
    for column in (series(values), coded(values)):
        assert whole(column).to_list() == values
        assert filled(column).to_list() == [value is not None for value in values]
        assert count(column) == len(values) - values.count(None)
        assert whole(gathered(column, rows)).to_list() == [values[row] for row in rows]


@given(TEXTS, TEXTS, st.integers(1, 5), st.tuples(st.booleans(), st.booleans()))
def test_columns_are_stacked_with_nothing_where_a_table_has_none(
    one: list[str | None], other: list[str | None], absent: int, plain: tuple[bool, bool]
) -> None:
    first: Column = series(one) if plain[0] else coded(one)
    second: Column = series(other) if plain[1] else coded(other)
    assert whole(stacked([absent, first, absent, second])).to_list() == [
        *[None] * absent, *one, *[None] * absent, *other
    ]  # fmt: skip


def test_rows_of_two_tables_know_their_places() -> None:
    one = Rows.of(pl.DataFrame({"hostname": ["a", "b"], SOURCE: ["x.csv:2", "x.csv:4"]}))
    other = Rows.of(pl.DataFrame({"vm_name": ["c"], SOURCE: ["y.xlsx/vInfo:7"]}))
    rows = stack([one, other])
    assert rows.take(pl.Series([1, 2])).select("hostname", "vm_name", SOURCE, ORDER).rows() == [
        ("b", None, "x.csv:4", 1),
        (None, "c", "y.xlsx/vInfo:7", 2),
    ]
    assert rows.chosen(pl.Series([0, 2])).take(pl.Series([1]))[SOURCE].item() == "y.xlsx/vInfo:7"


@given(TEXTS)
def test_every_value_that_repeats_itself_is_found(values: list[str | None]) -> None:
    found = may_repeat(series(values)).to_list()
    assert found == [value is not None and values.count(value) > 1 for value in values]

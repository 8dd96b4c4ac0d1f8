"""Profiles of columns: counts, and samples that show what a column holds."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from services.field_mapping.profile import profile


def test_each_column_but_the_row_number_has_a_profile() -> None:
    frame = pl.DataFrame({"_row": [2, 3, 4], "name": ["a", "b", "a"], "owner": ["Ann", None, None]})
    name, owner = profile(frame)
    assert (name.name, name.filled, name.distinct, name.samples) == ("name", 3, 2, ["a", "b"])
    assert (owner.name, owner.filled, owner.distinct, owner.samples) == ("owner", 1, 1, ["Ann"])


def test_an_empty_column_has_a_profile_too() -> None:
    (column,) = profile(pl.DataFrame({"notes": pl.Series([None, None], dtype=pl.String)}))
    assert (column.filled, column.distinct, column.samples) == (0, 0, [])


def test_samples_are_few_short_and_different() -> None:
    frame = pl.DataFrame({"notes": [f"{'x' * 100}{number}" for number in range(30)] + [f"n{n}" for n in range(60)]})
    (column,) = profile(frame)
    assert column.samples[0] == "x" * 80
    assert len(column.samples) == 20 == len(set(column.samples))


def test_values_are_looked_at_over_the_whole_table() -> None:
    frame = pl.DataFrame({"name": ["first"] * 50_000 + ["last"] * 50_000})
    assert profile(frame)[0].samples == ["first", "last"]


def test_a_rare_value_is_seen() -> None:
    values: list[str | None] = [None] * 99_999
    frame = pl.DataFrame({"notes": [*values, "rare"]}, schema={"notes": pl.String})
    assert (profile(frame)[0].filled, profile(frame)[0].samples) == (1, ["rare"])


@given(st.lists(st.one_of(st.none(), st.text(max_size=100)), max_size=60))
def test_small_columns_are_counted_exactly(values: list[str | None]) -> None:
    (column,) = profile(pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}))
    filled = [value for value in values if value is not None]
    assert (column.filled, column.distinct) == (len(filled), len(set(filled)))
    assert all(any(value[:80] == sample for value in filled) for sample in column.samples)

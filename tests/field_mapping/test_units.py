"""Numbers with units and separators, as people write them."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.field_mapping.units import FACTORS, read_numbers, spell_out_memory_units


def values(cells: list[str | None], canonical: str, unit: str | None = None) -> list[float | None]:
    return read_numbers(pl.Series(cells, dtype=pl.String), canonical, unit)["value"].to_list()


def reason(cell: str, canonical: str) -> str | None:
    return str(read_numbers(pl.Series([cell]), canonical)["reason"][0])


@pytest.mark.parametrize(
    ("cell", "gigabytes"),
    [
        ("16 GB", 16), ("16GB", 16), ("16 GiB", 16), ("16384 MB", 16), ("16384MiB", 16), ("1.5 TB", 1536),
        ("1,5 TB", 1536),
        ("1 PB", 1048576), ("1048576 KB", 1), ("1073741824 bytes", 1), ("16 Go", 16), ("16 gigabytes", 16), ("16g", 16),
        ("16 Gi", 16), ("16384Mi", 16), ("~16 GB", 16), ("16GB RAM", 16), ("16 GB (ECC)", 16), ("ca. 16 GB", 16),
    ],
)  # fmt: skip
def test_a_size_with_a_unit_is_read_in_it(cell: str, gigabytes: float) -> None:
    assert values([cell], "GB") == [pytest.approx(gigabytes)]


def test_a_bare_number_is_in_the_columns_unit_and_a_unit_in_the_cell_wins() -> None:
    assert values(["16384", "16 GB", "1 TB", None], "GB", "MB") == [16, 16, 1024, None]


@pytest.mark.parametrize(("cell", "megahertz"), [("2.4 GHz", 2400), ("2993", 2993), ("2600MHz", 2600)])
def test_clock_speeds_are_megahertz(cell: str, megahertz: float) -> None:
    assert values([cell], "MHz") == [pytest.approx(megahertz)]


@pytest.mark.parametrize(
    ("cell", "hours"),
    [("4", 4), ("15 min", 0.25), ("1 hr", 1), ("1 hr 30 min", 1.5), ("1d 4h", 28), ("04:30", 4.5), ("2 days", 48)],
)
def test_durations_are_hours(cell: str, hours: float) -> None:
    assert values([cell], "hours") == [pytest.approx(hours)]


@pytest.mark.parametrize(("cell", "percent"), [("35", 35), ("35%", 35), ("35 %", 35), ("12.5 percent", 12.5)])
def test_percentages_lose_their_sign(cell: str, percent: float) -> None:
    assert values([cell], "%") == [percent]


@pytest.mark.parametrize(("cell", "amount"), [("$1,200.50", 1200.5), ("1200 USD", 1200), ("€ 1.234,50", 1234.5)])
def test_money_loses_its_currency(cell: str, amount: float) -> None:
    assert values([cell], "currency") == [amount]


@pytest.mark.parametrize(("cell", "count"), [("8", 8), ("8 vCPU", 8), ("4.00", 4), ("1.6E+01", 16)])
def test_counts_may_name_what_they_count(cell: str, count: float) -> None:
    assert values([cell], "count") == [count]


def test_a_comma_groups_where_nothing_proves_that_it_is_decimal() -> None:
    assert values(["1,024", "2048"], "GB") == [1024, 2048]


def test_one_decimal_comma_decides_the_column() -> None:
    assert values(["1,024", "2,5"], "GB") == [1.024, 2.5]


def test_one_decimal_dot_decides_the_column() -> None:
    assert values(["1.024", "2.5", "1,024"], "GB") == [1.024, 2.5, 1024]


def test_dots_that_only_group_are_no_decimals() -> None:
    assert values(["1.024", "2.048", "4.096", "512"], "GB") == [1024, 2048, 4096, 512]


def test_three_decimals_stay_decimals_beside_large_whole_numbers() -> None:
    assert values(["1.024", "2.048", "4.096", "5120"], "GB") == [1.024, 2.048, 4.096, 5120]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1.234,5", 1234.5), ("1,234.5", 1234.5), ("1,234,567", 1234567), ("1.234.567", 1234567), ("16 384", 16384),
     ("16'384", 16384), ("16\u202f384,5", 16384.5), ("0,125", 0.125), ("-3", -3)],
)  # fmt: skip
def test_two_separators_explain_themselves(cell: str, number: float) -> None:
    assert values([cell], "GB") == [number]


@pytest.mark.parametrize("cell", ["1.2.3", "4 8", "1,23.4.5", "abc", "8x", "2 x 8", "inf", "1e999", "16-32 GB"])
def test_what_is_no_number_is_null_with_a_reason(cell: str) -> None:
    assert values([cell], "GB") == [None]
    assert reason(cell, "GB")


def test_a_unit_of_something_else_is_named_in_the_reason() -> None:
    assert reason("16 MHz", "GB") == "'MHz' is not a unit that converts to GB"


def test_a_column_unit_of_something_else_is_an_error() -> None:
    with pytest.raises(ValueError, match="'MHz' cannot be converted to GB"):
        values(["1"], "GB", "MHz")


@settings(deadline=None, max_examples=60)
@given(st.floats(0.001, 1e9), st.sampled_from([(c, unit) for c, units in FACTORS.items() for unit in units]))
def test_a_number_comes_back_from_every_unit(amount: float, unit: tuple[str, str]) -> None:
    canonical, name = unit
    written = f"{amount / FACTORS[canonical][name]:.12f}"
    if canonical not in {"count", "currency"} and not name.isascii():
        return
    assert values([written], canonical, name) == [pytest.approx(amount, rel=1e-6, abs=1e-6)]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1))
def test_whole_numbers_read_the_same_plain_and_grouped(numbers: list[int]) -> None:
    plain = values([str(number) for number in numbers], "GB")
    grouped = values([f"{number:,}" for number in numbers], "GB")
    assert plain == grouped == numbers


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=12)))
def test_any_text_gives_a_finite_number_or_a_reason(cells: list[str]) -> None:
    read = read_numbers(pl.Series(cells, dtype=pl.String), "GB")
    assert read.height == len(cells)
    assert (read["value"].is_null() == read["reason"].is_not_null()).all()
    assert read["value"].is_finite().all()


@pytest.mark.parametrize(
    ("cells", "unit", "spelled"),
    [
        (["16", "16384", None, "32 GB"], None, ["16", "16384 MB", None, "32 GB"]),
        (["4096", "8", "65536"], "MB", ["4096", "8 GB", "65536"]),
        (["4096", "8192"], "MB", ["4096", "8192"]),
        (["1024", "2048"], "GB", ["1024", "2048"]),
        (["8", "16384"], "bytes", ["8", "16384"]),
    ],
)
def test_bare_numbers_of_two_memory_units_in_one_column_are_told_apart_by_their_size(
    cells: list[str | None], unit: str | None, spelled: list[str | None]
) -> None:
    assert spell_out_memory_units(pl.Series(cells, dtype=pl.String), unit)[0].to_list() == spelled

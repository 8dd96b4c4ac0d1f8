"""Cells that say more than one thing are read by a rule that is said: in the problems, and in the value's origin."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.field_mapping.normalise import normalise_table
from services.field_mapping.origin import origins
from services.field_mapping.quantities import PLAUSIBLE, read_quantities
from services.field_mapping.vocabularies import nearest_to_production
from tests.field_mapping.source_tables import Cells, mapped, source_table


def quantity(cell: str, field: str, unit: str | None = None) -> float | None:
    kind = "integer" if field.startswith("cpu") else "number"
    value, reason, _ = read_quantities(pl.Series([cell]), field, kind, unit)
    assert (value.item() is None) == (reason.item() is not None)
    number: float | None = value.item()
    return number


@pytest.mark.parametrize(
    ("cell", "field", "unit", "value"),
    [
        ("8 x 2 GB", "memory_gb", None, 16),
        ("2x512GB", "storage_gb", None, 1024),
        ("4*16 GB", "memory_gb", None, 64),
        ("4x 2 To", "storage_gb", None, 8192),
        ("4 × 16GB DDR4", "memory_gb", None, 64),
        ("2 x 1,5 TB", "storage_gb", None, 3072),
        ("8 x 2048", "memory_gb", "MB", 16),
        ("2 x 300 GB + 1 TB", "storage_gb", None, 1624),
        ("100 GB; 200 GB", "storage_gb", None, 300),
        ("2 x 8", "cpu_cores", None, 16),
        ("210.3 GiB / 400 GiB", "storage_gb", None, 400),
        ("210.3 GiB / 400 GiB", "storage_used_gb", None, 210.3),
        ("8 GB of 16 GB", "memory_used_gb", None, 8),
    ],
)
def test_products_sums_and_shares_of_a_whole_are_worked_out(
    cell: str, field: str, unit: str | None, value: float
) -> None:
    assert quantity(cell, field, unit) == value


@pytest.mark.parametrize(
    ("cell", "field"),
    [
        ("2 x 8", "cpu_sockets"),
        ("2 x 1.024 GB", "storage_gb"),
        ("400 GB / 210 GB", "storage_gb"),
        ("100; 200", "storage_gb"),
        ("2 x many GB", "memory_gb"),
        ("2 x 4 GHz", "memory_gb"),
        ("2/8", "cpu_cores"),
        ("x 2 GB", "memory_gb"),
    ],
)
def test_what_could_mean_something_else_stays_unread(cell: str, field: str) -> None:
    assert quantity(cell, field) is None


@given(st.integers(1, 64), st.integers(1, 900), st.sampled_from(["GB", "MB", "TB"]), st.sampled_from([" x ", "x", "*"]))
def test_a_product_is_so_many_times_its_part(times: int, size: int, unit: str, sign: str) -> None:
    one, all_of_it = quantity(f"{size} {unit}", "storage_gb"), quantity(f"{times}{sign}{size} {unit}", "storage_gb")
    assert one is not None
    assert (all_of_it == pytest.approx(times * one)) or (all_of_it is None and times * one > PLAUSIBLE["storage_gb"][1])


@pytest.mark.parametrize(
    ("cell", "environment"),
    [
        ("Test/QA", "Test"),
        ("Dev/Test", "Test"),
        ("Prod & DR", "Production"),
        ("UAT, Dev", "UAT"),
        ("Entwicklung und Test", "Test"),
        ("Test environment", "Test"),
        ("SIT-UAT", "UAT"),
        ("DEV01/TST02", "Test"),
        ("Non-Prod", None),
        ("Prod/Finance", None),
        ("Shared", None),
        ("/", None),
    ],
)
def test_of_several_environments_the_one_nearest_to_production_counts(cell: str, environment: str | None) -> None:
    assert nearest_to_production(cell) == environment


BUILT: Cells = ["2024-01", "2019", "Q3 2021", "Jan-24", "03/Mar/24 9:00 AM", "2024-02-03"]
ENVIRONMENTS: Cells = ["Dev/Test", "Prod", "QA", "Prod/Finance", "x", "y"]


def origins_of(field: str, cells: Cells) -> list[tuple[str | None, str]]:
    """The value of each cell and the rule by which it was read, of a column that holds this field."""
    hosts: Cells = [f"srv{number}" for number in range(len(cells))]
    table = source_table(
        {"Name": hosts, "X": cells}, [mapped("Name", "hostname"), mapped("X", field)], file_name="a.csv"
    )
    found = [origins([table], f"a.csv:{host + 2}") for host in range(len(cells))]
    told = [next(each for each in several if each.field == field) for several in found]
    return [(each.value, each.cells[0].rule) for each in told]


def test_the_origin_of_a_value_says_how_its_cell_was_read() -> None:
    assert origins_of("memory_gb", ["8 x 2 GB", "16"])[0] == ("16", "multiplied, 16 GB")
    told = origins_of("environment", ENVIRONMENTS)
    nearest = "'Dev/Test' names several environments; the one nearest to production counts, Test"
    assert (told[0], told[3]) == (("Test", nearest), ("Prod/Finance", "as written"))


def test_a_number_of_a_column_that_mixes_units_says_so() -> None:
    told = origins_of("memory_gb", ["16", "32768"])
    assert told[1] == ("32", "the column mixes bare numbers of two units, so by its size it is 32768 MB, 32 GB")


def test_a_month_a_quarter_and_a_year_are_their_first_day_and_said_to_be() -> None:
    told = origins_of("install_date", BUILT)
    for (value, rule), (first, period) in zip(
        told,
        [("2024-01-01", "month"), ("2019-01-01", "year"), ("2021-07-01", "quarter"), ("2024-01-01", "month")],
        strict=False,
    ):
        assert (value, rule) == (first, f"read as the date {first}: a {period}, read as its first day")
    assert [value for value, _ in told[4:]] == ["2024-03-03", "2024-02-03"]


def test_the_origin_of_every_ambiguous_date_says_what_decided_its_order() -> None:
    told = origins_of("install_date", ["03/04/2024", "25/12/2023", "04/03/2024", "05/05/2024", "07.08.2024"])
    proven = ": day first, as '25/12/2023' in this column can only be read so"
    assert told == [
        ("2024-04-03", f"read as the date 2024-04-03{proven}"),
        ("2023-12-25", "read as the date 2023-12-25"),
        ("2024-03-04", f"read as the date 2024-03-04{proven}"),
        ("2024-05-05", "read as the date 2024-05-05"),
        ("2024-08-07", "read as the date 2024-08-07: a date with dots has its day first"),
    ]
    assert origins_of("install_date", ["03/04/2024", "12/25/2023"])[0][1].endswith(
        "month first, as '12/25/2023' in this column can only be read so"
    )


def test_where_nothing_or_everything_decides_the_order_the_origin_says_so_too() -> None:
    for _, rule in origins_of("install_date", ["03/04/2024", "05/06/2024"]):
        assert "nothing in the column decides; read as month/day" in rule
    told = origins_of("install_date", ["03/04/2024", "12/25/2023", "25/12/2023"])
    assert told[0] == (
        "2024-03-04",
        "read as the date 2024-03-04: month first, as the column has dates of both orders and not fewer of this one",
    )


def test_each_kind_of_guess_is_told_once_beside_the_values_that_were_lost() -> None:
    fields = {"Name": "hostname", "Env": "environment", "Built": "install_date"}
    cells: dict[str, Cells] = {"Name": [f"srv{number}" for number in range(6)], "Env": ENVIRONMENTS, "Built": BUILT}
    problems = normalise_table(source_table(cells, [mapped(name, field) for name, field in fields.items()])).problems
    assert problems.select("raw", "lost").rows() == [
        ("Dev/Test", False),
        ("2024-01", False),
        ("2019", False),
        ("Q3 2021", False),
    ]

"""Dates and times as tools, spreadsheets and people write them."""

from datetime import date, datetime, timedelta
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.field_mapping.dates import day_of, read_dates


def dates(*cells: str | None) -> list[str | None]:
    read, _ = read_dates(pl.Series(cells, dtype=pl.String))
    return [str(value) if value else None for value in read["value"]]


def open_example(*cells: str) -> str | None:
    return read_dates(pl.Series(cells, dtype=pl.String))[1]


@pytest.mark.parametrize(
    ("cell", "timestamp"),
    [
        ("2021-03-04", "2021-03-04 00:00:00"),
        ("2021/3/4", "2021-03-04 00:00:00"),
        ("2025/02/11 08:14:22", "2025-02-11 08:14:22"),
        ("2025-02-11 08:14", "2025-02-11 08:14:00"),
        ("2025-02-11T08:14:22Z", "2025-02-11 08:14:22"),
        ("2025-06-02T06:31:00+02:00", "2025-06-02 04:31:00"),
        ("2025-06-02T06:31:00-0530", "2025-06-02 12:01:00"),
        ("04.03.2021", "2021-03-04 00:00:00"),
        ("4.3.21 10:05", "2021-03-04 10:05:00"),
        ("31.12.98", "1998-12-31 00:00:00"),
        ("12/31/2020 11:05 PM", "2020-12-31 23:05:00"),
        ("12/31/2020 12:05 AM", "2020-12-31 00:05:00"),
        ("31-12-2020", "2020-12-31 00:00:00"),
        ("21 July 2026", "2026-07-21 00:00:00"),
        ("21-Jul-26", "2026-07-21 00:00:00"),
        ("Jul 21, 2026 10:00", "2026-07-21 10:00:00"),
        ("1. März 2020", "2020-03-01 00:00:00"),
        ("31 janv. 2024", "2024-01-31 00:00:00"),
        ("14 juillet 2024", "2024-07-14 00:00:00"),
        ("14 juin 2024", "2024-06-14 00:00:00"),
        ("31 enero 2024", "2024-01-31 00:00:00"),
        ("31 Ocak 2024", "2024-01-31 00:00:00"),
        ("5 Ağustos 2024", "2024-08-05 00:00:00"),
        ("Wednesday, January 31, 2024", "2024-01-31 00:00:00"),
        ("Wed Jan 31 10:00:00 2024", "2024-01-31 10:00:00"),
        ("20210304", "2021-03-04 00:00:00"),
        ("45000", "2023-03-15 00:00:00"),
        ("45000.75", "2023-03-15 18:00:00"),
        ("1700000000", "2023-11-14 22:13:20"),
        ("1700000000000", "2023-11-14 22:13:20"),
    ],
)
def test_a_date_is_read(cell: str, timestamp: str) -> None:
    assert dates(cell) == [timestamp]


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("15y 0m ago", "2011-06-01"),
        ("0y 7m ago", "2025-11-01"),
        ("3 months ago", "2026-03-01"),
        ("2 years, 3 months ago", "2024-03-01"),
        ("1 year old", "2025-06-01"),
        ("45 days ago", "2026-05-01"),
        ("2 weeks ago", "2026-06-01"),
    ],
)
def test_an_age_goes_back_from_the_day_of_the_file(cell: str, day: str) -> None:
    read, _ = read_dates(pl.Series([cell]), date(2026, 6, 15))
    assert str(read["value"][0]) == f"{day} 00:00:00"


@pytest.mark.parametrize("cell", ["15y 0m ago", "ago", " ago", "99999 years ago", "years ago"])
def test_an_age_of_nothing_or_without_a_day_to_count_from_stays_unread(cell: str) -> None:
    day = None if cell == "15y 0m ago" else date(2026, 6, 15)
    assert read_dates(pl.Series([cell]), day)[0].row(0) == (None, "not a date")


def test_the_day_of_a_file_is_the_one_in_its_id() -> None:
    assert day_of(UUID("019b0000-0000-7000-8000-000000000000")) == date(2025, 12, 8)
    assert day_of(UUID(int=2)) is None
    assert day_of(UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")) is None


@pytest.mark.parametrize("cell", ["soon", "2021-02-30", "32.01.2021", "13/13/2020", "0000-00-00", "12", "2021-13-01"])
def test_what_is_no_date_is_null_with_a_reason(cell: str) -> None:
    read, _ = read_dates(pl.Series([cell]))
    assert read.row(0) == (None, "not a date")


@pytest.mark.parametrize("cell", ["1899-12-30", "1970-01-01", "9999-12-31", "0001-01-01 00:00:00"])
def test_a_placeholder_date_is_null_with_a_reason(cell: str) -> None:
    read, _ = read_dates(pl.Series([cell]))
    assert read["value"][0] is None
    assert read["reason"][0] is not None


def test_a_value_that_can_only_be_day_first_decides_the_column() -> None:
    assert dates("03/04/2021", "13/04/2021") == ["2021-04-03 00:00:00", "2021-04-13 00:00:00"]
    assert open_example("03/04/2021", "13/04/2021") is None


def test_a_value_that_can_only_be_month_first_decides_the_column() -> None:
    assert dates("03/04/2021 10:00", "12/31/2020 11:00")[0] == "2021-03-04 10:00:00"
    assert open_example("03/04/2021", "12/31/2020") is None


def test_a_column_that_proves_nothing_is_month_first_and_says_so() -> None:
    assert dates("03/04/2021", "05/06/2021") == ["2021-03-04 00:00:00", "2021-05-06 00:00:00"]
    assert open_example("05/06/2021", "03/04/2021") == "03/04/2021"


def test_a_column_that_proves_both_orders_reads_each_proof_and_says_so() -> None:
    read = dates("31/12/2020", "12/31/2020", "03/04/2021")
    assert read == ["2020-12-31 00:00:00", "2020-12-31 00:00:00", "2021-03-04 00:00:00"]
    assert open_example("31/12/2020", "12/31/2020", "03/04/2021") == "03/04/2021"


def test_the_same_day_and_month_leaves_nothing_open() -> None:
    assert open_example("03/03/2021") is None


def test_dots_are_day_first_whatever_slashes_do() -> None:
    assert dates("03.04.2021", "12/31/2020") == ["2021-04-03 00:00:00", "2020-12-31 00:00:00"]


def test_nulls_stay_null_without_a_reason() -> None:
    read, _ = read_dates(pl.Series([None, "2021-01-02"], dtype=pl.String))
    assert read["reason"].to_list() == [None, None]


SECONDS = st.integers(1, int(timedelta(days=130 * 365).total_seconds()) - 1).map(
    lambda seconds: datetime(1970, 1, 2) + timedelta(seconds=seconds)  # noqa: DTZ001 - naive UTC, as in the columns
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(SECONDS, min_size=1),
    st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d %b %Y %H:%M:%S"]),
)
def test_a_timestamp_comes_back_from_every_format(moments: list[datetime], form: str) -> None:
    read, _ = read_dates(pl.Series([moment.strftime(form) for moment in moments]))
    moments = [moment for moment in moments if moment < datetime(2100, 1, 1)]  # noqa: DTZ001 - naive UTC
    assert read["value"].drop_nulls().to_list() == moments


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("0123456789-/.: TZ", max_size=20)))
def test_any_text_gives_a_date_or_a_reason(cells: list[str]) -> None:
    read, _ = read_dates(pl.Series(cells, dtype=pl.String))
    assert read.height == len(cells)
    assert (read["value"].is_null() == read["reason"].is_not_null()).all()

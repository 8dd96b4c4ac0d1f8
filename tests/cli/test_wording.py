"""Figures in the words of people."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.wording import count, percent, size, summary_of, table_name, took


@given(st.floats(min_value=0, max_value=1))
def test_100_percent_is_everything_and_0_percent_is_nothing(ratio: float) -> None:
    assert (percent(ratio) == "100%") == (ratio == 1)
    assert (percent(ratio) == "0%") == (ratio == 0)


@pytest.mark.parametrize(
    ("size_bytes", "shown"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2e9, "2.0 GB")]
)
def test_sizes_have_a_unit(size_bytes: float, shown: str) -> None:
    assert size(size_bytes) == shown


def test_a_phase_is_summed_up_in_a_line() -> None:
    summary = {"assets": 1200, "rows_rejected": 1, "completeness": 0.914, "not_moved_retire": 3, "note": "late"}
    line = "1,200 assets, 1 row rejected, 91% completeness, 3 to retire and not moved, note: late"
    assert summary_of({**summary, "unknown": None}) == line


def test_durations_are_short() -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    assert took(begun, begun + timedelta(seconds=0.84)) == "0.8 s"
    assert took(begun, begun + timedelta(seconds=185)) == "3 min 5 s"
    assert took(begun, None) == ""


def test_one_thing_is_not_many() -> None:
    counts = [count(1, "asset"), count(2000, "asset"), count(2, "entry", "entries")]
    assert counts == ["1 asset", "2,000 assets", "2 entries"]


def test_a_sheet_is_named_with_its_file() -> None:
    assert [table_name("a.csv", None), table_name("b.xlsx", "vInfo")] == ["a.csv", "b.xlsx / vInfo"]

"""The import benchmark: it runs the real platform, and its figures are computed from its rounds."""

import os

import pytest

from deploy.bench.import_bench import PHASES, Round, growth, measure, summary
from deploy.bench.platform_process import PlatformProcess

ROUNDS = [
    Round(copy_seconds=1.0, import_seconds=4.0, phases=dict.fromkeys(PHASES, 1.0), assets=90, peaks={}),
    Round(copy_seconds=2.0, import_seconds=6.0, phases=dict.fromkeys(PHASES, 1.5), assets=90, peaks={}),
    Round(copy_seconds=1.0, import_seconds=5.0, phases=dict.fromkeys(PHASES, 1.25), assets=90, peaks={}),
]


def test_seconds_are_medians_and_ratios_are_taken_within_a_round() -> None:
    result = summary(rows=100, size_bytes=2 * 1024**2, rounds=ROUNDS, peaks={"platform": 321.0})
    assert result.figures["copy_seconds"] == 1.0
    assert result.figures["import_seconds"] == 5.0
    assert result.figures["inventory_seconds"] == 1.25
    assert result.figures["import_rows_per_second"] == 20
    assert result.figures["file_mb"] == 2
    assert result.figures["platform_peak_resident_mb"] == 321
    assert result.ratios == {
        "import_to_copy": 4.0,
        "import_to_copy_best_round": 3.0,
        "import_to_copy_worst_round": 5.0,
    }


def test_figures_of_the_small_and_the_large_file_say_which_they_are() -> None:
    result = summary(rows=1_000_000, size_bytes=1, rounds=ROUNDS[:1], peaks={"gateway": 9.0})
    assert (result.figures["import_seconds_1m"], result.figures["gateway_peak_resident_mb_1m"]) == (4.0, 9.0)
    assert result.ratios == {"import_to_copy_1m": 4.0}
    assert summary(rows=10_000, size_bytes=1, rounds=ROUNDS, peaks={}).ratios["import_to_copy_10k"] == 4.0


def test_growth_compares_the_time_for_a_row() -> None:
    one = {
        rows: [Round(1.0, seconds, {}, 0, {})] for rows, seconds in ((10_000, 0.5), (100_000, 2.0), (1_000_000, 30.0))
    }
    assert growth(one) == {"linear_1m_vs_10k": pytest.approx(0.6), "linear_1m_vs_100k": pytest.approx(1.5)}
    assert growth({10_000: one[10_000]}) == {}


def test_the_peak_of_a_process_is_at_least_what_it_has() -> None:
    here = PlatformProcess(url="", api_key="", pids={"this": os.getpid()})
    assert here.peak_resident_mb()["this"] > 10


async def test_a_small_file_goes_through_the_whole_platform() -> None:
    result = await measure({300: 1}, per_service=False)
    figures = result.figures
    assert figures["rows"] == 300
    assert 250 < figures["assets"] <= 300
    assert 50 < figures["platform_until_assets_peak_resident_mb"] <= figures["platform_peak_resident_mb"]
    assert sum(figures[f"{phase}_seconds"] for phase in PHASES) == pytest.approx(figures["import_seconds"])
    assert all(figures[f"{phase}_seconds"] > 0 for phase in PHASES)
    assert result.ratios["import_to_copy"] == pytest.approx(figures["import_seconds"] / figures["copy_seconds"])

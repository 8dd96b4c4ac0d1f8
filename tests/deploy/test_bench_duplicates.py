"""The duplicates benchmark: its truth is true, its figures are computed from it, and the bar of the project holds."""

from collections import Counter
from uuid import UUID

import polars as pl
import pytest

from deploy.bench.duplicates_bench import measure, normalised, score
from deploy.bench.duplicates_estate import NO_FAULTS, exports
from services.field_mapping.cleaned_rows import Rows
from services.field_mapping.merging import merge_assets


def test_pairs_are_scored() -> None:
    result = score([[0, 1, 2], [3], [4]], truth=[7, 7, 8, 9, 9], cpu_seconds=1)
    assert (result.precision, result.recall) == (1 / 3, 1 / 2)
    assert result.f1 == pytest.approx(0.4)


def test_the_same_seed_gives_the_same_exports_and_another_seed_others() -> None:
    one, same, other = (exports(50, seed) for seed in (1, 1, 2))
    assert [table.rows.equals(twin.rows) for table, twin in zip(one, same, strict=True)] == [True] * 3
    assert not one[0].rows.equals(other[0].rows)


def test_every_row_has_a_machine_and_most_machines_stand_in_several_exports() -> None:
    rows, truth = normalised(exports(200, seed=1))
    assert rows.height == len(truth)
    counted = Counter(truth)
    assert set(counted) <= set(range(200))
    assert sum(count > 1 for count in counted.values()) > 150


def test_exports_without_faults_are_joined_without_a_mistake() -> None:
    rows, truth = normalised(exports(300, seed=1, faults=NO_FAULTS))
    places = pl.concat(merge_assets(Rows.of(rows), UUID(int=1)).pieces(100))["source_rows"].str.split("; ")
    result = score(([int(place.split(":")[1]) for place in machine] for machine in places), truth, cpu_seconds=1)
    assert result.f1 == 1


def test_three_of_a_hundred_pairs_at_most_are_wrong_or_missed() -> None:
    figures = measure(1_000, (1, 2), growth=(50, 100), peer=False).figures
    assert figures["modernize_worst_f1"] >= 0.97
    assert figures["modernize_f1"] > figures["name_alone_f1"]

"""Nearness in meaning is one more evidence where it is known, told in the reason, and absent where it is not."""

from collections.abc import Mapping, Sequence

import pytest

from contracts.catalog import CATALOG
from contracts.discovery import ColumnMapping, ColumnProfile
from services.field_mapping.column_names import ColumnName, read_name
from services.field_mapping.matching import ACCEPT_BY_MEANING_AT, propose
from services.field_mapping.nearness import NEAR, Nearness, installed_nearness
from services.field_mapping.weighing import fitted_weights
from tests.field_mapping.test_matching import Columns, table

CELLS: Columns = {"Hostname": ["web01", "db01"], "Zimmerpflanze": ["a1", "b2"], "RAM_GB": ["16", "32"]}


class _Told(Nearness):
    """Nearness that is said instead of computed: everything is equally far but these."""

    def __init__(self, near: Mapping[str, Mapping[str, float]]) -> None:
        self._near = near

    def of(self, columns: Sequence[ColumnProfile], names: Sequence[ColumnName]) -> list[Mapping[str, float]]:
        return [{**dict.fromkeys(CATALOG, 0.0), **self._near.get(column.name, {})} for column in columns]


def proposed(near: Mapping[str, Mapping[str, float]] | None) -> dict[str, ColumnMapping]:
    mapping = propose(table(CELLS), nearness=None if near is None else _Told(near))
    return {column.column: column for column in mapping.columns}


def test_a_field_that_nothing_else_speaks_for_is_considered_where_it_is_near() -> None:
    assert "asset_tag" not in proposed(None)["Zimmerpflanze"].alternatives
    far, near = (proposed({"Zimmerpflanze": {"asset_tag": at}})["Zimmerpflanze"] for at in (NEAR - 0.1, NEAR + 3))
    assert "asset_tag" not in [far.field, *far.alternatives]
    assert "asset_tag" in [near.field, *near.alternatives]


def test_the_nearer_a_field_is_the_likelier_it_is_and_the_reason_says_so() -> None:
    sure, more_sure = (proposed({"RAM_GB": {"memory_gb": at}})["RAM_GB"] for at in (0.0, 4.0))
    assert (sure.field, more_sure.field) == ("memory_gb", "memory_gb")
    assert more_sure.confidence >= sure.confidence
    assert "word vectors" in more_sure.reason
    assert "word vectors" not in sure.reason


def test_without_word_vectors_no_reason_speaks_of_them() -> None:
    assert not any("word vectors" in column.reason for column in proposed(None).values())


def test_what_nobody_needs_to_look_at_has_a_limit_of_its_own() -> None:
    for at in (0.0, 1.0, 2.0, 3.0, 5.0):
        for column in proposed({name: {"hostname": at, "memory_gb": at} for name in CELLS}).values():
            assert (column.status == "accepted") == (
                column.field is not None and column.confidence >= ACCEPT_BY_MEANING_AT
            )


def test_nearness_weighs_only_where_it_is_known() -> None:
    known, unknown = fitted_weights(with_meaning=True), fitted_weights()
    assert set(known.field) - set(unknown.field) == {"meaning", "meaning_unnamed", "meaning_only"}
    assert set(known.nothing) - set(unknown.nothing) == {"meaning_of_any"}
    assert set(known.unheard) - set(unknown.unheard) == {"unheard_meaning"}
    assert known.field["meaning"] > 0


@pytest.mark.skipif(installed_nearness() is None, reason="the extra `embeddings` is not installed")
def test_the_vectors_find_fields_by_words_that_no_phrase_has() -> None:
    nearness = installed_nearness()
    assert nearness is not None
    columns = [
        ColumnProfile(name=name, filled=1, distinct=1, samples=[])
        for name in ("physicalResidence", "moneyComesFrom", "rackPosition")
    ]
    near = nearness.of(columns, [read_name(column.name) for column in columns])
    assert near[0]["location"] > near[0]["memory_gb"]
    assert near[1]["cost"] > near[1]["ip_address"]
    assert near[2]["location"] > near[2]["cpu_cores"]
    assert nearness.of([], []) == []

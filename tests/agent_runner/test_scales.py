"""Ranks of the words that inventories use for environment, criticality, sensitivity, lifecycle and power."""

import pytest

from services.agent_runner.analysis.scales import (
    criticality_level,
    environment_rank,
    is_powered_off,
    is_retired,
    sensitivity_level,
)


def test_environments_rank_by_how_productive_they_are() -> None:
    rising = ["Sandbox", "Development", "Test", "UAT", "DR", "Production"]
    assert [environment_rank(name) for name in rising] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "rank"), [("pre-prod", 3), ("Non-Production", 2), ("PRD", 5), ("qa", 2), ("???", None)]
)
def test_an_environment_is_read_whatever_its_spelling(text: str, rank: int | None) -> None:
    assert environment_rank(text) == rank


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("1 - most critical", 1),
        ("2 - somewhat critical", 0.75),
        ("4 - not critical", 0.25),
        ("Tier 3", 0.5),
        ("", None),
    ],
)
def test_criticality_is_read_from_words_and_tiers(text: str, level: float | None) -> None:
    assert criticality_level(text) == level


def test_unclassified_data_is_not_taken_for_classified() -> None:
    assert sensitivity_level("Unclassified") == 0
    assert sensitivity_level("Strictly confidential") == 1
    assert sensitivity_level("Confidential") == 0.75


def test_lifecycle_and_power_tell_what_is_gone_from_what_runs() -> None:
    assert all(is_retired(status) for status in ("retired", "Decommissioned", "To be retired", "End of life"))
    assert not any(is_retired(status) for status in ("active", "In use", "planned", None))
    assert all(is_powered_off(state) for state in ("off", "poweredOff", "Stopped", "suspended"))
    assert not any(is_powered_off(state) for state in ("on", "poweredOn", "running", None))

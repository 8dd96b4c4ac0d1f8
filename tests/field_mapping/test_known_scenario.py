"""“RAM_GB should map to Memory (GB)”, as it comes and where the engine really does not know the column."""

from contracts.discovery import TableMapping
from contracts.learning import Learning
from services.field_mapping.feedback import understood
from services.field_mapping.learned import lessons_in_force
from services.field_mapping.matching import propose
from services.field_mapping.missing_fields import identify_missing_fields
from services.field_mapping.verdicts import Knowledge, taught_for
from tests.field_mapping.teachings import SOURCES, taught
from tests.field_mapping.test_matching import table

VALUES = {"APPLICATION_OWNER": ["Ada Byron", "Alan Turing"], "DR_TIER": ["Tier 1", "Tier 2"]}


def proposal(column: str, *learnings: Learning) -> TableMapping:
    """What is proposed for a table with this column of sizes, after these learnings."""
    profile = table({column: ["16", "32"], **VALUES})
    source = SOURCES[1]
    assert source is not None
    return propose(profile, taught_for("inventory", source, [], Knowledge(lessons_in_force(learnings))))


def feedback(text: str) -> Learning:
    return taught(1, *((None, teaching) for teaching in understood(text)))


def test_as_it_comes_the_engine_knows_the_column_and_feedback_only_settles_it() -> None:
    before, after = proposal("RAM_GB"), proposal("RAM_GB", feedback("RAM_GB should map to Memory (GB)"))
    assert (before.columns[0].field, before.columns[0].status, before.columns[0].unit) == (
        "memory_gb",
        "accepted",
        "GB",
    )
    assert "memory_gb" not in identify_missing_fields(before)
    assert identify_missing_fields(after) == identify_missing_fields(before)
    assert "says memory" in before.columns[0].reason
    assert after.columns[0].reason == "Ann taught it on 2026-11-20."


def test_feedback_on_a_column_that_the_engine_does_not_know_leaves_fewer_fields_missing() -> None:
    before = proposal("ZW_KAP_3")
    assert before.columns[0].field != "memory_gb"
    assert "memory_gb" in identify_missing_fields(before)
    after = proposal("ZW_KAP_3", feedback("ZW_KAP_3 should map to Memory (GB)"))
    assert (after.columns[0].field, after.columns[0].status) == ("memory_gb", "accepted")
    assert set(identify_missing_fields(before)) - set(identify_missing_fields(after)) == {"memory_gb"}

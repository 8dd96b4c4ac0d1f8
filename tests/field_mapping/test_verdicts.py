"""What counts for a table: its own source before all files, and other sources only as a hint."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contracts.discovery import Drift
from contracts.learning import Learning, Origin, OwnField, Teaching
from services.field_mapping.learned import lessons_in_force, new_lessons
from services.field_mapping.taught import Verdict
from services.field_mapping.verdicts import Knowledge, possible_fields, taught_for
from tests.field_mapping.teachings import HISTORIES, IDS, ORIGIN, SOURCES, taught

HERE, THERE = UUID(int=1), UUID(int=2)
NAMES = {HERE: "Our VMs", THERE: "Their list"}
CORE = Teaching(column="Tier", field="dr_tier")
OTHER = Teaching(column="tier", field="criticality")
NOT_CORE = Teaching(column="TIER", verdict="is_not", field="dr_tier")


def about(column: str, *learnings: Learning, kind: str = "inventory", own: list[OwnField] | None = None) -> Verdict:
    known = Knowledge(lessons_in_force(learnings), own or [], NAMES)
    return taught_for(kind, HERE, (), known).about(column)


def test_what_was_taught_for_the_source_goes_before_what_was_for_all_files() -> None:
    for history in (
        [taught(1, (HERE, CORE)), taught(2, (None, OTHER))],
        [taught(1, (None, OTHER)), taught(2, (HERE, CORE))],
    ):
        verdict = about("Tier", *history)
        assert (verdict.settled, verdict.field) == (True, "dr_tier")
        assert verdict.reason == "Ann taught it on 2026-11-20 for “Our VMs”."


def test_a_denial_for_the_source_stands_against_what_was_taught_for_all_files() -> None:
    verdict = about("Tier", taught(1, (None, CORE)), taught(2, (HERE, NOT_CORE)))
    assert (verdict.settled, verdict.odds) == (False, (("dr_tier", 0.0),))


def test_what_was_taught_for_another_source_speaks_for_a_field_and_settles_nothing() -> None:
    verdict = about("Tier", taught(1, (THERE, CORE)))
    assert (verdict.settled, verdict.odds) == (False, (("dr_tier", 20.0),))
    assert verdict.reason == "Ann taught it on 2026-11-20 for “Their list”."


def test_a_field_that_such_a_table_cannot_have_does_not_count() -> None:
    assert about("Tier", taught(1, (None, CORE)), kind="connections") == Verdict()
    ends = taught(1, (None, Teaching(column="Client", field="source")))
    assert about("Client", ends) == Verdict()
    assert about("Client", ends, kind="connections").field == "source"


def test_a_field_of_ones_own_is_meant_by_its_label_and_its_names_until_somebody_says_otherwise() -> None:
    own = [OwnField(field_id="own_backup_policy", label="Backup policy", names=["Sicherungsklasse"])]
    for column in ("BACKUP_POLICY", "Sicherungsklasse"):
        verdict = about(column, own=own)
        assert (verdict.settled, verdict.field) == (True, "own_backup_policy")
    other = taught(1, (None, Teaching(column="backup policy", field="description")))
    assert about("Backup policy", other, own=own).field == "description"
    assert about("Backup policy", other, own=[]).field == "description"


def test_a_column_can_be_denied_to_be_ones_own_field_that_it_is_called_after() -> None:
    own = [OwnField(field_id="own_backup_policy", label="Backup policy")]
    denial = taught(1, (HERE, Teaching(column="backup policy", verdict="is_not", field="own_backup_policy")))
    verdict = about("Backup policy", denial, own=own)
    assert (verdict.settled, verdict.odds) == (False, (("own_backup_policy", 0.0),))


@given(HISTORIES, st.lists(st.sampled_from(["Tier", "RAM_GB", "Name", "Other"])))
def test_what_counts_for_a_tables_columns_is_the_same_as_among_all(history: list[Learning], columns: list[str]) -> None:
    known = Knowledge(lessons_in_force(history), [], NAMES)
    everything = taught_for("inventory", HERE, (), known)
    some = taught_for("inventory", HERE, (), known, columns)
    assert all(some.about(column) == everything.about(column) for column in columns)


def test_a_lesson_about_an_own_field_that_is_gone_does_not_count() -> None:
    assert about("Tier", taught(1, (HERE, Teaching(column="Tier", field="own_tier")))) == Verdict()


def test_a_renamed_column_keeps_what_was_taught_as_evidence() -> None:
    known = Knowledge(lessons_in_force([taught(1, (HERE, CORE))]), [], NAMES)
    drift = [Drift(change="renamed", column="DR level", was="Tier", reason="“Tier” became “DR level”.")]
    verdict = taught_for("inventory", HERE, drift, known).about("DR level")
    assert (verdict.settled, verdict.odds) == (False, (("dr_tier", 20.0),))
    assert verdict.reason == "“Tier” became “DR level”. Ann taught it on 2026-11-20 for “Our VMs”."


def test_a_renamed_column_keeps_what_it_was_said_not_to_be_as_evidence_against() -> None:
    known = Knowledge(lessons_in_force([taught(1, (HERE, NOT_CORE))]), [], NAMES)
    drift = [Drift(change="renamed", column="DR level", was="Tier", reason="“Tier” became “DR level”.")]
    [(field, odds)] = taught_for("inventory", HERE, drift, known).about("DR level").odds
    assert field == "dr_tier"
    assert 0 < odds < 1
    nothing = Knowledge(lessons_in_force([taught(1, (HERE, Teaching(column="Tier", field=None)))]), [], NAMES)
    verdict = taught_for("inventory", HERE, drift, nothing).about("DR level")
    assert (verdict.settled, verdict.odds, verdict.nothing) == (False, (), 20.0)


def test_what_was_said_of_the_new_name_goes_before_what_was_of_the_old_one() -> None:
    unit = Teaching(column="DR level", verdict="in_unit", field=None, unit="hours")
    drift = [Drift(change="renamed", column="DR level", was="Tier", reason="“Tier” became “DR level”.")]
    only_unit = Knowledge(lessons_in_force([taught(1, (HERE, CORE), (HERE, unit))]), [], NAMES)
    verdict = taught_for("inventory", HERE, drift, only_unit).about("DR level")
    assert (verdict.odds, verdict.unit) == ((("dr_tier", 20.0),), "hours")
    newer = Teaching(column="DR level", field="criticality")
    settled = Knowledge(lessons_in_force([taught(1, (HERE, CORE)), taught(2, (HERE, newer))]), [], NAMES)
    verdict = taught_for("inventory", HERE, drift, settled).about("DR level")
    assert (verdict.settled, verdict.field, verdict.odds) == (True, "criticality", ())


def test_a_reason_says_who_taught_what_how_and_when() -> None:
    said = "Tier is the DR tier"
    feedback = ORIGIN.model_copy(update={"how": "feedback", "text": said})
    for origin, sentence in (
        (feedback, f"Ann said on 2026-11-20: “{said}”."),
        (Origin(how="correction", by="Bo", at=ORIGIN.at), "Bo corrected it on 2026-11-20."),
        (Origin(how="approval", by="Bo", at=ORIGIN.at), "Bo confirmed it on 2026-11-20."),
        (Origin(how="a way of tomorrow", by="Bo", at=ORIGIN.at), "Bo taught it on 2026-11-20."),
    ):
        known = Knowledge(new_lessons(IDS, [(None, CORE)], origin))
        assert taught_for("inventory", HERE, (), known).about("Tier").reason == sentence


@given(HISTORIES, st.sampled_from(["inventory", "applications", "connections"]))
def test_what_is_settled_is_a_field_that_the_table_may_have(history: list[Learning], kind: str) -> None:
    known = Knowledge(lessons_in_force(history), [], NAMES)
    for source_id in SOURCES[1:]:
        assert source_id is not None
        for verdict in taught_for(kind, source_id, (), known).verdicts.values():
            assert {verdict.field, *(field for field, _ in verdict.odds)} - {None} <= possible_fields(kind, [])
            assert not (verdict.settled and verdict.odds)

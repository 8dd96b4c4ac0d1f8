"""What a learning changes is seen before it counts."""

from uuid import UUID

from contracts.learning import Teaching
from services.field_mapping.effects import SavedTable, effect_of
from services.field_mapping.feedback import understood
from services.field_mapping.learned import lessons_in_force, new_lessons
from services.field_mapping.matching import propose
from services.field_mapping.missing_fields import identify_missing_fields
from services.field_mapping.verdicts import Knowledge, taught_for
from tests.field_mapping.teachings import IDS, ORIGIN, taught
from tests.field_mapping.test_matching import Columns, table

HERE = UUID(int=1)
# Headers alone, as an export of an empty register has them: no value speaks for a column.
CMDB: Columns = {"RAM_GB": [], "APPLICATION_OWNER": [], "DR_TIER": []}
SAVED = SavedTable(UUID(int=5), HERE, "CMDB", table(CMDB))


def knowing(*teachings: tuple[UUID | None, Teaching]) -> Knowledge:
    return Knowledge(lessons_in_force([taught(1, *teachings)]))


def test_after_feedback_on_ram_gb_fewer_fields_are_missing() -> None:
    doubt = (None, Teaching(column="RAM_GB", verdict="is_not", field="memory_gb"))
    before = propose(SAVED.profile, taught_for("inventory", HERE, (), knowing(doubt)))
    assert "memory_gb" in identify_missing_fields(before, "server")
    (teaching,) = understood("RAM_GB should map to Memory (GB)")
    known = Knowledge(lessons_in_force([taught(1, doubt), taught(2, (None, teaching))]))
    after = propose(SAVED.profile, taught_for("inventory", HERE, (), known))
    column = after.columns[0]
    assert (column.column, column.field, column.status, column.unit) == ("RAM_GB", "memory_gb", "accepted", "GB")
    for asset_type in ("server", "vm", "host"):
        missing = identify_missing_fields(after, asset_type)
        assert set(missing) == set(identify_missing_fields(before, asset_type)) - {"memory_gb"}


def test_the_effect_names_tables_and_columns_from_what_to_what() -> None:
    lessons = new_lessons(IDS, [(None, teaching) for teaching in understood("DR_TIER is Environment")], ORIGIN)
    effect = effect_of([SAVED], Knowledge(), Knowledge(lessons))
    assert effect.tables_looked_at == 1
    (changed,) = effect.tables_changed
    (column,) = changed.columns
    assert (changed.source_name, column.column, column.field_before, column.field_after, column.status_after) == (
        "CMDB",
        "DR_TIER",
        "dr_tier",
        "environment",
        "accepted",
    )
    assert set(changed.missing_before) - set(changed.missing_after) == {"environment"}


def test_what_is_taught_for_another_source_or_an_unknown_column_changes_nothing_here() -> None:
    teachings = understood("Unheard of is Memory")
    effect = effect_of([SAVED], Knowledge(), knowing(*((None, teaching) for teaching in teachings)))
    assert (effect.tables_looked_at, effect.tables_changed) == (1, [])


def test_what_is_proposed_anyway_is_no_change() -> None:
    named = SavedTable(UUID(int=5), HERE, "CMDB", table({"Hostname": ["srv1"], "Serial Number": ["CZJ0230K9Q"]}))
    effect = effect_of([named], Knowledge(), knowing((HERE, Teaching(column="Hostname", field="hostname"))))
    assert effect.tables_changed == []

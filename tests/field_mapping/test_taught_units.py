"""A unit is taught as a field is: in words or at the gate, with its effect, for a source or for all files."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.catalog import CATALOG, SOURCE_UNITS, unit_called
from contracts.discovery import ColumnProfile, Drift, RecognisedSource, TableProfile
from contracts.envelope import BlobRef, uuid7
from contracts.learning import Lesson, MappingSaved, Teaching
from services.chassis.testing import some_tenant
from services.field_mapping.decisions import confirmed, corrected
from services.field_mapping.effects import SavedTable, effect_of
from services.field_mapping.feedback import NotUnderstood, understood
from services.field_mapping.learned import lessons_in_force
from services.field_mapping.matching import propose
from services.field_mapping.units import factor
from services.field_mapping.verdicts import Knowledge, taught_for
from tests.field_mapping.running import FieldMapping
from tests.field_mapping.teachings import exported, taught
from tests.field_mapping.test_learning import column, running

__all__ = ["running"]
SOURCE, OTHER = UUID(int=1), UUID(int=2)
TABLE = TableProfile(
    table_id=uuid7(),
    import_id=uuid7(),
    file_name="a.csv",
    kind="inventory",
    header_row=1,
    row_count=3,
    columns=[
        ColumnProfile(name="Hostname", filled=3, distinct=3, samples=["web01", "web02", "db01"]),
        ColumnProfile(name="RAM", filled=3, distinct=3, samples=["16", "32", "64"]),
    ],
    rows=BlobRef(key="", sha256="", size_bytes=0, media_type=""),
)


def in_unit(unit: str, column: str = "RAM") -> Teaching:
    return Teaching(column=column, verdict="in_unit", field=None, unit=unit)


def unit_of(*lessons: Lesson, source: UUID = SOURCE) -> tuple[str | None, str]:
    """The unit that is proposed for RAM, and the reason."""
    proposal = propose(TABLE, taught_for("inventory", source, [], Knowledge(lessons)))
    [ram] = [column for column in proposal.columns if column.column == "RAM"]
    assert ram.field == "memory_gb"
    return ram.unit, ram.reason


def test_every_unit_that_can_be_stated_converts_to_its_field() -> None:
    for canonical, units in SOURCE_UNITS.items():
        assert any(field.unit == canonical for field in CATALOG.values())
        for unit in units:
            assert factor(unit, canonical) is not None, unit
            assert unit_called(unit.upper()) == unit


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("RAM is in MB", "MB"),
        ("The column RAM is measured in gigabytes.", "GB"),
        ("the unit of RAM is mib", "MiB"),
        ("RAM wird in MB angegeben", "MB"),
        ("Die Einheit von RAM ist TB", "TB"),
    ],
)
def test_a_unit_is_understood_in_words(text: str, unit: str) -> None:
    assert understood(text) == [in_unit(unit)]


def test_what_is_in_no_unit_is_not_taken_for_one() -> None:
    with pytest.raises(NotUnderstood):
        understood("Owner is in Finance")


def test_what_its_own_source_was_taught_goes_before_what_all_files_were_and_others_say_nothing() -> None:
    everywhere, own, elsewhere = (
        taught(number, (source, in_unit(unit))).lessons[0]
        for number, (source, unit) in enumerate([(None, "MB"), (SOURCE, "TB"), (OTHER, "KB")])
    )
    assert unit_of()[0] == "GB"
    unit, reason = unit_of(everywhere)
    assert unit == "MB"
    assert "its bare numbers are in MB. Ann taught it on 2026-11-20." in reason
    assert unit_of(everywhere, own)[0] == "TB"
    assert unit_of(elsewhere)[0] == "GB"


def test_a_unit_that_the_field_is_not_in_changes_nothing() -> None:
    assert unit_of(taught(1, (None, in_unit("MHz"))).lessons[0])[0] == "GB"


def test_a_newer_unit_takes_the_place_of_an_older_one_and_both_leave_the_field_alone() -> None:
    field = (None, Teaching(column="RAM", field="memory_gb"))
    kilobytes = (None, in_unit("KB"))
    history = [taught(0, field, (None, in_unit("MB"))), taught(1, kilobytes), taught(2, kilobytes)]
    counts = [(lesson.verdict, lesson.field, lesson.unit) for lesson in lessons_in_force(history)]
    assert sorted(counts, key=str) == [("in_unit", None, "KB"), ("is", "memory_gb", None)]


def test_the_effect_of_a_unit_is_shown_before_it_counts() -> None:
    saved = SavedTable(uuid4(), SOURCE, "a", TABLE)
    after = Knowledge(taught(1, (None, in_unit("MB"))).lessons)
    [changed] = effect_of([saved], Knowledge(), after).tables_changed
    [change] = changed.columns
    assert (change.column, change.unit_before, change.unit_after) == ("RAM", "GB", "MB")
    assert change.field_before == change.field_after == "memory_gb"


def test_a_unit_that_is_corrected_at_the_gate_teaches_it_and_confirms_what_was_doubtful() -> None:
    source = RecognisedSource(source_id=SOURCE, name="a", known=True)
    proposed = propose(TABLE).model_copy(update={"source": source})
    columns = [each.model_copy(update={"status": "review"}) for each in proposed.columns]
    proposed = proposed.model_copy(update={"columns": columns})
    edits: dict[str, Any] = {str(TABLE.table_id): {"RAM": {"unit": "MB"}, "Hostname": {"field": "vm_name"}}}
    assert confirmed([proposed], edits) == [(SOURCE, Teaching(column="RAM", field="memory_gb"))]
    assert corrected([proposed], edits) == [
        (SOURCE, in_unit("MB")),
        (SOURCE, Teaching(column="Hostname", field="vm_name")),
    ]


def renamed_unit(becomes: str, values: list[str], unit: str = "MB") -> tuple[str | None, str]:
    """The unit that is proposed for what was called RAM when it was taught, and the reason."""
    changed = TABLE.columns[1].model_copy(update={"name": becomes, "samples": values})
    table = TABLE.model_copy(update={"columns": [TABLE.columns[0], changed]})
    drift = [Drift(change="renamed", column=becomes, was="RAM", reason=f"“RAM” became “{becomes}”.")]
    lessons = taught(1, (SOURCE, Teaching(column="RAM", field="memory_gb")), (SOURCE, in_unit(unit))).lessons
    mapped = propose(table, taught_for("inventory", SOURCE, drift, Knowledge(lessons))).columns[1]
    assert mapped.field == "memory_gb"
    return mapped.unit, mapped.reason


def test_a_renamed_column_keeps_its_unit_unless_its_new_name_or_its_values_deny_it() -> None:
    small = ["512", "768", "1024"]
    assert renamed_unit("Memory", small)[0] == "MB"
    unit, reason = renamed_unit("Memory", ["1024", "2048", "512"], "MiB")
    assert unit == "MiB"
    assert reason.count("“RAM” became “Memory”.") == 1
    assert "Ann taught it on 2026-11-20" in reason
    assert renamed_unit("Memory GiB", small)[0] == "GiB"
    # Machines with 16 to 64 MB there are none.
    assert renamed_unit("Memory", ["16", "32", "64"])[0] == "GB"


async def test_a_renamed_column_keeps_its_unit_in_every_import_after_it(running: FieldMapping) -> None:
    tenant, text = some_tenant(), "Hostname,RAM,Owner,Site\nsrv1,2,Ann,Oslo\nsrv2,4,Bo,Rome\nsrv3,8,Cy,Bonn\n"
    await running.imported(tenant, text)
    assert column(await running.mapped(tenant, text), "RAM").unit == "GB"
    source = running.last(MappingSaved).source_id
    await running.learned(tenant, text="RAM is in TB", source_id=source)
    for _ in range(2):
        assert column(await running.imported(tenant, text.replace("RAM", "RAM size")), "RAM size").unit == "TB"
    again = await running.proposed(tenant, text="RAM is in GB", source_id=source)
    assert again.learning.effect is not None
    changes = [change.column for table in again.learning.effect.tables_changed for change in table.columns]
    assert sorted(changes) == ["RAM", "RAM size"]


async def test_a_unit_is_applied_undone_and_taken_elsewhere(running: FieldMapping) -> None:
    tenant, text = some_tenant(), "Hostname,RAM\nsrv1,16\nsrv2,32\n"
    await running.imported(tenant, text)
    learned = await running.learned(tenant, text="RAM is in MB")
    assert [(lesson.verdict, lesson.unit) for lesson in learned.added] == [("in_unit", "MB")]
    assert column(await running.mapped(tenant, text), "RAM").unit == "MB"
    document = exported(Knowledge(learned.added), [])
    await running.decide(tenant, learned.learning.learning_id, "undo")
    assert column(await running.mapped(tenant, text), "RAM").unit == "GB"
    other = some_tenant()
    await running.learned(other, document=document)
    assert column(await running.mapped(other, text), "RAM").unit == "MB"

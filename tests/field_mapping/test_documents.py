"""What was taught travels as a document and comes back the same, without people's names and without values."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from contracts.discovery import ColumnProfile
from contracts.learning import Learning, LearningDocument, OwnField, Teaching
from services.field_mapping.documents import headers_in, teachings_in
from services.field_mapping.learned import lessons_in_force, new_lessons
from services.field_mapping.sources import KnownHeader, header_keys, mapping_id_of
from services.field_mapping.verdicts import Knowledge
from tests.field_mapping.teachings import IDS, ORIGIN, exported, taught

OWN = OwnField(field_id="own_backup_policy", label="Backup policy")


def header(columns: list[str], source_id: UUID | None = None, name: str = "Our VMs") -> KnownHeader:
    mapping_id = mapping_id_of("inventory", "text", header_keys(columns))
    profiles = [ColumnProfile(name=column, filled=1, distinct=1, samples=["secret"]) for column in columns]
    return KnownHeader(mapping_id, source_id or mapping_id, name, "inventory", "text", profiles)


FIRST = header(["VM", "Tier"])
SECOND = header(["VM", "Tier", "Notes"], FIRST.source_id)
OTHER = header(["Host", "Tier"], name="Their list")


def imported(document: LearningDocument, known: list[KnownHeader]) -> tuple[Knowledge, list[KnownHeader]]:
    """What a tenant that knew only these headers knows after importing a document."""
    headers = headers_in(document, known)
    lessons = new_lessons(uuid5(IDS, "import"), teachings_in(document, headers), ORIGIN)
    here = {each.mapping_id: each for each in (*headers, *known)}
    learning = Learning(learning_id=IDS, status="applied", origin=ORIGIN, lessons=lessons)
    return Knowledge(lessons_in_force([learning]), document.fields), list(here.values())


TEACHINGS = st.lists(
    st.tuples(
        st.sampled_from([None, FIRST.source_id, OTHER.source_id]),
        st.tuples(
            st.sampled_from(["Tier", "VM", "Größe"]),
            st.sampled_from([("is", None), ("is", "dr_tier"), ("is_not", "dr_tier"), ("is", "own_backup_policy")]),
        ),
    ),
    max_size=8,
)


@given(TEACHINGS, st.booleans())
def test_to_export_and_then_import_is_the_same_knowledge(
    said: list[tuple[UUID | None, tuple[str, tuple[str, str | None]]]], several: bool
) -> None:
    sayings = [
        (source_id, Teaching(column=column, verdict=verdict, field=field))
        for source_id, (column, (verdict, field)) in said
    ]
    known = Knowledge(lessons_in_force([taught(1, *sayings)]), [OWN])
    document = exported(known, [FIRST, SECOND, OTHER] if several else [FIRST, OTHER])
    assert exported(*imported(document, [])) == document
    assert exported(*imported(LearningDocument.model_validate_json(document.model_dump_json()), [])) == document


def test_a_document_has_no_names_of_people_and_no_values() -> None:
    known = Knowledge(lessons_in_force([taught(1, (FIRST.source_id, Teaching(column="Tier", field="dr_tier")))]))
    text = exported(known, [FIRST]).model_dump_json()
    assert "Ann" not in text
    assert "secret" not in text


def test_a_source_that_the_importer_knows_keeps_its_id_and_name() -> None:
    document = exported(Knowledge(), [FIRST, SECOND])
    theirs = header(["VM", "Tier", "Notes"], UUID(int=7), "As we call it")
    headers = headers_in(document, [theirs])
    assert {(each.source_id, each.source_name) for each in headers} == {(UUID(int=7), "As we call it")}


def test_a_source_without_a_header_is_left_out_for_nothing_would_recognise_it() -> None:
    known = Knowledge(lessons_in_force([taught(1, (UUID(int=3), Teaching(column="Tier", field="dr_tier")))]))
    assert exported(known, []) == LearningDocument()

"""Feedback in plain words becomes lessons, or is refused with words that would be understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.catalog import CATALOG
from contracts.learning import OwnField
from services.field_mapping.feedback import NotUnderstood, field_called, understood

BACKUP = OwnField(field_id="own_backup_policy", label="Backup policy", names=["Sicherungsklasse"])


@pytest.mark.parametrize(
    ("text", "column", "verdict", "field"),
    [
        ("RAM_GB should map to Memory (GB)", "RAM_GB", "is", "memory_gb"),
        ("RAM_GB should be mapped to Memory.", "RAM_GB", "is", "memory_gb"),
        ("please map the column Server.Name to hostname", "Server.Name", "is", "hostname"),
        ("Owner is the business owner", "Owner", "is", "business_owner"),
        ("'Res' means Memory", "Res", "is", "memory_gb"),
        ("Tier -> DR tier", "Tier", "is", "dr_tier"),
        ("Tier is not DR tier", "Tier", "is_not", "dr_tier"),
        ("Tier isn't the DR tier!", "Tier", "is_not", "dr_tier"),
        ("Cost center should not be mapped to Department", "Cost center", "is_not", "department"),
        ("don't map Size to Storage", "Size", "is_not", "storage_gb"),
        ("Notes maps to nothing", "Notes", "is", None),
        ("ignore Notes", "Notes", "is", None),
        ("RAM_GB soll auf Arbeitsspeicher abgebildet werden", "RAM_GB", "is", "memory_gb"),
        ("Größe gehört zu Storage", "Größe", "is", "storage_gb"),
        ("Tier ist die Kritikalität", "Tier", "is", "criticality"),
        ("Die Spalte Stufe bedeutet DR tier", "Stufe", "is", "dr_tier"),
        ("Stufe ist nicht die Kritikalität", "Stufe", "is_not", "criticality"),
        ("Stufe gehört nicht zu DR tier", "Stufe", "is_not", "dr_tier"),
        ("ordne „Eigner“ dem Business owner zu", "Eigner", "is", "business_owner"),
        ("Bemerkung ignorieren", "Bemerkung", "is", None),
        ("Klasse ist die Sicherungsklasse", "Klasse", "is", "own_backup_policy"),
        ("source server is source", "source server", "is", "source"),
    ],
)
def test_what_is_said_is_learned(text: str, column: str, verdict: str, field: str | None) -> None:
    (teaching,) = understood(text, [BACKUP])
    assert (teaching.column, teaching.verdict, teaching.field) == (column, verdict, field)


def test_several_sentences_teach_several_things() -> None:
    taught = understood("RAM_GB is Memory. Server.Tier is not DR tier; ignore Notes\nOwner is business owner")
    assert [(each.column, each.verdict) for each in taught] == [
        ("RAM_GB", "is"),
        ("Server.Tier", "is_not"),
        ("Notes", "is"),
        ("Owner", "is"),
    ]


@pytest.mark.parametrize(
    "text", ["hello", "RAM_GB", "the mapping is bad, do it again", "should map to Memory", "-> ->"]
)
def test_what_is_not_understood_is_refused_with_examples(text: str) -> None:
    with pytest.raises(NotUnderstood, match=r"RAM_GB should map to Memory \(GB\)|there is no field called"):
        understood(text)


def test_one_unclear_sentence_refuses_all_and_is_named() -> None:
    with pytest.raises(NotUnderstood, match="“do it well” was not understood"):
        understood("RAM_GB is Memory. do it well")


def test_an_unknown_field_is_named_with_what_is_near() -> None:
    with pytest.raises(NotUnderstood, match=r"no field called “Critcalty levle”.*Criticality"):
        understood("Tier is Critcalty levle")


def test_a_denial_of_an_unknown_field_is_never_taken_for_its_opposite() -> None:
    with pytest.raises(NotUnderstood, match="no field called “qqqq”"):
        understood("Memory is not qqqq")


@pytest.mark.parametrize("text", ["", "  \n", "..", ";"])
def test_an_empty_text_teaches_nothing(text: str) -> None:
    with pytest.raises(NotUnderstood):
        understood(text)


@pytest.mark.parametrize("field", sorted(CATALOG))
def test_every_field_is_found_by_its_id_and_by_its_label(field: str) -> None:
    known = CATALOG[field]
    label = f"{known.label} ({known.unit})" if known.unit else known.label
    assert field_called(field) == field_called(known.label) == field_called(label) == field


@given(st.text(max_size=200))
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    try:
        taught = understood(text)
    except NotUnderstood:
        return
    assert taught
    assert all(each.verdict == "is" or each.field is not None for each in taught)

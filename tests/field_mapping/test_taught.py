"""What people taught about a column's name counts more than what the name and its values look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.discovery import ColumnMapping
from services.field_mapping.matching import propose
from services.field_mapping.taught import NOTHING_TAUGHT, Taught, Verdict, column_key
from tests.field_mapping.test_matching import DOUBTFUL, SERVER, table


def mapped(name: str, values: list[str], verdict: Verdict) -> ColumnMapping:
    taught = Taught({column_key(name): verdict})
    return propose(table({**SERVER, name: values}), taught).columns[-1]


def test_a_settled_column_is_accepted_with_the_reason_of_who_settled_it_and_the_unit_of_its_values() -> None:
    verdict = Verdict(settled=True, field="memory_gb", reason="Ann decided so.")
    column = mapped("Kapazität A", ["8192", "16384"], verdict)
    assert (column.field, column.status, column.unit, column.reason) == (
        "memory_gb",
        "accepted",
        "MB",
        "Ann decided so.",
    )


def test_a_column_that_was_settled_to_map_to_nothing_is_left_out_whatever_its_name_says() -> None:
    column = mapped("Serial Number", ["CZJ0230K9Q"], Verdict(settled=True, reason="Ann said so."))
    assert (column.field, column.status, column.reason) == (None, "unmapped", "Ann said so.")


def test_a_doubtful_column_that_was_settled_to_map_to_nothing_is_not_asked_about() -> None:
    ((name, values),) = DOUBTFUL.items()
    assert mapped(name, values, Verdict()).status == "review"
    column = mapped(name, values, Verdict(settled=True, reason="Ann confirmed it."))
    assert (column.field, column.status, column.reason) == (None, "unmapped", "Ann confirmed it.")


def test_a_column_that_would_be_left_out_is_mapped_where_people_settled_it() -> None:
    verdict = Verdict(settled=True, field="ip_address", reason="Ann said so.")
    assert mapped("Default Gateway", ["10.1.2.1"], verdict).field == "ip_address"


def test_a_rejected_field_is_neither_proposed_nor_an_alternative() -> None:
    assert mapped("RAM_GB", ["16"], Verdict()).field == "memory_gb"
    column = mapped("RAM_GB", ["16"], Verdict(odds=(("memory_gb", 0.0),)))
    assert "memory_gb" not in {column.field, *column.alternatives}


def test_what_is_known_of_another_source_is_asked_about_where_nothing_else_speaks_for_it() -> None:
    column = mapped("xyzzy", ["plugh"], Verdict(odds=(("cluster", 20.0),), reason="Elsewhere it is the cluster."))
    assert (column.field, column.status) == ("cluster", "review")
    assert column.reason.endswith("Elsewhere it is the cluster.")


def test_a_field_of_the_tenants_own_can_be_taught() -> None:
    column = mapped("Backup Policy", ["gold"], Verdict(settled=True, field="own_backup_policy", reason="It is yours."))
    assert (column.field, column.status, column.unit) == ("own_backup_policy", "accepted", None)


@pytest.mark.parametrize(
    ("one", "other"), [("RAM_GB", "Ram (GB)"), ("Größe", "GROSSE"), (" Host  Name ", "host-name"), ("%", "%")]
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert column_key(one) == column_key(other)


def test_the_unit_in_a_name_tells_columns_apart() -> None:
    assert column_key("Memory MB") != column_key("Memory MiB")


@given(st.text(max_size=40))
def test_a_normal_name_stays_as_it_is(name: str) -> None:
    assert column_key(column_key(name)) == column_key(name)


def test_nothing_taught_changes_nothing() -> None:
    given_table = table({**SERVER, "RAM_GB": ["16"]})
    assert propose(given_table, NOTHING_TAUGHT) == propose(given_table)

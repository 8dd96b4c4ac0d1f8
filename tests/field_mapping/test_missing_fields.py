"""Which fields are missing depends on what the assets are, and on what somebody confirmed."""

import pytest

from contracts.discovery import TableKind
from services.field_mapping.matching import propose
from services.field_mapping.missing_fields import REQUIRED, identify_missing_fields, missing_by_asset_type
from tests.field_mapping.test_matching import SERVER, Columns, table


def test_required_fields_that_no_column_provides_are_missing() -> None:
    assert identify_missing_fields(propose(table(SERVER))) == [
        "ip_address", "cpu_cores", "memory_gb", "storage_gb", "application_name", "environment",
    ]  # fmt: skip


def test_a_vm_name_does_for_a_host_name() -> None:
    assert "hostname" not in identify_missing_fields(propose(table({"VM": ["a"], "Powerstate": ["poweredOn"]})))


def test_an_application_list_needs_names_and_a_connection_table_both_ends() -> None:
    applications: Columns = {"Application Name": ["CRM"]}
    assert identify_missing_fields(propose(table(applications, kind="applications"))) == []
    criticalities = propose(table({"Criticality": ["High"]}, kind="applications"))
    assert identify_missing_fields(criticalities) == ["application_name"]
    assert identify_missing_fields(propose(table({"Source IP": ["10.0.0.1"]}, kind="connections"))) == ["target"]


def test_what_is_missing_depends_on_the_type_of_the_assets() -> None:
    mapping = propose(table(SERVER))
    assert "application_name" not in identify_missing_fields(mapping, "host")
    assert "database_name" in identify_missing_fields(mapping, "database")
    assert identify_missing_fields(mapping, "network") == ["ip_address", "environment"]


def test_a_doubtful_column_provides_nothing_until_somebody_confirms_it() -> None:
    mapping = propose(table({"Hostname": ["a"]}))
    column = mapping.columns[0].model_copy(update={"status": "review"})
    doubtful = mapping.model_copy(update={"columns": [column]})
    assert "hostname" in identify_missing_fields(doubtful)


def test_an_unknown_type_of_asset_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'toaster' is not an asset type. Choose one of server"):
        identify_missing_fields(propose(table(SERVER)), "toaster")


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        ("applications", {"application"}),
        ("connections", {"connection"}),
        ("inventory", set(REQUIRED) - {"application"}),
    ],
)
def test_what_is_missing_is_told_for_each_type_that_the_table_may_list(kind: TableKind, types: set[str]) -> None:
    missing = missing_by_asset_type(propose(table(SERVER, kind)))
    assert set(missing) == types
    assert all(missing.values())


def test_nothing_is_missing_where_every_required_field_has_a_column() -> None:
    mapping = propose(table(SERVER))
    for asset_type, fields in REQUIRED.items():
        columns = [mapping.columns[0].model_copy(update={"field": field, "status": "accepted"}) for field in fields]
        assert identify_missing_fields(mapping.model_copy(update={"columns": columns}), asset_type) == []

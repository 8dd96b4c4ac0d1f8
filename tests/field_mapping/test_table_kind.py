"""What kind a table is, by the names of its columns."""

import pytest

from contracts.discovery import ColumnProfile, TableKind
from services.field_mapping.table_kind import table_kind


def kind(*names: str) -> TableKind:
    return table_kind([ColumnProfile(name=name, filled=0, distinct=0, samples=[]) for name in names])


@pytest.mark.parametrize(
    "names",
    [
        ("Source server name", "Destination server name", "Destination port"),
        ("source_ip", "dst_ip", "protocol"),
        ("Local address", "Foreign address", "State"),
        ("From host", "To host", "Connections"),
        ("Client IP", "Server IP", "Port"),
        ("Source application", "Target application"),
    ],
)
def test_a_table_with_both_ends_is_one_of_connections(names: tuple[str, ...]) -> None:
    assert kind(*names) == "connections"


@pytest.mark.parametrize(
    "names",
    [
        ("Application Name", "Business owner", "Criticality"),
        ("app_name", "rto", "rpo"),
        ("Number", "Name", "Application type", "Business owner"),
        ("service", "owner", "tier", "dependencies", "rto", "data_classification"),
        ("Anwendung", "Kritikalität"),
        ("Application", "Servers", "Lifecycle"),
    ],
)
def test_a_table_of_applications_without_machines_is_an_application_list(names: tuple[str, ...]) -> None:
    assert kind(*names) == "applications"


@pytest.mark.parametrize(
    "names",
    [
        ("Hostname", "IP address", "OS"),
        ("Server Name", "Application Name", "Environment"),
        ("VM", "CPUs", "Memory", "Application"),
        ("Source", "OsName", "MachineName"),
        ("Database Name", "Source Engine Type", "Environment"),
        ("Name", "Location"),
        (),
    ],
)
def test_anything_else_is_an_inventory(names: tuple[str, ...]) -> None:
    assert kind(*names) == "inventory"

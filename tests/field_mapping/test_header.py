"""A header may have two rows: groups above, names below; what looks alike and is data stays data."""

import pytest

from services.field_mapping.header import find_header

BELOW = [["srv1", "RHEL 8", "10.0.0.1", "16"], ["srv2", "RHEL 8", "10.0.0.2", "32"], ["srv3", "AIX 7.2", "-", "8"]]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([["Server", "", "Network", ""], ["Name", "OS", "IP", "RAM"]], ["Name", "OS", "IP", "RAM"]),
        # Cells that are merged downwards are empty in the second row.
        ([["Host", "System", "", ""], ["", "OS", "IP", "RAM"]], ["Host", "OS", "IP", "RAM"]),
        ([["Host", "OS", "Network", ""], ["", "", "IP", "RAM"]], ["Host", "OS", "IP", "RAM"]),
        # A name that stands in two groups is told apart by them.
        ([["Old", "", "New", ""], ["Name", "OS", "IP", "Name"]], ["Old Name", "OS", "IP", "New Name"]),
        ([["Estate"], [], ["Server", "", "Network", ""], ["Name", "OS", "IP", "RAM"]], ["Name", "OS", "IP", "RAM"]),
    ],
)
def test_names_stand_below_groups(rows: list[list[str]], names: list[str]) -> None:
    header = find_header([*rows, *BELOW])
    assert header is not None
    assert (header.index, header.cells, header.naming) == (len(rows) - 1, names, True)


@pytest.mark.parametrize(
    "first",
    [
        ["srv0", "RHEL 8", "10.0.0.9", "16"],
        ["srv0", "RHEL 8", "n/a", "unknown"],
        ["web", "RHEL 8", "dhcp", "lots"],
        ["srv0", "", "dhcp", "lots"],
    ],
)
def test_a_row_below_a_header_with_an_unnamed_column_is_data(first: list[str]) -> None:
    header = find_header([["Name", "", "IP", "RAM"], first, *BELOW])
    assert header is not None
    assert (header.index, header.cells) == (0, ["Name", "", "IP", "RAM"])


def test_a_whole_header_has_one_row() -> None:
    header = find_header([["Name", "OS", "IP", "RAM"], ["app", "BeOS", "dhcp", "lots"], *BELOW])
    assert header is not None
    assert header.index == 0

"""Files that mix applications and their dependencies become a table of each."""

from pathlib import Path

import pytest

from services.field_mapping.profile import profile
from services.field_mapping.reading import FileRejected, ReadTable, read_tables
from services.field_mapping.table_kind import table_kind

HEADER = "Record Type 1,Application Name,Description,Comments,Business Service,Dependency,Dependency Direction,Owner\n"
APPLICATIONS = "1,Payroll,Pays people,,HR,,,Ann\n1,Ledger,Books,,Finance,,,Bob\n"


def read(folder: Path, text: str) -> list[ReadTable]:
    (folder / "stored").write_text(text, encoding="utf-8")
    return read_tables(folder / "stored", "applications.csv")


def kinds(tables: list[ReadTable]) -> list[str]:
    return [table_kind(profile(table.frame)) for table in tables]


def test_applications_and_dependencies_become_two_tables(tmp_path: Path) -> None:
    text = f"{HEADER}{APPLICATIONS}2,Payroll,,after hours,,Ledger,southbound,\n,,,,,,,\n2,Ledger,,,,CRM,northbound,\n"
    applications, connections = read(tmp_path, text)
    assert kinds([applications, connections]) == ["applications", "connections"]
    assert applications.frame["Application Name"].to_list() == ["Payroll", "Ledger"]
    names = ["_row", "Source application", "Destination application", "Comments"]
    assert connections.frame.select(names).rows() == [
        (4, "Payroll", "Ledger", "after hours"),
        (6, "CRM", "Ledger", None),
    ]
    assert [problem.code for problem in applications.problems] == ["record_types_split"]


def test_a_dependency_without_a_direction_is_one_of_the_application(tmp_path: Path) -> None:
    _, connections = read(tmp_path, f"{HEADER}{APPLICATIONS}2,Payroll,,,,Ledger,,\n")
    assert connections.frame.row(0)[1:3] == ("Payroll", "Ledger")


def test_rows_of_other_types_and_directions_are_left_out_with_their_place(tmp_path: Path) -> None:
    text = (
        f"{HEADER}{APPLICATIONS}3,Payroll,,,,,,\n2,Payroll,,,,Ledger,eastbound,\n,Orphan,,,,,,\n2,Payroll,,,,Ledger,,\n"
    )
    applications, connections = read(tmp_path, text)
    assert (applications.left_out, applications.frame.height, connections.frame.height) == (3, 2, 1)
    assert [(problem.code, problem.row, problem.column) for problem in applications.problems[:-1]] == [
        ("unknown_record_type", 4, "Record Type 1"),
        ("unknown_direction", 5, "Dependency Direction"),
        ("unknown_record_type", 6, "Record Type 1"),
    ]


def test_a_file_of_dependencies_alone_is_a_table_of_connections(tmp_path: Path) -> None:
    (connections,) = read(tmp_path, f"{HEADER}2,Payroll,,,,Ledger,southbound,\n2,CRM,,,,Ledger,southbound,\n")
    assert kinds([connections]) == ["connections"]
    assert connections.frame.height == 2


def test_a_file_without_a_known_record_is_refused_with_its_first_row(tmp_path: Path) -> None:
    with pytest.raises(FileRejected) as caught:
        read(tmp_path, f"{HEADER}3,Payroll,Pays people,,HR,,,Ann\n100,Ledger,Books,,HR,,,Bob\n")
    problem = caught.value.problem
    assert (problem.code, problem.row, problem.file_name) == ("unknown_record_type", 2, "applications.csv")
    assert "'3'" in problem.detail


def test_other_application_lists_are_left_alone(tmp_path: Path) -> None:
    (table,) = read(tmp_path, "Type,Application Name,Dependency\n1,Payroll,Ledger\n2,Ledger,CRM\n")
    assert table.frame.columns == ["_row", "Type", "Application Name", "Dependency"]

"""RVTools exports: tabs about one machine become one row, and every row of every tab is accounted for."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.claim_checks import JOINED_ROWS, ROW_NUMBER
from contracts.discovery import ColumnMapping, TableMapping
from services.field_mapping.normalise import SourceTable
from services.field_mapping.reading import ReadTable, read_tables
from tests.field_mapping.source_tables import inventory_of, mapped, source_table

Tab = Sequence[Sequence[object]]
V_INFO: Tab = [["VM", "CPUs", "Memory"], ["web01", 2, 4096], ["db01", 4, 8192]]
V_DISK: Tab = [
    ["VM", "Disk", "Capacity MiB"],
    ["web01", "Hard disk 1", 40960],
    ["db01", "Hard disk 1", 102400.5],
    ["db01", "Hard disk 2", 2048],
]


def workbook(tabs: dict[str, Tab]) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        for name, rows in tabs.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return content.getvalue()


def read(folder: Path, content: bytes) -> list[ReadTable]:
    (folder / "stored").write_bytes(content)
    return read_tables(folder / "stored", "estate.xlsx")


def column(table: ReadTable, name: str) -> list[str | None]:
    return table.frame[name].to_list()


def codes(table: ReadTable) -> list[str]:
    return [problem.code for problem in table.problems]


def test_the_rows_of_a_machine_become_one_with_sizes_added_up_and_the_rest_listed(tmp_path: Path) -> None:
    network: Tab = [
        ["VM", "Network", "Mac Address", "IPv4 Address", "Adapter"],
        ["db01", "app", "00:50:56:aa:00:01", "10.0.0.1", "Vmxnet3"],
        ["db01", "backup", "00:50:56:aa:00:02", None, "Vmxnet3"],
        ["db01", "app", "00:50:56:aa:00:03", "10.0.0.3", "Vmxnet3"],
    ]
    (table,) = read(tmp_path, workbook({"vInfo": V_INFO, "vDisk": V_DISK, "vNetwork": network}))
    assert table.sheet == "vInfo"
    assert table.frame.drop(JOINED_ROWS).to_dict(as_series=False) == {
        "_row": [2, 3],
        "VM": ["web01", "db01"],
        "CPUs": ["2", "4"],
        "Memory": ["4096", "8192"],
        "vDisk.Disk": ["Hard disk 1", "Hard disk 1; Hard disk 2"],
        "vDisk.Capacity MiB": ["40960", "104448.5"],
        "vNetwork.Network": [None, "app; backup"],
        "vNetwork.Mac Address": [None, "00:50:56:aa:00:01; 00:50:56:aa:00:02; 00:50:56:aa:00:03"],
        "vNetwork.IPv4 Address": [None, "10.0.0.1; 10.0.0.3"],
    }
    assert codes(table) == ["sheet_joined", "sheet_joined"]
    assert "3 rows of vDisk, Disk (list), Capacity MiB (sum)" in table.problems[0].detail


def test_every_joined_row_can_be_found_again(tmp_path: Path) -> None:
    snapshots: Tab = [["VM", "Name", "Size MiB (total)"], ["db01", "before update", 512]]
    (table,) = read(tmp_path, workbook({"vInfo": V_INFO, "vDisk": V_DISK, "vSnapshot": snapshots}))
    assert column(table, JOINED_ROWS) == [
        "estate.xlsx/vDisk:2",
        "estate.xlsx/vDisk:3; estate.xlsx/vDisk:4; estate.xlsx/vSnapshot:2",
    ]


def test_an_asset_names_the_rows_that_were_joined_to_it(tmp_path: Path) -> None:
    (table,) = read(tmp_path, workbook({"vInfo": V_INFO, "vDisk": V_DISK}))
    result = inventory_of([as_source(table)])
    assert dict(result.assets.select("vm_name", "source_rows").rows()) == {
        "web01": "estate.xlsx/vInfo:2; estate.xlsx/vDisk:2",
        "db01": "estate.xlsx/vInfo:3; estate.xlsx/vDisk:3; estate.xlsx/vDisk:4",
    }


def test_sizes_that_are_no_plain_numbers_are_listed_instead_of_guessed(tmp_path: Path) -> None:
    disks: Tab = [["VM", "Capacity MiB"], ["web01", "40,960"], ["db01", "1,024"], ["db01", "2,048"]]
    (table,) = read(tmp_path, workbook({"vInfo": V_INFO, "vDisk": disks}))
    assert column(table, "vDisk.Capacity MiB") == ["40,960", "1,024; 2,048"]


def test_machines_of_one_name_are_told_apart_by_what_both_tabs_have(tmp_path: Path) -> None:
    info: Tab = [["VM", "VM UUID", "CPUs"], ["web01", "u1", 2], ["web01", "u2", 4]]
    disks: Tab = [["VM", "VM UUID", "Capacity MiB"], ["web01", "u2", 10], ["web01", "u1", 20], ["web01", "u1", 5]]
    (table,) = read(tmp_path, workbook({"vInfo": info, "vDisk": disks}))
    assert column(table, "vDisk.Capacity MiB") == ["25", "10"]


def test_rows_of_no_machine_or_of_one_of_several_stay_a_table_of_their_own(tmp_path: Path) -> None:
    info: Tab = [*V_INFO, ["twin", 1, 1], ["twin", 2, 2]]
    disks: Tab = [*V_DISK, ["gone", "Hard disk 1", 7], ["twin", "Hard disk 1", 8]]
    machines, rest = read(tmp_path, workbook({"vDisk": disks, "vInfo": info}))[::-1]
    assert (machines.sheet, column(machines, JOINED_ROWS)[2:]) == ("vInfo", [None, None])
    assert (rest.sheet, rest.frame.rows()) == (
        "vDisk",
        [(5, "gone", "Hard disk 1", "7"), (6, "twin", "Hard disk 1", "8")],
    )
    assert codes(rest) == ["sheet_not_joined"]
    assert "2 rows of vDisk" in rest.problems[0].detail


def test_tabs_without_machines_are_left_out_and_counted(tmp_path: Path) -> None:
    health: Tab = [["Name", "Message"], ["[datastore1] web01/web01.vmx", "Zombie"], ["db01", "CD connected"]]
    (table,) = read(tmp_path, workbook({"vInfo": V_INFO, "vHealth": health}))
    assert (codes(table), table.left_out) == (["sheet_not_read"], 2)
    assert "2 rows of vHealth" in table.problems[0].detail


def test_interfaces_of_hosts_are_joined_to_them(tmp_path: Path) -> None:
    hosts: Tab = [["Host", "# Cores"], ["esx01", 16]]
    kernel: Tab = [["Host", "Port Group", "IP Address"], ["esx01", "mgmt", "10.1.0.1"], ["esx01", "nfs", "10.2.0.1"]]
    tabs = read(tmp_path, workbook({"vInfo": V_INFO, "vHost": hosts, "vSC_VMK": kernel}))
    assert [table.sheet for table in tabs] == ["vInfo", "vHost"]
    assert column(tabs[1], "vSC_VMK.IP Address") == ["10.1.0.1; 10.2.0.1"]


def test_sheets_that_people_added_stay(tmp_path: Path) -> None:
    owners: Tab = [["VM", "Owner"], ["web01", "Ann"]]
    tables = read(tmp_path, workbook({"vInfo": V_INFO, "Owners": owners}))
    assert [(table.sheet, table.frame.height) for table in tables] == [("vInfo", 2), ("Owners", 1)]


def test_a_workbook_of_other_sheets_is_left_alone(tmp_path: Path) -> None:
    tables = read(tmp_path, workbook({"Servers": V_INFO, "vDisk": V_DISK}))
    assert [(table.sheet, table.frame.height) for table in tables] == [("Servers", 2), ("vDisk", 3)]


def test_csv_files_of_one_folder_of_an_archive_are_joined(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for folder in ("north", "south"):
            for tab, rows in (("vInfo", V_INFO), ("vDisk", V_DISK)):
                text = "\n".join(";".join(map(str, row)) for row in rows)
                archive.writestr(f"{folder}/RVTools_tab{tab}.csv", text)
    tables = read(tmp_path, content.getvalue())
    assert [table.file_name for table in tables] == [
        f"estate.xlsx/{f}/RVTools_tabvInfo.csv" for f in ("north", "south")
    ]
    for table, folder in zip(tables, ("north", "south"), strict=True):
        assert column(table, "vDisk.Capacity MiB") == ["40960", "104448.5"]
        assert column(table, JOINED_ROWS)[0] == f"estate.xlsx/{folder}/RVTools_tabvDisk.csv:2"


def as_source(table: ReadTable) -> SourceTable:
    """The table with VM as the name of its machines, and nothing else mapped."""
    columns = [mapped(name, "vm_name" if name == "VM" else None) for name in table.frame.columns if name[0] != "_"]
    named: list[ColumnMapping] = [each for each in columns if each.field]
    empty = source_table({"VM": []}, named, file_name=table.file_name, sheet=table.sheet)
    mapping = TableMapping(**{**empty.mapping.model_dump(), "columns": named})
    return SourceTable(empty.profile, mapping, table.frame.lazy())


NAMES = st.lists(st.sampled_from(["web01", "db01", "twin", "app", "gone"]), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(NAMES, NAMES, NAMES)
def test_no_row_of_any_tab_is_lost_or_counted_twice(
    tmp_path: Path, machines: list[str], disks: list[str], networks: list[str]
) -> None:
    tabs: dict[str, Tab] = {
        "vInfo": [["VM", "CPUs"], ["first", 1], *[[name, 2] for name in machines]],
        "vDisk": [["VM", "Capacity MiB"], ["first", 5], *[[name, 7] for name in disks]],
        "vNetwork": [["VM", "Network"], ["first", "lan"], *[[name, "lan"] for name in networks]],
    }
    tables = read(tmp_path, workbook(tabs))
    places = [
        place
        for table in tables
        for row in table.frame.rows(named=True)
        for place in [f"{table.file_name}/{table.sheet}:{row[ROW_NUMBER]}", *(row.get(JOINED_ROWS) or "").split("; ")]
        if place
    ]
    assert sorted(places) == sorted(
        f"estate.xlsx/{tab}:{number}" for tab, rows in tabs.items() for number in range(2, len(rows) + 1)
    )
    sizes = [
        float(cell)
        for table in tables
        for name in table.frame.columns
        if "Capacity" in name
        for cell in table.frame[name].drop_nulls()
    ]
    assert sum(sizes) == 5 + 7 * len(disks)

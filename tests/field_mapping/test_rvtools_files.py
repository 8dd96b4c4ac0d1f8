"""RVTools tabs that come as files of their own are one export, as the tabs of a workbook are."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from contracts.claim_checks import JOINED_ROWS, ROW_NUMBER
from contracts.discovery import DataImportCompleted, DataImportRequested, ImportFile
from contracts.envelope import uuid7
from services.chassis.frames import PARQUET
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from services.field_mapping.reading import ReadTable, read_tables
from services.field_mapping.rvtools import is_tab_alone, join_files
from tests.field_mapping.running import a_field_mapping
from tests.field_mapping.test_rvtools import V_DISK, V_INFO, Tab, codes, column, workbook

HOSTS: Tab = [["Host", "# Cores"], ["esx01", 16]]


def text(rows: Tab) -> bytes:
    return "\r\n".join(",".join("" if cell is None else str(cell) for cell in row) for row in rows).encode()


def joined(folder: Path, files: Sequence[tuple[str, bytes]]) -> list[list[ReadTable]]:
    read = []
    for name, content in files:
        (folder / "stored").write_bytes(content)
        read.append(read_tables(folder / "stored", name))
    assert all(map(is_tab_alone, read))
    return join_files(read)


@pytest.mark.parametrize(
    "name", ["RVTools_tab{}.csv", "{}.csv", "tab{}.csv.gz", "north_RVTools_tab{}.csv", "RVTools_tab{} (1).csv"]
)
def test_tabs_are_joined_by_machine_whatever_their_files_are_called(tmp_path: Path, name: str) -> None:
    disk, info, host = (name.format(tab) for tab in ("vDisk", "vInfo", "vHost"))
    tables = joined(tmp_path, [(disk, text(V_DISK)), (info, text(V_INFO)), (host, text(HOSTS))])
    assert [len(each) for each in tables] == [0, 1, 1]
    machines, hosts = tables[1][0], tables[2][0]
    assert column(machines, "vDisk.Capacity MiB") == ["40960", "104448.5"]
    assert column(machines, JOINED_ROWS) == [f"{disk}:2", f"{disk}:3; {disk}:4"]
    assert hosts.file_name == host


def test_workbooks_of_a_single_tab_are_joined_too(tmp_path: Path) -> None:
    files = [(f"RVTools_tab{tab}.xlsx", workbook({tab: rows})) for tab, rows in (("vInfo", V_INFO), ("vDisk", V_DISK))]
    (machines,), rest = joined(tmp_path, files)
    assert column(machines, JOINED_ROWS)[0] == "RVTools_tabvDisk.xlsx/vDisk:2"
    assert rest == []


def test_exports_that_their_names_tell_apart_stay_apart(tmp_path: Path) -> None:
    files = [
        (f"{site}-RVTools_tab{tab}.csv", text(rows))
        for site in ("north", "south")
        for tab, rows in (("vInfo", V_INFO), ("vDisk", V_DISK))
    ]
    tables = joined(tmp_path, files)
    assert [len(each) for each in tables] == [1, 0, 1, 0]
    assert column(tables[2][0], JOINED_ROWS)[0] == "south-RVTools_tabvDisk.csv:2"


def test_two_exports_of_one_name_are_not_joined_and_say_so(tmp_path: Path) -> None:
    files = [("vInfo.csv", text(V_INFO)), ("vDisk.csv", text(V_DISK)), ("vInfo.csv", text(V_INFO))]
    tables = joined(tmp_path, files)
    assert [[table.frame.height for table in each] for each in tables] == [[2], [3], [2]]
    assert all(codes(table) == ["sheet_not_joined"] for each in tables for table in each)


def test_a_tab_without_the_list_of_machines_stays_as_it_is(tmp_path: Path) -> None:
    ((disks,), (other,)) = joined(tmp_path, [("vDisk.csv", text(V_DISK)), ("vDisk.csv", text(V_DISK))])
    assert (disks.frame.height, codes(disks), codes(other)) == (3, [], [])


def test_a_file_with_another_name_or_with_several_tables_is_no_tab_alone(tmp_path: Path) -> None:
    for name, content in (("servers.csv", text(V_INFO)), ("vInfo.xlsx", workbook({"a": V_INFO, "b": V_INFO}))):
        (tmp_path / "stored").write_bytes(content)
        assert not is_tab_alone(read_tables(tmp_path / "stored", name))


async def test_an_import_joins_the_tabs_that_it_is_given_as_files(settings: Settings) -> None:
    tenant = some_tenant()
    uploads = [("RVTools_tabvDisk.csv", V_DISK), ("owners.csv", [["VM", "Owner", "Team"], ["web01", "Ann", "A"]])]
    async with a_field_mapping(settings) as running:
        files = [
            ImportFile(
                import_id=uuid7(),
                file_name=name,
                file=await running.runtime.blobs.put_bytes(tenant, "uploads", text(rows), "text/csv"),
            )
            for name, rows in [*uploads, ("RVTools_tabvInfo.csv", V_INFO)]
        ]
        await running.tell(DataImportRequested(tenant=tenant, flow_id=uuid7(), files=files))
        owners, machines = running.last(DataImportCompleted).tables
        assert [owners.file_name, machines.file_name] == ["owners.csv", "RVTools_tabvInfo.csv"]
        assert machines.import_id == files[2].import_id
        async with running.runtime.blobs.local(tenant, machines.rows) as path:
            rows = pl.read_parquet(path)
    assert machines.rows.media_type == PARQUET
    assert rows.select(ROW_NUMBER, JOINED_ROWS).rows() == [
        (2, "RVTools_tabvDisk.csv:2"),
        (3, "RVTools_tabvDisk.csv:3; RVTools_tabvDisk.csv:4"),
    ]

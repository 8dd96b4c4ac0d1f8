"""The unit of a column's bare numbers: from its name, its values, its neighbours or their range."""

from uuid import UUID

import pytest

from contracts.discovery import ColumnMapping, ColumnProfile, TableProfile
from contracts.envelope import BlobRef
from services.field_mapping.matching import propose

Columns = dict[str, list[str]]
SERVER: Columns = {"Hostname": ["srv-app-01", "srv-db-02"]}


def mapped(columns: Columns) -> dict[str, ColumnMapping]:
    table = TableProfile(
        table_id=UUID(int=1),
        import_id=UUID(int=2),
        file_name="export.csv",
        kind="inventory",
        header_row=1,
        row_count=20,
        columns=[
            ColumnProfile(name=name, filled=len(values), distinct=len(set(values)), samples=values)
            for name, values in columns.items()
        ],
        rows=BlobRef(key="k", sha256="0", size_bytes=1, media_type="application/vnd.apache.parquet"),
    )
    return {column.column: column for column in propose(table).columns}


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("RAM_GB", ["16"], "GB"),
        ("Memory (MB)", ["16384"], "MB"),
        ("MemoryGiB", ["16"], "GiB"),
        ("RAM", ["4096", "8192", "65536"], "MB"),
        ("RAM", ["8", "16", "64"], "GB"),
        ("TotalPhysicalMemory0", ["16625404", "8388148"], "KB"),
        ("maxmem", ["8589934592"], "bytes"),
        ("Memory", ["16 GB", "32 GB", "8"], "GB"),
        ("Disk space", ["420", "1200"], "GB"),
        ("Disk space", ["500", "480", "491520 MiB", "1,5 TB", "2048", "200"], "GB"),
        ("Disk space", ["512000", "80", "491520 MB", "204800"], "MB"),
        ("Disk space", ["512000", "81920"], "MB"),
        ("Disk space", ["1.2", "0.5"], "TB"),
        ("CPU speed", ["2993", "2400"], "MHz"),
        ("CPU speed", ["2.4", "3.0"], "GHz"),
        ("CPU speed", ["2.4 GHz", "2.6 GHz", "2400"], "MHz"),
        ("CPU speed", ["2400 MHz", "2.6"], "GHz"),
        ("RTO", ["4", "24"], "hours"),
        ("RPO (min)", ["15"], "minutes"),
        ("Serial number", ["X1"], None),
        ("CPU cores", ["4"], None),
    ],
)
def test_the_unit_of_bare_numbers_is_found(name: str, values: list[str], unit: str | None) -> None:
    assert mapped({**SERVER, name: values})[name].unit == unit


def test_an_empty_size_column_takes_the_unit_of_its_neighbours() -> None:
    columns = mapped({**SERVER, "Provisioned MiB": ["545092"], "Total disk capacity": []})
    assert columns["Total disk capacity"].unit == "MiB"


def test_the_reason_names_the_range_and_the_unit() -> None:
    reason = mapped({**SERVER, "RAM": ["4096", "65536"]})["RAM"].reason
    assert reason == "“RAM” says memory and the values 4,096 to 65,536 are typical of megabytes."


def test_the_values_of_a_host_sheet_may_be_terabytes_in_megabytes() -> None:
    hosts = {"Host": ["esx01"], "ESX Version": ["VMware ESXi 7"], "# VMs": ["9"], "# Memory": ["4194304", "3145728"]}
    assert mapped(hosts)["# Memory"].unit == "MB"
    assert mapped({**SERVER, "Memory": ["4194304", "8388608"]})["Memory"].unit == "KB"

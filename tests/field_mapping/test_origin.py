"""Every value of an asset can say which cell it comes from, by which rule, and why not from another."""

import pytest

from contracts.assets import FieldOrigin
from contracts.catalog import CATALOG
from services.field_mapping.normalise import SourceTable
from services.field_mapping.origin import origins
from services.field_mapping.reading_rules import written
from tests.field_mapping.source_tables import inventory_of, mapped, source_table

CMDB = source_table(
    {
        "Name": ["WEB01.corp.example", "db01"],
        "RAM MB": ["16384", "1.5 TB"],
        "Env": ["prd", "dev"],
        "In service": ["31.12.2019", "n/a"],
        "Disk": ["lots", "100"],
        "Spare disk": ["200", None],
        "Depends on": ["db01", None],
        "Site": ["  Oslo ", None],
    },
    [
        mapped("Name", "hostname"),
        mapped("RAM MB", "memory_gb", unit="MB"),
        mapped("Env", "environment"),
        mapped("In service", "install_date"),
        mapped("Disk", "storage_gb", confidence=0.95),
        mapped("Spare disk", "storage_gb"),
        mapped("Depends on", "dependencies"),
        mapped("Site", "location"),
    ],
    file_name="cmdb.csv",
)
AGENT = source_table(
    {
        "host": ["web01", "other"],
        "mem": ["15.6 GB", "1"],
        "sockets": ["2", "1"],
        "cores": ["4", "1"],
        "needs": ["mq01", None],
        "os": ["RHEL 8", None],
        "ip": ["10.0.0.1", None],
    },
    [
        mapped("host", "hostname"),
        mapped("mem", "memory_gb"),
        mapped("sockets", "cpu_sockets"),
        mapped("cores", "cores_per_socket"),
        mapped("needs", "dependencies"),
        mapped("os", "operating_system"),
        mapped("ip", "ip_address"),
    ],
    file_name="agent.xlsx",
    sheet="Hosts",
)
TABLES = [CMDB, AGENT]


def told(tables: list[SourceTable], number: int = 0) -> dict[str, FieldOrigin]:
    assets = inventory_of(tables).assets
    return {origin.field: origin for origin in origins(tables, assets["source_rows"][number])}


def test_every_value_of_an_asset_has_an_origin_and_every_origin_the_asset_s_value() -> None:
    for number, asset in enumerate(inventory_of(TABLES).assets.iter_rows(named=True)):
        origin = told(TABLES, number)
        for field, one in origin.items():
            assert written(asset[field]) == one.value
        filled = {field for field in CATALOG if asset[field] is not None}
        assert {field for field, one in origin.items() if one.value is not None} == filled


def test_a_conflict_shows_both_cells_and_why_one_was_chosen() -> None:
    memory = told(TABLES)["memory_gb"]
    assert (memory.value, memory.conflict) == ("16", True)
    assert [(c.file_name, c.sheet, c.row, c.column, c.raw, c.value, c.chosen) for c in memory.cells] == [
        ("cmdb.csv", None, 2, "RAM MB", "16384", "16", True),
        ("agent.xlsx", "Hosts", 2, "mem", "15.6 GB", "15.6", False),
    ]
    assert memory.cells[0].rule == "bare numbers of this column are MB, converted to 16 GB"
    assert memory.reason == "from the row with the most filled fields (9) among those that have it"


def test_what_could_not_be_read_is_told_raw_and_another_column_takes_its_place() -> None:
    storage = told(TABLES)["storage_gb"]
    assert storage.value == "200"
    assert [(cell.raw, cell.value, cell.rule, cell.chosen) for cell in storage.cells] == [
        ("lots", None, "not a number", False),
        ("200", "200", "as written", True),
    ]


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("environment", "'prd' is a spelling of 'Production'"),
        ("install_date", "read as the date 2019-12-31"),
        ("location", "without the blanks around it"),
        ("operating_system", "as written"),
    ],
)
def test_a_cell_tells_its_rule(field: str, rule: str) -> None:
    assert [cell.rule for cell in told(TABLES)[field].cells if cell.chosen] == [rule]


def test_a_unit_in_the_cell_is_told() -> None:
    memory = told(TABLES, 1)["memory_gb"]
    assert memory.cells[0].rule == "TB in the cell, converted to 1536 GB"


def test_lists_come_from_all_rows() -> None:
    dependencies = told(TABLES)["dependencies"]
    assert (dependencies.value, dependencies.conflict) == ("db01; mq01", False)
    assert all(cell.chosen for cell in dependencies.cells)


def test_what_no_cell_says_tells_what_it_was_computed_from() -> None:
    origin = told(TABLES)
    assert (origin["cpu_cores"].value, origin["cpu_cores"].reason) == ("8", "CPU sockets times cores per socket")
    assert (origin["domain"].value, origin["domain"].cells) == ("corp.example", [])
    assert origin["domain"].reason == "taken from the other names of the machine"
    assert (origin["hostname"].value, origin["hostname"].conflict) == ("web01", False)

"""From imported tables to one clean inventory."""

import json
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.claim_checks import APPLICATION_LIST, ASSETS, CONNECTIONS
from services.field_mapping.normalise import SourceTable
from tests.field_mapping.source_tables import Cells, WholeInventory, inventory_of, mapped, source_table


def inventory(*tables: SourceTable) -> WholeInventory:
    return inventory_of(tables)


def layout(frame: pl.DataFrame) -> dict[str, str]:
    return {name: "Datetime" if kind == pl.Datetime("us") else str(kind) for name, kind in frame.schema.items()}


def rows_of(frame: pl.DataFrame) -> list[str]:
    return sorted(row for rows in frame["source_rows"] for row in rows.split("; "))


SERVERS: dict[str, Cells] = {
    "hostname": ["WEB01", "db01.corp.example", "web01", "Total", None],
    "memory_gb": ["8 GB", "lots", "8", "16", "4"],
    "environment": ["prd", None, "Production", None, None],
    "operating_system": ["RHEL 7.9", "Windows Server 2019", None, None, None],
}


def test_frames_have_the_layout_of_the_claim_checks() -> None:
    for result in (inventory(source_table(SERVERS)), inventory()):
        assert layout(result.assets) == ASSETS
        assert list(result.assets.columns) == list(ASSETS)
        assert layout(result.applications) == APPLICATION_LIST
        assert layout(result.connections) == CONNECTIONS


def test_a_messy_table_becomes_clean_assets() -> None:
    result = inventory(source_table(SERVERS, sheet="Servers"))
    assert result.assets.select("name", "source_rows", "memory_gb", "environment").rows() == [
        ("web01", "export.csv/Servers:2; export.csv/Servers:4", 8.0, "Production"),
        ("db01", "export.csv/Servers:3", None, None),
    ]
    assert result.assets_by_environment == {"Production": 1, "Unknown": 1}
    assert result.assets_by_operating_system == {"Red Hat Enterprise Linux 7": 1, "Windows Server 2019": 1}
    assert (result.quality.rows_read, result.quality.duplicates_merged, result.quality.rows_rejected) == (5, 1, 2)


def test_rejected_rows_keep_their_place_reason_and_cells() -> None:
    result = inventory(source_table(SERVERS, sheet="Servers"))
    total, nameless = result.rejected_rows.to_dicts()
    assert (total["file_name"], total["sheet"], total["row"]) == ("export.csv", "Servers", 5)
    assert json.loads(total["raw"]) == {"hostname": "Total", "memory_gb": "16"}
    assert (nameless["row"], json.loads(nameless["raw"])) == (6, {"memory_gb": "4"})


def test_unreadable_cells_are_listed_with_their_place() -> None:
    (problem,) = inventory(source_table(SERVERS)).cell_problems.to_dicts()
    assert (problem["row"], problem["column"], problem["field"], problem["raw"]) == (
        3,
        "memory_gb",
        "memory_gb",
        "lots",
    )
    assert UUID(problem["table_id"])


def test_one_machine_of_two_files_is_one_asset() -> None:
    tools = source_table({"vm_name": ["Web01"], "memory_gb": ["8"], "cpu_cores": ["2"]}, file_name="rvtools.csv")
    cmdb = source_table({"hostname": ["web01.corp.example"], "business_owner": ["Ann"]}, file_name="cmdb.csv")
    (asset,) = inventory(tools, cmdb).assets.to_dicts()
    assert asset["source_rows"] == "rvtools.csv:2; cmdb.csv:2"
    assert (asset["name"], asset["cpu_cores"], asset["business_owner"]) == ("web01", 2, "Ann")


def test_applications_among_assets_go_to_the_applications() -> None:
    result = inventory(
        source_table(
            {"hostname": ["web01", "Payroll Engine", None], "asset_type": ["server", "Business Application", "app"]}
        )
    )
    assert result.assets["name"].to_list() == ["web01"]
    assert result.applications.select("application_name", "hostname", "source_rows").rows() == [
        ("Payroll Engine", None, "export.csv:3")
    ]
    assert result.rejected_rows["row"].to_list() == [4]
    assert result.quality.rows_read == 1


def test_an_application_list_is_merged_by_name() -> None:
    applications = source_table(
        {
            "application_name": ["Payroll", "PAYROLL ", "CRM", None],
            "dependencies": ["HR", "Ledger, HR", None, "x"],
            "criticality": [None, "1", "low", None],
        },
        kind="applications",
    )
    result = inventory(applications)
    assert result.applications.select("application_name", "dependencies", "criticality", "source_rows").rows() == [
        ("PAYROLL", "Ledger; HR", "critical", "export.csv:2; export.csv:3"),
        ("CRM", None, "low", "export.csv:4"),
    ]
    assert result.rejected_rows["row"].to_list() == [5]
    assert result.assets.is_empty()


def test_connections_are_counted_between_their_ends() -> None:
    connections = source_table(
        {
            "source": ["WEB01", "web01", "App.Corp.Example.", None, None, "a"],
            "target": ["DB01", "db01", None, None, "x", None],
            "target_ip": ["10.0.0.9", "10.0.0.9", "10.0.0.5", None, None, None],
            "target_application": [None, None, None, None, None, "Ledger"],
            "port": ["1433", "1433/tcp", "443", "1", "1", None],
            "protocol": ["TCP", "tcp", None, None, None, None],
            "observations": ["10", None, "3", "1", "1", None],
        },
        kind="connections",
    )
    result = inventory(connections)
    assert result.connections.rows() == [
        ("web01", "db01", 1433, "tcp", None, 11),
        ("app.corp.example", "10.0.0.5", 443, None, None, 3),
        ("a", "Ledger", None, None, None, 1),
    ]
    assert result.rejected_rows["row"].to_list() == [5, 6]
    assert "no source" in result.rejected_rows["reason"][1]


def test_a_table_without_any_mapped_column_is_rejected_row_by_row() -> None:
    result = inventory(source_table({"a": ["1", "2"]}, [mapped("a", None, status="unmapped")]))
    assert result.rejected_rows.height == 2
    assert result.quality.rows_rejected == 2


@pytest.mark.parametrize("kind", ["inventory", "applications", "connections"])
def test_an_empty_table_gives_an_empty_inventory(kind: str) -> None:
    fields = ("source", "target") if kind == "connections" else ("hostname", "application_name")
    result = inventory(source_table({field: [] for field in fields}, kind=kind))  # type: ignore[arg-type]  # one of the kinds
    assert result.assets.is_empty()
    assert result.rejected_rows.is_empty()


TEXT = st.sampled_from([None, "", "n/a", "a", "b", "Total", "hostname", "#REF!", "x y z w v", "0", "-1", "app"])
TABLES = st.lists(
    st.lists(
        st.fixed_dictionaries(
            {
                "hostname": st.sampled_from(
                    [None, "a", "A.corp.example", "b", "c", "10.0.0.1", "Total", "hostname", "a.x.example"]
                ),
                "uuid": st.sampled_from(
                    [None, "4210d9a1-6f3e-4b2c-9d55-0f7a3c1d2e11", "30393137-3136-5a43-4a30-3233304b3951", "0"]
                ),
                "serial_number": st.sampled_from([None, "CZJ0001", "none"]),
                "vm_name": TEXT,
                "asset_type": st.sampled_from([None, "server", "application", "odd"]),
                "memory_gb": TEXT,
                "install_date": TEXT,
            }
        ),
        min_size=1,
        max_size=8,
    ),
    min_size=1,
    max_size=3,
)


def tables_of(rows_of_tables: list[list[dict[str, str | None]]]) -> list[SourceTable]:
    return [
        source_table({name: [row[name] for row in rows] for name in sorted(rows[0])}, file_name=f"{number}.csv")
        for number, rows in enumerate(rows_of_tables)
    ]


@settings(deadline=None, max_examples=40)
@given(TABLES)
def test_no_row_vanishes(rows_of_tables: list[list[dict[str, str | None]]]) -> None:
    tables = tables_of(rows_of_tables)
    result = inventory(*tables)
    rejected = [f"{name}:{row}" for name, row in result.rejected_rows.select("file_name", "row").iter_rows()]
    kept = rows_of(result.assets) + rows_of(result.applications)
    read = [f"{table.profile.file_name}:{row}" for table in tables for row in table.frame.collect()["_row"]]
    assert sorted(kept + rejected) == sorted(read)
    quality = result.quality
    assert quality.rows_read == quality.assets + quality.duplicates_merged + quality.rows_rejected
    assert (
        sum(result.assets_by_environment.values()) == sum(result.assets_by_operating_system.values()) == quality.assets
    )
    assert result.assets["asset_uid"].is_unique().all()


@settings(deadline=None, max_examples=40)
@given(TABLES)
def test_importing_again_gives_the_same_inventory(rows_of_tables: list[list[dict[str, str | None]]]) -> None:
    one, two = (inventory(*tables_of(rows_of_tables)) for _ in range(2))
    assert one.assets.equals(two.assets)
    assert one.applications.equals(two.applications)
    assert one.quality == two.quality


@settings(deadline=None, max_examples=40)
@given(TABLES, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_the_uids(
    rows_of_tables: list[list[dict[str, str | None]]], shuffle: object
) -> None:
    before = inventory(*tables_of(rows_of_tables)).assets["asset_uid"]
    shuffled = [list(rows) for rows in rows_of_tables]
    for rows in shuffled:
        shuffle.shuffle(rows)  # type: ignore[attr-defined]  # a random.Random of Hypothesis
    assert set(inventory(*tables_of(shuffled)).assets["asset_uid"]) == set(before)

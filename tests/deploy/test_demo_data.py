import csv
import io
import json
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastexcel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.catalog import CATALOG
from contracts.claim_checks import CONNECTIONS
from deploy.demo import company, dirt, generate
from deploy.demo.dice import Dice
from deploy.demo.dirt import CLEAN, RATES, WRONG_TYPES, Dirt
from deploy.demo.estate import Asset
from deploy.demo.modelling import EstateModel

BUNDLED = Path(generate.__file__).parent / "export"
DIALECTS = ["cmdb", "servicenow", "rvtools"]

Export = dict[str, bytes]


@cache
def export(dialect: str, rows: int = 600, seed: int = 3, rates: dirt.Rates = RATES) -> tuple[Export, dict[str, Any]]:
    """The files of an export and the truth about it."""
    with TemporaryDirectory() as folder:
        truth = generate.generate(Path(folder), rows=rows, seed=seed, dialect=dialect, rates=rates)
        return {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}, truth


def read_csv(content: bytes, encoding: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline=""), delimiter=delimiter))


def read_sheet(content: bytes, sheet: str) -> list[list[str]]:
    table = fastexcel.read_excel(content).load_sheet(sheet, header_row=None, dtypes="string").to_polars()
    return [[cell or "" for cell in row] for row in table.rows()]


def inventory(dialect: str, **options: Any) -> tuple[list[str], list[dict[str, str]], list[list[str]]]:
    """Header, data rows and totals rows of an inventory, read as the truth says."""
    files, truth = export(dialect, **options)
    layout = truth["layout"]
    if dialect == "rvtools":
        rows = read_sheet(files[layout["file"]], "vInfo")
    else:
        rows = read_csv(files[layout["file"]], layout["encoding"], layout["delimiter"])
    header, body = rows[layout["header_row"] - 1], rows[layout["header_row"] :]
    end = len(body) - layout["totals_rows"]
    return header, [dict(zip(header, row, strict=True)) for row in body[:end]], body[end:]


def short_name(row: dict[str, str]) -> str:
    return next(row[key] for key in ("Server Name", "name", "VM") if key in row).strip().lower().split(".")[0]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_arguments_give_the_same_bytes(dialect: str) -> None:
    first, _ = export(dialect)
    second, _ = export.__wrapped__(dialect)
    assert first == second


def test_another_seed_gives_other_files() -> None:
    assert export("cmdb", seed=3)[0]["inventory.csv"] != export("cmdb", seed=4)[0]["inventory.csv"]


def test_a_workbook_carries_the_date_of_the_export_and_not_of_the_clock() -> None:
    with zipfile.ZipFile(io.BytesIO(export("rvtools")[0]["inventory.xlsx"])) as parts:
        assert company.TODAY.isoformat() in parts.read("docProps/core.xml").decode()
        assert {info.date_time[0] for info in parts.infolist()} == {1980}


def test_the_bundled_export_is_what_the_documented_command_writes() -> None:
    files, _ = export("cmdb", rows=1000, seed=7)
    assert {file.name: file.read_bytes() for file in sorted(BUNDLED.iterdir())} == files


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_inventory_has_exactly_the_rows_asked_for(dialect: str) -> None:
    _, rows, _ = inventory(dialect)
    assert len(rows) == 600 == export(dialect)[1]["inventory"]["rows"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_normalised_names_give_the_true_number_of_assets_and_duplicates(dialect: str) -> None:
    truth = export(dialect)[1]["inventory"]
    _, rows, _ = inventory(dialect)
    names = Counter(short_name(row) for row in rows)
    assert names.pop("") == truth["rows_without_name"] > 0
    assert len(names) == truth["distinct_assets"]
    assert names.total() - len(names) == truth["duplicate_rows"] > 0
    assert max(names.values()) == 2


def test_the_rows_of_a_duplicate_are_spelled_differently() -> None:
    _, rows, _ = inventory("cmdb")
    spellings: dict[str, list[str]] = {}
    for row in rows:
        spellings.setdefault(short_name(row), []).append(row["Server Name"])
    twins = [names for name, names in spellings.items() if name and len(names) == 2]
    assert twins
    assert all(len(set(names)) == 2 for names in twins)


def test_a_row_without_name_has_nothing_that_identifies_it() -> None:
    _, rows, _ = inventory("cmdb")
    nameless = [row for row in rows if not row["Server Name"]]
    assert all(row[column] == "" for row in nameless for column in ("CI Number", "FQDN", "IP Address", "Serial No."))
    assert all(row["Operating System"] for row in nameless)


def test_environments_and_decommissioned_machines_match_the_truth() -> None:
    truth = export("cmdb")[1]["inventory"]
    _, rows, _ = inventory("cmdb")
    assets = {short_name(row): row for row in rows if short_name(row)}
    spelled = {spelling: name for name, spellings in dirt.ENVIRONMENTS.items() for spelling in spellings}
    environments = Counter(str(spelled.get(row["Environment"], "unknown")) for row in assets.values())
    assert dict(environments) == truth["by_environment"]
    assert sum(row["Status"] in dirt.GONE for row in assets.values()) == truth["decommissioned"] > 0


def test_the_truth_names_values_that_can_be_read_from_the_rows() -> None:
    _, rows, _ = inventory("cmdb", rates=CLEAN)
    by_name = {row["Server Name"]: row for row in rows}
    reference = export("cmdb", rates=CLEAN)[1]["reference_assets"]
    assert len(reference) == 100
    for asset in reference:
        row = by_name[asset["name"]]
        assert (int(row["RAM"]), int(row["Disk (GB)"])) == (asset["memory_gb"], asset["storage_gb"])
        assert row["In Service Since"] == asset["install_date"]
        assert row["Application"] == (asset["application_name"] or "")


def test_an_export_without_dirt_has_neither_duplicates_nor_lost_cells() -> None:
    truth = export("cmdb", rates=CLEAN)[1]["inventory"]
    assert (truth["duplicate_rows"], truth["rows_without_name"], truth["lost_cells"]) == (0, 0, 0)
    assert truth["distinct_assets"] == 600


def test_a_cmdb_has_a_title_above_and_totals_below_and_empty_columns() -> None:
    header, rows, totals = inventory("cmdb")
    content = export("cmdb")[0]["inventory.csv"]
    assert content.startswith(b"CMDB export - Nordhafen Group")
    assert "München" in content.decode("cp1252")
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    cores = sum(int(row["CPU Cores"]) for row in rows if row["CPU Cores"].isdigit())
    assert [totals[0][0], totals[0][header.index("CPU Cores")]] == ["Total", str(cores)]
    assert {row[""] for row in rows} == {row["Reserve 1"] for row in rows} == {""}


def test_a_servicenow_export_is_utf8_with_a_byte_order_mark() -> None:
    content = export("servicenow")[0]["inventory.csv"]
    assert content.startswith(b"\xef\xbb\xbfname,sys_class_name,sys_id")


def test_a_workbook_has_a_merged_title_and_both_tabs() -> None:
    content = export("rvtools")[0]["inventory.xlsx"]
    assert fastexcel.read_excel(content).sheet_names == ["vInfo", "vHost"]
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert b"<mergeCell ref=" in parts.read("xl/worksheets/sheet1.xml")
    assert read_sheet(content, "vHost")[0][:3] == ["Host", "Datacenter", "Cluster"]


def test_hosts_carry_the_machines_that_stand_on_them() -> None:
    _, machines, _ = inventory("rvtools", rates=CLEAN)
    header, *hosts = read_sheet(export("rvtools", rates=CLEAN)[0]["inventory.xlsx"], "vHost")
    counted = {row[0]: int(float(row[header.index("# VMs")])) for row in hosts}
    assert counted == dict(Counter(machine["Host"] for machine in machines))


def test_sizes_dates_and_wrong_types_come_in_several_forms() -> None:
    _, rows, _ = inventory("cmdb")
    memory, days = [row["RAM"] for row in rows], [row["In Service Since"] for row in rows]
    assert all(any(text.endswith(unit) for text in memory) for unit in (" GB", "GiB", " MB"))
    assert any(text.isdigit() and int(text) > 1024 for text in memory)
    assert any("." in day for day in days)
    assert any("/" in day for day in days)
    assert any(day.isdigit() for day in days)
    assert any(row[column] in WRONG_TYPES for row in rows for column in ("CPU Cores", "RAM", "Disk Used (GB)"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_column_means_canonical_fields_or_nothing(dialect: str) -> None:
    files, truth = export(dialect)
    fields = {field for columns in truth["columns"].values() for column in columns for field in column["fields"]}
    assert fields <= CATALOG.keys() | CONNECTIONS.keys()
    assert json.loads(files["truth.json"]) == truth
    header, _, _ = inventory(dialect)
    table = "vInfo" if dialect == "rvtools" else "inventory.csv"
    assert [column["header"] for column in truth["columns"][table]] == header


def test_a_cmdb_has_columns_that_a_person_has_to_decide() -> None:
    columns = export("cmdb")[1]["columns"]["inventory.csv"]
    assert [column["header"] for column in columns if column["doubtful"]] == ["Owner", "Tier", "Database", "Size"]


def test_the_application_list_and_its_dependencies_match_the_truth() -> None:
    files, truth = export("cmdb")
    header, *rows = read_csv(files["applications.csv"], "utf-8-sig", ";")
    applications = {row[header.index("Application ID")]: row for row in rows}
    assert (len(rows), len(applications)) == (truth["applications"]["rows"], truth["applications"]["distinct"])
    named = [name for row in applications.values() for name in row[header.index("Dependencies")].split(", ") if name]
    assert len(named) == truth["applications"]["declared_dependencies"] > 0
    assert set(named) <= {row[header.index("Application Name")].strip() for row in rows}


def test_connections_add_up_and_end_at_assets_of_the_inventory() -> None:
    files, truth = export("cmdb")
    header, *rows = read_csv(files["connections.csv"], "utf-8", ",")
    seen = [dict(zip(header, row, strict=True)) for row in rows]
    assert len(seen) == truth["connections"]["rows"]
    assert sum(int(row["Connection count"]) for row in seen) == truth["connections"]["observations"]
    addresses = {row["IP Address"] for row in inventory("cmdb")[1]}
    inside = {row["Destination IP"] for row in seen if not row["Destination IP"].startswith("203.0.113.")}
    assert {row["Source IP"] for row in seen} | inside <= addresses


def test_move_groups_are_tied_by_traffic() -> None:
    files, truth = export("cmdb", rates=CLEAN)
    header, *rows = read_csv(files["connections.csv"], "utf-8", ",")
    source, target = header.index("Source application"), header.index("Destination application")
    pairs = {frozenset((row[source], row[target])) for row in rows}
    ties = [frozenset(pair) for group in truth["move_groups"] for pair in pairwise(group)]
    assert ties
    # Applications that are retired or cut off by the number of rows have no traffic left.
    assert sum(tie in pairs for tie in ties) >= 0.8 * len(ties)


@pytest.mark.parametrize("rows", [250, 1000, 4000])
def test_the_shape_stays_when_the_rows_grow(rows: int) -> None:
    truth = export("cmdb", rows=rows, seed=7)[1]
    assert 8 <= rows / truth["applications"]["distinct"] <= 12
    assert 1.2 <= truth["connections"]["links"] / rows <= 3
    assert 0.02 <= truth["inventory"]["by_kind"]["hypervisor"] / rows <= 0.08
    assert 0.2 <= truth["inventory"]["out_of_support"] / rows <= 0.45


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), assets=st.integers(250, 3000))
def test_every_asset_of_an_estate_has_a_name_and_an_address_of_its_own(seed: int, assets: int) -> None:
    estate: list[Asset] = []
    for block in EstateModel(seed, expected_assets=assets, decommissioned=0.05).blocks():
        estate += block.assets
        if len(estate) >= assets:
            break
    assert len({asset.name for asset in estate}) == len({asset.ip for asset in estate}) == len(estate)
    hosts = {asset.fqdn for asset in estate if asset.kind == "hypervisor"}
    assert {asset.host for asset in estate if asset.kind == "virtual"} == hosts
    assert all(asset.used_gb <= asset.storage_gb and asset.memory_gb <= 1024 for asset in estate)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), keep=st.integers(0, 80))
def test_a_cut_block_keeps_no_connection_to_what_was_cut(seed: int, keep: int) -> None:
    blocks = EstateModel(seed, expected_assets=1000, decommissioned=0.05).blocks()
    shared, business = next(blocks), next(blocks)
    cut = business.cut(keep)
    left = {asset.number for asset in (*shared.assets, *cut.assets)}
    assert cut.assets == business.assets[:keep]
    for connection in cut.connections:
        ends = (connection.source, connection.target)
        assert {end.number for end in ends if isinstance(end, Asset)} <= left


@given(gigabytes=st.sampled_from([2, 4, 16, 64, 256, 768, 1024]), seed=st.integers(0, 500))
def test_memory_can_be_read_back_whatever_its_unit(gigabytes: int, seed: int) -> None:
    text = str(Dirt(Dice(seed), replace(RATES, wrong_type=0)).memory(gigabytes))
    number = float(text.rstrip("TGMiB ").replace(",", "."))
    factor = {"T": 1024, "G": 1, "M": 1 / 1024}.get(text.lstrip("0123456789, ")[:1], 1 if number <= 1024 else 1 / 1024)
    assert number * factor == gigabytes


@given(day=st.dates(date(2005, 1, 1), company.TODAY), seed=st.integers(0, 200))
def test_dates_are_either_as_they_are_or_lost_and_counted(day: date, seed: int) -> None:
    writer = Dirt(Dice(seed), RATES)
    text = writer.day(day)
    assert (text in WRONG_TYPES) == (writer.lost_cells == 1)
    assert text in WRONG_TYPES or text.isdigit() or str(day.year) in text

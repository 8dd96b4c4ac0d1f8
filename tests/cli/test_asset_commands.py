"""Origins, changes, splits and duplicates, against a platform that runs all services."""

import re
from pathlib import Path

from tests.cli.conftest import RunningPlatform

HEADER = "Hostname,IP Address,RAM (MB),CPU Cores,Operating System,Environment\n"
FIRST = (
    "web01,10.0.0.1,16384,4,RHEL 8,prd\nweb01,10.0.0.2,32768,8,RHEL 8,prd\n"
    "db01,10.0.0.3,65536,16,RHEL 9,prd\napp01,10.0.0.4,8192,2,RHEL 9,tst\n"
)
SECOND = FIRST.replace("65536", "131072").replace("app01,10.0.0.4", "app02,10.0.0.5")


def imported(platform: RunningPlatform, folder: Path, name: str, rows: str) -> str:
    """The discovery of an export of this name with these rows."""
    file = folder / f"{name}.csv"
    file.write_text(HEADER + rows, encoding="utf-8")
    [flow] = platform.json("import", file, "--then", "none", "--watch")["flows"]
    if flow["status"] == "waiting":
        platform.json("flows", "approve", flow["flow_id"])
    return str(flow["flow_id"])


def test_a_value_tells_its_cell_and_its_rule(platform: RunningPlatform, tmp_path: Path) -> None:
    imported(platform, tmp_path, "cmdb", FIRST)
    shown = platform.modernize("assets", "origin", "db01", "--field", "memory_gb").stdout
    assert "memory_gb 64 (from the only row)" in shown
    assert "→ cmdb.csv:4 'RAM (MB)': '65536', bare numbers of this column are MB, converted to 64 GB" in shown
    fields = platform.json("assets", "origin", "web01")["fields"]
    assert [field["field"] for field in fields if field["conflict"]] == ["ip_address", "cpu_cores", "memory_gb"]
    missing = platform.modernize("assets", "origin", "nobody")
    assert missing.exit_code == 1
    assert "No asset is called nobody" in missing.stderr


def test_an_import_says_what_it_changed_and_a_split_holds_in_it(platform: RunningPlatform, tmp_path: Path) -> None:
    # Machines of this test alone: the others have the platform, too.
    first, second = (re.sub(r"(web|db|app)0", r"\1site", rows) for rows in (FIRST, SECOND))
    flow_id = imported(platform, tmp_path, "sites", first)
    platform.json("assets", "split", "website1", "sites.csv:3", "--flow", flow_id)
    assert (
        "Nothing changed" in platform.modernize("assets", "changes", "--flow", flow_id, "--change", "vanished").stdout
    )
    again = imported(platform, tmp_path, "sites", second)
    changes = platform.json("assets", "changes", "--flow", again)["changes"]
    assert sorted((one["name"], one["change"], one["field"], one["after"]) for one in changes) == [
        ("appsite1", "vanished", None, None),
        ("appsite2", "appeared", None, None),
        ("dbsite1", "changed", "memory_gb", "128.0"),
    ]
    assert "no pair" in platform.modernize("assets", "duplicates", "--flow", again).stdout


def test_quality_tells_what_the_inventory_is_ready_for_and_the_rows_behind_a_figure(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    flow_id = imported(platform, tmp_path, "measured", FIRST.replace("8192", "lots"))
    told = platform.json("quality", "--flow", flow_id, "--measure", "validity")
    assert {phase["phase"]: phase["ready"] for phase in told["readiness"]} == {"assessment": False, "planning": False}
    [memory] = [figure for figure in told["figures"] if figure["of"] == "memory_gb"]
    assert (memory["good"], memory["total"], memory["source"]) == (3, 4, "measured.csv")
    [failure] = told["failures"]
    assert (failure["source_rows"], failure["value"]) == ("measured.csv:5", "lots")
    [lacking] = platform.json("assets", "list", "--missing", "memory_gb", "--flow", flow_id)["assets"]
    assert (lacking["name"], lacking["memory_gb"]) == ("app01", None)
    shown = platform.modernize("assets", "list", "--missing", "storage_gb", "--flow", flow_id, "--limit", "2").stdout
    assert "measured.csv" in shown
    assert "There are more than these 2" in shown
    shown = platform.modernize("quality", "--flow", flow_id).stdout
    assert f"assets list --missing FIELD --flow {flow_id}" in shown
    assert "! planning: not ready" in shown
    assert "completeness of Storage is 0% and should be 70% (3 of 3 are without)." in shown

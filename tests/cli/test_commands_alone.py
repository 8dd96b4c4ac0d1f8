"""Commands without a platform: help, bad usage, the server away, and `map`."""

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app

run = CliRunner().invoke

NOBODY = "http://127.0.0.1:9"
FLOW = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    "command",
    ["demo", "up", "import", "map", "catalog", "technology", "service", "migrate", "flows list", "flows show",
     "flows watch",
     "flows approve", "flows find", "flows create", "flows start", "flows pause", "flows resume", "flows cancel",
     "flows retry", "flows skip", "flows migrate", "flows delete", "flows fork", "flows repair", "dead-letters list",
     "dead-letters show", "dead-letters replay", "dead-letters drop", "audit verify"],
)  # fmt: skip
def test_every_command_has_help_and_json(command: str) -> None:
    shown = run(app, [*command.split(), "--help"], env={"COLUMNS": "150"})
    assert shown.exit_code == 0
    assert "--json" in shown.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["flows", "list"],
        ["flows", "show", FLOW],
        ["flows", "watch", FLOW],
        ["flows", "approve", FLOW],
        ["flows", "find", "web01"],
        ["flows", "create", "modernization", "--repository", "https://example.com/x.git"],
        ["flows", "pause", FLOW],
        ["flows", "delete", FLOW, "--yes"],
        ["flows", "fork", FLOW, "--at", "3"],
        ["flows", "repair"],
        ["dead-letters", "list"],
        ["dead-letters", "show", FLOW],
        ["dead-letters", "replay", FLOW],
        ["dead-letters", "drop", FLOW],
        ["audit", "verify"],
    ],
)
def test_a_platform_that_is_away_is_told_with_what_to_do(arguments: list[str]) -> None:
    failed = run(app, [*arguments, "--url", NOBODY, "--api-key", "k", "--json"])
    assert failed.exit_code == 1
    problem = json.loads(failed.stderr)["problem"]
    assert problem["code"] == "no_gateway"
    assert problem["detail"].startswith(f"Nothing answers on {NOBODY}: start the platform with `./justw up`")


def test_an_import_to_a_platform_that_is_away_fails(inventory: Path) -> None:
    failed = run(app, ["import", str(inventory), "--url", NOBODY, "--api-key", "k"])
    assert failed.exit_code == 1
    assert "Nothing answers" in failed.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://host:port"])
def test_what_is_no_address_is_told(url: str) -> None:
    failed = run(app, ["flows", "list", "--url", url, "--api-key", "k"])
    assert failed.exit_code == 1
    assert "is not an address" in " ".join(failed.stderr.split())


def test_without_a_key_it_says_where_one_comes_from() -> None:
    failed = run(app, ["flows", "list"])
    assert failed.exit_code == 1
    assert "./justw up" in failed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["import"],
        ["import", "no-such-file.csv"],
        ["map", "no-such-file.csv"],
        ["demo", "no-such-file.csv"],
        ["up", "sideways"],
        ["service", "billing"],
        ["flows", "show", "not-an-id"],
        ["flows", "list", "--status", "asleep"],
        ["flows", "approve", FLOW, "--reject", "--edit", "a=b"],
        ["flows", "fork", FLOW],
        ["flows", "delete", FLOW, "--json"],
        ["flows", "create", "magic"],
        ["flows", "create", "discovery"],
        ["flows", "create", "planning", "--import", FLOW],
        ["nonsense"],
    ],
)
def test_bad_usage_is_exit_code_2(arguments: list[str]) -> None:
    given = [*arguments, *(["--api-key", "k"] if arguments[0] == "flows" else [])]
    assert run(app, given).exit_code == 2


@pytest.mark.parametrize("name", ["gateway", "audit"])
def test_a_service_alone_says_which_setting_it_lacks(name: str) -> None:
    failed = run(app, ["service", name])
    assert failed.exit_code == 1
    assert "MODERNIZE_DATABASE_URL is not set" in failed.stderr


def test_migrate_without_a_database_says_so() -> None:
    failed = run(app, ["migrate"])
    assert failed.exit_code == 1
    assert "There is no database to migrate" in failed.stderr


def test_a_setting_that_is_wrong_is_named() -> None:
    failed = run(app, ["service", "audit"], env={"MODERNIZE_PORT": "99999"})
    assert failed.exit_code == 1
    assert "MODERNIZE_PORT cannot be used" in failed.stderr


def test_map_proposes_a_field_for_every_column(inventory: Path) -> None:
    mapped = run(app, ["map", str(inventory), "--json"])
    assert mapped.exit_code == 0
    columns = json.loads(mapped.stdout)["columns"]
    keys = {"column", "field", "confidence", "accepted", "unit", "reason", "alternatives"}
    assert all(column.keys() == keys for column in columns)
    found = {column["column"]: (column["field"], column["accepted"], column["unit"]) for column in columns}
    assert found["Server Name"] == ("hostname", True, None)
    assert found["RAM (GB)"] == ("memory_gb", True, "GB")
    assert len(found) == 10


def test_map_accepts_what_nobody_would_be_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "servers.csv"
    path.write_text(
        "Hostname,Hosting Type,Tier,Network number,Xyzzy\nsrv1,SaaS,1,,plugh\nsrv2,On premise,2,N/A,plover\n"
    )
    columns = json.loads(run(app, ["map", str(path), "--json"]).stdout)["columns"]
    asked = {column["column"]: not column["accepted"] for column in columns}
    assert asked == {"Hostname": False, "Hosting Type": True, "Tier": True, "Network number": False, "Xyzzy": False}
    assert next(column for column in columns if column["column"] == "Hosting Type")["field"] is None
    assert "2 to review" in run(app, ["map", str(path)]).stdout


def test_map_shows_people_a_table(inventory: Path) -> None:
    mapped = run(app, ["map", str(inventory)])
    assert mapped.exit_code == 0
    assert "hostname" in mapped.stdout
    assert "10 columns" in mapped.stdout


def test_map_reads_every_table_of_an_archive(tmp_path: Path, inventory: Path) -> None:
    path = tmp_path / "estate.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inventory, "servers.csv")
        archive.writestr("apps.json", '[{"application": {"name": "Payroll"}, "Business Owner": "Ann"}]')
    mapped = run(app, ["map", str(path), "--json"])
    assert mapped.exit_code == 0
    columns = json.loads(mapped.stdout)["columns"]
    assert list(dict.fromkeys(column["table"] for column in columns)) == [
        "estate.zip/servers.csv",
        "estate.zip/apps.json",
    ]
    assert [column["column"] for column in columns[-2:]] == ["application.name", "Business Owner"]


def test_map_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "picture.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    failed = run(app, ["map", str(path), "--json"])
    assert failed.exit_code == 1
    assert json.loads(failed.stderr)["problem"]["file_name"] == "picture.csv"


def test_catalog_lists_what_columns_can_mean_and_what_it_is_recognised_by() -> None:
    listed = run(app, ["catalog", "--json"])
    assert listed.exit_code == 0
    fields = {field["id"]: field for field in json.loads(listed.stdout)["fields"]}
    assert len(fields) == 69
    memory = fields["memory_gb"]
    assert (memory["unit"], memory["importance"], memory["value_kinds"]) == ("GB", "required", ["size"])
    assert "total memory" in memory["synonyms"]
    assert "vm" in memory["asset_types"]
    assert "memory_gb" in run(app, ["catalog"]).stdout


def test_technology_names_product_and_release_or_refuses() -> None:
    found = run(app, ["technology", "Win srv 2k12 R2 std", "Payroll", "--json"])
    assert found.exit_code == 0
    server, payroll = json.loads(found.stdout)["technologies"]
    assert (server["product"], server["release"]) == ("Windows Server", "2012 R2")
    assert payroll == {"text": "Payroll", "product": None}


def test_technology_tells_people_why() -> None:
    found = run(app, ["technology", "ORACLE 11g RAC", "Payroll"])
    assert found.exit_code == 0
    assert "Oracle Database 11g (database by Oracle" in found.stdout
    assert '"Payroll" names no technology' in found.stdout

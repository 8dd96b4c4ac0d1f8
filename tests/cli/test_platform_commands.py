"""Commands against a platform that really runs."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import INVENTORY, RunningPlatform, modernize


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and writes nothing where the command under test does."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def planned(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Ids of the flows of a small import that was approved to its end."""
    path = tmp_path_factory.mktemp("files") / "inventory.csv"
    path.write_text(INVENTORY, encoding="utf-8")
    done = platform.json("import", path, "--watch")
    discovery = done["flows"][0]["flow_id"]
    while not platform.json("flows", "show", done["flows"][-1]["flow_id"])["report_formats"]:
        platform.json("flows", "approve", done["flows"][-1]["flow_id"], "--comment", "It is a test.")
        done = platform.json("flows", "watch", discovery)
    return [flow["flow_id"] for flow in done["flows"]]


def test_an_import_that_is_watched_and_approved_ends_with_a_report(
    platform: RunningPlatform, planned: list[str]
) -> None:
    flows = platform.json("flows", "watch", planned[0])["flows"]
    assert [(flow["flow_type"], flow["status"]) for flow in flows] == [
        ("discovery", "completed"),
        ("assessment", "completed"),
        ("planning", "completed"),
    ]
    assert flows[-1]["report_formats"] == ["html", "json", "xlsx"]


def test_flows_are_listed_by_type_and_status(platform: RunningPlatform, planned: list[str]) -> None:
    listed = platform.json("flows", "list", "--type", "planning", "--status", "completed")["flows"]
    assert planned[2] in [flow["flow_id"] for flow in listed]
    assert {flow["flow_type"] for flow in listed} == {"planning"}


def test_a_flow_is_shown_with_its_phases(platform: RunningPlatform, planned: list[str]) -> None:
    shown = platform.modernize("flows", "show", planned[0])
    assert shown.exit_code == 0
    for words in ("Discovery", "completed", "data import", "field mapping", "5 assets", planned[1]):
        assert words in shown.stdout


def test_an_ended_flow_asks_nothing(platform: RunningPlatform, planned: list[str]) -> None:
    refused = platform.modernize("flows", "approve", planned[0])
    assert refused.exit_code == 1
    assert "asks nothing now: it is completed" in refused.stderr


def test_a_wave_plan_is_shown_and_rejected_but_not_edited(platform: RunningPlatform, inventory: Path) -> None:
    inventory.write_text(inventory.read_text().replace("Tier", "DR Tier"), encoding="utf-8")
    planning = platform.json("import", inventory, "--watch")["flows"][-1]["flow_id"]
    shown = platform.modernize("flows", "approve", planning, "--show")
    assert "Pilot" in shown.stderr
    edited = platform.modernize("flows", "approve", planning, "--edit", "DR Tier=criticality")
    assert edited.exit_code == 2
    assert "the flow asks for the wave plan" in edited.stderr
    rejected = platform.json("flows", "approve", planning, "--reject", "--comment", "Not in December.")["approvals"]
    assert [(each["status"], each["comment"]) for each in rejected] == [("rejected", "Not in December.")]
    watched = platform.modernize("flows", "watch", planning)
    assert watched.exit_code == 1
    assert "was cancelled" in watched.stderr


def test_a_doubtful_column_is_corrected(platform: RunningPlatform, inventory: Path) -> None:
    # Of another column than the other tests decide on: what was decided once is not asked again.
    text = inventory.read_text().replace("Tier", "Owner")
    for tier, person in {"Gold": "Ada Byron", "Silver": "Alan Mathison", "Bronze": "Grace Brewster"}.items():
        text = text.replace(tier, person)
    inventory.write_text(text, encoding="utf-8")
    waiting = platform.json("import", inventory, "--watch", "--then", "none")["flows"]
    assert [flow["status"] for flow in waiting] == ["waiting"]
    flow_id = waiting[0]["flow_id"]
    unknown = platform.modernize("flows", "approve", flow_id, "--edit", "Onwer=technical_owner")
    assert unknown.exit_code == 2
    assert "Did you mean Owner?" in unknown.stderr
    approved = platform.modernize("flows", "approve", flow_id, "--edit", "Owner=technical_owner")
    assert approved.exit_code == 0, approved.stderr
    assert "Approved with 1 changed" in approved.stdout
    assert platform.modernize("flows", "watch", flow_id).exit_code == 0


def test_a_file_that_cannot_be_read_ends_the_watch_with_the_reason(platform: RunningPlatform, tmp_path: Path) -> None:
    path = tmp_path / "header-only.csv"
    path.write_text("Server Name;Environment\n", encoding="utf-8")
    failed = platform.modernize("import", path, "--watch")
    assert failed.exit_code == 1
    assert "The discovery failed" in failed.stderr
    assert "header-only.csv" in failed.stderr


def test_an_empty_file_is_refused_at_the_door(platform: RunningPlatform, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    refused = platform.modernize("import", path, "--json")
    assert refused.exit_code == 1
    assert '"code": "empty_file"' in refused.stderr


def test_an_unknown_flow_is_a_problem_with_its_code(platform: RunningPlatform) -> None:
    missing = platform.modernize("flows", "show", "00000000-0000-0000-0000-000000000001", "--json")
    assert missing.exit_code == 1
    assert '"code": "flow_not_found"' in missing.stderr


def test_a_wrong_key_is_refused(platform: RunningPlatform) -> None:
    refused = platform.modernize("flows", "list", "--api-key", "wrong")
    assert refused.exit_code == 1
    assert "Send a valid API key" in refused.stderr


def test_an_unknown_tenant_is_refused(platform: RunningPlatform) -> None:
    tenant = ("--client-account", "00000000-0000-0000-0000-000000000001")
    refused = platform.modernize("flows", "list", *tenant, "--engagement", "00000000-0000-0000-0000-000000000002")
    assert refused.exit_code == 1
    assert "no such engagement" in refused.stderr


def test_half_a_tenant_is_bad_usage(platform: RunningPlatform) -> None:
    half = platform.modernize("flows", "list", "--engagement", "00000000-0000-0000-0000-000000000001")
    assert half.exit_code == 2
    assert "--client-account, too" in half.stderr


def test_the_audit_log_of_what_was_done_is_intact(platform: RunningPlatform, planned: list[str]) -> None:
    verified = platform.json("audit", "verify")
    assert verified["valid"] is True
    assert verified["entries"] > 10


@pytest.mark.parametrize("more", [[], ["--platform"]])
def test_nothing_was_dead_lettered(platform: RunningPlatform, planned: list[str], more: list[str]) -> None:
    assert platform.json("dead-letters", "list", *more) == {"dead_letters": []}


@pytest.mark.parametrize("action", ["show", "replay", "drop"])
def test_a_dead_letter_that_does_not_exist_cannot_be_handled(platform: RunningPlatform, action: str) -> None:
    missing = platform.modernize("dead-letters", action, "00000000-0000-0000-0000-000000000001")
    assert missing.exit_code == 1
    assert "There is no dead letter" in missing.stderr


def test_a_second_platform_on_the_same_data_is_refused(platform: RunningPlatform) -> None:
    second = modernize(["up"], platform.folder, MODERNIZE_PORT="0")
    assert second.exit_code == 1
    assert "Another platform already runs" in second.stderr


def test_a_port_that_is_taken_is_told_before_anything_starts(platform: RunningPlatform, tmp_path: Path) -> None:
    taken = modernize(["up"], tmp_path, MODERNIZE_PORT=platform.url.rpartition(":")[2])
    assert taken.exit_code == 1
    assert "choose another with MODERNIZE_PORT" in " ".join(taken.stderr.split())
    assert not (tmp_path / "postgres").exists()


def test_a_file_is_imported_from_the_web_beside_one_of_this_machine(platform: RunningPlatform, inventory: Path) -> None:
    folder = inventory.parent / "served"
    folder.mkdir()
    (folder / "more servers.csv").write_text(INVENTORY.replace("alpha", "delta"), encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    with server, ThreadPoolExecutor() as threads:
        threads.submit(server.serve_forever, 0.05)
        try:
            address = f"http://127.0.0.1:{server.server_port}/more%20servers.csv"
            done = platform.json("import", address, inventory, "--then", "none")
            missing = platform.modernize("import", f"{address}.gone", "--json")
        finally:
            server.shutdown()
    assert [each["file_name"] for each in done["imports"]] == ["more servers.csv", "inventory.csv"]
    assert (missing.exit_code, json.loads(missing.stderr)["problem"]["code"]) == (1, "no_file")
    inner = platform.modernize("import", "https://169.254.169.254/latest.csv", "--json")
    assert json.loads(inner.stderr)["problem"]["code"] == "address_not_allowed"

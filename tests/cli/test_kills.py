"""SIGKILL in the middle of the work: what was begun goes on, and ends with the same result."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from services.cli.demo_command import bundled_files
from tests.cli.conftest import announcement, environment, modernize, started

DEMO = [sys.executable, "-m", "services.cli", "demo", "--out", "report"]
VARYING = {"generated_at", "table_id"}


def without_ids_and_times(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: without_ids_and_times(value) for name, value in document.items() if name not in VARYING}
    if isinstance(document, list):
        return [without_ids_and_times(value) for value in document]
    return document


def demo(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the demo to its end."""
    return subprocess.run(DEMO, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)


def wait_until(condition: "Any", process: "subprocess.Popen[str]") -> None:
    """Until it is so, or the process ended."""
    while not condition() and process.poll() is None:
        time.sleep(0.002)


@pytest.mark.timeout(180)
def test_a_demo_that_is_killed_in_its_import_goes_on_and_ends_with_the_same_report(tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for folder in (undisturbed, killed):
        folder.mkdir()

    whole = demo(undisturbed)
    assert whole.returncode == 0, whole.stderr
    assert "The demo answers for that person" in whole.stderr
    for words in ("Environment", "Data quality", "How the columns were understood", "Treatment", "Wave", "Done in"):
        assert words in whole.stdout
    assert {path.name for path in (undisturbed / "report").iterdir()} == {
        f"migration-plan.{name}" for name in ("html", "xlsx", "json")
    }

    state = killed / "demo" / "demo.json"
    process = subprocess.Popen(
        DEMO, cwd=killed, env=environment(killed), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: state.exists() and json.loads(state.read_bytes())["flow_id"], process)
    process.kill()
    _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    assert not (killed / "report").exists()

    again = demo(killed)
    assert again.returncode == 0, again.stderr
    assert "It goes on where it stopped" in again.stderr
    assert "Uploaded" not in again.stderr
    reports = [json.loads((folder / "report" / "migration-plan.json").read_bytes()) for folder in (undisturbed, killed)]
    assert without_ids_and_times(reports[0]) == without_ids_and_times(reports[1])


@pytest.mark.timeout(180)
async def test_a_service_that_is_killed_is_started_again_and_the_flow_ends(
    database: str, rabbitmq_url: str, bus_prefix: str, tmp_path: Path
) -> None:
    settings = {
        "MODERNIZE_DATABASE_URL": database,
        "MODERNIZE_RABBITMQ_URL": rabbitmq_url,
        "MODERNIZE_BUS_PREFIX": bus_prefix,
        "MODERNIZE_LEASE_SECONDS": "2",
        "MODERNIZE_PORT": "0",
    }
    files = bundled_files()
    with started(["up", "distributed", "--json"], tmp_path, **settings) as process:
        platform = announcement(process, tmp_path)

        def run(*arguments: str | Path) -> Any:
            done = modernize([*arguments, "--json"], tmp_path, MODERNIZE_URL=platform["url"])
            assert done.exit_code == 0, done.stderr
            return json.loads(done.stdout)

        flow_id = run("import", *files)["flows"][0]["flow_id"]
        os.kill(platform["processes"]["field_mapping"], signal.SIGKILL)
        flows = run("flows", "watch", flow_id)["flows"]
        while flows[-1]["status"] != "completed" or flows[-1]["flow_type"] != "planning":
            run("flows", "approve", flows[-1]["flow_id"])
            flows = run("flows", "watch", flow_id)["flows"]
        assert [flow["status"] for flow in flows] == ["completed"] * 3
    assert "field_mapping ended after" in (tmp_path / "stderr.txt").read_text()
    assert process.returncode == 0

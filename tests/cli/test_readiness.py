"""A phase whose data is not ready, as people meet it at the terminal."""

from pathlib import Path

from tests.cli.conftest import RunningPlatform

ROWS = """Hostname,IP Address,RAM (GB),CPU Cores,Operating System,Environment,Application
north01,10.7.0.1,16,4,RHEL 8,Production,Ledger
north02,10.7.0.2,32,8,,Production,Ledger
north03,10.7.0.3,64,16,,Test,Shop
"""


def test_a_phase_whose_data_is_not_ready_waits_until_somebody_says_why_it_may_go_on(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    file = tmp_path / "north.csv"
    file.write_text(ROWS, encoding="utf-8")
    [waiting] = platform.json("import", file, "--watch", "--then", "assessment")["flows"]
    flow_id = waiting["flow_id"]
    assert (waiting["status"], waiting["current_phase"]) == ("waiting", "inventory")

    shown = platform.modernize("flows", "approve", flow_id, "--show").stderr
    assert "Assessment is not ready" in shown
    assert "Completeness of Operating system is 33% of 80% needed: 2 of 3 are without." in " ".join(shown.split())
    assert f"assets list --missing operating_system --flow {flow_id}" in " ".join(shown.split())
    lacking = platform.json("assets", "list", "--missing", "operating_system", "--flow", flow_id)["assets"]
    assert sorted(asset["name"] for asset in lacking) == ["north02", "north03"]

    refused = platform.modernize("flows", "approve", flow_id)
    assert refused.exit_code == 1
    assert "say why" in refused.stderr
    [approved] = platform.json("flows", "approve", flow_id, "--comment", "A pilot of one rack.")["approvals"]
    [low] = approved["details"]["phases"][0]["failures"]
    assert low["listed"] == f"/api/v1/assets?flow_id={flow_id}&missing=operating_system"
    flows = platform.json("flows", "watch", flow_id)["flows"]
    assert [(flow["flow_type"], flow["status"]) for flow in flows] == [
        ("discovery", "completed"),
        ("assessment", "completed"),
    ]
    notes = [entry["note"] for entry in platform.json("flows", "show", flow_id, "--timeline")["timeline"]]
    assert "inventory approved: A pilot of one rack." in notes


def test_an_engagement_changes_what_its_phases_need_and_retries(platform: RunningPlatform, tmp_path: Path) -> None:
    file = tmp_path / "south.csv"
    file.write_text(ROWS.replace("north", "south"), encoding="utf-8")
    [waiting] = platform.json("import", file, "--watch", "--then", "assessment")["flows"]
    assert waiting["current_phase"] == "inventory"
    thresholds = '{"assessment": {"operating_system": 0.3}}'
    platform.json("config", "set", "readiness_thresholds", thresholds, "--reason", "a lab without an agent")
    try:
        [assessment, *_] = platform.json("readiness")["phases"]
        [need] = [need for need in assessment["needs"] if need["figure"] == "operating_system"]
        assert (need["share"], need["by_default"]) == (0.3, 0.8)
        platform.json("flows", "retry", waiting["flow_id"])
        flows = platform.json("flows", "watch", waiting["flow_id"])["flows"]
        assert [flow["status"] for flow in flows] == ["completed", "completed"]
    finally:
        platform.json("config", "unset", "readiness_thresholds", "--reason", "the test is over")
    refused = platform.modernize(
        "config", "set", "readiness_thresholds", '{"planning": {"ram": 1}}', "--reason", "a mistake"
    )
    assert "'ram' is neither a canonical field" in refused.stderr

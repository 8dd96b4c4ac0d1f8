"""`modernize flows create|start|pause|…` against a platform that really runs, as a person would use them."""

from typing import Any

import pytest

from services.cli.flow_create_command import start_of
from services.cli.terminal import CommandFailed
from tests.cli.conftest import INVENTORY, RunningPlatform


@pytest.fixture(scope="module")
def import_id(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An uploaded file whose column `Tier` is doubtful, and a discovery of it that waits for a person."""
    path = tmp_path_factory.mktemp("files") / "estate-of-2026.csv"
    path.write_text(INVENTORY, encoding="utf-8")
    done = platform.json("import", path, "--watch", "--then", "none")
    return str(done["imports"][0]["import_id"])


def created(platform: RunningPlatform, import_id: str, *more: str) -> dict[str, Any]:
    flow: dict[str, Any]
    (flow,) = platform.json("flows", "create", "discovery", "--import", import_id, "--then", "none", *more)["flows"]
    return flow


def test_a_flow_is_held_started_paused_resumed_and_cancelled(platform: RunningPlatform, import_id: str) -> None:
    flow = created(platform, import_id, "--hold", "--correlation-id", "CHG-99", "--priority", "5")
    assert (flow["status"], flow["correlation_id"], flow["priority"]) == ("created", "CHG-99", 5)
    flow_id = flow["flow_id"]
    for action, status in (("start", None), ("pause", "paused"), ("resume", None), ("cancel", "cancelled")):
        (flow,) = platform.json("flows", action, flow_id, "--comment", f"test of {action}")["flows"]
        assert status is None or flow["status"] == status
    shown = platform.json("flows", "show", flow_id, "--timeline")
    told = {item["note"].partition(":")[2].strip(): item["actor"] for item in shown["timeline"]}
    assert {f"test of {action}" for action in ("start", "pause", "resume", "cancel")} <= set(told)
    assert told["test of pause"] == "operator"
    assert [item["seq"] for item in shown["timeline"]] == list(range(1, len(shown["timeline"]) + 1))


def test_what_cannot_be_asked_is_refused_with_what_can(platform: RunningPlatform, import_id: str) -> None:
    flow_id = created(platform, import_id, "--hold")["flow_id"]
    refused = platform.modernize("flows", "resume", flow_id)
    assert refused.exit_code == 1
    assert "is created cannot be asked to resume. Possible now: start, cancel." in " ".join(refused.stderr.split())
    unknown = platform.modernize("flows", "retry", flow_id, "--phase", "inventry")
    assert "It has data_import, field_mapping, mapping_advice, inventory, dependency_analysis." in " ".join(
        unknown.stderr.split()
    )


def test_a_refusal_of_the_orchestrator_is_told_and_kept(platform: RunningPlatform, import_id: str) -> None:
    flow_id = created(platform, import_id)["flow_id"]
    platform.modernize("flows", "watch", flow_id)
    refused = platform.modernize("flows", "skip", flow_id, "--phase", "field_mapping", "--json")
    assert refused.exit_code == 1
    assert '"code": "phase_not_optional"' in refused.stderr
    assert "Refused, nothing changed." in platform.modernize("flows", "show", flow_id).stdout
    refusal = platform.json("flows", "show", flow_id, "--timeline")["timeline"][-1]
    assert (refusal["refused"], refusal["actor"]) == (True, "operator")
    assert "skip was refused: Later phases need what field_mapping finds." in refusal["note"]


def test_a_flow_is_retried_and_forked_from_a_checkpoint(platform: RunningPlatform, import_id: str) -> None:
    flow_id = created(platform, import_id, "--watch")["flow_id"]
    platform.json("flows", "pause", flow_id)
    retried = platform.modernize("flows", "retry", flow_id, "--phase", "data_import", "--watch")
    assert retried.exit_code == 0, retried.stderr
    assert "was retried from data_import" in retried.stdout
    timeline = platform.json("flows", "show", flow_id, "--timeline")["timeline"]
    checkpoint = next(item["seq"] for item in timeline if item["checkpoint"])
    shown = platform.modernize("flows", "show", flow_id, "--timeline").stdout
    assert "◆" in shown
    assert f"flows fork {flow_id} --at" in shown
    (fork,) = platform.json("flows", "fork", flow_id, "--at", str(checkpoint), "--watch")["flows"]
    assert (fork["forked_from"], fork["status"]) == (flow_id, "waiting")
    wrong = platform.modernize("flows", "fork", flow_id, "--at", "1")
    assert wrong.exit_code == 1
    assert "has no checkpoint 1. It has" in wrong.stderr


def test_a_flow_whose_worker_is_missing_says_so(platform: RunningPlatform) -> None:
    failed = platform.modernize("flows", "create", "modernization", "--repository", "https://example.com/shop.git")
    assert failed.exit_code == 1
    said = " ".join(failed.stderr.split())
    assert "The modernization failed" in said
    assert "no service does its phase repository_scan" in said


def test_a_version_that_does_not_exist_is_told_with_those_that_do(platform: RunningPlatform, import_id: str) -> None:
    failed = platform.modernize("flows", "create", "discovery", "--import", import_id, "--version", "99", "--json")
    assert failed.exit_code == 1
    assert '"code": "unknown_version"' in failed.stderr
    assert "discovery 1" in failed.stderr


def test_a_flow_is_found_by_what_is_known_of_it_and_gone_once_deleted(
    platform: RunningPlatform, import_id: str
) -> None:
    flow_id = created(platform, import_id, "--hold", "--correlation-id", "SHOP-EXIT-1")["flow_id"]
    platform.json("flows", "cancel", flow_id)
    shown = platform.modernize("flows", "find", "shop-exit")
    assert flow_id in shown.stdout
    assert "SHOP-EXIT-1" in shown.stdout
    by_file = platform.json("flows", "find", "estate-of")["items"]
    assert flow_id in [match["flow"]["flow_id"] for match in by_file]
    unconfirmed = platform.modernize("flows", "delete", flow_id)
    assert unconfirmed.exit_code == 1
    assert platform.json("flows", "show", flow_id)["status"] == "cancelled"
    assert platform.json("flows", "delete", flow_id, "--yes") == {"deleted": flow_id}
    assert platform.modernize("flows", "show", flow_id).exit_code == 1
    assert "No flow of this engagement" in platform.modernize("flows", "find", "shop-exit").stdout


def test_a_repair_says_what_it_looked_at(platform: RunningPlatform, import_id: str) -> None:
    done = platform.json("flows", "repair")
    assert (done["status"], done["repairs"]) == ("done", [])
    assert done["flows_checked"] >= 1


OPTIONS: dict[str, Any] = {"hold": False, "priority": 0}
FLOW = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("flow_type", "given", "says"),
    [
        ("discovery", {}, "A discovery needs --import."),
        ("planning", {}, "A planning needs --assessment."),
        ("planning", {"goals": ["x"]}, "--goal says nothing about a planning. It takes --assessment."),
        ("modernization", {"import_ids": [FLOW]}, "--import says nothing about a modernization."),
        ("assessment", {"discovery_flow_id": FLOW, "then": ["dance"]}, "--then: "),
    ],
)
def test_an_option_that_is_missing_or_of_another_type_is_named(
    flow_type: str, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(CommandFailed) as raised:
        start_of(flow_type, given, OPTIONS)
    assert raised.value.message.startswith(says)


@pytest.mark.parametrize(
    ("flow_type", "given"),
    [
        ("discovery", {"import_ids": [FLOW], "then": []}),
        ("assessment", {"discovery_flow_id": FLOW}),
        ("planning", {"assessment_flow_id": FLOW}),
        ("collection", {"discovery_flow_id": FLOW, "fields": ["environment"]}),
        ("modernization", {"repository_url": "https://example.com/x.git", "goals": ["Python 3.13"]}),
    ],
)
def test_every_flow_type_can_be_asked_for(flow_type: str, given: dict[str, Any]) -> None:
    body = start_of(flow_type, given, {**OPTIONS, "hold": True}).model_dump(mode="json")
    assert (body["flow_type"], body["options"]["hold"]) == (flow_type, True)
    assert given.items() <= body.items()

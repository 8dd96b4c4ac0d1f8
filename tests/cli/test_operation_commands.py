"""Schedules, limits, performance and metrics, against a platform that runs."""

from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.cli.service_list import SERVICE_NAMES
from tests.cli.conftest import RunningPlatform

REPOSITORY = ("--repository", "https://example.com/shop.git")


def test_a_schedule_is_made_listed_switched_and_deleted(platform: RunningPlatform) -> None:
    options = ("--cron", "0 2 1 1 *", "--time-zone", "Europe/Berlin", "--name", "New year", *REPOSITORY)
    made = platform.json("schedules", "create", "modernization", *options)
    schedule_id = made["schedule_id"]
    listed = platform.modernize("schedules", "list")
    assert "New year" in listed.stdout
    assert platform.json("schedules", "disable", schedule_id)["next_at"] is None
    assert platform.json("schedules", "enable", schedule_id)["next_at"] == made["next_at"]
    shown = platform.modernize("schedules", "show", schedule_id)
    assert "0 2 1 1 * Europe/Berlin" in shown.stdout
    assert platform.json("schedules", "delete", schedule_id)["schedule_id"] == schedule_id
    assert platform.modernize("schedules", "show", schedule_id).exit_code == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cron", "61 2 * * *", "--name", "x", *REPOSITORY), "cron: Bad minute"),
        (("--cron", "0 2 * * *", "--name", "x", "--time-zone", "Berlin", *REPOSITORY), "time_zone: 'Berlin'"),
        (("--cron", "0 2 * * *", "--name", "", *REPOSITORY), "body.name"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(platform: RunningPlatform, options: tuple[str, ...], words: str) -> None:
    refused = platform.modernize("schedules", "create", "modernization", *options)
    assert refused.exit_code == 1
    assert words in refused.stderr


def test_limits_are_set_and_shown(platform: RunningPlatform) -> None:
    platform.json("limits", "set", "--weight", "3", "--running-flows", "1500")
    shown = platform.modernize("limits", "show").stdout
    assert "Flows at once: 1,500. Weight: 3. Set by operator" in shown
    assert platform.json("limits", "set")["running_flows"] is None


def test_a_rotation_of_the_key_is_watched_to_its_end_and_shown(platform: RunningPlatform) -> None:
    before = platform.json("encryption", "status")
    after = platform.json("encryption", "rotate")
    assert (after["version"], after["done"]) == (before["version"] + 1, True)
    assert {each["service"] for each in after["services"]} == {*SERVICE_NAMES, "blobs"}
    shown = platform.modernize("encryption", "status").stdout
    assert f"sealed with version {after['version']}" in shown
    assert "No service has a secret that an older version seals" in shown


def only(document: Any) -> dict[str, Any]:
    """The one flow of what a command printed."""
    [flow] = document["flows"]
    return dict(flow)


def test_performance_and_metrics_tell_of_a_flow_that_ran(platform: RunningPlatform, inventory: Path) -> None:
    flow = only(platform.json("import", inventory, "--then", "none", "--watch"))
    if flow["status"] == "waiting":
        platform.json("flows", "approve", flow["flow_id"])
        flow = only(platform.json("flows", "watch", flow["flow_id"]))
    assert flow["status"] == "completed"
    found = {each["flow_type"]: each for each in platform.json("performance")["flow_types"]}
    assert found["discovery"]["phases"][0]["name"] == "data_import"
    assert found["discovery"]["completed"] >= 1
    assert found["discovery"]["queue_time"]["p99"] < found["discovery"]["duration"]["p99"] + 60
    assert "data import" in platform.modernize("performance").stdout

    key = (platform.folder / "api_key").read_text().strip()
    request = Request(f"{platform.url}/metrics", headers={"Authorization": f"Bearer {key}"})
    with urlopen(request, timeout=10) as answer:
        families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
    services = {sample.labels["service"] for sample in families["modernize_outbox_rows"].samples}
    assert services == {"gateway", "flow_orchestrator", "agent_runner", "field_mapping", "audit"}
    ended = [
        s for s in families["modernize_flows"].samples if s.labels == {"flow_type": "discovery", "status": "completed"}
    ]
    assert ended[0].value >= 1
    took = [s for s in families["modernize_phase_duration_seconds"].samples if s.labels.get("phase") == "data_import"]
    assert took

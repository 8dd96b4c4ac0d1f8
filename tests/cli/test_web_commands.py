"""Configuration and webhooks, against a platform that runs."""

import pytest

from tests.cli.conftest import RunningPlatform


def test_a_key_is_set_shown_unset_and_its_history_told(platform: RunningPlatform) -> None:
    because = ("--reason", "asked for by operations", "--at", "platform")
    assert platform.json("config", "set", "flows_per_day", "500", *because)["origin"] == "platform"
    shown = platform.modernize("config", "get", "flows_per_day").stdout
    assert "flows_per_day = 500 (set for the platform)" in shown
    assert "flows_per_day" in platform.modernize("config", "list").stdout
    assert platform.json("config", "unset", "flows_per_day", *because)["value"] is None
    history = platform.modernize("config", "history", "flows_per_day", "--at", "platform").stdout
    assert "asked for by operations" in history
    assert "not set" in history


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "flows_per_day", "many", "--reason", "a test"), "This is no value of flows_per_day"),
        (("set", "log_level", "debug", "--reason", "a test"), "log_level can be set for: platform"),
        (("get", "no_such_key"), "There is no key 'no_such_key'"),
    ],
)
def test_what_cannot_be_configured_is_told(platform: RunningPlatform, arguments: tuple[str, ...], words: str) -> None:
    refused = platform.modernize("config", *arguments)
    assert refused.exit_code == 1
    assert words in refused.stderr


def test_an_endpoint_is_added_pinged_changed_and_deleted(platform: RunningPlatform) -> None:
    added = platform.json("webhooks", "add", "https://127.0.0.1:9/hook", "--event", "discovery.completed")
    assert added["secret"].startswith("whsec_")
    webhook = added["webhook_id"]
    assert "discovery.completed" in platform.modernize("webhooks", "list").stdout
    assert platform.json("webhooks", "rotate", webhook)["secret"] != added["secret"]
    sent = platform.json("webhooks", "ping", webhook)
    deliveries = platform.json("webhooks", "deliveries", webhook)["items"]
    assert [each["delivery_id"] for each in deliveries] == [sent["delivery_id"]]
    shown = platform.modernize("webhooks", "show", webhook, sent["delivery_id"])
    assert "webhook.pinged" in shown.stdout
    assert "disabled" in platform.modernize("webhooks", "change", webhook, "--disable").stdout
    assert platform.json("webhooks", "delete", webhook)["enabled"] is False
    assert platform.modernize("webhooks", "ping", webhook).exit_code == 1

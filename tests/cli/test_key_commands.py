"""`modernize keys`, against a platform that runs."""

from services.gateway.access.key_format import id_of_key
from tests.cli.conftest import RunningPlatform


def test_a_key_is_made_used_rotated_and_revoked(platform: RunningPlatform) -> None:
    made = platform.json("keys", "create", "CMDB", "--scope", "flows:read", "--days", "30")
    assert id_of_key(made["key"]) == made["key_id"]
    assert platform.json("flows", "list", "--api-key", made["key"]) is not None
    refused = platform.modernize("limits", "show", "--api-key", made["key"])
    assert "configuration:read" in refused.stderr
    assert "CMDB" in platform.modernize("keys", "list").stdout
    new = platform.json("keys", "rotate", made["key_id"], "--overlap-hours", "1")
    shown = platform.modernize("keys", "show", made["key_id"])
    assert f"replaced by {new['key_id']}" in shown.stdout
    assert "flows:read" in shown.stdout
    assert "Revoked" in platform.modernize("keys", "revoke", new["key_id"]).stdout
    assert "valid API key" in platform.modernize("flows", "list", "--api-key", new["key"]).stderr


def test_a_key_is_shown_once_and_whole(platform: RunningPlatform) -> None:
    done = platform.modernize("keys", "create", "A system with quite a long name", "--role", "viewer", "--platform")
    [key] = [line for line in done.stdout.splitlines() if line.startswith("modernize_key_")]
    assert id_of_key(key) is not None
    assert key not in platform.modernize("keys", "list", "--platform", "--json").stdout
    wrong = platform.modernize("keys", "create", "x", "--role", "king")
    assert wrong.exit_code == 1
    assert "role" in wrong.stderr

"""`modernize login` and `modernize users`, against a platform that runs."""

import json
import stat
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from services.cli.main import app
from tests.cli.conftest import RunningPlatform

PASSWORD = "correct horse battery staple"  # pragma: allowlist secret


def typed(platform: RunningPlatform, *arguments: str, password: str = PASSWORD, folder: Path | None = None) -> Any:
    """A command that reads a password from standard input."""
    env = {"MODERNIZE_DATA_DIR": str(folder or platform.folder), "MODERNIZE_URL": platform.url}
    return CliRunner().invoke(app, [*arguments, "--password-stdin", "--json"], input=f"{password}\n", env=env)


def test_an_admin_is_made_invites_and_people_act_as_themselves_until_they_sign_out(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    admin = "grace@people.example"
    weak = typed(platform, "users", "create-admin", admin, password="too short")
    assert (weak.exit_code, json.loads(weak.stderr)["problem"]["code"]) == (1, "weak_password")
    made = typed(platform, "users", "create-admin", admin)
    assert made.exit_code == 0, made.stderr
    assert platform.json("whoami")["user_id"] is None

    wrong = typed(platform, "login", admin, password="a wrong one of some length", folder=tmp_path)
    assert (wrong.exit_code, json.loads(wrong.stderr)["problem"]["code"]) == (1, "login_refused")
    at_home = RunningPlatform(platform.url, tmp_path)
    signed_in = typed(platform, "login", admin, folder=tmp_path)
    assert signed_in.exit_code == 0, signed_in.stderr
    kept = tmp_path / "session.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert PASSWORD not in kept.read_text()
    assert at_home.json("whoami")["email"] == admin
    assert "platform_admin" in at_home.modernize("whoami").stdout

    # A token that is about to end is changed for the next one, and the session goes on.
    session = json.loads(kept.read_text())
    session[platform.url]["access_ends_at"] = "2026-01-01T00:00:00Z"
    kept.write_text(json.dumps(session))
    token = at_home.json("users", "invite", "ada@people.example", "--role", "analyst")["token"]
    assert json.loads(kept.read_text())[platform.url]["refresh_token"] != session[platform.url]["refresh_token"]

    joined = typed(platform, "users", "join", "--token", token)
    assert json.loads(joined.stdout)["role"] == "analyst"
    assert "ada@people.example" in at_home.modernize("users", "list").stdout
    given = at_home.json("users", "roles", "give", "ada@people.example", "approver")
    assert given["roles"] == ["analyst", "approver"]
    assert at_home.json("users", "roles", "take", "ada@people.example", "approver")["roles"] == ["analyst"]
    assert at_home.json("users", "deactivate", "ada@people.example")["roles"] == []

    assert at_home.json("logout")["sessions_ended"] == 1
    assert at_home.modernize("whoami").exit_code == 1
    assert at_home.modernize("logout").exit_code == 1


def test_a_session_that_ended_elsewhere_is_told_as_what_it_is(platform: RunningPlatform, tmp_path: Path) -> None:
    admin = "joan@people.example"
    assert typed(platform, "users", "create-admin", admin).exit_code == 0
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        assert typed(platform, "login", admin, folder=folder).exit_code == 0
    assert RunningPlatform(platform.url, folders[0]).json("logout", "--everywhere")["sessions_ended"] == 2
    gone = RunningPlatform(platform.url, folders[1]).modernize("whoami", "--json")
    assert (gone.exit_code, json.loads(gone.stderr)["problem"]["code"]) == (1, "session_over")


def test_who_forgot_the_password_sets_another_with_what_an_operator_hands_over(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    admin, another = "lin@people.example", "and the printer sings again"
    assert typed(platform, "users", "create-admin", admin).exit_code == 0
    assert typed(platform, "login", admin, folder=tmp_path).exit_code == 0
    shown = platform.modernize("users", "reset-password", admin).stdout
    token = next(word for word in shown.split() if word.startswith("modernize_password_reset_"))
    done = typed(platform, "users", "set-password", "--token", token, password=another)
    assert json.loads(done.stdout)["sessions_ended"] == 1, done.stderr
    again = typed(platform, "users", "set-password", "--token", token, password=another)
    assert (again.exit_code, json.loads(again.stderr)["problem"]["code"]) == (1, "reset_not_found")
    assert typed(platform, "login", admin, password=another, folder=tmp_path).exit_code == 0

    # Her access token is refused before its time, and the command goes on with the next one.
    assert platform.modernize("keys", "rotate-signing").exit_code == 2
    assert platform.json("keys", "rotate-signing", "--now")["revoked"]
    assert RunningPlatform(platform.url, tmp_path).json("whoami")["email"] == admin


def test_keys_of_who_left_are_marked_in_the_list(platform: RunningPlatform, tmp_path: Path) -> None:
    lead = "max@people.example"
    token = platform.json("users", "invite", lead, "--role", "engagement_lead")["token"]
    assert typed(platform, "users", "join", "--token", token).exit_code == 0
    assert typed(platform, "login", lead, folder=tmp_path).exit_code == 0
    at_home = RunningPlatform(platform.url, tmp_path)
    keys = [at_home.json("keys", "create", role, "--role", role)["key_id"] for role in ("viewer", "service_account")]
    left = platform.modernize("users", "deactivate", lead).stdout
    assert "revoked: 1" in left
    assert "go on: 1" in left
    shown = [platform.json("keys", "show", key) for key in keys]
    assert [(each["maker_left"], each["revoked_at"] is None) for each in shown] == [(True, False), (True, True)]
    assert "Made by somebody who left, and still good: 1" in platform.modernize("keys", "list").stdout
    assert "who left since" in platform.modernize("keys", "show", keys[1]).stdout


def test_login_providers_are_added_changed_and_removed_and_no_secret_is_an_argument_or_shown(
    platform: RunningPlatform,
) -> None:
    env = {"MODERNIZE_DATA_DIR": str(platform.folder), "MODERNIZE_URL": platform.url}
    own = ["--issuer", "https://login.contoso.example", "--client-id", "modernize", "--domain", "contoso.example"]

    def run(*arguments: str, secret: str | None = None) -> Any:
        more = ["--secret-stdin"] if secret is not None else []
        done = CliRunner().invoke(
            app, ["login-providers", *arguments, *more, "--json"], input=f"{secret or ''}\n", env=env
        )
        assert "of-the-provider" not in done.stdout
        return done

    assert run("add", "Contoso", *own).exit_code == 2
    added = json.loads(run("add", "Contoso", *own, secret="of-the-provider").stdout)
    assert (added["has_secret"], added["allowed_domains"]) == (True, ["contoso.example"])
    provider = added["provider_id"]
    changed = json.loads(run("change", provider, "--name", "Contoso Ltd").stdout)
    assert {**added, "name": "Contoso Ltd", "saved_at": changed["saved_at"]} == changed
    assert run("change", provider, secret="another").exit_code == 0  # pragma: allowlist secret
    assert "Contoso Ltd" in platform.modernize("login-providers", "list").stdout
    bad = run("change", provider, "--issuer", "not an address")
    assert (bad.exit_code, json.loads(bad.stderr)["problem"]["code"]) == (1, "invalid_request")
    assert platform.json("login-providers", "remove", provider)["sessions_ended"] == 0
    again = platform.modernize("login-providers", "remove", provider, "--json")
    assert json.loads(again.stderr)["problem"]["code"] == "provider_not_found"

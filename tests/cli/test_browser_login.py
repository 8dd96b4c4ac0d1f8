"""Signing in through the browser: what comes back to the loopback port goes to the gateway, and nothing else does."""

import json
import threading
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import uuid4

import httpx2
import pytest

from services.cli.browser_login import with_provider
from services.cli.rest_client import RestClient
from services.cli.terminal import CommandFailed

TOKENS = {
    "access_token": "a.b.c",
    "expires_in": 600,
    "refresh_token": "modernize_refresh_x",
    "refresh_expires_at": "2026-12-21T00:00:00Z",
    "session_id": str(uuid4()),
}


class Gateway:
    """Answers as the gateway does, and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: dict[str, dict[str, str]] = {}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent[request.url.path] = json.loads(request.content)
        if request.url.path.endswith("/callback"):
            return httpx2.Response(200, json=TOKENS)
        begun = {
            "authorization_url": "https://login.example/",
            "login_secret": "kept",  # pragma: allowlist secret
            "expires_in": 30,
        }
        return httpx2.Response(201, json=begun)

    def client(self) -> RestClient:
        http = httpx2.Client(base_url="http://gateway/api/v1", transport=httpx2.MockTransport(self))
        return RestClient(http, "http://gateway")


def browser(monkeypatch: pytest.MonkeyPatch, gateway: Gateway, *queries: str) -> list[int]:
    """A browser that comes back with these, one after the other; the statuses that it saw."""
    seen: list[int] = []

    def visit() -> None:
        address = gateway.sent["/api/v1/auth/oidc/logins"]["redirect_uri"]
        for query in queries:
            try:
                with urlopen(address.replace("/callback", query), timeout=10) as answer:
                    seen.append(answer.status)
            except HTTPError as error:
                seen.append(error.code)

    monkeypatch.setattr("webbrowser.open", lambda _: threading.Thread(target=visit).start())
    return seen


def test_what_the_provider_sends_back_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway()
    seen = browser(monkeypatch, gateway, "/favicon.ico", "/callback?code=c1&state=s1&iss=https%3A%2F%2Flogin.example")
    tokens = with_provider(gateway.client(), uuid4(), None, "an invitation", open_browser=True)
    assert (tokens.refresh_token, seen[0]) == ("modernize_refresh_x", 404)
    assert gateway.sent["/api/v1/auth/oidc/logins"]["redirect_uri"].startswith("http://127.0.0.1:")
    sent = gateway.sent["/api/v1/auth/oidc/callback"]
    assert [sent[name] for name in ("login_secret", "code", "state", "iss")] == [
        *("kept", "c1", "s1", "https://login.example"),
    ]
    assert sent["invitation_token"] == "an invitation"


def test_who_is_refused_by_the_provider_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway()
    browser(monkeypatch, gateway, "/callback?error=access_denied&error_description=Not%20today")
    with pytest.raises(CommandFailed, match="Nobody was signed in: Not today"):
        with_provider(gateway.client(), uuid4(), None, None, open_browser=True)
    assert "/api/v1/auth/oidc/callback" not in gateway.sent

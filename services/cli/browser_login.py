"""Sign in through the browser: the provider sends it back to a port of this machine (RFC 8252, section 7.3)."""

import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from rich.markup import escape

from contracts.rest_people import OidcCallbackBody, OidcLoginBody, OidcLoginView, TokensView
from services.cli.terminal import CommandFailed, err

if TYPE_CHECKING:
    from services.cli.rest_client import RestClient

_PATH = "/callback"
_PAGE = "<!doctype html><meta charset=utf-8><title>AI Modernize</title><p>{}</p>"


def with_provider(
    client: "RestClient",
    provider_id: UUID,
    client_account_id: UUID | None,
    invitation_token: str | None,
    *,
    open_browser: bool,
) -> TokensView:
    """The tokens of whoever signs in at the provider; raises `CommandFailed` if nobody does."""
    with _Listener() as listener:
        address = f"http://127.0.0.1:{listener.server_port}{_PATH}"
        asked = OidcLoginBody(provider_id=provider_id, client_account_id=client_account_id, redirect_uri=address)
        begun = client.post("/auth/oidc/logins", OidcLoginView, asked)
        err.print("Sign in with your browser at this address:", soft_wrap=True)
        err.print(escape(begun.authorization_url), soft_wrap=True)
        if open_browser:
            webbrowser.open(begun.authorization_url)
        answer = listener.wait(begun.expires_in)
    if "code" not in answer:
        reason = answer.get("error_description") or answer.get("error") or "no answer came in time"
        raise CommandFailed(f"Nobody was signed in: {reason}.", code="login_refused")
    body = OidcCallbackBody.model_validate(
        {
            "login_secret": begun.login_secret,
            "invitation_token": invitation_token,
            **{name: answer.get(name) for name in ("state", "code", "iss")},
        }
    )
    return client.post("/auth/oidc/callback", TokensView, body)


class _Listener(HTTPServer):
    """Takes the one request with which the provider's answer comes back."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: dict[str, str] = {}

    def wait(self, seconds: float) -> dict[str, str]:
        """The answer's parameters; empty if none came in time."""
        import time

        end = time.monotonic() + seconds
        while not self.answer and (left := end - time.monotonic()) > 0:
            self.timeout = left
            self.handle_request()
        return self.answer


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    # A connection on which nothing comes must not keep out the one that matters.
    timeout = 5

    def do_GET(self) -> None:
        """Take the answer; anything else, such as an icon, is not here."""
        parts = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        taken = parts.path == _PATH and ("code" in given or "error" in given)
        text = "You can close this window and go back to the terminal." if taken else "There is nothing here."
        content = _PAGE.format(text).encode()
        self.send_response(200 if taken else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        if taken:
            self.server.answer = given

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address has the code in it."""

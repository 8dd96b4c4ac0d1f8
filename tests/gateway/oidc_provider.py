"""A small OpenID provider on loopback: real HTTP, real signatures, and it can be told to cheat."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "modernize"
CLIENT_SECRET = "a secret with: odd % signs"  # pragma: allowlist secret

Claims = dict[str, Any]


@dataclass
class _Granted:
    query: dict[str, str]
    person: Claims


@dataclass
class OidcProvider:
    """Signs people in without asking them anything; `person` is who comes next."""

    issuer: str = ""
    person: Claims = field(default_factory=dict)
    keys: list[RSAKey] = field(default_factory=lambda: [new_key()])
    # What a test changes: the claims before they are signed, or how they are signed.
    cheat: Callable[[Claims], None] = lambda claims: None
    sign: Callable[["OidcProvider", Claims], str] | None = None
    names_itself: bool = True
    granted: dict[str, _Granted] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def authorize(self, url: str, **person: Any) -> dict[str, str]:
        """What a browser that follows an authorization URL brings back, once `person` signed in."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}/authorize" == f"{self.issuer}/authorize"
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        code = secrets.token_urlsafe(16)
        self.granted[code] = _Granted(query, {**self.person, **person})
        answer = {"code": code, "state": query["state"]}
        return {**answer, "iss": self.issuer} if self.names_itself else answer

    def rotate(self) -> None:
        """Sign with a new key from now on, and tell only of that one."""
        self.keys = [new_key()]

    def documents(self) -> dict[str, Any]:
        """What GET answers."""
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_response_iss_parameter_supported": self.names_itself,
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            },
            "/keys": {"keys": [key.as_dict(private=False, use="sig", alg="RS256") for key in self.keys]},
        }

    def token(self, authorization: str, form: dict[str, str]) -> tuple[int, Claims]:
        """The token endpoint: the code once, from the client it was made for, with the right verifier."""
        user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote(user), unquote(password)) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        granted = self.granted.pop(form.get("code", ""), None)
        if granted is None or form.get("redirect_uri") != granted.query["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if challenge.decode().rstrip("=") != granted.query["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "wrong verifier"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": granted.query["nonce"],
            **granted.person,
        }
        self.cheat(claims)
        token = self.sign(self, claims) if self.sign else signed(claims, self.keys[0])
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}


def new_key() -> RSAKey:
    """A key with a name of its own."""
    return RSAKey.generate_key(2048, auto_kid=True)


def signed(claims: Claims, key: RSAKey, **header: Any) -> str:
    """An honest ID token."""
    return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key)


@contextmanager
def running_provider() -> Iterator[OidcProvider]:
    """A provider that answers until the block ends."""
    provider = OidcProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            document = provider.documents().get(self.path)
            self._answer(404 if document is None else 200, document or {})

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(content).items()}
            self._answer(*provider.token(self.headers.get("Authorization", ""), form))

        def _answer(self, status: int, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def none_signed(provider: OidcProvider, claims: Claims) -> str:
    parts = ({"alg": "none", "kid": provider.keys[0].kid}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts]
    return ".".join([*encoded, ""])


def confused(provider: OidcProvider, claims: Claims) -> str:
    """HMAC with the public key, which everybody knows, as the secret."""
    header = {"alg": "HS256", "kid": provider.keys[0].kid}
    body = ".".join(
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (header, claims)
    )
    signature = hmac.digest(provider.keys[0].as_pem(private=False), body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def by_a_stranger(provider: OidcProvider, claims: Claims) -> str:
    return signed(claims, RSAKey.generate_key(2048, {"kid": str(provider.keys[0].kid)}))


def by_its_own_key(provider: OidcProvider, claims: Claims) -> str:
    key = new_key()
    header = {"alg": "RS256", "kid": key.kid, "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key)


FORGED: dict[str, Callable[[OidcProvider, Claims], str]] = {
    "alg none": none_signed,
    "key confusion": confused,
    "a stranger's key under a known name": by_a_stranger,
    "a key inside the token": by_its_own_key,
    "no token at all": lambda _, __: "x",
}

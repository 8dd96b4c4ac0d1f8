"""What holds for every request and answer, before and after any route: sizes, the host's name, headers for browsers."""

import base64
import hashlib
import re
from collections.abc import Iterable

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from services.chassis.errors import BadRequest, ExpectedFailure
from services.chassis.settings import LOOPBACK, Settings

LONGEST_PATH = 2_048
LONGEST_QUERY = 8_192
MOST_HEADERS = 100
HEADER_BYTES = 32 * 1024
# Deeper than any model of ours; what is larger than this is a document with a model, whose depth that limits.
DEEPEST_JSON = 32
SCANNED_BYTES = 1024**2

HSTS = b"max-age=31536000; includeSubDomains"
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PAIR = re.compile(rb"\[\]|\{\}")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)

_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
# Answers are data; an HTML report is a file to keep, and may not run anything where a browser shows it all the same.
DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"
FILE_POLICY = b"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


class _UriTooLong(ExpectedFailure):
    status = 414


class _HeadersTooLarge(ExpectedFailure):
    status = 431


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """The names under which the gateway may be called, None for any.

    Where it listens on loopback alone, only this machine's names: else a web page could reach it under a name of its
    own that it lets lead here (DNS rebinding).
    """
    if settings.allowed_hosts:
        return frozenset(settings.allowed_hosts.lower().replace(",", " ").split())
    return frozenset(LOOPBACK) if settings.host in LOOPBACK else None


def refusal(scope: Scope, hosts: frozenset[str] | None) -> ExpectedFailure | None:
    """Why a request is not looked at any further."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(scope["path"]) > LONGEST_PATH or len(scope["query_string"]) > LONGEST_QUERY:
        limits = f"{LONGEST_PATH} characters, its query {LONGEST_QUERY}"
        return _UriTooLong("uri_too_long", f"The path of a URL may have {limits}. Send what is longer in the body.")
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES:
        limits = f"{MOST_HEADERS} headers of {HEADER_BYTES} bytes together"
        return _HeadersTooLarge("headers_too_large", f"A request may have {limits}.")
    named = [value for name, value in headers if name == b"host"]
    if len(named) > 1 or (hosts is not None and _name(named) not in hosts):
        return BadRequest(
            "unknown_host", "The platform is not called by this name. Operators name it with MODERNIZE_ALLOWED_HOSTS."
        )
    return None


def _name(hosts: Iterable[bytes]) -> str:
    """The host's name without a port and without the brackets of an IPv6 address."""
    host = next(iter(hosts), b"").decode("latin-1").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def docs_policy(title: str, url: str) -> bytes:
    """The policy under which the documentation page works: its own inline script and its library, nothing else."""
    page = bytes(get_swagger_ui_html(openapi_url=url, title=title).body).decode()
    digests = [hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(page)]
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    library = "https://cdn.jsdelivr.net"
    return (
        f"default-src 'none'; script-src {library} {scripts}; style-src {library} 'unsafe-inline'; "
        "img-src 'self' data: https://fastapi.tiangolo.com; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ).encode()


def sending_safely(scope: Scope, send: Send, docs: bytes) -> Send:
    """`send`, but every answer tells browsers how little they may do with it; what a route says itself stays."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = dict(message["headers"])
            html = there.get(b"content-type", b"").startswith(b"text/html")
            policy = docs if html and scope["path"] == "/docs" else FILE_POLICY if html else DATA_POLICY
            wanted = {**_ALWAYS, b"content-security-policy": policy}
            if scope["scheme"] == "https":
                wanted[b"strict-transport-security"] = HSTS
            added = [(name, value) for name, value in wanted.items() if name not in there]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return send_with_headers


def receiving_shallow(scope: Scope, receive: Receive) -> Receive:
    """`receive`, but a JSON body that is nested too deep is refused instead of handed on."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if b"json" not in kind.lower():
        return receive
    body = b""

    async def receive_and_look() -> Message:
        nonlocal body
        message = await receive()
        if message["type"] == "http.request" and len(body) <= SCANNED_BYTES:
            body += message.get("body", b"")
            if not message.get("more_body") and len(body) <= SCANNED_BYTES and too_deep(body):
                raise HTTPException(400, f"The JSON is nested deeper than {DEEPEST_JSON} levels.")
        return message

    return receive_and_look


def too_deep(body: bytes, levels: int = DEEPEST_JSON) -> bool:
    """Whether a JSON text has more than so many levels of arrays and objects; of what is no JSON the parser tells."""
    if body.count(b"[") + body.count(b"{") <= levels:
        return False
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    for _ in range(levels):
        inner = _PAIR.sub(b"", brackets)
        if len(inner) == len(brackets):
            return False
        brackets = inner
    return bool(brackets)

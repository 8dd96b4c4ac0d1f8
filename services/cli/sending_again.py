"""Requests that may be sent again when the connection breaks off: the gateway answers them once, by their key."""

from typing import Any
from uuid import uuid4

# Between one try and the next of a request whose connection broke off.
AGAIN_AFTER_SECONDS = (0.5, 1.0, 2.0, 4.0)
HEADER = "Idempotency-Key"
IN_FLIGHT = "request_in_flight"
# What proves who somebody is, or names what it goes on from, has no key: the gateway would not keep the answer.
_WITHOUT_KEY = ("/auth/", "/me/", "/invitations/accept", "/encryption/rotations")


def key_for(method: str, path: str) -> dict[str, str]:
    """The header by which a creating request is known when it comes again; nothing for any other request."""
    return {HEADER: str(uuid4())} if method == "POST" and not path.startswith(_WITHOUT_KEY) else {}


def opened(request: dict[str, Any]) -> dict[str, Any]:
    """The request with its body at its beginning: one that comes in pieces is a function that gives them."""
    content = request.get("content")
    return {**request, "content": content()} if callable(content) else request

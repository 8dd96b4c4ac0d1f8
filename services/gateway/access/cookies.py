"""The refresh token as a cookie, for browsers: out of the reach of scripts, and of no use to other sites."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from fastapi import Request, Response

from contracts.rest_people import Delivery, RefreshBody, TokensView
from services.chassis.errors import Forbidden

# `__Host-` (RFC 6265bis, section 4.1.3.2): set by this very host over TLS, sent back to it alone.
NAME = "__Host-modernize_refresh"


def delivered(response: Response, tokens: TokensView, delivery: Delivery) -> TokensView:
    """The answer, with the refresh token in it or in a cookie."""
    response.headers["Cache-Control"] = "no-store"
    if delivery == "body":
        return tokens
    seconds = int((tokens.refresh_expires_at - datetime.now(UTC)).total_seconds())
    response.set_cookie(
        NAME, tokens.refresh_token or "", max_age=seconds, path="/", secure=True, httponly=True, samesite="strict"
    )
    return tokens.model_copy(update={"refresh_token": None})


def drop(response: Response) -> None:
    """Have the browser forget the cookie."""
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="strict")


def presented_token(request: Request, body: RefreshBody) -> tuple[str | None, Delivery]:
    """The refresh token of a request, and how the next one is delivered; raises `Forbidden` for a foreign site's."""
    if body.refresh_token is not None:
        return body.refresh_token.get_secret_value(), "body"
    token = request.cookies.get(NAME)
    if token is not None and not from_own_site(
        request.headers.get("sec-fetch-site"), request.headers.get("origin"), request.headers.get("host")
    ):
        raise Forbidden("cross_site_request", "The cookie counts only for requests of this site's own pages.")
    return token, "cookie"


def from_own_site(fetch_site: str | None, origin: str | None, host: str | None) -> bool:
    """Whether a request with cookies was made by a page of this very origin.

    By Fetch Metadata, which every current browser sends and no page can forge; else by Origin. One without either was
    made by no page of a browser that could be trusted to say, so it does not count.
    """
    if fetch_site is not None:
        return fetch_site == "same-origin"
    return origin is not None and host is not None and urlsplit(origin).netloc == host

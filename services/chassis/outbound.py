"""The one HTTP client for URLs that a tenant can name: it connects only where `outbound_rules` lets it.

A name is resolved once for a connection, all its addresses are judged, and the connection goes to one of these very
addresses, so that nobody can answer differently the second time (DNS rebinding). TLS and Host keep the name. Proxies
of the environment, cookies and redirects are not for it, except those redirects that a caller asks it to follow.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpcore2
import httpx2
import structlog

from services.chassis.errors import ExpectedFailure
from services.chassis.name_lookup import Lookup, Resolver
from services.chassis.outbound_rules import HTTP_PORT, HTTPS_PORT, Address, OutboundRules, literal, parse_allowed
from services.chassis.settings import Settings

log = structlog.get_logger()

LONGEST_URL = 2048
USER_AGENT = "ai-modernize"
CONNECTIONS = 50
RESOLVE_SECONDS = 10.0
# One layer is all that a server needs; layers upon layers only multiply what we would have to unpack.
ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
# Headers that say nothing about who asks: all others stay with the server that they were meant for.
_WITHOUT_SECRETS = frozenset({"accept", "user-agent", "accept-encoding"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class OutboundRefused(ExpectedFailure):
    """The URL leads where a tenant's URL may not; nothing was sent."""


class OutboundFailed(ExpectedFailure):
    """The URL may be called, but there was no answer that can be used."""


@dataclass(frozen=True)
class Limits:
    """How long and how large an answer may be: seconds in all, seconds without a byte, bytes packed and unpacked."""

    total_seconds: float = 30
    idle_seconds: float = 10
    max_bytes: int = 1024**2


@dataclass(frozen=True)
class Answer:
    """A whole answer, unpacked."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes


class Stream:
    """An answer whose body comes while it is read."""

    def __init__(self, response: httpx2.Response, host: str, limits: Limits) -> None:
        self.url = str(response.request.url)
        self.status = response.status_code
        self.headers = response.headers
        self._response = response
        self._host = host
        self._limits = limits

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The unpacked body in pieces; raises `OutboundFailed` where it is larger than the limit."""
        size = 0
        async with aclosing(self._response.aiter_bytes()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if max(size, self._response.num_bytes_downloaded) > self._limits.max_bytes:
                    raise _too_large(self._host, self._limits)
                yield piece


class Outbound:
    """Calls URLs that tenants name. `resolve` and `verify` stand in for the system's resolver and trust store."""

    def __init__(self, settings: Settings, resolve: Resolver | None = None, verify: Any = True) -> None:
        self.rules = OutboundRules(parse_allowed(settings.outbound_allowed))
        self._resolve = resolve or Lookup()
        self._verify = verify

    def check(self, url: str) -> httpx2.URL:
        """The URL, parsed, if it may be called as far as its text tells; raises `OutboundRefused`."""
        try:
            parsed = httpx2.URL(url) if len(url) <= LONGEST_URL else None
        except httpx2.InvalidURL:
            parsed = None
        if parsed is None or not parsed.host:
            raise OutboundRefused("bad_url", f"This is not a URL of at most {LONGEST_URL} characters. Write https://…")
        if parsed.userinfo:
            raise OutboundRefused("url_with_credentials", "This URL has a user or password in it. Send it without.")
        if reason := self.rules.refusal(parsed.scheme, _host(parsed), _port(parsed)):
            raise OutboundRefused("url_not_allowed", f"This URL {reason}. {_ASK}")
        return parsed.copy_with(fragment=None)

    async def judge(self, url: str) -> None:
        """Look up where a URL leads that is only to be kept; raises `OutboundRefused` where it may not be called now.

        Each call is judged again: by then the name may lead elsewhere.
        """
        parsed = self.check(url)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RESOLVE_SECONDS):
                await self._addresses(_host(parsed), _port(parsed))
                return
        raise _no_address(_host(parsed))

    async def _addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of a host if it may be reached at all of them; raises `OutboundRefused`."""
        address = literal(host)
        try:
            addresses = [address] if address is not None else await self._resolve(host, port)
        except OSError as error:
            log.info("outbound_unresolved", host=host, reason=repr(error))
            addresses = []
        addresses = list(dict.fromkeys(addresses))
        if not self.rules.permits_all(host, port, addresses):
            log.warning("outbound_refused", host=host, port=port, addresses=[str(each) for each in addresses])
            raise _no_address(host)
        return addresses

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limits: Limits | None = None,
        redirects: int = 0,
    ) -> Answer:
        """The whole answer, of any status; see `stream` for what it raises."""
        async with self.stream(
            method, url, headers=headers, content=content, limits=limits, redirects=redirects
        ) as stream:
            body = b"".join([chunk async for chunk in stream.chunks()])
            return Answer(stream.url, stream.status, stream.headers, body)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limits: Limits | None = None,
        redirects: int = 0,
    ) -> AsyncIterator[Stream]:
        """The answer while it comes, of any status; the time in which the caller reads it counts, too.

        Raises `OutboundRefused` and `OutboundFailed`, neither of which tells an address. Follows at most `redirects` of
        a GET, each judged like the first URL, never from https to http, and without the headers if to another origin.
        """
        if redirects and method != "GET":
            raise ValueError("Only a GET can be sent again to where a redirect leads.")
        limits = limits or Limits()
        target, sent = self.check(url), {"user-agent": USER_AGENT, **{k.lower(): v for k, v in (headers or {}).items()}}
        try:
            async with asyncio.timeout(limits.total_seconds) as clock:
                while True:
                    async with self._exchange(method, target, sent, content, limits) as response:
                        if (
                            not redirects
                            or response.status_code not in _REDIRECTS
                            or "location" not in response.headers
                        ):
                            yield Stream(response, target.host, limits)
                            return
                        onward = self._onward(target, response.headers["location"])
                    if (onward.scheme, onward.host, _port(onward)) != (target.scheme, target.host, _port(target)):
                        sent = {name: value for name, value in sent.items() if name in _WITHOUT_SECRETS}
                    target, redirects = onward, redirects - 1
        except TimeoutError as error:
            if not clock.expired():
                raise
            detail = f"{target.host} took more than {limits.total_seconds:g} seconds."
            raise OutboundFailed("answer_too_slow", detail) from error
        except httpcore2.TimeoutException as error:
            detail = f"{target.host} was silent for too long."
            raise OutboundFailed("answer_too_slow", detail) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            log.info("outbound_failed", host=target.host, reason=repr(error))
            detail = f"{target.host} cannot be reached, or what it answers is not HTTP. Check the URL and its server."
            raise OutboundFailed("no_answer", detail) from error
        except httpx2.DecodingError as error:
            raise OutboundFailed("bad_answer", f"The answer of {target.host} cannot be unpacked.") from error

    async def close(self) -> None:
        """Give the connections back."""
        if "_pool" in self.__dict__:
            await self._pool.aclose()

    @cached_property
    def _pool(self) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(self._verify),
            max_connections=CONNECTIONS,
            # A connection is used once: what a name leads to is judged for every request.
            max_keepalive_connections=0,
            network_backend=_JudgedConnections(self._addresses),
        )

    @asynccontextmanager
    async def _exchange(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes | None, limits: Limits
    ) -> AsyncIterator[httpx2.Response]:
        request = httpx2.Request(method, url, headers={"accept-encoding": "gzip", **headers}, content=content)
        idle = limits.idle_seconds
        answered = await self._pool.handle_async_request(
            httpcore2.Request(
                method,
                httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=content,
                extensions={"timeout": {"connect": idle, "read": idle, "write": idle, "pool": idle}},
            )
        )
        try:
            response = httpx2.Response(
                answered.status, headers=answered.headers, stream=_Body(answered), request=request
            )
            if response.headers.get("content-encoding", "").strip().lower() not in ENCODINGS:
                raise OutboundFailed("bad_answer", f"{url.host} packs its answer in a way that is not gzip or deflate.")
            if int(_digits(response.headers.get("content-length"))) > limits.max_bytes:
                raise _too_large(url.host, limits)
            yield response
        finally:
            await answered.aclose()

    def _onward(self, url: httpx2.URL, location: str) -> httpx2.URL:
        try:
            onward = url.join(location)
        except httpx2.InvalidURL as error:
            raise OutboundFailed("bad_answer", f"{url.host} redirects to what is no URL.") from error
        if url.scheme == "https" and onward.scheme != "https":
            raise OutboundRefused("url_not_allowed", f"{url.host} redirects to where nothing is encrypted.")
        return self.check(str(onward))


_ASK = "An operator can open more with MODERNIZE_OUTBOUND_ALLOWED."


class _Body(httpx2.AsyncByteStream):
    """What still comes of an answer."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._response.aiter_stream():
            yield part


class _JudgedConnections(httpcore2.AsyncNetworkBackend):
    """Opens connections to addresses that were judged."""

    def __init__(self, judge: Resolver) -> None:
        self._judge = judge
        self._tcp = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is the library's
        *_: Any,
        **__: Any,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to one of the host's addresses, the first that answers."""
        addresses = await self._judge(host, port)
        for last in addresses[:-1]:
            try:
                return await self._tcp.connect_tcp(str(last), port, timeout)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                log.info("outbound_address_silent", host=host, reason=repr(error))
        return await self._tcp.connect_tcp(str(addresses[-1]), port, timeout)


def _host(url: httpx2.URL) -> str:
    return url.raw_host.decode("ascii")


def _port(url: httpx2.URL) -> int:
    if url.port is not None:
        return url.port
    return HTTPS_PORT if url.scheme == "https" else HTTP_PORT


def _digits(value: str | None) -> str:
    return value if value is not None and value.isascii() and value.isdigit() else "0"


def _no_address(host: str) -> OutboundRefused:
    # The same words for a name that does not exist: they must not tell what an inner network has names for.
    return OutboundRefused("address_not_allowed", f"{host} has no public address with an open port. {_ASK}")


def _too_large(host: str, limits: Limits) -> OutboundFailed:
    return OutboundFailed("answer_too_large", f"The answer of {host} has more than {limits.max_bytes} bytes.")

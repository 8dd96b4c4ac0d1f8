"""The addresses that a name has, by the system's resolver."""

import socket
from collections.abc import Awaitable, Callable

import anyio.to_thread
from anyio import CapacityLimiter

from services.chassis.outbound_rules import Address, literal

# Resolvers that hang take threads of their own, not those in which services compute.
RESOLVER_THREADS = 8

Resolver = Callable[[str, int], Awaitable[list[Address]]]


class Lookup:
    """The system's resolver, which knows no time-outs, in threads that may be left behind."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None

    async def __call__(self, host: str, port: int) -> list[Address]:
        """The addresses; raises `OSError` for a name that has none."""
        self._limiter = self._limiter or CapacityLimiter(RESOLVER_THREADS)
        found = await anyio.to_thread.run_sync(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
            limiter=self._limiter,
            abandon_on_cancel=True,
        )
        addresses = [literal(str(entry[4][0])) for entry in found]
        return [address for address in addresses if address is not None]

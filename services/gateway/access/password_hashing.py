"""Passwords are hashed beside the event loop, few at a time: each hash takes 64 MiB and a tenth of a second."""

import base64
import secrets
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import ARGON2_VERSION
from argon2.profiles import RFC_9106_LOW_MEMORY

from services.gateway.access.password_rules import normalised
from services.gateway.problems import TryLater

T = TypeVar("T")

AT_ONCE = 2
MOST_WAITING = 40


class TooManyLogins(TryLater):
    """More passwords are waiting to be checked than can be in a few seconds."""

    status = 503


class PasswordHashing:
    """argon2id with the second recommended parameters of RFC 9106, section 4 (t=3, p=4, 64 MiB)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """`hasher` stands in for the one with those parameters."""
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._limiter = CapacityLimiter(AT_ONCE)
        self._waiting = 0
        self._nobody = _hash_of_nobody(self._hasher)

    async def hash(self, password: str) -> str:
        """What is stored of a password; raises `TooManyLogins`."""
        return await self._run(lambda: self._hasher.hash(normalised(password)))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether it is the password; without a stored hash the same work is done in vain. Raises `TooManyLogins`."""

        def verify() -> bool:
            try:
                return self._hasher.verify(stored or self._nobody, normalised(password)) and stored is not None
            except VerifyMismatchError:
                return False

        return await self._run(verify)

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than today's, so that it should be made again."""
        return self._hasher.check_needs_rehash(stored)

    def check_room(self) -> None:
        """Raise `TooManyLogins` if there is no room for one more, so that nothing is begun in vain."""
        if self._waiting >= MOST_WAITING:
            raise TooManyLogins("too_many_logins", "Many people sign in right now. Try again in a moment.", seconds=2)

    async def _run(self, function: Callable[[], T]) -> T:
        self.check_room()
        self._waiting += 1
        try:
            return await to_thread.run_sync(function, limiter=self._limiter)
        finally:
            self._waiting -= 1


def _hash_of_nobody(hasher: PasswordHasher) -> str:
    """A hash of the same form that belongs to no password: to check one against it fails, and costs the same."""
    salt, tag = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${tag}"

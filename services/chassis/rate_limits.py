"""Limits on how often something may happen: GCRA, counted in Redis, or in this process while Redis is away.

GCRA (generic cell rate algorithm, ITU-T I.371) lets a burst through at once and then one an interval.
"""

import time
from dataclasses import dataclass
from functools import lru_cache

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from throttled.asyncio import MemoryStore, RateLimiterRegistry, RedisStore, per_min
from throttled.asyncio.rate_limiter import BaseRateLimiter
from throttled.exceptions import StoreUnavailableError

from services.chassis.cache import HOLD_OFF_SECONDS, TIMEOUT_SECONDS
from services.chassis.settings import Settings

REDIS_CONNECTIONS = 16
# Keys that a process counts for by itself; the one that was quiet longest is forgotten first.
MEMORY_KEYS = 100_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limit:
    """One limit: `key` is who is counted, `name` what it is called in the answer's headers."""

    name: str
    key: str
    per_minute: int
    burst: int


@dataclass(frozen=True)
class Standing:
    """How a limit stands after a request; seconds."""

    limit: Limit
    exceeded: bool
    remaining: int
    full_after: float
    retry_after: float


class RateLimits:
    """Counts requests; without Redis each process counts by itself, so that several together let more through."""

    def __init__(self, settings: Settings) -> None:
        self._local = MemoryStore(options={"MAX_SIZE": MEMORY_KEYS})
        self._shared: RedisStore | None = None
        # Of this runtime alone: a cache of the module would keep the stores of those that have ended.
        self._limiter = lru_cache(maxsize=1024)(_limiter)
        self._away_until = 0.0
        if settings.redis_url is not None:
            options = {
                "CONNECTION_POOL_CLASS": f"{BlockingConnectionPool.__module__}.{BlockingConnectionPool.__name__}",
                "CONNECTION_POOL_KWARGS": {
                    "max_connections": REDIS_CONNECTIONS,
                    "timeout": TIMEOUT_SECONDS,
                    "socket_timeout": TIMEOUT_SECONDS,
                    "socket_connect_timeout": TIMEOUT_SECONDS,
                },
            }
            self._shared = RedisStore(server=settings.redis_url, options=options)

    async def close(self) -> None:
        """Give the connections back."""
        if self._shared is not None:
            client = self._shared._backend.get_client()
            assert isinstance(client, Redis)
            await client.aclose()

    async def take(self, limit: Limit) -> Standing:
        """Count one request against a limit."""
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return await self._counted(self._shared, limit)
            except StoreUnavailableError as error:
                self._away_until = time.monotonic() + HOLD_OFF_SECONDS
                _log.warning("rate_limits_without_redis", error=repr(error.__cause__ or error))
        return await self._counted(self._local, limit)

    async def _counted(self, store: MemoryStore | RedisStore, limit: Limit) -> Standing:
        limiter = self._limiter(store, limit.per_minute, limit.burst)
        result = await limiter.limit(f"modernize:{limit.name}:{limit.key}")
        state = result.state
        return Standing(limit, result.limited, state.remaining, state.reset_after, state.retry_after)


def _limiter(store: MemoryStore | RedisStore, per_minute: int, burst: int) -> BaseRateLimiter:
    return RateLimiterRegistry.get("gcra")(per_min(per_minute, burst=burst), store)

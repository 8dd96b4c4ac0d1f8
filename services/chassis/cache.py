"""A cache of JSON values per tenant, in Redis or in memory: without it the platform is slower, never wrong."""

import time
from typing import Any

import structlog
from cashews import Cache as Backend
from cashews import CacheBackendInteractionError

from contracts import Tenant
from services.chassis.settings import Settings

# How long Redis is left alone after an error, so that a hanging one costs one time-out and not one a request.
HOLD_OFF_SECONDS = 2.0
TIMEOUT_SECONDS = 0.5
MEMORY_ENTRIES = 10_000

_log = structlog.get_logger(__name__)


class Cache:
    """Values that may be as old as their time to live. Redis being away counts as a miss and shows in `errors`."""

    def __init__(self, settings: Settings, prefix: str = "modernize") -> None:
        """Connects on first use; `prefix` begins every key."""
        self.errors = 0
        self._prefix = prefix
        self._away_until = 0.0
        self._undeleted: set[str] = set()
        self._backend = Backend()
        if settings.redis_url:
            self._backend.setup(
                settings.redis_url,
                pickle_type="json",  # cashews would pickle, and whoever can write to Redis could then run code here
                protocol=2,  # with protocol 3 and redis-py 8, cashews 7.6 can serve stale values
                suppress=False,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                wait_for_connection_timeout=TIMEOUT_SECONDS,
            )
        else:
            self._backend.setup("mem://", pickle_type="json", size=MEMORY_ENTRIES)

    async def get(self, tenant: Tenant, key: str, default: Any = None) -> Any:
        """The JSON value under `key`, or `default` if there is none, or Redis is away."""
        if not await self._ready():
            return default
        try:
            return await self._backend.get(self._name(tenant, key), default=default)
        except CacheBackendInteractionError as error:
            self._went_away(error)
        except ValueError as error:
            self.errors += 1
            _log.warning("A cached value is not JSON and was ignored", key=key, error=repr(error))
        return default

    async def set(self, tenant: Tenant, key: str, value: Any, ttl_seconds: float) -> None:
        """Keep a JSON value for `ttl_seconds`; does nothing while Redis is away."""
        if not await self._ready():
            return
        try:
            await self._backend.set(self._name(tenant, key), value, expire=ttl_seconds)
        except CacheBackendInteractionError as error:
            self._went_away(error)

    async def delete(self, tenant: Tenant, key: str) -> None:
        """Forget a value. If Redis is away, this process never reads it again; others may until its time is over."""
        self._undeleted.add(self._name(tenant, key))
        await self._ready()

    async def close(self) -> None:
        """Give the connections back."""
        await self._backend.close()

    async def _ready(self) -> bool:
        """Whether Redis may be asked; first makes up for the deletes that it missed."""
        if time.monotonic() < self._away_until:
            return False
        if missed := set(self._undeleted):
            try:
                await self._backend.delete_many(*missed)
            except CacheBackendInteractionError as error:
                self._went_away(error)
                return False
            self._undeleted -= missed
        return True

    def _went_away(self, error: CacheBackendInteractionError) -> None:
        self.errors += 1
        self._away_until = time.monotonic() + HOLD_OFF_SECONDS
        _log.warning("The cache did not answer; going on without it", error=repr(error.__cause__ or error))

    def _name(self, tenant: Tenant, key: str) -> str:
        return f"{self._prefix}:{tenant.client_account_id}:{tenant.engagement_id}:{key}"

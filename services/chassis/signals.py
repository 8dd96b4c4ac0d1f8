"""A word from one process to the others, through Redis: that there is something to look at. It may get lost.

Whoever listens must find what it is about in the database, and look there from time to time anyway.
"""

import asyncio
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis.cache import TIMEOUT_SECONDS
from services.chassis.settings import Settings

log = structlog.get_logger()

PAUSE_SECONDS = 2.0


class Signals:
    """Sends and hears words; does nothing where there is no Redis."""

    def __init__(self, settings: Settings) -> None:
        self._redis: Redis | None = None
        if settings.redis_url is not None:
            self._redis = Redis.from_url(
                settings.redis_url, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS
            )

    @property
    def shared(self) -> bool:
        """Whether other processes can hear."""
        return self._redis is not None

    async def send(self, channel: str, word: str) -> None:
        """Tell all who listen; a Redis that is away is logged."""
        if self._redis is None:
            return
        try:
            await self._redis.publish(channel, word)
        except (RedisError, OSError) as error:
            log.warning("signal_not_sent", channel=channel, reason=repr(error))

    async def hear(self, channel: str, take: Callable[[str], None]) -> None:
        """Give words to `take` as they come, until cancelled; none while Redis is away. Ends at once without it."""
        while self._redis is not None:
            try:
                await self._hear(self._redis, channel, take)
            except (RedisError, OSError) as error:
                log.warning("signals_not_heard", channel=channel, reason=repr(error), again_in_seconds=PAUSE_SECONDS)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _hear(self, redis: Redis, channel: str, take: Callable[[str], None]) -> None:
        async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(channel)
            while True:
                # With a time-out there is no hanging on a connection that was cut without a word.
                message = await subscription.get_message(timeout=30)
                if message is not None:
                    take(message["data"].decode())

    async def close(self) -> None:
        """Give the connections back."""
        if self._redis is not None:
            await self._redis.aclose()

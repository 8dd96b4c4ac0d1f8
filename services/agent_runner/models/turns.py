"""Whose turn it is to call a model: so many calls a minute and at a time, for a tenant and for a provider."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator

from contracts.envelope import Tenant
from services.agent_runner.models.catalogue import Provider
from services.chassis.rate_limits import Limit, RateLimits


class TurnTooLate(Exception):
    """The deadline comes before the turn."""


class _Places:
    """Calls at a time, first come, first served; the number may change while some wait."""

    def __init__(self) -> None:
        self.taken = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self, most: int) -> None:
        while self.taken >= most:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.wake()
                raise
        self.taken += 1

    def leave(self) -> None:
        self.taken -= 1
        self.wake()

    def wake(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


class Turns:
    """Counts calls at a time in this process, and calls a minute in Redis where there is one."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._places: dict[Tenant | str, _Places] = {}

    @contextlib.asynccontextmanager
    async def turn(
        self, tenant: Tenant, provider: Provider, *, per_minute: int, at_once: int, deadline: float
    ) -> AsyncIterator[None]:
        """Wait for a turn and have it until the block ends; raises `TurnTooLate` at `deadline` (monotonic seconds)."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                    await self._in_rate(tenant, per_minute, deadline)
                    await stack.enter_async_context(self._place(tenant, at_once))
                    await stack.enter_async_context(self._place(provider.name, provider.at_once))
            except TimeoutError as error:
                raise TurnTooLate from error
            yield

    async def _in_rate(self, tenant: Tenant, per_minute: int, deadline: float) -> None:
        key = f"{tenant.client_account_id}:{tenant.engagement_id}"
        limit = Limit("model_calls", key, per_minute, max(1, per_minute // 10))
        while (standing := await self._limits.take(limit)).exceeded:
            if time.monotonic() + standing.retry_after >= deadline:
                raise TurnTooLate
            await asyncio.sleep(max(standing.retry_after, 0.01))

    @contextlib.asynccontextmanager
    async def _place(self, who: Tenant | str, at_once: int) -> AsyncIterator[None]:
        places = self._places.setdefault(who, _Places())
        await places.enter(at_once)
        try:
            yield
        finally:
            places.leave()
            if not places.taken and not places.waiting:
                self._places.pop(who, None)

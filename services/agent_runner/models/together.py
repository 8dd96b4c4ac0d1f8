"""Questions to the database of many runs at once: what came while one was answered is answered together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from contracts.envelope import Tenant

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Asks `answer(tenant, questions)`, one batch of a tenant after another; a lone question goes at once."""

    def __init__(self, answer: Callable[[Tenant, Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._answer = answer
        self._waiting: dict[Tenant, list[tuple[Q, asyncio.Future[A]]]] = {}
        self._asking: dict[Tenant, asyncio.Task[None]] = {}

    async def ask(self, tenant: Tenant, question: Q) -> A:
        """The answer to this question; raises what answering its batch raised."""
        answered: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, []).append((question, answered))
        if tenant not in self._asking:
            self._asking[tenant] = asyncio.create_task(self._ask_all(tenant))
        return await answered

    async def _ask_all(self, tenant: Tenant) -> None:
        try:
            while batch := self._waiting.pop(tenant, []):
                await self._ask_batch(tenant, batch)
        finally:
            del self._asking[tenant]
            for _, answered in self._waiting.pop(tenant, []):
                answered.cancel()

    async def _ask_batch(self, tenant: Tenant, batch: list[tuple[Q, "asyncio.Future[A]"]]) -> None:
        waiting = [answered for _, answered in batch]
        try:
            asked = self._answer(tenant, [question for question, _ in batch])
            (answers,) = await asyncio.gather(asked, return_exceptions=True)
        except asyncio.CancelledError:
            for answered in waiting:
                answered.cancel()
            raise
        if isinstance(answers, BaseException):
            for answered in waiting:
                if not answered.done():
                    answered.set_exception(answers)
            return
        for answered, answer in zip(waiting, answers, strict=True):
            if not answered.done():
                answered.set_result(answer)

"""What was found out, for a few seconds: most requests are then checked without a look at the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar, cast

T = TypeVar("T")

# A revocation takes at most that long in other processes, and none in the one where `forget` is called.
SECONDS = 5.0
MOST = 20_000


class Remembered:
    """Answers by question. Who asks while an answer is being found waits for that one, so that no herd looks it up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, seconds: float = SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._known: dict[Hashable, tuple[float, object]] = {}
        self._pending: dict[Hashable, asyncio.Task[object]] = {}
        self._forgotten = 0

    async def get(self, question: Hashable, find: Callable[[], Awaitable[T | None]]) -> T | None:
        """The answer to a question; None is asked again each time, for strangers may ask without end."""
        known = self._known.get(question)
        if known is not None and self._clock() < known[0]:
            return cast(T, known[1])
        task = self._pending.get(question)
        if task is None:
            task = asyncio.ensure_future(self._find(question, find))
            self._pending[question] = task
        # One of several who wait may be cancelled.
        return cast("T | None", await asyncio.shield(task))

    def forget(self) -> None:
        """Call this after a commit that changed what somebody may do."""
        self._known.clear()
        # What is being looked up may have been read before that commit.
        self._pending.clear()
        self._forgotten += 1

    async def _find(self, question: Hashable, find: Callable[[], Awaitable[T | None]]) -> object:
        begun = self._forgotten
        try:
            answer = await find()
        finally:
            if self._forgotten == begun:
                self._pending.pop(question, None)
        if answer is not None and self._forgotten == begun:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[question] = self._clock() + self._seconds, answer
        return answer

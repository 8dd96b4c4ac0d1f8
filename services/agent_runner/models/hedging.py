"""Asking the next where one fails; with hedging, also where one is slow: whoever answers first counts.

Hedged requests: J. Dean, L. A. Barroso, The Tail at Scale, CACM 56(2), 2013.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from services.chassis.errors import ExpectedFailure

A = TypeVar("A")


async def first_answer(asks: Sequence[Callable[[], Awaitable[A]]], after: float | None) -> A:
    """The answer of the first that gives one, in order; the next is asked when those before failed.

    With `after` it is also asked when that many seconds brought no answer, and who loses is cancelled. Raises the last
    `ExpectedFailure` when all failed, and any other exception at once; there must be somebody to ask.
    """
    if after is None:
        *before, last = asks
        for ask in before:
            try:
                return await ask()
            except ExpectedFailure:
                continue
        return await last()
    return await _hedged(asks, after)


async def _hedged(asks: Sequence[Callable[[], Awaitable[A]]], after: float) -> A:
    left, asking, failed = list(asks), set[asyncio.Future[A]](), None
    try:
        while left or asking:
            if left:
                asking.add(asyncio.ensure_future(left.pop(0)()))
            done, asking = await asyncio.wait(
                asking, timeout=after if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for each in done:
                error = each.exception()
                if error is None:
                    return each.result()
                if not isinstance(error, ExpectedFailure):
                    raise error
                failed = error
    finally:
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    assert failed is not None
    raise failed

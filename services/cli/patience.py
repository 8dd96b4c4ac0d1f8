"""Waiting for what is still starting, and saying so."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

log = structlog.get_logger()

T = TypeVar("T")

RETRY_SECONDS = 1.0
# How often a wait that goes on is mentioned again.
NOTICE_SECONDS = 10.0
# SQLSTATE of a server that is starting or stopping ("Error Codes", appendix A of the PostgreSQL manual).
_STARTING = {"57P03", "57P01", "57P02"}


def is_starting(error: Exception) -> bool:
    """Whether an error of the database's driver says that nobody is there yet."""
    if isinstance(error, DBAPIError):
        return getattr(error.orig, "sqlstate", None) in _STARTING or isinstance(error.orig, OSError)
    return isinstance(error, OSError | TimeoutError)


async def until_it_answers(
    what: str, attempt: Callable[[], Awaitable[T]], may_come: Callable[[Exception], bool], advice: str = ""
) -> T:
    """The first result of `attempt`; an error that `may_come` accepts is logged and tried again after a second."""
    loop = asyncio.get_running_loop()
    next_notice = loop.time()
    while True:
        try:
            return await attempt()
        except Exception as error:
            if not may_come(error):
                raise
            if loop.time() >= next_notice:
                next_notice = loop.time() + NOTICE_SECONDS
                reason = str(getattr(error, "orig", None) or error) or type(error).__name__
                log.warning("waiting", waits_for=what, reason=reason, advice=advice or None)
        await asyncio.sleep(RETRY_SECONDS)


async def announced(awaited: Coroutine[Any, Any, T], what: str) -> T:
    """Await something that tries again by itself; a log line says every few seconds that it has not come yet."""
    task = asyncio.create_task(awaited)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=NOTICE_SECONDS)
            if done:
                return await task
            log.warning("waiting", waits_for=what, reason="it does not answer")
    finally:
        task.cancel()

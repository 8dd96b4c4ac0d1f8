"""The end of the tasks that carry a session's messages."""

import asyncio

import structlog

log = structlog.get_logger()


async def join(*tasks: asyncio.Task[None]) -> None:
    """Stop them; what went wrong in one is for the operator, for whoever waits for an answer is told in any case."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.error("mcp_messages_not_carried", exc_info=outcome)

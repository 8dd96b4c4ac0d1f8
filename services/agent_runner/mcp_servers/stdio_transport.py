"""MCP over the standard streams of a program: in a folder of its own, with none of our variables, ended for certain."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import ValidationError

from services.agent_runner.mcp_servers.joining import join
from services.chassis.errors import ExpectedFailure

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

LONGEST_MESSAGE = 1024**2
# For a program to end by itself, and then to end when it is told to.
PATIENCE_SECONDS = 2.0


@asynccontextmanager
async def stdio_streams(command: Sequence[str], ended: Callable[[], None]) -> AsyncIterator[tuple[Any, Any]]:
    """What a session reads from and writes to; `ended` is called when the program says nothing more.

    Raises `ExpectedFailure` where there is no such program.
    """
    inbox, read = anyio.create_memory_object_stream[Any](0)
    write, outbox = anyio.create_memory_object_stream[Any](0)
    with tempfile.TemporaryDirectory(prefix="modernize-mcp-", ignore_cleanup_errors=True) as folder:
        process = await _started(command, folder)
        tasks = [
            asyncio.create_task(_hear(process, inbox, ended)),
            asyncio.create_task(_say(process, outbox)),
        ]
        try:
            yield read, write
        finally:
            await join(*tasks)
            await _end(process)
            for stream in (inbox, read, write, outbox):
                await stream.aclose()


async def _started(command: Sequence[str], folder: str) -> asyncio.subprocess.Process:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
    }
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # What it complains about may quote what it was given.
            stderr=asyncio.subprocess.DEVNULL,
            cwd=folder,
            env=environment,
            # Its children end with it.
            start_new_session=True,
            limit=LONGEST_MESSAGE,
        )
    except OSError as error:
        raise ExpectedFailure("mcp_server_missing", f"Its program does not start: {error.strerror}.") from error


async def _hear(
    process: asyncio.subprocess.Process, inbox: "MemoryObjectSendStream[Any]", ended: Callable[[], None]
) -> None:
    from mcp.shared.message import SessionMessage
    from mcp.types import JSONRPCMessage

    assert process.stdout is not None
    try:
        # A line that is too long is a ValueError: whoever sends such is not listened to any more.
        with contextlib.suppress(ValueError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for line in process.stdout:
                try:
                    message = JSONRPCMessage.model_validate_json(line)
                except ValidationError:
                    continue  # Programs print greetings.
                await inbox.send(SessionMessage(message))
    finally:
        ended()
        await inbox.aclose()


async def _say(process: asyncio.subprocess.Process, outbox: "MemoryObjectReceiveStream[Any]") -> None:
    assert process.stdin is not None
    async for each in outbox:
        written = each.message.model_dump_json(by_alias=True, exclude_none=True)
        try:
            process.stdin.write(written.encode() + b"\n")
            await process.stdin.drain()
        except ConnectionError:
            return  # It has ended; whoever waits for an answer is told so by who listens.


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its input, then ask it to end, then end it, and whatever it began."""
    assert process.stdin is not None
    process.stdin.close()
    for sign in (None, signal.SIGTERM, signal.SIGKILL):
        if sign is not None:
            _signal(process.pid, sign)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await process.wait()
                break
    _signal(process.pid, signal.SIGKILL)
    # Of one that was not listened to any more there may be words left, and its pipe stays open until they are read.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _unheard(process)


async def _unheard(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    while await process.stdout.read(LONGEST_MESSAGE):
        pass


def _signal(group: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, sign)

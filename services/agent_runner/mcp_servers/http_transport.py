"""MCP over streamable HTTP, by the one guarded client: each message is a POST, and what comes is read whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import orjson
from pydantic import ValidationError

from services.agent_runner.mcp_servers.joining import join
from services.chassis.errors import ExpectedFailure
from services.chassis.outbound import Answer, Limits, Outbound

LIMITS = Limits(total_seconds=15, idle_seconds=15, max_bytes=1024**2)
FAREWELL = Limits(total_seconds=2, idle_seconds=2, max_bytes=64 * 1024)
# JSON-RPC leaves these numbers to who implements it.
NOT_REACHED = -32000


@asynccontextmanager
async def http_streams(outbound: Outbound, url: str, token: str | None) -> AsyncIterator[tuple[Any, Any]]:
    """What a session reads from and writes to. A message that finds no answer becomes an error with the reason."""
    inbox, read = anyio.create_memory_object_stream[Any](0)
    write, outbox = anyio.create_memory_object_stream[Any](0)
    posting = _Posting(outbound, url, token, inbox)
    task = asyncio.create_task(posting.run(outbox))
    try:
        yield read, write
    finally:
        await join(task)
        await posting.farewell()
        for stream in (inbox, read, write, outbox):
            await stream.aclose()


class _Posting:
    def __init__(self, outbound: Outbound, url: str, token: str | None, inbox: Any) -> None:
        self._outbound = outbound
        self._url = url
        self._inbox = inbox
        self._headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"

    async def run(self, outbox: Any) -> None:
        async with asyncio.TaskGroup() as group:
            async for each in outbox:
                message = each.message.model_dump(by_alias=True, mode="json", exclude_none=True)
                if "id" in message and "method" in message:
                    group.create_task(self._ask(message))
                else:
                    # The next message must not overtake it.
                    await self._ask(message)

    async def farewell(self) -> None:
        """Let the server forget the session, if it listens."""
        if "mcp-session-id" in self._headers:
            with suppress(ExpectedFailure):
                await self._outbound.send("DELETE", self._url, headers=self._headers, limits=FAREWELL)

    async def _ask(self, message: dict[str, Any]) -> None:
        try:
            content = orjson.dumps(message)
            answer = await self._outbound.send("POST", self._url, headers=self._headers, content=content, limits=LIMITS)
            said = list(self._messages(message, answer))
        except ExpectedFailure as error:
            said = [_error(message, error.problem.detail)]
        if "id" not in message or "method" not in message:
            return
        if not any(each.get("id") == message["id"] for each in said if "method" not in each):
            said.append(_error(message, "It did not answer what it was asked."))
        await self._pass_on(said)

    async def _pass_on(self, said: list[dict[str, Any]]) -> None:
        from mcp.shared.message import SessionMessage
        from mcp.types import JSONRPCMessage

        for each in said:
            with suppress(ValidationError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                await self._inbox.send(SessionMessage(JSONRPCMessage.model_validate(each)))

    def _messages(self, message: dict[str, Any], answer: Answer) -> Iterator[dict[str, Any]]:
        if answer.status not in (200, 202):
            raise ExpectedFailure("mcp_server_refuses", f"It answered with the status {answer.status}.")
        if session_id := answer.headers.get("mcp-session-id"):
            self._headers["mcp-session-id"] = session_id
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        texts = _events(answer.body) if kind == "text/event-stream" else [answer.body] if answer.body.strip() else []
        for text in texts:
            try:
                said = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise ExpectedFailure("mcp_server_refuses", "What it answers is not JSON.") from error
            if not isinstance(said, dict):
                continue
            result = said.get("result")
            if message.get("method") == "initialize" and isinstance(result, dict) and "protocolVersion" in result:
                self._headers["mcp-protocol-version"] = str(result["protocolVersion"])[:20]
            yield said


def _events(body: bytes) -> list[bytes]:
    """The data of server-sent events (HTML, 9.2): lines that belong together are joined, all but `data` is left out."""
    events = []
    for block in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if any(lines):
            events.append(b"\n".join(lines))
    return events


def _error(message: dict[str, Any], detail: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": NOT_REACHED, "message": detail}}

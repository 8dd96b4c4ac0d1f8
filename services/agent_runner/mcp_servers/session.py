"""An open session with one MCP server, of one tenant: what of its tools may be called, and their calls."""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import structlog
from pydantic import ValidationError

from contracts.envelope import Problem
from contracts.mcp_configuration import McpServer
from services.agent_runner.tools.calls import Offered
from services.chassis.errors import ExpectedFailure

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult, Tool

log = structlog.get_logger()

# To start, shake hands and list the tools.
START_SECONDS = 10.0
# Longer than its program is given to end.
STOP_SECONDS = 8.0
MOST_PAGES = 10
LONGEST_DESCRIPTION = 500
LARGEST_SCHEMA = 10_000
LONGEST_ANSWER = 20_000

# Given what to call when the server has ended, it gives what a session reads from and writes to.
Connect = Callable[[Callable[[], None]], AbstractAsyncContextManager[tuple[Any, Any]]]


class McpSession:
    """Lives in a task of its own, as the streams of a session have to be closed where they were opened."""

    def __init__(self, server: McpServer, connect: Connect) -> None:
        self.tools: list[Offered] = []
        self.missing: list[Problem] = []
        self.problem: Problem | None = None
        self.ended = False
        self._server = server
        self._connect = connect
        self._client: ClientSession | None = None
        self._ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def ready(self) -> None:
        """Until it can be used or it is known why not."""
        await self._ready.wait()

    async def close(self) -> None:
        """End it, and whatever program runs for it."""
        self._stop.set()
        _, pending = await asyncio.wait([self._task], timeout=STOP_SECONDS)
        for task in pending:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        from mcp import ClientSession

        try:
            async with self._connect(self._gone) as (read, write), ClientSession(read, write) as client:
                self.problem = await self._begun(client)
                self._client = client
                self._ready.set()
                if self.problem is None:
                    await self._stop.wait()
        except ExpectedFailure as error:
            self.problem = self._problem("mcp_server_missing", error.problem.detail)
        except Exception as error:
            log.exception("mcp_session_failed", server=self._server.name)
            self.problem = self._problem("mcp_server_failed", f"Its session ended with {type(error).__name__}.")
        finally:
            self.ended = True
            self._ready.set()

    def _gone(self) -> None:
        self.ended = True

    async def _begun(self, client: "ClientSession") -> Problem | None:
        """Shake hands and see what there is; why that did not work."""
        from mcp import McpError

        try:
            async with asyncio.timeout(START_SECONDS):
                await client.initialize()
                self._take(await _listed(client))
        except TimeoutError:
            return self._problem("mcp_server_silent", f"It did not begin within {START_SECONDS:.0f} s.")
        except (McpError, ValidationError, RuntimeError, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            said = error.error.message if isinstance(error, McpError) else type(error).__name__
            return self._problem("mcp_server_failed", f"It cannot be used: {said[:300]}.")
        return None

    def _take(self, listed: "list[Tool]") -> None:
        """Keep what is allowed, and say what of it is not there."""
        there = {tool.name: tool for tool in listed}
        names: set[str] = set()
        for allowed in self._server.tools:
            tool, name = there.get(allowed), offered_name(self._server.name, allowed)
            if tool is None:
                self.missing.append(self._problem("mcp_tool_missing", f"It has no tool {allowed}."))
            elif name in names or len(orjson.dumps(tool.inputSchema)) > LARGEST_SCHEMA:
                self.missing.append(self._problem("mcp_tool_unusable", f"Its tool {allowed} cannot be offered."))
            else:
                names.add(name)
                about = " ".join((tool.description or "").split())[:LONGEST_DESCRIPTION]
                described = f"{about} (the server {self._server.name} says so of its tool)"
                self.tools.append(Offered(name, described, tool.inputSchema, self._caller(allowed)))

    def _caller(self, tool: str) -> Any:
        async def call(arguments: Mapping[str, Any]) -> Any:
            return await self._call(tool, arguments)

        return call

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> Any:
        """What a tool of the server gives; raises `ExpectedFailure`. Who does not answer is not asked again."""
        from mcp import McpError

        if self._client is None or self.ended:
            raise ExpectedFailure("mcp_server_gone", f"The MCP server {self._server.name} has ended.")
        try:
            result = await self._client.call_tool(tool, dict(arguments))
        except asyncio.CancelledError:
            self.ended = True
            raise
        except (McpError, ValidationError, RuntimeError, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            said = error.error.message if isinstance(error, McpError) else type(error).__name__
            detail = f"The MCP server {self._server.name} gave nothing: {said[:300]}."
            raise ExpectedFailure("mcp_call_failed", detail) from error
        said = _text(result)
        if result.isError:
            raise ExpectedFailure("mcp_tool_failed", f"The MCP server {self._server.name} says: {said[:400]}")
        return said

    def _problem(self, code: str, detail: str) -> Problem:
        return Problem(code=code, detail=f"The MCP server {self._server.name} is left out: {detail}")


def offered_name(server: str, tool: str) -> str:
    """How models know a tool: no name of ours begins so."""
    return re.sub("[^a-z0-9]+", "_", f"mcp_{server}_{tool}".lower()).strip("_")[:60].rstrip("_")


async def _listed(client: "ClientSession") -> "list[Tool]":
    from mcp.types import PaginatedRequestParams

    found: list[Tool] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(params=PaginatedRequestParams(cursor=cursor))
        found += page.tools
        cursor = page.nextCursor
        if cursor is None:
            break
    return found


def _text(result: "CallToolResult") -> str:
    """The texts of a result, or what it says in a structure; pictures and sounds are for no model of ours."""
    texts = [block.text for block in result.content if block.type == "text"]
    if not texts and result.structuredContent is not None:
        texts = [orjson.dumps(result.structuredContent).decode()]
    return "\n".join(texts)[:LONGEST_ANSWER]

"""What tenants need while agents work for them: open sessions with their MCP servers, and the tools these have.

Made on first use, dropped when idle for a while and when the process stops, and bounded in number. A place belongs to
one engagement of one client account. Crews and their agents are not here: they are made for one run.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from contracts.configuration import SEALED_INVENTORY
from contracts.envelope import Problem, Tenant
from contracts.mcp_configuration import MCP_SERVER_TOKENS, MCP_SERVERS, McpServer
from services.agent_runner.mcp_servers.http_transport import http_streams
from services.agent_runner.mcp_servers.session import McpSession
from services.agent_runner.mcp_servers.stdio_transport import stdio_streams
from services.agent_runner.tools.calls import Offered
from services.chassis.errors import ExpectedFailure
from services.chassis.runtime import Runtime

IDLE_SECONDS = 300.0
MOST_SESSIONS = 64
# How long a server that did not begin is left alone, so that not every run waits for it.
AGAIN_SECONDS = 30.0

# What a session was opened with: other settings mean another session.
_Key = tuple[str, str | None]


@dataclass
class _Place:
    """What one engagement has open, and how many runs use it."""

    sessions: dict[_Key, McpSession] = field(default_factory=dict)
    failed: dict[_Key, tuple[float, Problem]] = field(default_factory=dict)
    users: int = 0
    idle_since: float = 0.0


@dataclass(frozen=True)
class Servers:
    """What a run may call of its tenant's servers, and why it has to do without others."""

    tools: Sequence[Offered] = ()
    missing: Sequence[Problem] = ()


class AgentPool:
    """The places of all tenants, in one process."""

    def __init__(self, runtime: Runtime) -> None:
        self._configuration = runtime.configuration
        self._outbound = runtime.outbound
        self._commands = runtime.settings.mcp_commands
        self._places: dict[Tenant, _Place] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def sessions(self) -> int:
        """How many sessions are open."""
        return sum(len(place.sessions) for place in self._places.values())

    async def seals(self, tenant: Tenant) -> bool:
        """Whether a tenant's inventory is sealed, as it was configured some seconds ago at most."""
        return await self._configuration.value(tenant, SEALED_INVENTORY)

    @asynccontextmanager
    async def servers_for(self, tenant: Tenant, agent: str, deadline: float) -> AsyncIterator[Servers]:
        """The tools of the servers that this tenant lets this agent call, kept open until the block ends."""
        configured = await self._configuration.value(tenant, MCP_SERVERS)
        wanted = [server for server in configured if agent in server.agents and server.tools]
        if not wanted:
            yield Servers()
            return
        tokens = await self._tokens(tenant)
        keys = [(server.model_dump_json(), tokens.get(server.name)) for server in wanted]
        place = self._places.setdefault(tenant, _Place())
        place.users += 1
        try:
            yield await self._opened(place, list(zip(keys, wanted, strict=True)), deadline)
        finally:
            place.users -= 1
            place.idle_since = time.monotonic()

    async def drop_idle(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Close what nobody has used for so long."""
        now = time.monotonic()
        for tenant, place in list(self._places.items()):
            if not place.users and now - place.idle_since >= idle_seconds:
                self._drop(tenant)
        await self._closed()

    async def close(self) -> None:
        """Close everything: the process stops."""
        for tenant in list(self._places):
            self._drop(tenant)
        await self._closed()

    async def _opened(self, place: _Place, wanted: Sequence[tuple[_Key, McpServer]], deadline: float) -> Servers:
        missing: list[Problem] = []
        tools: list[Offered] = []
        found = [(key, server, self._session(place, key, server)) for key, server in wanted]
        ready = {
            server.name: asyncio.ensure_future(session.ready())
            for _, server, session in found
            if isinstance(session, McpSession)
        }
        if ready:
            _, late = await asyncio.wait(ready.values(), timeout=max(0.0, deadline - time.monotonic()))
            for each in late:
                each.cancel()
        for key, server, session in found:
            if isinstance(session, Problem):
                missing.append(session)
            elif not ready[server.name].done():
                detail = f"The MCP server {server.name} is left out: it did not begin in the time that the run has."
                missing.append(Problem(code="mcp_server_silent", detail=detail))
            elif session.problem is not None:
                missing.append(session.problem)
                place.failed[key] = time.monotonic() + AGAIN_SECONDS, session.problem
            else:
                tools += session.tools
                missing += session.missing
        return Servers(tools, missing)

    def _session(self, place: _Place, key: _Key, server: McpServer) -> McpSession | Problem:
        """The open session with a server, a new one, or why there is none."""
        known = place.sessions.get(key)
        if known is not None and not known.ended:
            return known
        if known is not None:
            self._close(place.sessions.pop(key))
        until, problem = place.failed.get(key, (0.0, None))
        if problem is not None and time.monotonic() < until:
            return problem
        if not self._room():
            detail = f"The MCP server {server.name} is left out: as many sessions are open as may be."
            return Problem(code="agent_pool_full", detail=detail)
        return place.sessions.setdefault(key, McpSession(server, partial(self._connect, server, key[1])))

    def _room(self) -> bool:
        """Whether one more session may be opened, after who was idle longest had to go where that is needed."""
        while self.sessions >= MOST_SESSIONS:
            idle = [tenant for tenant, place in self._places.items() if not place.users and place.sessions]
            if not idle:
                return False
            self._drop(min(idle, key=lambda tenant: self._places[tenant].idle_since))
        return True

    def _connect(
        self, server: McpServer, token: str | None, ended: Any
    ) -> AbstractAsyncContextManager[tuple[Any, Any]]:
        if server.url is not None:
            return http_streams(self._outbound, server.url, token)
        command = self._commands.get(server.command or "")
        if not command:
            detail = f"The operator has allowed no command {server.command!r} (MODERNIZE_MCP_COMMANDS)."
            raise ExpectedFailure("mcp_command_unknown", detail)
        return stdio_streams(command, ended)

    async def _tokens(self, tenant: Tenant) -> dict[str, str]:
        if await self._configuration.is_set_nearer(tenant, MCP_SERVERS, MCP_SERVER_TOKENS):
            # Whoever may name an address must not be sent a token that somebody above gave for another.
            return {}
        return await self._configuration.value(tenant, MCP_SERVER_TOKENS)

    def _drop(self, tenant: Tenant) -> None:
        for session in self._places.pop(tenant).sessions.values():
            self._close(session)

    def _close(self, session: McpSession) -> None:
        closing = asyncio.create_task(session.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _closed(self) -> None:
        await asyncio.gather(*self._closing)


async def pool_of(runtime: Runtime) -> AsyncIterator[AgentPool]:
    """The pool of a running service, for as long as it runs."""
    pool = AgentPool(runtime)
    try:
        yield pool
    finally:
        await pool.close()

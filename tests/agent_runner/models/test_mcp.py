"""MCP servers of tenants: real processes and a real HTTP server, which work, die, hang, and offer too much."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.envelope import Tenant
from contracts.mcp_configuration import MCP_SERVER_TOKENS, MCP_SERVERS
from services.agent_runner import pool as pool_module
from services.agent_runner.mcp_servers import session as session_module
from services.agent_runner.pool import AgentPool, Servers
from services.agent_runner.tools import calls as calls_module
from services.agent_runner.tools.calls import ToolCalls
from services.chassis.outbound import Outbound
from services.chassis.testing import eventually
from tests.agent_runner.models import mcp_servers
from tests.agent_runner.models.conftest import Platform
from tests.agent_runner.models.test_agent_runs import portfolio, saying
from tests.agent_runner.models.test_tools import calling, run_of, tool_results
from tests.model_server import INJECTION

pytestmark = pytest.mark.xdist_group("crewai")

ROOT = Path(__file__).parents[3]
# Its own folder is none of ours, so it is told where the tests are.
PROGRAM = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['', 'stdio']; "]
PROGRAM[-1] += "import runpy; runpy.run_module('tests.agent_runner.models.mcp_servers', run_name='__main__')"
AGENT = "migration_strategist"


@pytest.fixture
async def pool(platform: Platform) -> Any:
    """A pool whose operator allows a program that works, one that is not there, and one that never says anything."""
    allowed = {
        "tests": PROGRAM,
        "nothing": ["/no/such/program"],
        "silent": [sys.executable, "-c", "import time; time.sleep(600)"],
        "babbling": [sys.executable, "-c", "print('x' * 5_000_000)"],
    }
    settings = platform.runtime.settings.model_copy(update={"mcp_commands": allowed})
    platform.runtime.settings = settings
    platform.pool = AgentPool(platform.runtime)
    yield platform.pool
    await platform.pool.close()


def a_server(command: str = "tests", name: str = "wiki", tools: tuple[str, ...] = ("echo",), **more: Any) -> Any:
    return {
        "name": name,
        "transport": "stdio",
        "command": command,
        "tools": list(tools),
        "agents": [AGENT],
        **more,
    }


def at(url: str, **more: Any) -> Any:
    return a_server(transport="http", url=url, **{"command": None, **more})


async def tenant_with(platform: Platform, *servers: Any) -> Tenant:
    tenant = await platform.tenant()
    await platform.set(tenant, MCP_SERVERS, list(servers))
    return tenant


def soon() -> float:
    return time.monotonic() + 40


async def called(servers: Servers, name: str, **arguments: Any) -> str:
    told = await ToolCalls(servers.tools).call(name, arguments)
    return ("failed: " if told.failed else "") + told.text


async def test_a_crew_calls_what_is_allowed_of_a_program_which_sees_nothing_of_ours_and_ends(
    platform: Platform, pool: AgentPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERNIZE_API_KEY", "nobody's business")
    tenant = await tenant_with(platform, a_server(tools=("echo", "seen", "flood", "fail", "not_there")))
    platform.stub.answering = calling(
        *(("mcp_wiki_echo", {"text": "<b>hello</b>"}), ("mcp_wiki_seen", {}), ("mcp_wiki_flood", {})),
        *(("mcp_wiki_fail", {}), ("mcp_wiki_secret", {}), ("secret", {})),
        then=saying(strategy="retire"),
    )
    result, _ = await run_of(platform, tenant, question=portfolio("Shop"))
    assert (result.engine, result.differs) == ("model", True)
    uses = {use.tool: (use.calls, use.failed) for use in result.tools}
    assert uses == {"mcp_wiki_echo": (1, 0), "mcp_wiki_seen": (1, 0), "mcp_wiki_flood": (1, 0), "mcp_wiki_fail": (1, 1)}
    assert [problem.code for problem in result.tools_missing] == ["mcp_tool_missing"]
    echo, seen, flood, failed = tool_results(platform.stub.chats()[-1])
    assert "echo: \\u003cb\\u003ehello" in echo
    assert len(flood) <= calls_module.LONGEST_RESULT + 100
    assert failed.count("</data>") == 1
    assert "it went wrong" in failed
    told = json.loads(json.loads(seen.removeprefix("<data>\n").removesuffix("\n</data>"))["result"])
    assert set(told["variables"]) <= {"PATH", "LANG", "HOME", "TMPDIR", "LC_CTYPE"}
    assert os.path.exists(told["folder"])  # noqa: ASYNC240 - one look
    (offered,) = [
        tool for tool in platform.stub.chats()[0].body["tools"] if tool["function"]["name"] == "mcp_wiki_echo"
    ]
    assert offered["function"]["parameters"]["required"] == ["text"]
    await pool.close()
    assert not os.path.exists(told["folder"])  # noqa: ASYNC240 - one look
    with pytest.raises(ProcessLookupError):
        os.kill(told["pid"], 0)


async def test_a_server_that_dies_or_hangs_within_a_call_is_told_of_and_begun_anew(
    platform: Platform, pool: AgentPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await tenant_with(platform, a_server(tools=("echo", "die", "hang")))
    async with pool.servers_for(tenant, AGENT, soon()) as servers:
        assert "Connection closed" in await called(servers, "mcp_wiki_die")
        assert "has ended" in await called(servers, "mcp_wiki_echo", text="a")
    monkeypatch.setattr(calls_module, "CALL_SECONDS", 0.5)
    async with pool.servers_for(tenant, AGENT, soon()) as servers:
        assert "gave nothing within" in await called(servers, "mcp_wiki_hang")
    monkeypatch.setattr(calls_module, "CALL_SECONDS", 15)
    async with pool.servers_for(tenant, AGENT, soon()) as servers:
        assert "echo: b" in await called(servers, "mcp_wiki_echo", text="b")
    assert pool.sessions == 1


async def test_servers_that_are_missing_silent_or_mad_are_left_out_and_the_run_says_so(
    platform: Platform, pool: AgentPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "START_SECONDS", 1.0)
    platform.stub.answering = saying(strategy="retire")
    broken = [a_server(command, name=command) for command in ("nothing", "silent", "babbling", "forbidden")]
    tenant = await tenant_with(platform, *broken, at("http://10.0.0.1/mcp", name="inside"))
    result, _ = await run_of(platform, tenant, question=portfolio("Shop"))
    assert result.engine == "model"
    problems = {problem.detail.split()[3]: problem for problem in result.tools_missing}
    assert {name: problem.code for name, problem in problems.items()} == {
        "nothing": "mcp_server_missing",
        "silent": "mcp_server_silent",
        "babbling": "mcp_server_failed",
        "forbidden": "mcp_server_missing",
        "inside": "mcp_server_failed",
    }
    assert "MODERNIZE_MCP_COMMANDS" in problems["forbidden"].detail
    assert "https://" in problems["inside"].detail
    started = time.monotonic()
    async with pool.servers_for(tenant, AGENT, soon()) as servers:
        assert len(servers.missing) == 5
    # What did not begin is left alone for a while.
    assert time.monotonic() - started < 1.0


async def test_a_server_on_http_is_called_through_the_guard_with_its_own_tenants_token_only(
    platform: Platform, pool: AgentPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str | None]] = []
    send = Outbound.send

    async def noting(self: Outbound, method: str, url: str, **more: Any) -> Any:
        sent.append((method, more["headers"].get("authorization")))
        return await send(self, method, url, **more)

    monkeypatch.setattr(Outbound, "send", noting)
    async with mcp_servers.http_server() as url:
        tenant = await tenant_with(platform, at(url, tools=["echo", "hang"]))
        await platform.set(tenant, MCP_SERVER_TOKENS, {"wiki": "token-of-mine"})
        async with pool.servers_for(tenant, AGENT, soon()) as servers:
            assert [tool.name for tool in servers.tools] == ["mcp_wiki_echo", "mcp_wiki_hang"], servers.missing
            assert "echo: hi" in await called(servers, "mcp_wiki_echo", text="hi")
        assert {token for _, token in sent} == {"Bearer token-of-mine"}
        await pool.close()
        assert sent[-1][0] == "DELETE"
        sent.clear()
        other = Tenant(client_account_id=tenant.client_account_id, engagement_id=tenant.client_account_id)
        client = Tenant(client_account_id=tenant.client_account_id, engagement_id=type(tenant.client_account_id)(int=0))
        await platform.set(client, MCP_SERVER_TOKENS, {"wiki": "token-of-the-client"})
        await platform.set(other, MCP_SERVERS, [at(url)])
        async with pool.servers_for(other, AGENT, soon()) as servers:
            assert len(servers.tools) == 1
        # Whoever names an address nearer is not sent the token that was given farther up.
        assert {token for _, token in sent} == {None}


async def test_places_are_made_on_first_use_never_shared_bounded_and_dropped_when_idle(
    platform: Platform, pool: AgentPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = a_server(tools=("seen",))
    one, other, third = [await tenant_with(platform, alike) for _ in range(3)]
    assert pool.sessions == 0

    async def process(tenant: Tenant) -> str:
        async with pool.servers_for(tenant, AGENT, soon()) as servers:
            return await called(servers, "mcp_wiki_seen")

    first, same, second = await asyncio.gather(process(one), process(one), process(other))
    assert first == same != second
    assert pool.sessions == 2
    async with pool.servers_for(one, "wave_planner", soon()) as servers:
        assert servers == Servers()
    await pool.drop_idle(idle_seconds=3600)
    assert pool.sessions == 2
    monkeypatch.setattr(pool_module, "MOST_SESSIONS", 2)
    async with pool.servers_for(other, AGENT, soon()), pool.servers_for(third, AGENT, soon()) as servers:
        # The one that nobody uses had to go.
        assert len(servers.tools) == 1
        async with pool.servers_for(one, AGENT, soon()) as refused:
            assert [problem.code for problem in refused.missing] == ["agent_pool_full"]
        await pool.drop_idle(idle_seconds=0)
        assert pool.sessions == 2
    await pool.drop_idle(idle_seconds=0)
    assert pool.sessions == 0
    for told in (first, second):
        pid = json.loads(json.loads(told.removeprefix("<data>\n").removesuffix("\n</data>"))["result"])["pid"]

        async def gone(pid: int = pid) -> bool:
            return not os.path.exists(f"/proc/{pid}")  # noqa: ASYNC240 - one look

        await eventually(gone)


async def test_what_a_server_says_of_its_tools_is_no_order_and_gives_no_other_tool(
    platform: Platform, pool: AgentPool
) -> None:
    tenant = await tenant_with(platform, a_server())
    platform.stub.answering = calling(
        ("mcp_wiki_echo", {"text": INJECTION}), ("delete_everything", {}), ("mcp_wiki_die", {})
    )
    result, told = await run_of(platform, tenant, question=portfolio("Shop"))
    assert ([use.tool for use in result.tools], told) == (["mcp_wiki_echo"], [])
    for asked in platform.stub.chats():
        assert asked.tools in ([], ["mcp_wiki_echo"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([{"name": "wiki", "transport": "stdio", "url": "https://a.example"}], "has a command and no url"),
        (
            [{"name": "wiki", "transport": "http", "url": "https://a.example", "command": "x"}],
            "has a url and no command",
        ),
        ([{"name": "wiki", "transport": "stdio", "command": "/bin/sh"}], "server.1.command"),
        ([{"name": "wiki", "transport": "stdio", "command": "x", "args": []}], "server.1.args"),
        ([{"name": "a", "transport": "stdio", "command": "x"}] * 2, "two servers have the same name"),
        ("wiki", "valid list"),
    ],
)
def test_a_value_that_names_no_server_says_where_and_why(value: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MCP_SERVERS.value_of(value)

"""What agents do, told while it happens: as server-sent events and over WebSockets, by any gateway, to its tenant."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import delete
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskRequested, AgentTaskStarted
from contracts.envelope import Event, Tenant, uuid7
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.signals import Signals
from services.chassis.testing import eventually
from services.cli.serving import address_of, reserve, serving
from services.gateway.agents import watch as agent_watch
from services.gateway.agents.news import keep
from services.gateway.agents.tables import AgentNewsRow
from services.gateway.app import create_api, service
from services.gateway.routes import agent_monitor
from services.gateway.web_sockets import PROTOCOL
from tests.chassis.test_cache import REDIS, redis_answers
from tests.gateway.platform import KEY, Platform
from tests.gateway.test_agent_tasks import ask, registered, result

# Longer than any test: what comes did not come by looking.
NEVER = 3600.0


@asynccontextmanager
async def another_gateway(settings: Settings) -> AsyncIterator[str]:
    """The address of a gateway that handles no events: what it shows it knows from the database."""
    runtime = Runtime(service, settings.model_copy(update={"api_key": SecretStr(KEY)}), InProcessBus())
    await asyncio.to_thread(runtime.vault.load)
    listener = reserve("127.0.0.1", 0)
    try:
        async with serving(create_api(runtime), listener):
            yield address_of(listener)
    finally:
        await runtime.stop()


@asynccontextmanager
async def served(platform: Platform) -> AsyncIterator[str]:
    """The address of the platform's own gateway."""
    listener = reserve("127.0.0.1", 0)
    async with serving(create_api(platform.runtime), listener):
        yield address_of(listener)


async def stream_of(url: str, headers: dict[str, str], count: int, **params: Any) -> list[dict[str, Any]]:
    """So many server-sent events."""
    found: list[dict[str, Any]] = []
    async with (
        httpx2.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{url}/api/v1/agent-events", headers=headers, params=params) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        event: dict[str, Any] = {}
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                event[name] = value
            elif not line and event:
                found.append(event)
                event = {}
                if len(found) == count:
                    break
    return found


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return [int(each["id"]) for each in found]


def socket(url: str, path: str, headers: dict[str, str], **more: Any) -> connect:
    return connect(url.replace("http", "ws", 1) + path, additional_headers=headers, **more)


async def told(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(20):
        message: dict[str, Any] = json.loads(await socket.recv())
    return message


async def hear(platform: Platform, *events: Event) -> None:
    """Let the gateway hear events one after the other: each type has a queue of its own."""
    for event in events:
        await platform.hear(event)


def a_request(tenant: Tenant) -> AgentTaskRequested:
    return AgentTaskRequested(tenant=tenant, task="longest_word", inputs={"words": ["a"]})


@pytest.mark.parametrize("how", ["redis", "looking"])
async def test_another_gateway_tells_the_same_and_goes_on_where_the_first_one_was(
    platform: Platform, settings: Settings, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "redis" and not redis_answers():
        pytest.skip("no Redis at 127.0.0.1:6379")
    monkeypatch.setattr(agent_watch, "LOOK_SECONDS", NEVER if how == "redis" else 0.05)
    monkeypatch.setattr(agent_watch, "CHANNEL", f"test-{uuid7()}")
    if how == "redis":
        settings = settings.model_copy(update={"redis_url": REDIS})
        monkeypatch.setattr(platform.runtime, "signals", Signals(settings))
    tenant = await platform.new_tenant()
    headers = platform.of(tenant)
    requests = [a_request(tenant) for _ in range(12)]
    async with served(platform) as first, another_gateway(settings) as second:
        both = [asyncio.create_task(stream_of(url, headers | {"last-event-id": "0"}, 8)) for url in (first, second)]
        for request in requests[:4]:
            await hear(platform, request, AgentTaskStarted.reply_to(request, agent="a"))
        heard = await asyncio.gather(*both)
        assert heard[0] == heard[1]
        assert numbers(heard[0]) == list(range(1, 9))
        assert [each["event"] for each in heard[0][:2]] == ["agent_task.requested", "agent_task.started"]
        # While a client changes over, others go on: it misses none and hears none twice.
        await asyncio.gather(*(platform.hear(request) for request in requests[4:8]))
        later = asyncio.create_task(stream_of(second, headers | {"last-event-id": "8"}, 8))
        await asyncio.gather(*(platform.hear(request) for request in requests[8:]))
        assert numbers(await later) == list(range(9, 17))
    if how == "redis":
        await platform.runtime.signals.close()


async def test_a_stream_tells_only_what_is_asked_for_and_ends_when_it_is_told_to(platform: Platform) -> None:
    one, other = a_request(tenant := await platform.new_tenant()), a_request(tenant)
    await hear(platform, one, other, AgentTaskCompleted.reply_to(one, result=result()))
    headers = platform.of(tenant) | {"last-event-id": "0"}
    async with served(platform) as url:
        of_one = await stream_of(url, headers, 9, seconds=0, task_id=str(one.id))
        assert numbers(of_one) == [1, 3]
        assert json.loads(of_one[1]["data"])["task"]["status"] == "completed"
        assert numbers(await stream_of(url, headers | {"last-event-id": "1"}, 9, seconds=0)) == [2, 3]
        assert await stream_of(url, headers | {"last-event-id": "3"}, 9, seconds=0) == []


async def test_what_is_not_kept_any_more_is_said_to_be_missing(platform: Platform) -> None:
    request = a_request(tenant := await platform.new_tenant())
    await hear(platform, request, AgentTaskStarted.reply_to(request, agent="a"))
    async with platform.runtime.database.transaction(tenant) as session:
        await session.execute(delete(AgentNewsRow).where(AgentNewsRow.seq == 1))
    headers = platform.of(tenant)
    async with served(platform) as url:
        found = await stream_of(url, headers | {"last-event-id": "0"}, 9, seconds=0)
        assert [(each["event"], each["id"]) for each in found] == [
            ("agent_news.missed", "1"),
            ("agent_task.started", "2"),
        ]
        foreign = await stream_of(url, headers | {"last-event-id": "77"}, 9, seconds=0)
        assert [(each["event"], each["id"]) for each in foreign] == [("agent_news.missed", "2")]
    refused = await platform.client.get("/api/v1/agent-events", headers=headers | {"last-event-id": "x"})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_event_id")


async def test_numbers_come_in_the_order_of_commits(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    database = platform.runtime.database
    holding, done = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction(tenant) as session:
            await keep(session, [a_request(tenant)])
            holding.set()
            await done.wait()

    async def quick() -> None:
        await holding.wait()
        async with database.transaction(tenant) as session:
            asyncio.get_running_loop().call_soon(done.set)
            await keep(session, [a_request(tenant)])

    await asyncio.gather(slow(), quick())
    async with served(platform) as url:
        found = await stream_of(url, platform.of(tenant) | {"last-event-id": "0"}, 9, seconds=0)
    assert numbers(found) == [1, 2]


async def test_a_socket_shows_what_runs_then_news_and_hears_no_other_tenant(platform: Platform) -> None:
    await platform.hear(registered())
    mine, others = await platform.new_tenant(), await platform.new_tenant()
    running = await ask(platform, mine)
    async with (
        served(platform) as url,
        socket(url, "/ws/agent-monitor", platform.of(mine)) as own,
        socket(url, "/ws/agent-monitor", platform.of(others)) as foreign,
    ):
        snapshot = await told(own)
        assert (snapshot["type"], [task["task_id"] for task in snapshot["tasks"]]) == ("snapshot", [running["task_id"]])
        assert (await told(foreign))["tasks"] == []
        theirs = [await ask(platform, others) for _ in range(3)]
        ours = [await ask(platform, mine) for _ in range(3)]
        for listener, expected in ((own, ours), (foreign, theirs)):
            heard = [(await told(listener))["task"]["task_id"] for _ in expected]
            assert heard == [task["task_id"] for task in expected]


async def test_a_socket_of_a_task_tells_of_that_task_alone(platform: Platform) -> None:
    await platform.hear(registered())
    one, other = await ask(platform), await ask(platform)
    async with served(platform) as url, socket(url, f"/ws/tasks/{one['task_id']}", platform.of()) as own:
        assert (await told(own))["tasks"][0]["status"] == "queued"
        await platform.post(f"/agent-tasks/{other['task_id']}/cancel")
        await platform.post(f"/agent-tasks/{one['task_id']}/cancel")
        news = await told(own)
        assert (news["type"], news["task"]["task_id"]) == ("agent_task.cancelled", one["task_id"])


async def test_a_web_page_shows_its_token_as_a_subprotocol(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    offered = [PROTOCOL, f"bearer.{KEY}", f"tenant.{tenant.client_account_id}.{tenant.engagement_id}"]
    async with (
        served(platform) as url,
        socket(url, "/ws/agent-monitor", {}, subprotocols=[Subprotocol(each) for each in offered]) as own,
    ):
        assert own.subprotocol == PROTOCOL
        assert (await told(own))["type"] == "snapshot"


@pytest.mark.parametrize("path", ["/ws/agent-monitor", "/ws/tasks/{task_id}"])
async def test_a_socket_lets_nobody_in_whom_a_route_would_not(platform: Platform, path: str) -> None:
    await platform.hear(registered())
    owner, stranger = await platform.new_tenant(), await platform.new_tenant()
    path = path.replace("{task_id}", (await ask(platform, owner))["task_id"])
    made = await platform.post("/keys", {"name": "x", "role": "viewer"}, stranger)
    key = made.json()["key"]
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 401),
        (platform.of(owner, "wrong"), 401),
        (platform.of(owner, key), 404),
        ({"x-api-key": KEY, "x-client-account-id": str(owner.client_account_id)}, 400),
    ]
    if "tasks" in path:
        cases.append((platform.of(stranger, key), 404))
    async with served(platform) as url:
        for headers, status in cases:
            with pytest.raises(InvalidStatus) as refused:
                async with socket(url, path, headers):
                    pass
            assert refused.value.response.status_code == status, headers
            assert json.loads(refused.value.response.body)["status"] == status
        with pytest.raises(InvalidStatus):
            async with socket(url, f"{path}?after=x", platform.of(owner)):
                pass


async def test_a_socket_ends_when_its_key_is_revoked(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_monitor, "CHECK_SECONDS", 0.05)
    tenant = await platform.new_tenant()
    made = (await platform.post("/keys", {"name": "x", "role": "viewer"}, tenant)).json()
    async with served(platform) as url, socket(url, "/ws/agent-monitor", platform.of(tenant, made["key"])) as own:
        await told(own)
        # Asked of the same gateway: others remember a key for some seconds.
        async with httpx2.AsyncClient() as client:
            revoked = await client.delete(f"{url}/api/v1/keys/{made['key_id']}", headers=platform.of(tenant))
        assert revoked.status_code == 200
        with pytest.raises(ConnectionClosed) as closed:
            await told(own)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_a_gateway_holds_so_many_connections_of_a_tenant_and_lets_go_of_them(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_watch, "MOST_WATCHERS", 1)
    async with served(platform) as url:
        async with socket(url, "/ws/agent-monitor", platform.of()) as own:
            await told(own)
            with pytest.raises(InvalidStatus) as refused:
                async with socket(url, "/ws/agent-monitor", platform.of()):
                    pass
            assert refused.value.response.status_code == 429

        async def let_in() -> bool:
            try:
                async with socket(url, "/ws/agent-monitor", platform.of()) as again:
                    return bool((await told(again))["type"] == "snapshot")
            except InvalidStatus:
                return False

        assert await eventually(let_in)

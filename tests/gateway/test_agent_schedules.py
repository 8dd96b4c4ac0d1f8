"""Tasks that the clock asks for: once for each time, whoever sweeps, and after an outage once, which is said."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, text, update

from contracts.agents import AgentRegistered
from contracts.envelope import PLATFORM, Tenant
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.testing import eventually
from services.gateway.agents.handlers import start_due_schedules
from services.gateway.agents.tables import AgentRow, AgentSchedule, AgentTask
from services.gateway.app import DEFAULT_TENANT, service
from tests.gateway.platform import Platform
from tests.gateway.test_agent_tasks import registered

BODY: dict[str, Any] = {
    "name": "nightly",
    # Rarely due, so that no clock comes between.
    "cron": "0 0 1 1 *",
    "capability": "shortest_word",
    "inputs": {"words": ["a", "bcd"]},
    "priority": 3,
    "timeout_seconds": 20,
    "token_budget": 0,
}


async def create(platform: Platform, tenant: Tenant | None = None, **changes: Any) -> dict[str, Any]:
    response = await platform.post("/agent-schedules", BODY | changes, tenant)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def show(platform: Platform, schedule_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = await platform.get(f"/agent-schedules/{schedule_id}")
    return shown


def new_year() -> datetime:
    """The last time at which the schedule of `BODY` was due."""
    return datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)


async def make_due(platform: Platform, first: datetime, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Let all schedules of a tenant have been due since then; the platform's own sweep may take them at once."""
    async with platform.runtime.database.transaction(tenant) as session:
        await session.execute(update(AgentSchedule).values(next_at=first))


async def swept(platform: Platform) -> None:
    """Sweep, and wait for whatever the platform's own sweep has in its hands."""

    async def nothing_due() -> bool:
        await start_due_schedules(platform.runtime)
        async with platform.runtime.database.dispatch() as connection:
            rows = await connection.execute(text("select 1 from gateway.agent_schedules where next_at <= now()"))
            return not rows.all()

    await eventually(nothing_due)
    await platform.settled()


async def tasks_of(platform: Platform, tenant: Tenant = DEFAULT_TENANT) -> list[AgentTask]:
    async with platform.runtime.database.transaction(tenant) as session:
        return list(await session.scalars(select(AgentTask)))


async def test_a_schedule_asks_for_its_task_when_its_time_comes_and_waits_for_the_next(platform: Platform) -> None:
    await platform.hear(registered())
    made = await create(platform)
    assert (made["agent"], made["capability"], made["paused"], made["missed"]) == (None, "shortest_word", False, 0)
    saved = await platform.told("agent_schedule.saved")
    assert (saved["data"]["task"], saved["data"]["saved_by"], "inputs" in saved["data"]) == (
        *("shortest_word", "operator", False),
    )
    await swept(platform)
    assert "agent_task.requested" not in platform.heard.types()

    await make_due(platform, new_year())
    await swept(platform)
    asked = await platform.told("agent_task.requested")
    shown = await show(platform, made["schedule_id"])
    assert shown["task_ids"] == [asked["data"]["task_id"]]
    assert datetime.fromisoformat(shown["next_at"]) > datetime.now(UTC)
    assert (shown["missed"], len(shown["next_runs"]), shown["next_runs"][0]) == (0, 5, shown["next_at"])
    names = ("schedule_id", "task", "inputs", "agent", "timeout_seconds", "token_budget", "requested_by")
    assert [asked["data"][name] for name in names] == [
        *(made["schedule_id"], "shortest_word", BODY["inputs"], "word_measurer", 20, 0, "operator"),
    ]
    assert asked["workpriority"] == 3
    [task] = (await platform.get("/agent-tasks", schedule_id=made["schedule_id"]))["items"]
    assert (task["status"], task["schedule_id"]) == ("queued", made["schedule_id"])


async def test_after_an_outage_the_latest_missed_time_is_made_up_for_and_the_others_are_said(
    platform: Platform,
) -> None:
    await platform.hear(registered())
    made = await create(platform, cron="0 0 * * *", time_zone="Asia/Tokyo")
    last = datetime.fromisoformat(made["next_at"]) - timedelta(days=1)
    await make_due(platform, last - timedelta(days=10))
    await swept(platform)
    await swept(platform)
    shown = await show(platform, made["schedule_id"])
    assert (datetime.fromisoformat(shown["last_at"]), shown["missed"], len(shown["task_ids"])) == (last, 10, 1)


async def test_two_gateways_that_sweep_at_once_ask_once(platform: Platform) -> None:
    await platform.hear(registered())
    tenants = [DEFAULT_TENANT, *[await platform.new_tenant() for _ in range(2)]]
    for tenant in tenants:
        for _ in range(5):
            await create(platform, tenant)
    # Not started: it sweeps when it is told to.
    other = Runtime(service, platform.runtime.settings, InProcessBus())
    try:
        for round_number in range(1, 4):
            for tenant in tenants:
                await make_due(platform, new_year(), tenant)
            runtimes = [platform.runtime, other] * 3
            await asyncio.gather(*(start_due_schedules(runtime) for runtime in runtimes))
            # Whoever passed over rows that another held has left them to it.
            await swept(platform)
            for tenant in tenants:
                asked = [task.schedule_id for task in await tasks_of(platform, tenant)]
                assert (len(asked), len(set(asked))) == (5 * round_number, 5)
    finally:
        await other.database.close()
    assert platform.heard.types().count("agent_task.requested") == 45


async def test_a_task_whose_agent_has_changed_since_fails_and_says_so_and_can_be_tried_again(
    platform: Platform,
) -> None:
    await platform.hear(registered("a_agent", "b_agent"))
    await create(platform, agent="a_agent", capability=None)
    await create(platform, agent="b_agent", capability=None)
    b_agent = registered("b_agent").agents[0]
    needs_more = b_agent.model_copy(update={"input_schema": {"type": "object", "required": ["language"]}})
    await platform.hear(AgentRegistered(tenant=PLATFORM, agents=[needs_more]))
    async with platform.runtime.database.transaction(PLATFORM) as session:
        await session.execute(delete(AgentRow).where(AgentRow.agent_id == "a_agent"))
    await make_due(platform, new_year())
    await swept(platform)
    tasks = {task.agent: task for task in await tasks_of(platform)}
    problems = {agent: dict(task.problem or {}) for agent, task in tasks.items()}
    assert {task.status for task in tasks.values()} == {"failed"}
    assert (problems["a_agent"]["code"], problems["b_agent"]["code"]) == ("unknown_agent", "inputs_do_not_fit")
    assert "language" in problems["b_agent"]["detail"]
    assert "agent_task.requested" not in platform.heard.types()
    assert platform.heard.types().count("agent_task.failed") == 2
    # The schedules go on: it may be there again the next time.
    assert [each["paused"] for each in (await platform.get("/agent-schedules"))["items"]] == [False, False]
    await platform.hear(registered("a_agent"))
    again = await platform.post(f"/agent-tasks/{tasks['a_agent'].task_id}/retry")
    assert (again.status_code, again.json()["attempt"]) == (202, 2)
    assert (await platform.told("agent_task.requested"))["data"]["inputs"] == BODY["inputs"]


async def test_a_paused_schedule_asks_for_nothing_and_a_resumed_one_does_not_make_up_for_it(
    platform: Platform,
) -> None:
    await platform.hear(registered())
    made = await create(platform)
    path = f"/agent-schedules/{made['schedule_id']}"
    paused = (await platform.post(f"{path}/pause")).json()
    assert (paused["paused"], paused["next_at"]) == (True, None)
    assert (await show(platform, made["schedule_id"]))["next_runs"] == []
    await swept(platform)
    resumed = (await platform.post(f"{path}/resume")).json()
    assert (resumed["paused"], resumed["missed"]) == (False, 0)
    assert datetime.fromisoformat(resumed["next_at"]) > datetime.now(UTC)
    await platform.settled()
    told = [message["data"]["paused"] for message in platform.heard.messages if "paused" in message["data"]]
    assert told == [False, True, False]
    gone = await platform.client.delete(f"/api/v1{path}")
    assert (gone.status_code, gone.json()["schedule_id"]) == (200, made["schedule_id"])
    assert (await platform.told("agent_schedule.deleted"))["data"]["deleted_by"] == "operator"
    assert (await platform.get("/agent-schedules"))["items"] == []
    assert await tasks_of(platform) == []


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"cron": "61 2 * * *"}, 422, "cron: Bad minute"),
        ({"cron": "@daily"}, 422, "cron: '@daily' does not have five fields"),
        ({"time_zone": "Berlin"}, 422, "time_zone: 'Berlin'"),
        ({"capability": "fly"}, 422, "longest_word, shortest_word"),
        ({"capability": None}, 422, "name an agent, or a capability"),
        ({"agent": "nobody"}, 404, "word_measurer"),
        ({"agent": "word_measurer", "capability": "fly"}, 422, "has no capability 'fly'"),
        ({"inputs": {"words": ["a", 5]}}, 422, "inputs.words.1: "),
        ({"timeout_seconds": 0}, 422, "timeout_seconds"),
        ({"name": ""}, 422, "body.name"),
    ],
)
async def test_a_schedule_whose_tasks_would_fail_is_refused_with_its_place(
    platform: Platform, changes: dict[str, Any], status: int, words: str
) -> None:
    await platform.hear(registered())
    response = await platform.post("/agent-schedules", BODY | changes)
    assert response.status_code == status, response.text
    assert words in response.json()["detail"]
    assert (await platform.get("/agent-schedules"))["items"] == []


async def test_an_unknown_schedule_is_404(platform: Platform) -> None:
    response = await platform.post(f"/agent-schedules/{UUID(int=5)}/pause")
    assert (response.status_code, response.json()["code"]) == (404, "schedule_not_found")

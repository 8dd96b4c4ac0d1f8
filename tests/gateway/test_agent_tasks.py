"""Agents over REST: which there are, and tasks that are asked for, answered, cancelled, tried again and scheduled."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from contracts.agent_tasks import (
    AgentTaskCompleted,
    AgentTaskFailed,
    AgentTaskProgressed,
    AgentTaskRequested,
    AgentTaskStarted,
)
from contracts.agents import AgentDescription, AgentRegistered, AgentResult
from contracts.envelope import PLATFORM, Event, Problem, Tenant, uuid7
from services.gateway.agents.handlers import cancel_orphans, start_due_tasks
from services.gateway.agents.requests import choice
from services.gateway.agents.tables import AgentRow, AgentTask
from services.gateway.app import DEFAULT_TENANT
from tests.gateway.platform import Platform, flow_updated

SCHEMA = {
    "type": "object",
    "properties": {"words": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
    "required": ["words"],
}
TASK: dict[str, Any] = {"capability": "longest_word", "inputs": {"words": ["a", "bcd"]}}
PROBLEM = Problem(code="agent_timed_out", detail="It took too long.")


def registered(*agent_ids: str, models_ready: bool = False) -> AgentRegistered:
    agents = [
        AgentDescription(
            agent_id=agent_id,
            title=agent_id.title(),
            capabilities=["longest_word", "shortest_word"],
            input_schema=SCHEMA,
            output_schema={"type": "object"},
            prompt_version="1",
            models_ready=models_ready,
        )
        for agent_id in agent_ids or ("word_measurer",)
    ]
    return AgentRegistered(tenant=PLATFORM, agents=agents)


def result(agent: str = "word_measurer") -> AgentResult:
    how: dict[str, Any] = {"agent": agent, "engine": "rules", "prompt_version": "1", "confidence": 0.9}
    return AgentResult(**how, output={"word": "bcd"}, seconds=2)


async def ask(platform: Platform, tenant: Tenant | None = None, **changes: Any) -> dict[str, Any]:
    response = await platform.post("/agent-tasks", TASK | changes, tenant)
    assert response.status_code == 202, response.text
    view: dict[str, Any] = response.json()
    return view


async def task_now(platform: Platform, task_id: str, tenant: Tenant | None = None) -> dict[str, Any]:
    view: dict[str, Any] = await platform.get(f"/agent-tasks/{task_id}", tenant)
    return view


async def answers(platform: Platform, kind: type[Event], about: dict[str, Any] | None = None, **data: Any) -> None:
    """Let the agent runner tell something of the newest task."""
    told = about or await platform.told("agent_task.requested")
    request = Event.from_cloudevent(told)
    await platform.hear(kind.reply_to(request, **data))


async def test_agents_are_listed_with_what_they_take_and_how_they_are(platform: Platform) -> None:
    assert (await platform.get("/agents"))["items"] == []
    await platform.hear(registered("b_agent", "a_agent"))
    agents = (await platform.get("/agents", await platform.new_tenant()))["items"]
    assert [(agent["agent_id"], agent["health"]) for agent in agents] == [
        ("a_agent", "rules_only"),
        ("b_agent", "rules_only"),
    ]
    assert agents[0]["input_schema"] == SCHEMA
    await platform.hear(registered("a_agent", models_ready=True))
    assert (await platform.get("/agents/a_agent"))["health"] == "ready"
    async with platform.runtime.database.transaction(PLATFORM) as session:
        await session.execute(update(AgentRow).values(last_seen=datetime.now(UTC) - timedelta(hours=1)))
    assert (await platform.get("/agents/a_agent"))["health"] == "gone"


async def test_a_task_goes_from_queued_to_its_result(platform: Platform) -> None:
    await platform.hear(registered())
    response = await platform.post("/agents/word_measurer/tasks", {"inputs": TASK["inputs"], "priority": 7})
    assert response.status_code == 202, response.text
    view = response.json()
    assert (view["status"], view["agent"], view["capability"]) == ("queued", "word_measurer", "longest_word")
    asked = await platform.told("agent_task.requested")
    assert (asked["data"]["task_id"], asked["data"]["inputs"]) == (view["task_id"], TASK["inputs"])
    assert (asked["workpriority"], asked["data"]["timeout_seconds"]) == (7, 45)
    await answers(platform, AgentTaskStarted, agent="word_measurer")
    await answers(platform, AgentTaskProgressed, agent="word_measurer", done=1, total=2, message="measuring")
    running = await task_now(platform, view["task_id"])
    assert (running["status"], running["progress"]["done"]) == ("running", 1)
    await answers(platform, AgentTaskCompleted, result=result())
    done = await task_now(platform, view["task_id"])
    assert (done["status"], done["result"]["output"], done["engine"]) == ("completed", {"word": "bcd"}, "rules")
    assert done["seconds"] == 2


async def test_a_capability_finds_the_agent_that_has_least_to_do(platform: Platform) -> None:
    await platform.hear(registered("a_agent", "b_agent"))
    tenants = [await platform.new_tenant() for _ in range(4)]
    assert [(await ask(platform, tenant))["agent"] for tenant in tenants] == ["a_agent", "b_agent"] * 2


def test_who_is_gone_is_asked_last() -> None:
    now = datetime.now(UTC)
    here, gone = AgentRow(agent_id="b", last_seen=now), AgentRow(agent_id="a", last_seen=now - timedelta(hours=1))
    assert choice([gone, here], {"b": 50}, now) is here


@pytest.mark.parametrize(
    ("changes", "status", "code", "words"),
    [
        ({"capability": "fly"}, 422, "unknown_capability", "longest_word, shortest_word"),
        ({"inputs": {"words": ["a", 5]}}, 422, "inputs_do_not_fit", "inputs.words.1: "),
        ({"inputs": {}}, 422, "inputs_do_not_fit", "words"),
        ({"timeout_seconds": 0}, 422, "invalid_request", "timeout_seconds"),
        ({"token_budget": -1}, 422, "invalid_request", "token_budget"),
        ({"start_at": "2026-11-20T09:00:00"}, 422, "invalid_request", "start_at"),
        ({"flow_id": str(UUID(int=5))}, 404, "flow_not_found", str(UUID(int=5))),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_its_place(
    platform: Platform, changes: dict[str, Any], status: int, code: str, words: str
) -> None:
    await platform.hear(registered())
    response = await platform.post("/agent-tasks", TASK | changes)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert words in response.json()["detail"]
    assert (await platform.get("/agent-tasks"))["items"] == []


async def test_an_unknown_agent_is_404_and_says_who_is_known(platform: Platform) -> None:
    await platform.hear(registered())
    response = await platform.post("/agents/nobody/tasks", {"inputs": {}})
    assert (response.status_code, response.json()["code"]) == (404, "unknown_agent")
    assert "word_measurer" in response.json()["detail"]


async def test_a_cancelled_task_is_called_back_and_its_late_answer_does_not_count(platform: Platform) -> None:
    await platform.hear(registered())
    view = await ask(platform)
    asked = await platform.told("agent_task.requested")
    response = await platform.post(f"/agent-tasks/{view['task_id']}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "cancelled")
    assert (await platform.told("work.cancelled"))["flowid"] == asked["id"]
    await answers(platform, AgentTaskCompleted, asked, result=result())
    assert (await task_now(platform, view["task_id"]))["status"] == "cancelled"
    again = await platform.post(f"/agent-tasks/{view['task_id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "task_ended")
    assert "retry" in again.json()["detail"]


async def test_a_failed_task_is_tried_again_as_another_attempt(platform: Platform) -> None:
    await platform.hear(registered())
    view = await ask(platform)
    first = await platform.told("agent_task.requested")
    early = await platform.post(f"/agent-tasks/{view['task_id']}/retry")
    assert (early.status_code, early.json()["code"]) == (409, "task_not_retryable")
    await answers(platform, AgentTaskFailed, first, problem=PROBLEM)
    failed = await task_now(platform, view["task_id"])
    assert (failed["status"], failed["problem"]["code"]) == ("failed", "agent_timed_out")
    response = await platform.post(f"/agent-tasks/{view['task_id']}/retry")
    assert (response.status_code, response.json()["status"], response.json()["attempt"]) == (202, "queued", 2)
    second = await platform.told("agent_task.requested")
    assert (second["data"]["attempt"], second["data"]["inputs"]) == (2, TASK["inputs"])
    assert second["id"] != first["id"]
    # What the first attempt still says is old news.
    await answers(platform, AgentTaskFailed, first, problem=PROBLEM)
    assert (await task_now(platform, view["task_id"]))["status"] == "queued"
    await answers(platform, AgentTaskCompleted, second, result=result())
    assert (await task_now(platform, view["task_id"]))["status"] == "completed"
    done = await platform.post(f"/agent-tasks/{view['task_id']}/retry")
    assert done.status_code == 409


async def test_a_scheduled_task_is_asked_for_once_when_its_time_has_come(platform: Platform) -> None:
    await platform.hear(registered())
    start_at = datetime.now(UTC) + timedelta(hours=1)
    view = await ask(platform, start_at=start_at.isoformat())
    assert view["status"] == "scheduled"
    await start_due_tasks(platform.runtime)
    await platform.settled()
    assert "agent_task.requested" not in platform.heard.types()
    async with platform.runtime.database.transaction(DEFAULT_TENANT) as session:
        await session.execute(update(AgentTask).values(start_at=datetime.now(UTC)))
    await start_due_tasks(platform.runtime)
    await start_due_tasks(platform.runtime)
    await platform.settled()
    assert platform.heard.types().count("agent_task.requested") == 1
    assert (await task_now(platform, view["task_id"]))["status"] == "queued"
    later = await ask(platform, start_at=start_at.isoformat())
    cancelled = await platform.post(f"/agent-tasks/{later['task_id']}/cancel")
    assert cancelled.json()["status"] == "cancelled"


async def test_the_history_is_filtered_and_paged_the_newest_first(platform: Platform) -> None:
    await platform.hear(registered("a_agent", "b_agent"))
    made = [await ask(platform, capability=each) for each in ("longest_word", "shortest_word", "longest_word")]
    first = await platform.get("/agent-tasks", limit=2)
    rest = await platform.get("/agent-tasks", limit=2, cursor=first["next_cursor"])
    ids = [each["task_id"] for each in (*first["items"], *rest["items"])]
    assert ids == [each["task_id"] for each in reversed(made)]
    for params, count in (
        ({"capability": "longest_word"}, 2),
        ({"agent": "b_agent"}, 1),
        ({"status": "completed"}, 0),
        ({"since": made[1]["requested_at"]}, 2),
        ({"until": made[1]["requested_at"]}, 1),
        ({"flow_id": str(uuid7())}, 0),
    ):
        assert len((await platform.get("/agent-tasks", **params))["items"]) == count, params


async def test_a_flow_tells_what_agents_do_for_it_and_when_to_ask_again(platform: Platform) -> None:
    flow = flow_updated(status="running")
    await platform.hear(registered(), flow)
    idle = await platform.get(f"/polling/agent-monitor/{flow.flow_id}")
    assert (idle["active"], idle["tasks"], idle["next_poll_seconds"]) == (0, [], 15)
    await ask(platform, flow_id=str(flow.flow_id))
    asked = await platform.told("agent_task.requested")
    phase = AgentTaskRequested(tenant=DEFAULT_TENANT, flow_id=flow.flow_id, step="gap_analysis:1", task="gap_analysis")
    await platform.hear(phase)
    busy = await platform.get(f"/polling/agent-monitor/{flow.flow_id}")
    assert (busy["active"], busy["next_poll_seconds"]) == (2, 5)
    # A task of a phase is the flow's own business.
    refused = await platform.post(f"/agent-tasks/{phase.id}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "task_of_flow")
    await answers(platform, AgentTaskCompleted, asked, result=result())
    await platform.hear(AgentTaskFailed.reply_to(phase, problem=PROBLEM))
    assert (await platform.get(f"/polling/agent-monitor/{flow.flow_id}"))["next_poll_seconds"] == 15


async def test_tasks_end_with_their_flow(platform: Platform) -> None:
    ended_at = datetime.now(UTC) - timedelta(minutes=1)
    await platform.hear(registered(), cancelled := flow_updated(), done := flow_updated(), flow_updated())
    lost = await ask(platform, flow_id=str(cancelled.flow_id))
    own = await ask(platform, flow_id=str(done.flow_id))
    phase = AgentTaskRequested(tenant=DEFAULT_TENANT, flow_id=done.flow_id, step="gap_analysis:1", task="gap_analysis")
    await platform.hear(
        phase,
        flow_updated(flow_id=cancelled.flow_id, revision=2, status="cancelled", ended_at=ended_at),
        flow_updated(flow_id=done.flow_id, revision=2, status="completed", ended_at=ended_at),
    )
    await cancel_orphans(platform.runtime)
    await platform.settled()
    statuses = [(await task_now(platform, str(each)))["status"] for each in (lost["task_id"], phase.id, own["task_id"])]
    assert statuses == ["cancelled", "cancelled", "queued"]
    assert platform.heard.types().count("agent_task.cancelled") == 2

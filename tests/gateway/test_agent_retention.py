"""Agent tasks are kept for as many days as their tenant says; what they did still counts afterwards."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskFailed, AgentTaskStarted
from contracts.envelope import Tenant
from services.gateway.agents import retention
from services.gateway.agents.retention import forget_old_tasks
from services.gateway.agents.tables import AgentTask
from tests.gateway.platform import Platform
from tests.gateway.test_agent_tasks import PROBLEM, answers, ask, registered, result


async def some_tasks(platform: Platform, ended: timedelta) -> Tenant:
    """A tenant with three tasks that completed, one that failed, and one that waits; the first ended so long ago."""
    tenant = await platform.new_tenant()
    for _ in range(3):
        await ask(platform, tenant)
        await answers(platform, AgentTaskStarted, agent="word_measurer")
        await answers(platform, AgentTaskCompleted, result=result())
    await ask(platform, tenant)
    await answers(platform, AgentTaskFailed, problem=PROBLEM)
    async with platform.runtime.database.transaction(tenant) as session:
        old = AgentTask.ended_at.is_not(None)
        await session.execute(update(AgentTask).where(old).values(ended_at=datetime.now(UTC) - ended))
    await ask(platform, tenant)
    return tenant


async def kept(platform: Platform, tenant: Tenant) -> list[str]:
    return [task["status"] for task in (await platform.get("/agent-tasks", tenant))["items"]]


async def test_tasks_that_ended_long_ago_go_and_still_count(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SWEEP_TASKS", 2)
    await platform.hear(registered())
    tenant = await some_tasks(platform, timedelta(days=8))
    since = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    counts = ("agent", "engine", "completed", "failed", "cancelled", "success_rate")

    async def performance() -> list[tuple[object, ...]]:
        items = (await platform.get("/agent-performance", tenant, since=since))["items"]
        return [tuple(each[name] for name in counts) for each in items]

    before = await performance()
    await forget_old_tasks(platform.runtime)
    assert sorted(await kept(platform, tenant)) == ["completed"] * 3 + ["failed", "queued"]

    value = {"value": 7, "reason": "a test"}
    path = "/api/v1/configuration/agent_task_retention_days"
    assert (await platform.client.put(path, json=value, headers=platform.of(tenant))).is_success
    await platform.settled()
    for _ in range(2):
        await forget_old_tasks(platform.runtime)
        assert await kept(platform, tenant) == ["queued"]
        assert await performance() == before
    # A further day of the same: sums are added to.
    async with platform.runtime.database.transaction(tenant) as session:
        ended = datetime.now(UTC) - timedelta(days=8)
        changes = {"status": "completed", "engine": "rules", "agent": "word_measurer", "ended_at": ended}
        await session.execute(update(AgentTask).values(changes))
    await forget_old_tasks(platform.runtime)
    assert await kept(platform, tenant) == []
    assert (await performance())[0][:3] == ("word_measurer", "rules", 4)
    async with platform.runtime.database.transaction(tenant) as session:
        sums = await session.execute(text("select sum(completed + failed + cancelled) from gateway.agent_task_sums"))
        assert sums.scalar_one() == 5


async def test_a_value_of_no_days_is_refused(platform: Platform) -> None:
    value = {"value": 0, "reason": "a test"}
    refused = await platform.client.put("/api/v1/configuration/agent_task_retention_days", json=value)
    assert refused.status_code == 422

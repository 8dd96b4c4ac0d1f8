"""What model calls cost and how agents did, as they are told over REST and to Prometheus."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskFailed, AgentTaskRequested, AgentTaskStarted
from contracts.agents import ModelCall, ModelCallsRecorded
from contracts.envelope import uuid7
from services.gateway.agents.costs import added_up
from tests.gateway.platform import KEY, Platform
from tests.gateway.test_agent_tasks import PROBLEM, result

NOW = datetime.now(UTC)
FLOW = uuid7()


def call(**about: Any) -> ModelCall:
    given_fields = {
        "call_id": uuid7(),
        "at": NOW,
        "provider": "deepinfra",
        "model": "llama",
        "agent": "migration_strategist",
        "task_id": uuid7(),
        "purpose": "six_r",
        "prompt_version": "1",
        "tokens_in": 100,
        "tokens_out": 10,
        "cost_usd": Decimal("0.0021"),
        "cached": False,
        "seconds": 1,
        "outcome": "ok",
    }
    return ModelCall.model_validate({**given_fields, **about})


@given(
    st.lists(
        st.builds(
            call,
            agent=st.sampled_from("ab"),
            model=st.sampled_from("xy"),
            flow_id=st.sampled_from([None, FLOW]),
            tokens_in=st.integers(0, 9),
            cost_usd=st.decimals(0, 9, places=6),
            cached=st.booleans(),
        ),
        max_size=20,
    )
)
def test_what_is_added_up_is_what_was_called(calls: list[ModelCall]) -> None:
    rows = added_up(calls)
    assert sum(row["calls"] for row in rows) == len(calls)
    assert sum((row["cost_usd"] for row in rows), Decimal(0)) == sum((each.cost_usd for each in calls), Decimal(0))
    assert sum(row["tokens_in"] for row in rows) == sum(each.tokens_in for each in calls)
    keys = [(row["day"], row["agent"], row["provider"], row["model"], row["flow_id"]) for row in rows]
    assert keys == sorted(set(keys))


async def test_costs_are_told_by_agent_model_flow_and_day_to_their_tenant_alone(platform: Platform) -> None:
    tenant, other = await platform.new_tenant(), await platform.new_tenant()
    yesterday = NOW - timedelta(days=1)
    first = ModelCallsRecorded(
        tenant=tenant,
        calls=[call(flow_id=FLOW), call(agent="wave_planner", model="gpt", cost_usd="0.01", at=yesterday)],
    )
    await platform.hear(first, ModelCallsRecorded(tenant=tenant, calls=[call(cached=True, cost_usd=0)]), first)
    report = await platform.get("/costs", tenant, by="agent")
    assert [(line["key"], line["calls"], line["cached"], line["cost_usd"]) for line in report["lines"]] == [
        ("wave_planner", 1, 0, "0.01"),
        ("migration_strategist", 2, 1, "0.0021"),
    ]
    assert (report["total"]["calls"], report["total"]["tokens_in"], report["total"]["cost_usd"]) == (3, 300, "0.0121")
    reports = {by: await platform.get("/costs", tenant, by=by) for by in ("model", "day", "flow")}
    keys = {by: [line["key"] for line in each["lines"]] for by, each in reports.items()}
    assert keys["model"] == ["deepinfra/gpt", "deepinfra/llama"]
    assert keys["day"] == [str(yesterday.date()), str(NOW.date())]
    assert set(keys["flow"]) == {str(FLOW), None}
    today = await platform.get("/costs", tenant, since=str(NOW.date()))
    assert today["total"]["calls"] == 2
    assert (await platform.get("/costs", other))["total"]["calls"] == 0
    refused = await platform.client.get("/api/v1/costs", params={"since": "2026-11-20", "until": "2026-11-19"})
    assert refused.status_code == 400


async def test_success_and_durations_are_told_by_agent_and_by_what_answered(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    requests = [AgentTaskRequested(tenant=tenant, task="longest_word") for _ in range(4)]
    for number, request in enumerate(requests[:3]):
        started = AgentTaskStarted.reply_to(request, agent="word_measurer", time=NOW)
        took = timedelta(seconds=number + 1)
        await platform.hear(request, started, AgentTaskCompleted.reply_to(request, result=result(), time=NOW + took))
    await platform.hear(
        AgentTaskStarted.reply_to(requests[3], agent="word_measurer"),
        AgentTaskFailed.reply_to(requests[3], problem=PROBLEM),
    )
    items = (await platform.get("/agent-performance", tenant))["items"]
    assert [(each["agent"], each["engine"], each["completed"], each["failed"]) for each in items] == [
        ("word_measurer", "rules", 3, 0),
        ("word_measurer", None, 0, 1),
    ]
    assert items[0]["duration"]["p50"] == 2
    assert items[0]["success_rate"] == 1


async def test_prometheus_hears_of_models_and_agents_and_of_no_tenant(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    request = AgentTaskRequested(tenant=tenant, task="longest_word", agent="word_measurer")
    many = [call(model=f"model-{number}") for number in range(60)]
    failed = call(model="model-0", outcome="error")
    await platform.hear(request, ModelCallsRecorded(tenant=tenant, calls=[*many, failed]))
    answer = await platform.client.get("/metrics", headers={"authorization": f"Bearer {KEY}"})
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert 'modernize_agent_tasks{agent="word_measurer",status="queued"} 1.0' in lines
    calls = [line for line in lines if line.startswith("modernize_model_calls{")]
    assert len(calls) == 51 * 3
    assert any('answer="none",model="model-0"' in line and line.endswith(" 1.0") for line in calls)
    assert str(tenant.client_account_id) not in "".join(calls)

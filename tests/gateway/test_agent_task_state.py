"""How a task stands is the same in whatever order, and however often, its news come."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.agent_tasks import (
    AgentTaskCancelled,
    AgentTaskCompleted,
    AgentTaskFailed,
    AgentTaskProgressed,
    AgentTaskRequested,
    AgentTaskStarted,
)
from contracts.envelope import Problem
from services.chassis.testing import some_tenant
from services.gateway.agents.tables import AgentTask
from services.gateway.agents.task_state import AgentTaskEvent, new_task, take
from tests.gateway.test_agent_tasks import result

REQUEST = AgentTaskRequested(tenant=some_tenant(), task="six_r", inputs={"a": 1}, work_priority=3)
AGAIN = REQUEST.model_copy(update={"id": some_tenant().engagement_id, "task_id": REQUEST.id, "attempt": 2})
LIFE: list[AgentTaskEvent] = [
    REQUEST,
    AgentTaskStarted.reply_to(REQUEST, agent="a"),
    AgentTaskProgressed.reply_to(REQUEST, agent="a", done=1, total=2, message="one"),
    AgentTaskProgressed.reply_to(REQUEST, agent="a", done=2, total=2, message="two"),
    AgentTaskFailed.reply_to(REQUEST, problem=Problem(code="x", detail="y")),
    AGAIN,
    AgentTaskStarted.reply_to(AGAIN, agent="b"),
    AgentTaskCompleted.reply_to(AGAIN, result=result("b")),
]


def after(*events: AgentTaskEvent) -> AgentTask:
    task = new_task(events[0])
    for event in events:
        take(task, event)
    return task


@given(st.permutations([*LIFE, *LIFE[2:5]]))
def test_the_order_of_news_does_not_matter(events: list[AgentTaskEvent]) -> None:
    task = after(*events)
    assert (task.status, task.attempt, task.agent, task.inputs) == ("completed", 2, "b", {"a": 1})
    assert (task.priority, task.request_id, task.problem) == (3, AGAIN.id, None)
    assert task.result is not None
    assert task.started_at == LIFE[6].time


@given(st.permutations(LIFE))
def test_old_news_are_told_to_nobody(events: list[AgentTaskEvent]) -> None:
    task = new_task(events[0])
    told = [take(task, event) for event in events]
    assert not any(take(task, event) for event in events)
    assert any(told)


@given(st.permutations([*LIFE[:4], LIFE[4]]))
def test_what_was_cancelled_first_stays_cancelled(events: list[AgentTaskEvent]) -> None:
    cancelled = AgentTaskCancelled(
        tenant=REQUEST.tenant, task="six_r", task_id=REQUEST.id, cancelled_by="Ada", time=datetime.now(UTC)
    )
    assert after(REQUEST, cancelled, *events).status == "cancelled"

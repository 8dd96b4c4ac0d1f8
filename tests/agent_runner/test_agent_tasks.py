"""Agent tasks on a real database: whoever asks gets one answer in time, or the reason why there is none."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import Field

from contracts.agent_tasks import (
    AgentTaskCompleted,
    AgentTaskFailed,
    AgentTaskProgressed,
    AgentTaskRequested,
    AgentTaskStarted,
)
from contracts.agents import AgentRegistered
from contracts.envelope import PLATFORM, Event
from services.agent_runner.agents import registry
from services.agent_runner.agents.definition import Agent, Answers, Judgement, Question
from services.agent_runner.agents.prompts import Prompts
from services.agent_runner.app import service
from services.agent_runner.task_handlers import register_agents
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.chassis.testing import running, some_tenant
from tests.chassis.handlers import hearing, settled, until
from tests.chassis.probe import emit, listener, packed

TOLD = (AgentTaskStarted, AgentTaskProgressed, AgentTaskCompleted, AgentTaskFailed, AgentRegistered)


class Lengths(Question):
    """What the agent of these tests takes."""

    words: list[str] = Field(min_length=1)


def longest(given: Lengths) -> Answers:
    word = max(given.words, key=len)
    return Answers(answers=[Judgement(key=word, confidence=0.75, rationale="no other word is longer")])


def an_agent(rules: Callable[[Any], Answers] = longest) -> Agent:
    return Agent(
        agent_id="word_measurer",
        title="Word measurer",
        capabilities=("longest_word",),
        input=Lengths,
        output=Answers,
        prompts=Prompts("role", "goal", "backstory", "description", "expected", 1, "0" * 64),
        rules=rules,
        decides=("key",),
        evidence=lambda question, key: {"words": question.words},
    )


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "AGENTS", {"word_measurer": an_agent()})


async def told_of(settings: Settings, request: AgentTaskRequested, last: type[Event]) -> list[Event]:
    """What the agent runner tells of a task, up to the first event of the class `last`."""
    bus = InProcessBus()
    heard = hearing(watcher := listener(), *TOLD)
    async with running([service, watcher], settings, lambda _: bus) as at:
        await emit(at["agent_runner"], request)
        await until(lambda: any(isinstance(event, last) for event in heard))
        # Of events that are on their way together, any may come first.
        await settled(at["agent_runner"])
    told = [event for event in heard if event.causation_id == request.id]
    return sorted(told, key=lambda event: event.time)


def a_request(**about: Any) -> AgentTaskRequested:
    return AgentTaskRequested(
        tenant=some_tenant(), **{"task": "longest_word", "inputs": {"words": ["a", "bcd"]}, **about}
    )


async def test_a_task_is_begun_and_answered_by_the_agent_with_its_capability(settings: Settings) -> None:
    request = a_request()
    told = await told_of(settings, request, AgentTaskCompleted)
    assert [type(event) for event in told] == [AgentTaskStarted, AgentTaskProgressed, AgentTaskCompleted]
    assert {(event.task_id, event.attempt) for event in told} == {(request.id, 1)}  # type: ignore[attr-defined]
    completed = told[-1]
    assert isinstance(completed, AgentTaskCompleted)
    assert completed.result is not None
    assert [answer["key"] for answer in completed.answer["answers"]] == ["bcd"]
    assert (completed.result.engine, completed.result.model, completed.result.confidence) == ("rules", None, 0.75)


@pytest.mark.parametrize(
    ("about", "code", "words"),
    [
        ({"agent": "nobody"}, "unknown_agent", "'nobody'"),
        ({"task": "fly"}, "unknown_capability", "'fly'"),
        ({"inputs": {"words": [1]}}, "inputs_do_not_fit", "inputs.words.0: "),
        ({"inputs": {}}, "inputs_do_not_fit", "inputs.words: "),
    ],
)
async def test_a_task_that_nobody_can_do_fails_and_says_why(
    settings: Settings, about: dict[str, Any], code: str, words: str
) -> None:
    told = await told_of(settings, a_request(**about), AgentTaskFailed)
    [failed] = told
    assert isinstance(failed, AgentTaskFailed)
    assert failed.problem.code == code
    assert words in failed.problem.detail


async def test_an_agent_that_takes_too_long_has_failed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    enough = threading.Event()

    def slow(given: Lengths) -> Answers:
        enough.wait(60)
        return longest(given)

    monkeypatch.setattr(registry, "AGENTS", {"word_measurer": an_agent(slow)})
    request = a_request(timeout_seconds=0.05)
    try:
        told = await told_of(settings, request, AgentTaskFailed)
    finally:
        enough.set()
    [failed] = [event for event in told if isinstance(event, AgentTaskFailed)]
    assert (failed.problem.code, failed.task_id) == ("agent_timed_out", request.id)


async def test_a_runner_tells_which_agents_it_has(settings: Settings) -> None:
    bus = InProcessBus()
    heard = hearing(watcher := listener(), AgentRegistered)
    async with running([service, watcher], settings, lambda _: bus) as at:
        await register_agents(at["agent_runner"])
        await until(lambda: heard)
    told = heard[0]
    assert isinstance(told, AgentRegistered)
    assert told.tenant == PLATFORM
    [agent] = told.agents
    assert (agent.agent_id, agent.capabilities) == ("word_measurer", ["longest_word"])
    assert agent.input_schema["required"] == ["words"]


async def test_two_runners_keep_a_tenants_limit_and_priorities_together_and_do_each_task_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has room for two, so of four places one client account takes two, and another has one at once."""
    lock, go_on = threading.Lock(), threading.Event()
    begun: list[str] = []

    def waiting(given: Lengths) -> Answers:
        with lock:
            begun.append(given.words[0])
        go_on.wait(60)
        return longest(given)

    monkeypatch.setattr(registry, "AGENTS", {"word_measurer": an_agent(waiting)})
    busy, other = some_tenant(), some_tenant()
    wanted = [(busy, f"busy {priority}", priority) for priority in (1, 5, 3, 6, 2, 4)] + [(other, "other", 0)]
    requests = [
        a_request(inputs={"words": [word]}, work_priority=priority).model_copy(update={"tenant": who})
        for who, word, priority in wanted
    ]
    bounded = settings.model_copy(update={"work_concurrency": 2, "tenant_work_limit": 2})
    bus = InProcessBus()
    heard = hearing(watcher := listener(), AgentTaskCompleted)
    quiet = Runtime(service, bounded, bus)
    queues = {each.routing_key: each.deliver for each in quiet.subscriptions()}
    # They wait before anybody works, so that the clock decides nothing.
    for request in requests:
        await queues[request.type_name](packed(request))
    try:
        async with running([service, watcher], bounded, lambda _: bus):
            second = Runtime(service, bounded, bus)
            await second.start()
            try:
                await until(lambda: len(begun) == 3)
                assert sorted(begun) == ["busy 5", "busy 6", "other"]
                go_on.set()
                await until(lambda: len(heard) == len(requests))
            finally:
                go_on.set()
                await second.stop()
    finally:
        await quiet.stop()
    assert len(begun) == len(set(begun)) == len(requests)

"""The flow engine under replies, decisions and clocks in any order: a Hypothesis state machine."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalRequested
from services.flow_orchestrator.engine import Decision, decide, start, time_out
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import FlowState
from tests.flow_orchestrator.answers import (
    a_discovery,
    answer,
    decision,
    failure,
)
from tests.flow_orchestrator.test_engine import NOW, STARTS, stored


class AnyOrder(RuleBasedStateMachine):
    """A flow under replies, decisions and clocks in any order, repeated at will."""

    @initialize(name=st.sampled_from(sorted(FLOW_TYPES)), then=st.sampled_from([[], ["assessment", "planning"]]))
    def begin(self, name: str, then: list[str]) -> None:
        self.flow_type = FLOW_TYPES[name]
        request = a_discovery(then=then) if name == "discovery" else STARTS[name]()
        self.now = NOW
        self.decisions = [start(self.flow_type, request, self.now)]
        self.known: list[Event] = [request, *self.decisions[0].events]
        self.completed = 0

    @property
    def state(self) -> FlowState:
        return self.decisions[-1].state

    def take(self, decision: Decision | None) -> None:
        if decision is not None:
            assert not self.state.ended, "an ended flow moved"
            self.decisions.append(decision)
            self.known += decision.events
            self.completed += sum(isinstance(event, self.flow_type.completed) for event in decision.events)

    @rule(data=st.data(), review=st.booleans(), fails=st.booleans())
    def a_worker_answers_any_request_so_far(self, data: st.DataObject, review: bool, fails: bool) -> None:
        request = data.draw(st.sampled_from([event for event in self.known if event.step is not None]))
        phase = next(each for each in self.flow_type.phases if isinstance(request, each.asks))
        reply = failure(phase.fails_with, request) if fails else answer(request, review)
        before, result = self.state, decide(self.flow_type, stored(self.state), reply, self.now)
        belongs = before.status == "running" and request.step == before.step
        assert (result is not None) == belongs
        self.take(result)

    @precondition(lambda self: any(isinstance(event, ApprovalRequested) for event in self.known))
    @rule(data=st.data(), verdict=st.sampled_from(["approve", "reject"]))
    def a_person_decides_any_task_so_far(self, data: st.DataObject, verdict: str) -> None:
        tasks = [event for event in self.known if isinstance(event, ApprovalRequested)]
        task = data.draw(st.sampled_from(tasks))
        decided = ApprovalDecided.model_validate({**decision(task).model_dump(), "decision": verdict})
        result = decide(self.flow_type, stored(self.state), decided, self.now)
        assert (result is not None) == (task.task_id == self.state.task_id)
        self.take(result)

    @rule(data=st.data())
    def any_event_comes_again(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(self.known))
        assert decide(self.flow_type, stored(self.state), event, self.now) is None

    @rule(hours=st.integers(min_value=0, max_value=24 * 31))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        due = self.state.waits_until is not None and self.now >= self.state.waits_until
        result = time_out(self.flow_type, stored(self.state), self.now)
        assert (result is not None) == due
        self.take(result)

    @invariant()
    def it_has_ended_or_says_what_it_waits_for_and_until_when(self) -> None:
        if not hasattr(self, "decisions"):
            return
        state = self.state
        waits = (state.waits_for, state.waits_until)
        assert all(each is None for each in waits) if state.ended else all(each is not None for each in waits)
        assert (state.task_id is not None) == (state.status == "waiting")
        assert self.completed == (state.status == "completed")
        assert [each.state.revision for each in self.decisions] == list(range(1, len(self.decisions) + 1))
        if state.status == "failed":
            assert state.problem is not None


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


TestAnyOrder = AnyOrder.TestCase

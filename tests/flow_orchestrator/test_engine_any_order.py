"""The flow engine under anything in any order, over flow types made up at random and the real ones."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalRequested
from contracts.lifecycle import LEGAL_ACTIONS, ChildFlowEnded
from services.flow_orchestrator.engine import Decision, Refusal
from services.flow_orchestrator.flow_type import FlowType
from tests.flow_orchestrator.answers import answer, decision, failure
from tests.flow_orchestrator.generated import WAYS, a_flow, older
from tests.flow_orchestrator.run import NOW, Run, child_end
from tests.flow_orchestrator.shapes import BUSY, SHAPES
from tests.flow_orchestrator.validity import check

FLOWS = st.one_of(
    st.integers(0, 2**32).map(lambda seed: a_flow(Random(seed))),
    st.sampled_from(list(SHAPES.values())),
)
ACTIONS = sorted({action for actions in LEGAL_ACTIONS.values() for action in actions})


class AnyOrder(RuleBasedStateMachine):
    """One flow, of which every event that it sent may be answered, at any time, in any way, any number of times."""

    @initialize(
        flow_type=FLOWS,
        admitted=st.sampled_from([True, True, False]),
        start=st.sampled_from(["now", "now", "now", "held", "later"]),
        days=st.sampled_from([None, None, None, 100]),
    )
    def begin(self, flow_type: FlowType, admitted: bool, start: str, days: int | None) -> None:
        options: dict[str, Any] = {"hold": start == "held", "start_at": at(1) if start == "later" else None}
        options["deadline"] = None if days is None else at(days)
        self.prepare(flow_type, admitted, options)

    def prepare(self, flow_type: FlowType, admitted: bool, options: dict[str, Any]) -> None:
        self.newest = flow_type
        first = older(flow_type) if flow_type.version == 2 else flow_type
        self.run = Run(first, admitted=admitted, **options)
        self.counted: set[str] = set()

    @precondition(lambda self: self.run.state.ended)
    @rule(flow_type=FLOWS)
    def another_flow_begins(self, flow_type: FlowType) -> None:
        self.comes_to_an_end()
        self.prepare(flow_type, True, {})

    # -- workers and people

    @rule(
        data=st.data(),
        how=st.sampled_from(["well", "well", "well", "busy", "busy", "broken"]),
        way=st.sampled_from(WAYS),
    )
    def a_worker_answers_any_request_so_far(self, data: st.DataObject, how: str, way: dict[str, Any]) -> None:
        asks = {phase.asks for phase in self.run.flow_type.phases}
        requests = [event for event in self.run.events if type(event) in asks and event.step]
        if not requests:
            return
        state = self.run.state
        current = [self.run.request(name) for name in state.active() if state.phases[name].status == "running"]
        request = data.draw(st.sampled_from(current * 3 + requests[-3:]))
        name = str(request.step).partition(":")[0]
        if how != "well":
            fails_with = self.run.flow_type.phase(name).fails_with
            reply: Event = failure(fails_with, request, BUSY if how == "busy" else "empty_file")
        elif self.run.flow_type.phase(name).awaits is ChildFlowEnded:
            reply = child_end(self.run.state, request)
        else:
            reply = answer(request, review="way_0" in way, **way)
        belongs = not state.ended and state.phases[name].status == "running" and request.step == state.step(name)
        if belongs:
            assert request.step not in self.counted, f"{request.step} counts twice"
            self.counted.add(str(request.step))
        self.heard(reply, belongs)

    @rule(random=st.randoms(use_true_random=True), steps=st.integers(1, 12))
    def it_goes_on_for_a_while(self, random: Random, steps: int) -> None:
        run = self.run
        for _ in range(steps):
            if run.state.status == "completed":
                return
            if run.state.status not in ("running", "waiting"):
                run.push()
            elif random.random() < 0.1:
                run.control(random.choice(["pause", "cancel"]))
            else:
                self.serve_one(random, random.choice(run.state.active()))
            check(run.flow_type, run.state)

    def serve_one(self, random: Random, name: str) -> None:
        """Give an active phase what it waits for, or have it fail."""
        if self.run.state.phases[name].status != "running":
            self.run.serve(name)
            return
        step = self.run.state.step(name)
        assert step not in self.counted, f"{step} counts twice"
        self.counted.add(step)
        if random.random() < 0.15:
            self.run.fail(name, random.choice([BUSY, "empty_file"]))
        else:
            self.run.serve(name, **random.choice(WAYS))

    @precondition(lambda self: any(isinstance(event, ApprovalRequested) for event in self.run.events))
    @rule(data=st.data(), verdict=st.sampled_from(["approve", "approve", "approve", "reject"]))
    def a_person_decides_any_task_so_far(self, data: st.DataObject, verdict: str) -> None:
        tasks = [event for event in self.run.events if isinstance(event, ApprovalRequested)]
        task = data.draw(st.sampled_from(tasks[-3:]))
        decided = ApprovalDecided.model_validate({**decision(task).model_dump(), "decision": verdict})
        state = self.run.state
        belongs = not state.ended and task.task_id in {view.task_id for view in state.phases.values()}
        if belongs:
            assert str(task.task_id) not in self.counted, "a task is decided twice"
            self.counted.add(str(task.task_id))
        self.heard(decided, belongs)

    @rule(data=st.data())
    def any_event_comes_again(self, data: st.DataObject) -> None:
        own = [event for event in self.run.events if event.flow_id == self.run.state.flow_id]
        if own:
            self.heard(data.draw(st.sampled_from(own)), belongs=False)

    @rule(data=st.data(), action=st.sampled_from(ACTIONS))
    def somebody_asks_for_something(self, data: st.DataObject, action: str) -> None:
        run = self.run
        legal = action in LEGAL_ACTIONS[run.state.status]
        if action == "delete" and legal:
            return
        phase = None
        if action in ("retry", "skip"):
            phase = data.draw(st.sampled_from([None, *run.state.phases]))
        before = run.flow_type
        if action == "migrate":
            run.flow_type = self.newest
        outcome = run.hear(run.asks_for(action, phase=phase))
        assert outcome is not None
        assert legal or isinstance(outcome, Refusal)
        assert not (legal and isinstance(outcome, Refusal)) or action in ("retry", "skip", "migrate")
        if isinstance(outcome, Refusal):
            run.flow_type = before

    # -- the clock, and others

    @precondition(lambda self: self.run.state.status == "queued")
    @rule()
    def there_is_room(self) -> None:
        self.run.admit()

    @rule(room=st.booleans())
    def the_room_of_its_tenant_changes(self, room: bool) -> None:
        self.run.room = room

    @rule(hours=st.sampled_from([0, 0.01, 0.02, 1, 5, 80, 24 * 31]))
    def time_passes(self, hours: float) -> None:
        state = self.run.state
        outcome = self.run.tick(hours=hours)
        assert (outcome is not None) == (state.wake_at is not None and self.run.now >= state.wake_at)

    @rule(data=st.data(), room=st.booleans())
    def somebody_forks_it(self, data: st.DataObject, room: bool) -> None:
        checkpoints = [each for each in self.run.decisions if each.entry.checkpoint]
        if not checkpoints:
            return
        seq = data.draw(st.sampled_from([each.entry.seq for each in checkpoints]))
        migrated, self.run.flow_type = self.run.flow_type, self.version_at(seq)
        fork = self.run.fork(seq, room=room)
        self.run.flow_type = migrated
        asked_before = set(self.run.past(seq).asked())
        fork.finish()
        assert fork.state.status == "completed" or fork.problem_code == "loop_exhausted"
        assert not asked_before & set(fork.asked()), "what was asked before the checkpoint is asked again"
        for each in fork.decisions:
            check(fork.flow_type, each.state)

    def version_at(self, seq: int) -> FlowType:
        version = self.run.decisions[seq - 1].state.version
        return self.newest if version == self.newest.version else older(self.newest)

    # -- what holds

    def heard(self, event: Event, belongs: bool) -> None:
        outcome = self.run.hear(event)
        assert isinstance(outcome, Decision) == belongs, f"{event.type_name} {event.step}: {outcome}"
        assert outcome is None or isinstance(outcome, Decision)

    @invariant()
    def it_is_valid(self) -> None:
        if not hasattr(self, "run"):
            return
        run = self.run
        check(run.flow_type, run.state)
        assert [each.entry.seq for each in run.decisions] == list(range(1, len(run.decisions) + 1))
        steps = run.asked()
        assert len(set(steps)) == len(steps), "a step was asked for twice"
        # One that is told again, because a pause has moved its times, is still the same.
        given = [event.task_id for event in run.decisions[-1].events if isinstance(event, ApprovalRequested)]
        assert set(given) <= {view.task_id for view in run.state.phases.values()} or run.state.ended
        assert not {str(task_id) for task_id in given} & self.counted, "a task was given again"
        last = run.decisions[-1]
        ends = sum(isinstance(event, run.flow_type.completed | run.flow_type.failed) for event in last.events)
        assert ends <= 1
        assert (ends == 1) <= run.state.ended

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.comes_to_an_end()

    def comes_to_an_end(self) -> None:
        """Whatever happened, it ends when everything is answered, and ends well when it is retried."""
        run = self.run.finish()
        for _ in range(3):
            check(run.flow_type, run.state)
            if run.state.status == "completed":
                return
            run.control("retry").finish()
        raise AssertionError(f"it never completes: {run.state.problem}")


def at(days: int) -> datetime:
    return NOW + timedelta(days=days)


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


TestAnyOrder = AnyOrder.TestCase

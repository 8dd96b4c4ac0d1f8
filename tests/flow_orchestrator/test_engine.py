"""The flow engine as a pure function: what follows from which event, and what is ignored."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.assessment import AssessmentCompleted, AssessmentRequested
from contracts.discovery import (
    DataImportCompleted,
    DataImportRequested,
    DiscoveryCompleted,
    DiscoveryFailed,
    DiscoveryStarted,
    FieldMappingCompleted,
    FieldMappingRequested,
    InventoryRequested,
)
from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalRequested, FlowUpdated
from contracts.planning import PlanningCompleted, PlanningRequested, ReportRequested
from services.flow_orchestrator.engine import Decision, decide, start, time_out
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.flows.mapping_review import decided_mappings
from services.flow_orchestrator.state import FlowState
from tests.flow_orchestrator.answers import (
    TABLE_ID,
    a_discovery,
    a_planning,
    an_assessment,
    answer,
    blob,
    decision,
    failure,
    mapped,
    to_review,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DISCOVERY, ASSESSMENT, PLANNING = (FLOW_TYPES[name] for name in ("discovery", "assessment", "planning"))
STARTS = {"discovery": a_discovery, "assessment": an_assessment, "planning": a_planning}


def stored(state: FlowState) -> FlowState:
    """The state as it comes back from its row."""
    return FlowState.model_validate_json(state.model_dump_json())


def step(flow_type: FlowType, before: Decision, event: Event) -> Decision:
    """The decision on an event that belongs to what the flow waits for."""
    after = decide(flow_type, stored(before.state), event, NOW)
    assert after is not None, f"{event.type_name} was ignored"
    return after


def request_in(decision: Decision) -> Event:
    """The request that a decision sends to a worker."""
    return next(event for event in decision.events if event.step is not None)


def task_in(decision: Decision) -> ApprovalRequested:
    """The task that a decision hands to a person."""
    return next(event for event in decision.events if isinstance(event, ApprovalRequested))


def run_to_the_end(flow_type: FlowType, request: Event, review: bool = False) -> list[Decision]:
    """Answer everything well, approve everything."""
    decisions = [start(flow_type, request, NOW)]
    while not decisions[-1].state.ended:
        if decisions[-1].state.status == "waiting":
            following: Event = decision(task_in(decisions[-1]))
        else:
            following = answer(request_in(decisions[-1]), review)
        decisions.append(step(flow_type, decisions[-1], following))
    return decisions


@pytest.mark.parametrize("name", FLOW_TYPES)
@pytest.mark.parametrize("review", [False, True])
def test_a_flow_goes_through_its_phases_in_order_and_completes(name: str, review: bool) -> None:
    flow_type, request = FLOW_TYPES[name], STARTS[name]()

    decisions = run_to_the_end(flow_type, request, review)

    state = decisions[-1].state
    assert state.status == "completed"
    assert [phase.status for phase in state.phases] == ["completed"] * len(flow_type.phases)
    assert [type(request_in(each)) for each in decisions if any(e.step for e in each.events)] == [
        phase.asks for phase in flow_type.phases
    ]
    assert isinstance(decisions[0].events[0], flow_type.started)
    assert any(isinstance(event, flow_type.completed) for event in decisions[-1].events)
    assert [each.state.revision for each in decisions] == list(range(1, len(decisions) + 1))
    for each in decisions:
        assert all((event.tenant, event.flow_id) == (request.tenant, request.flow_id) for event in each.events)
        updated = [event for event in each.events if isinstance(event, FlowUpdated)]
        assert [event.revision for event in updated] == [each.state.revision]


def test_what_a_discovery_found_is_told_and_handed_on() -> None:
    request = a_discovery(then=["assessment", "planning"])

    last = run_to_the_end(DISCOVERY, request)[-1]

    completed = next(event for event in last.events if isinstance(event, DiscoveryCompleted))
    assert (completed.asset_count, completed.application_count, completed.dependency_count) == (10, 5, 6)
    state = last.state.result(FieldMappingCompleted)
    assert state.review_count == 0


def test_a_discovery_starts_the_assessment_that_was_asked_for_once() -> None:
    request = a_discovery(then=["assessment", "planning"])
    decisions = run_to_the_end_with_next(DISCOVERY, request)
    following = [event for event in decisions if isinstance(event, AssessmentRequested)]
    [assessment] = following
    assert assessment.parent_flow_id == request.flow_id
    assert assessment.flow_id != request.flow_id
    assert assessment.then == ["planning"]
    assert (assessment.inputs.assets, assessment.inputs.applications) == (blob("assets"), blob("found"))

    [planning] = [e for e in run_to_the_end_with_next(ASSESSMENT, assessment) if isinstance(e, PlanningRequested)]
    assert planning.parent_flow_id == assessment.flow_id
    assert planning.inputs.assessments == blob("assessed")
    assert planning.report == assessment.report

    # A retry of the last step must ask for the same flow, or there would be two.
    [again] = [e for e in run_to_the_end_with_next(DISCOVERY, request) if isinstance(e, AssessmentRequested)]
    assert again.flow_id == assessment.flow_id


def run_to_the_end_with_next(flow_type: FlowType, request: Event) -> list[Event]:
    """All events of a flow, those that start other flows included."""
    current = start(flow_type, request, NOW)
    events = list(current.events)
    while not current.state.ended:
        following = decision(task_in(current)) if current.state.status == "waiting" else answer(request_in(current))
        current = step(flow_type, current, following)
        events += current.events
    return events


@pytest.mark.parametrize("then", [[], ["planning"]])
def test_without_being_asked_a_discovery_starts_no_assessment(then: list[str]) -> None:
    events = run_to_the_end_with_next(DISCOVERY, a_discovery(then=then))
    assert not any(isinstance(event, AssessmentRequested) for event in events)


def test_a_flow_that_nobody_named_is_not_started() -> None:
    with pytest.raises(ValueError, match="which flow"):
        start(DISCOVERY, a_discovery().model_copy(update={"flow_id": None}), NOW)


def at_the_gate() -> Decision:
    """A discovery whose mapping waits for a person."""
    first = start(DISCOVERY, a_discovery(), NOW)
    second = step(DISCOVERY, first, answer(request_in(first)))
    return step(DISCOVERY, second, answer(request_in(second), review=True))


def test_a_doubtful_mapping_stops_at_a_gate() -> None:
    waiting = at_the_gate()
    task = task_in(waiting)

    assert (waiting.state.status, waiting.state.current_phase) == ("waiting", "field_mapping")
    assert waiting.state.view("field_mapping").status == "waiting"
    assert (task.kind, task.expires_at) == ("field_mapping", NOW + timedelta(days=30))
    assert task.details["mappings"][0]["columns"][1]["status"] == "review"
    assert not any(event.step for event in waiting.events)


def test_edits_at_the_gate_reach_the_next_phase() -> None:
    waiting = at_the_gate()
    edits = {str(TABLE_ID): {"Nm": "vm_name", "IP": None}}

    going_on = step(DISCOVERY, waiting, decision(task_in(waiting), edits=edits))

    request = request_in(going_on)
    assert isinstance(request, InventoryRequested)
    ip, name = request.mappings[0].columns
    assert (ip.field, ip.status, ip.confidence, ip.reason) == (None, "unmapped", 1.0, "Decided by Ada.")
    assert (name.field, name.status, name.confidence, name.reason) == ("vm_name", "accepted", 1.0, "Decided by Ada.")


def test_what_was_left_alone_at_the_gate_is_confirmed() -> None:
    proposed = [to_review(mapped("A", "hostname", "review"), mapped("B", None, "unmapped"))]

    [table] = decided_mappings(proposed, {}, "Ada")

    assert [(column.field, column.status) for column in table.columns] == [("hostname", "accepted"), (None, "unmapped")]
    assert table.columns[0].reason == "Looks like it. Confirmed by Ada."
    assert table.columns[1] == proposed[0].columns[1]


def test_a_rejection_ends_the_flow() -> None:
    waiting = at_the_gate()

    ended = step(DISCOVERY, waiting, decision(task_in(waiting), "reject", comment="Wrong file"))

    assert ended.state.status == "cancelled"
    assert ended.state.problem is not None
    assert ended.state.problem.code == "rejected"
    assert "Ada rejected the mapping of doubtful columns: Wrong file" in ended.state.problem.detail
    assert any(isinstance(event, DiscoveryFailed) for event in ended.events)
    assert (ended.state.waits_for, ended.state.waits_until, ended.state.task_id) == (None, None, None)


def test_the_first_decision_wins() -> None:
    waiting = at_the_gate()
    task = task_in(waiting)
    approved = step(DISCOVERY, waiting, decision(task))
    rejected = step(DISCOVERY, waiting, decision(task, "reject"))

    assert decide(DISCOVERY, approved.state, decision(task, "reject"), NOW) is None
    assert decide(DISCOVERY, approved.state, decision(task), NOW) is None
    assert decide(DISCOVERY, rejected.state, decision(task), NOW) is None


def test_a_decision_on_another_task_is_ignored() -> None:
    waiting = at_the_gate()
    other = decision(task_in(waiting)).model_copy(update={"task_id": uuid4()})
    running = start(DISCOVERY, a_discovery(), NOW)

    assert decide(DISCOVERY, waiting.state, other, NOW) is None
    assert decide(DISCOVERY, running.state, other, NOW) is None


def test_stale_repeated_late_and_foreign_replies_are_ignored() -> None:
    request = a_discovery()
    first = start(DISCOVERY, request, NOW)
    reply = answer(request_in(first))
    second = step(DISCOVERY, first, reply)
    later_phase = answer(InventoryRequested.reply_to(request_in(second), tables=[], mappings=[]))

    assert decide(DISCOVERY, second.state, reply, NOW) is None
    assert decide(DISCOVERY, first.state, request, NOW) is None
    assert decide(DISCOVERY, first.state, later_phase, NOW) is None
    assert decide(DISCOVERY, first.state, reply.model_copy(update={"step": None}), NOW) is None
    assert decide(DISCOVERY, first.state, reply.model_copy(update={"step": "data_import:2"}), NOW) is None
    last = run_to_the_end(DISCOVERY, request)[-1]
    for event in (request, reply, later_phase, failure(DISCOVERY.phases[3].fails_with, request_in(second))):
        assert decide(DISCOVERY, last.state, event, NOW) is None


def test_a_failed_phase_ends_the_flow_with_its_problem() -> None:
    first = start(DISCOVERY, a_discovery(), NOW)

    ended = step(DISCOVERY, first, failure(DISCOVERY.phases[0].fails_with, request_in(first)))

    assert (ended.state.status, ended.state.view("data_import").status) == ("failed", "failed")
    failed = next(event for event in ended.events if isinstance(event, DiscoveryFailed))
    assert failed.problem.code == "empty_file"
    assert time_out(DISCOVERY, ended.state, NOW + timedelta(days=999)) is None


def test_the_failure_of_an_older_attempt_is_ignored() -> None:
    first = start(DISCOVERY, a_discovery(), NOW)
    assert first.state.waits_until is not None
    again = time_out(DISCOVERY, first.state, first.state.waits_until)
    assert again is not None

    assert decide(DISCOVERY, again.state, failure(DISCOVERY.phases[0].fails_with, request_in(first)), NOW) is None
    assert decide(DISCOVERY, again.state, answer(request_in(first)), NOW) is None
    assert decide(DISCOVERY, again.state, answer(request_in(again)), NOW) is not None


def test_time_outs_ask_again_with_growing_patience_and_then_fail() -> None:
    now, current = NOW, start(DISCOVERY, a_discovery(), NOW)
    patience = []
    while current.state.waits_until is not None:
        patience.append(current.state.waits_until - now)
        assert time_out(DISCOVERY, current.state, current.state.waits_until - timedelta(microseconds=1)) is None
        now = current.state.waits_until
        following = time_out(DISCOVERY, stored(current.state), now)
        assert following is not None
        current = following

    assert patience == [timedelta(hours=1), timedelta(hours=2), timedelta(hours=4)]
    assert current.state.status == "failed"
    assert current.state.problem is not None
    assert current.state.problem.code == "phase_timed_out"
    assert "3 attempts" in current.state.problem.detail


def test_each_attempt_asks_the_same_under_a_step_of_its_own() -> None:
    first = start(DISCOVERY, a_discovery(), NOW)
    again = time_out(DISCOVERY, first.state, NOW + timedelta(hours=1))
    assert again is not None
    one, two = request_in(first), request_in(again)
    assert isinstance(one, DataImportRequested)
    assert isinstance(two, DataImportRequested)

    assert (one.step, two.step) == ("data_import:1", "data_import:2")
    assert one.files == two.files
    assert one.id != two.id
    assert not any(isinstance(event, DiscoveryStarted) for event in again.events)


def test_a_task_that_nobody_decides_expires() -> None:
    waiting = at_the_gate()
    assert waiting.state.waits_until is not None

    assert time_out(DISCOVERY, waiting.state, waiting.state.waits_until - timedelta(seconds=1)) is None
    expired = time_out(DISCOVERY, waiting.state, waiting.state.waits_until)

    assert expired is not None
    assert expired.state.problem is not None
    assert (expired.state.status, expired.state.problem.code) == ("failed", "approval_expired")


def test_a_plan_is_reported_only_after_its_approval() -> None:
    first = start(PLANNING, a_planning(), NOW)
    waiting = step(PLANNING, first, answer(request_in(first)))
    task = task_in(waiting)
    assert (task.kind, len(task.details["waves"]), task.details["unplanned"]) == ("wave_plan", 1, {"retire": 2})

    approved = step(PLANNING, waiting, decision(task))
    request = request_in(approved)
    assert isinstance(request, ReportRequested)
    assert (request.plan, request.unplanned) == (blob("plan"), {"retire": 2})
    last = step(PLANNING, approved, answer(request))
    completed = next(event for event in last.events if isinstance(event, PlanningCompleted))
    assert (completed.wave_count, completed.application_count) == (1, 1)


def test_an_assessment_tells_its_distribution() -> None:
    last = run_to_the_end(ASSESSMENT, an_assessment())[-1]
    completed = next(event for event in last.events if isinstance(event, AssessmentCompleted))
    assert (completed.application_count, completed.distribution) == (5, {"rehost": 3, "retire": 2})


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


def test_every_state_fits_its_child_row() -> None:
    for name, flow_type in FLOW_TYPES.items():
        for each in run_to_the_end(flow_type, STARTS[name](), review=True):
            flow_type.child_row(each.state)


def test_the_tables_that_were_imported_are_what_is_mapped() -> None:
    first = start(DISCOVERY, a_discovery(), NOW)
    second = step(DISCOVERY, first, answer(request_in(first)))
    request = request_in(second)

    assert isinstance(request, FieldMappingRequested)
    assert request.tables == second.state.result(DataImportCompleted).tables

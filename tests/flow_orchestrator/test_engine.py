"""The flow engine as a pure function: what follows from which event, and what is ignored."""

from datetime import timedelta

import pytest

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
from contracts.envelope import Event, Problem
from contracts.flows import ApprovalRequested, FlowUpdated
from contracts.planning import PlanningRequested
from services.flow_orchestrator.engine import Decision, decide, overflow, refuse, start, tick
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.state import STATE_CAP_BYTES
from tests.flow_orchestrator.answers import (
    TENANT,
    a_discovery,
    a_planning,
    an_assessment,
    answer,
    blob,
    decision,
    failure,
)
from tests.flow_orchestrator.run import NOW, Run, request_for, stored
from tests.flow_orchestrator.shapes import LINE, SHAPES, flow, task

DISCOVERY, ASSESSMENT, PLANNING = (FLOW_TYPES.get(name) for name in ("discovery", "assessment", "planning"))
STARTS = {"discovery": a_discovery, "assessment": an_assessment, "planning": a_planning}


def step(flow_type: FlowType, before: Decision, event: Event) -> Decision:
    """The decision on an event that belongs to what the flow waits for."""
    after = decide(flow_type, stored(before.state), event, NOW)
    assert isinstance(after, Decision), f"{event.type_name} was ignored"
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


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("review", [False, True])
def test_a_flow_goes_through_its_phases_in_order_and_completes(name: str, review: bool) -> None:
    flow_type, request = FLOW_TYPES.get(name), STARTS[name]()

    decisions = run_to_the_end(flow_type, request, review)

    state = decisions[-1].state
    assert state.status == "completed"
    passed = [phase for phase in flow_type.phases if not phase.dispensable]
    assert [state.phases[phase.name].status for phase in passed] == ["completed"] * len(passed)
    assert [type(request_in(each)) for each in decisions if any(e.step for e in each.events)] == [
        phase.asks for phase in passed if phase.asks is not None
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

    assert (ended.state.status, ended.state.phases["data_import"].status) == ("failed", "failed")
    failed = next(event for event in ended.events if isinstance(event, DiscoveryFailed))
    assert failed.problem.code == "empty_file"
    assert tick(DISCOVERY, ended.state, NOW + timedelta(days=999)) is None


def test_the_answer_and_the_failure_of_an_older_attempt_are_ignored() -> None:
    run = Run(DISCOVERY)
    request = run.request("data_import")
    run.tick(hours=1)
    run.tick(minutes=1)
    assert run.state.step("data_import") == "data_import:2"

    assert run.hear(failure(DISCOVERY.phases[0].fails_with, request)) is None
    assert run.hear(answer(request)) is None
    assert run.hear(answer(run.request("data_import"))) is not None


def test_each_attempt_asks_the_same_under_a_step_of_its_own() -> None:
    run = Run(DISCOVERY)
    one = run.request("data_import")
    run.tick(hours=1)
    run.tick(minutes=1)
    two = run.request("data_import")
    assert isinstance(one, DataImportRequested)
    assert isinstance(two, DataImportRequested)

    assert (one.step, two.step) == ("data_import:1", "data_import:2")
    assert one.files == two.files
    assert one.id != two.id
    assert sum(isinstance(event, DiscoveryStarted) for event in run.events) == 1


def test_an_assessment_tells_its_distribution() -> None:
    last = run_to_the_end(ASSESSMENT, an_assessment())[-1]
    completed = next(event for event in last.events if isinstance(event, AssessmentCompleted))
    assert (completed.application_count, completed.distribution) == (5, {"rehost": 3, "retire": 2})


def test_every_state_fits_its_child_row() -> None:
    for name, request in STARTS.items():
        flow_type = FLOW_TYPES.get(name)
        for each in run_to_the_end(flow_type, request(), review=True):
            flow_type.child_row(each.state)


def test_the_tables_that_were_imported_are_what_is_mapped() -> None:
    first = start(DISCOVERY, a_discovery(), NOW)
    second = step(DISCOVERY, first, answer(request_in(first)))
    request = request_in(second)

    assert isinstance(request, FieldMappingRequested)
    assert request.tables == second.state.result(DataImportCompleted).tables


def test_every_decision_is_journalled_and_told() -> None:
    for each in run_to_the_end(DISCOVERY, a_discovery()):
        [updated] = [event for event in each.events if isinstance(event, FlowUpdated)]
        assert updated.entry == each.entry
        assert (each.entry.seq, each.entry.at) == (each.state.revision, NOW)
        assert (each.entry.phase, each.entry.status) == (each.state.current_phase, each.state.status)
        assert all(event.causation_id == each.cause_id for event in each.events)


def test_how_a_flow_was_started_is_part_of_its_state_and_of_its_requests() -> None:
    deadline = NOW + timedelta(days=9)
    options = {"priority": 7, "concurrency_key": "shop", "correlation_id": "ticket 12", "deadline": deadline}
    decided = start(LINE, request_for(LINE, **options), NOW, weight=3)
    state = decided.state
    assert {name: getattr(state, name) for name in options} == options
    assert state.weight == 3
    [request] = [event for event in decided.events if event.step is not None]
    assert (request.work_priority, request.work_weight) == (7, 3)
    told = decided.events[-1]
    assert isinstance(told, FlowUpdated)
    assert {name: getattr(told, name) for name in options} == options
    ordinary = Run(LINE).request("first")
    assert (ordinary.work_priority, ordinary.work_weight) == (None, None)


@pytest.mark.parametrize("name", ["collection", "modernization"])
def test_a_flow_whose_worker_is_missing_says_plainly_which(name: str) -> None:
    run = Run(FLOW_TYPES.get(name))
    assert (run.state.status, run.problem_code, run.asked()) == ("failed", "worker_missing", [])
    assert run.state.problem is not None
    assert run.flow_type.phases[0].name in run.state.problem["detail"]
    assert "agents that have its capability" in run.state.problem["detail"]
    assert run.last_events == [f"{name}.failed"]


def test_a_refused_start_is_a_flow_that_says_why() -> None:
    problem = Problem(code="unknown_version", detail="There is no version 7.")
    decided = refuse(LINE, request_for(LINE), problem, NOW)
    assert (decided.state.status, decided.state.revision) == ("failed", 1)
    assert decided.state.problem == problem.model_dump(mode="json")
    assert [event.type_name for event in decided.events] == ["modernization.failed", "flow.updated"]
    assert stored(decided.state) == decided.state


def test_a_reply_that_would_burst_the_state_ends_the_flow_and_is_not_kept() -> None:
    run = Run(SHAPES["diamond"]).answer("split")
    reply = run.reply("left", found="x" * STATE_CAP_BYTES)
    decided = decide(run.flow_type, run.state, reply, NOW)
    assert isinstance(decided, Decision)
    assert len(decided.stored) > STATE_CAP_BYTES

    instead = overflow(run.flow_type, run.state, reply, len(decided.stored), NOW)

    assert len(instead.stored) < 10_000
    assert (instead.state.status, instead.state.phases["left"].status) == ("failed", "failed")
    assert instead.state.phases["right"].status == "cancelled"
    assert instead.state.problem is not None
    assert instead.state.problem["code"] == "state_too_large"
    assert "agent_task.completed says would make the flow's state" in instead.state.problem["detail"]


def test_a_reply_of_the_wrong_kind_to_the_right_step_is_ignored() -> None:
    run = Run(flow(task("one"), task("two")))
    wrong = answer(DataImportRequested(tenant=TENANT, flow_id=run.state.flow_id, step="one:1", files=[]))
    assert run.hear(wrong) is None


@pytest.mark.parametrize("name", SHAPES)
def test_what_a_flow_waits_for_is_said_at_every_step(name: str) -> None:
    run = Run(SHAPES[name])
    run.finish()
    for each in run.decisions[:-1]:
        assert each.state.waits_for
        assert each.state.waits_until is not None
        assert each.state.wake_at is not None
        assert each.state.current_phase in each.state.active()
    last = run.state
    assert (last.waits_for, last.waits_until, last.wake_at) == (None, None, None)
    assert last.ended_at == run.now

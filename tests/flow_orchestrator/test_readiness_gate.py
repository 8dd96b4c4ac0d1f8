"""A phase whose data is not ready is held until a person goes on regardless, retries, or rejects."""

from dataclasses import replace
from typing import Any

from contracts.assessment import AssessmentRequested
from contracts.discovery import InventoryCompleted, PhaseReadiness, ReadinessFailure
from contracts.planning import PlanningRequested
from services.flow_orchestrator.engine import Decision, start
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.lifecycle import migrate
from tests.flow_orchestrator.answers import a_discovery, a_planning, an_assessment, answer, decision
from tests.flow_orchestrator.run import NOW, Run, stored
from tests.flow_orchestrator.test_engine import ASSESSMENT, DISCOVERY, PLANNING, step, task_in
from tests.flow_orchestrator.validity import check

LOW = ReadinessFailure(
    figure="completeness of Storage", value=0.4, needed=0.7, advice="…", of="storage_gb", lacking=6, total=10
)
READY, NOT_READY = (
    [PhaseReadiness(phase=phase, ready=ready, failures=[] if ready else [LOW]) for phase in ("assessment", "planning")]
    for ready in (True, False)
)


def discovered(readiness: list[PhaseReadiness], then: list[Any]) -> Run:
    """A discovery whose inventory is this ready for what is to follow."""
    run = Run.of(DISCOVERY, start(DISCOVERY, a_discovery(then=then), NOW), NOW)
    run.answer("data_import", "field_mapping")
    return found(run, readiness)


def found(run: Run, readiness: list[PhaseReadiness]) -> Run:
    """The inventory is made, and is this ready."""
    made = answer(run.request("inventory"))
    assert isinstance(made, InventoryCompleted)
    assert isinstance(run.hear(made.model_copy(update={"readiness": readiness})), Decision)
    check(run.flow_type, run.state)
    return run


def test_a_discovery_waits_before_what_its_inventory_is_not_ready_for() -> None:
    run = discovered(NOT_READY, ["assessment", "planning"])
    task = run.task("inventory")
    assert (run.state.status, task.kind) == ("waiting", "readiness")
    assert [phase["phase"] for phase in task.details["phases"]] == ["assessment", "planning"]
    [low] = task.details["phases"][0]["failures"]
    assert (low["of"], low["lacking"], low["total"]) == ("storage_gb", 6, 10)


def test_it_does_not_ask_about_what_is_ready_or_does_not_follow() -> None:
    assert discovered(READY, ["assessment", "planning"]).state.active() == ["dependency_analysis"]
    assert discovered(NOT_READY, []).state.active() == ["dependency_analysis"]
    assert discovered([READY[0], NOT_READY[1]], ["assessment"]).state.active() == ["dependency_analysis"]
    run = discovered([READY[0], NOT_READY[1]], ["assessment", "planning"])
    assert [phase["phase"] for phase in run.task("inventory").details["phases"]] == ["planning"]


def test_who_goes_on_regardless_and_why_is_recorded_and_nobody_is_asked_again() -> None:
    run = discovered(NOT_READY, ["assessment", "planning"]).approve("inventory", comment="a pilot")
    entry = run.decisions[-1].entry
    assert (entry.actor, entry.note) == ("Ada", "inventory approved: a pilot")
    run.answer("dependency_analysis")
    [assessment] = [event for event in run.events if isinstance(event, AssessmentRequested)]
    assert assessment.readiness == []
    following = start(ASSESSMENT, assessment, NOW)
    assert following.state.active() == ["six_r"]


def test_whoever_mends_the_data_retries_from_the_phase_that_uses_it() -> None:
    run = discovered(NOT_READY, ["assessment"])
    run.control("retry", phase="field_mapping")
    assert run.last_events == ["approval.withdrawn", "field_mapping.requested"]
    found(run.answer("field_mapping"), READY)
    assert run.state.active() == ["dependency_analysis"]
    again = discovered(NOT_READY, ["assessment"]).control("retry")
    assert again.asked()[-1] == "inventory:2"


def test_a_rejection_ends_the_flow() -> None:
    run = discovered(NOT_READY, ["assessment"]).reject("inventory")
    assert (run.state.status, run.problem_code) == ("cancelled", "rejected")


def test_an_assessment_or_planning_that_a_person_starts_waits_as_well() -> None:
    assessment = an_assessment(then=["planning"]).model_copy(update={"readiness": [READY[0], NOT_READY[1]]})
    waiting = start(ASSESSMENT, assessment, NOW)
    assert [phase["phase"] for phase in task_in(waiting).details["phases"]] == ["planning"]
    going_on = step(ASSESSMENT, waiting, decision(task_in(waiting), comment="a pilot"))
    run = Run.of(ASSESSMENT, going_on, NOW).answer("six_r")
    [planning] = [event for event in run.events if isinstance(event, PlanningRequested)]
    assert planning.readiness == []

    planning = a_planning().model_copy(update={"readiness": NOT_READY})
    assert start(PLANNING, planning, NOW).state.active() == ["readiness"]
    assert start(PLANNING, a_planning(), NOW).state.active() == ["wave_planning"]


def test_flows_of_the_first_version_ask_nobody_and_can_go_over() -> None:
    for flow_type in (DISCOVERY, ASSESSMENT, PLANNING):
        first = FLOW_TYPES.get(flow_type.name, 1)
        requests = {"discovery": a_discovery, "assessment": an_assessment, "planning": a_planning}
        begun = start(first, requests[flow_type.name](), NOW)
        moved = migrate(replace(stored(begun.state), status="paused"), flow_type)
        assert (moved.version, moved.active()) == (flow_type.version, begun.state.active())

"""Where flows go on: by condition, several ways at once, round and round, and through flows of their own."""

from dataclasses import replace
from itertools import permutations

import pytest

from contracts.envelope import Problem
from contracts.lifecycle import ChildFlowEnded, FlowControlRequested
from contracts.planning import PlanningRequested
from services.flow_orchestrator.engine import start
from services.flow_orchestrator.flow_type import END, Choice, Parallel
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from tests.flow_orchestrator.run import Run, child_end
from tests.flow_orchestrator.shapes import (
    DIAMOND,
    ENDLESS,
    LINE,
    LOOP,
    LOOPED_DIAMOND,
    NESTED,
    PARENT,
    ROUTES,
    STEADY,
    flow,
    says,
    task,
    with_workers,
)


@pytest.mark.parametrize(
    ("outputs", "reached"),
    [
        ({"small": 1}, ["look:1", "quick:1"]),
        ({"large": 1}, ["look:1", "slow:1"]),
        ({"small": 1, "large": 1}, ["look:1", "quick:1"]),
        ({"odd": 1}, ["look:1"]),
    ],
)
def test_the_first_route_whose_condition_holds_is_taken(outputs: dict[str, int], reached: list[str]) -> None:
    run = Run(ROUTES).answer("look", **outputs).finish()
    assert run.asked() == reached
    assert run.state.status == "completed"


def test_a_phase_that_was_gone_round_stays_pending() -> None:
    run = Run(ROUTES).answer("look", odd=1)
    assert run.statuses == {"look": "completed", "quick": "pending", "slow": "pending"}


def test_branches_begin_together() -> None:
    run = Run(NESTED).answer("split")
    assert run.asked() == ["split:1", "deep:1", "plain:1"]
    assert run.state.phases["asked"].status == "waiting"
    assert run.state.waits_for == "deep to finish and plain to finish and the decision on asked"


def test_a_flow_waits_only_when_all_its_branches_do() -> None:
    run = Run(DIAMOND).answer("split", "left", "left_end")
    assert (run.state.status, run.statuses["left_end"]) == ("running", "waiting")
    assert run.answer("right").state.status == "waiting"


@pytest.mark.parametrize("order", list(permutations(["deep_one", "deep_two", "plain", "asked"])))
def test_a_join_begins_once_when_all_have_come_in_any_order(order: tuple[str, ...]) -> None:
    run = Run(NESTED).answer("split", "deep")
    for name in order:
        assert "merge:1" not in run.asked()
        if name == "asked":
            run.approve("asked")
        else:
            run.answer(name)
        if run.statuses["deep_end"] == "running":
            run.answer("deep_end")
    assert run.asked().count("merge:1") == 1
    assert run.state.active() == ["merge"]
    assert run.answer("merge").state.status == "completed"


def test_a_failed_branch_ends_the_flow_and_stops_the_others() -> None:
    run = Run(NESTED).answer("split", "deep").fail("deep_two")

    assert run.state.status == "failed"
    assert run.statuses["deep_two"] == "failed"
    assert {run.statuses[name] for name in ("deep_one", "plain", "asked")} == {"cancelled"}
    assert sorted(run.last_events) == [
        "approval.withdrawn",
        "modernization.failed",
        "work.cancelled",
        "work.cancelled",
    ]
    stopped = {event.step for event in run.decisions[-1].events if event.type_name == "work.cancelled"}
    assert stopped == {"deep_one:1", "plain:1"}


def test_a_branch_that_gives_up_its_loop_still_waits_for_the_others() -> None:
    looping = flow(
        task("split", then=Parallel(("left", "right"), join="merge")),
        task(
            "left",
            max_rounds=1,
            exhausted="merge",
            then=Choice(((says("left", "passed"), "merge"),), otherwise="mend"),
        ),
        task("mend", then="left"),
        task("right", then="merge"),
        task("merge"),
    )
    run = Run(looping).answer("split").answer("left", odd=1).answer("mend")
    assert run.state.active() == ["right"]
    assert run.answer("right").state.active() == ["merge"]


def test_a_loop_goes_round_until_its_check_passes() -> None:
    run = Run(LOOP).answer("prepare").answer("check", odd=1).answer("mend").answer("check")
    assert run.state.active() == ["publish"]
    assert run.state.phases["check"].rounds == 2
    assert run.asked() == ["prepare:1", "check:1", "mend:1", "check:2", "publish:1"]


def test_a_loop_that_never_passes_comes_to_a_person() -> None:
    run = Run(LOOP).answer("prepare")
    for _ in range(3):
        run.answer("check", odd=1).answer("mend")
    assert run.state.active() == ["review"]
    assert run.asked().count("check:3") == 1
    assert "check:4" not in run.asked()
    assert run.approve("review").answer("publish").state.status == "completed"


def test_a_loop_that_leads_nowhere_else_fails_with_its_reason() -> None:
    run = Run(ENDLESS)
    for _ in range(2):
        run.answer("check", odd=1).answer("mend")
    assert (run.state.status, run.problem_code, run.statuses["check"]) == ("failed", "loop_exhausted", "failed")
    assert run.state.problem is not None
    assert "check was gone through 2 times" in run.state.problem["detail"]


def test_a_bound_may_lead_straight_to_the_end() -> None:
    bounded = replace(ENDLESS, phases=(replace(ENDLESS.phases[0], exhausted=END), ENDLESS.phases[1]))
    run = Run(bounded)
    for _ in range(2):
        run.answer("check", odd=1).answer("mend")
    assert run.state.status == "completed"


def test_a_parallel_can_be_gone_through_again() -> None:
    run = Run(LOOPED_DIAMOND).answer("change", "tests", "review").answer("verdict", odd=1)
    run.answer("change").answer("review")
    assert run.state.active() == ["tests"]
    run.answer("tests").answer("verdict", odd=1)
    assert run.state.active() == ["look"]
    assert run.approve("look").state.status == "completed"


def test_results_of_each_phase_are_kept_apart() -> None:
    run = Run(LINE).answer("first", found=1).answer("second", found=2)
    assert run.state.results["agent_task.completed:first"]["outputs"] == {"found": 1}
    assert run.state.results["agent_task.completed:second"]["outputs"] == {"found": 2}


def test_a_collection_asks_a_person_after_three_rounds() -> None:
    run = Run(with_workers("collection")).answer("gap_analysis", "questionnaire")
    for number in range(3):
        run.answer("answer_validation", errors=[number]).answer("error_analysis")
    assert run.state.active() == ["answer_review"]
    assert run.task("answer_review").details == {"errors": [2]}
    run.approve("answer_review").answer("answer_merge", answers=[1, 2])
    assert run.state.status == "completed"
    assert run.decisions[-1].events[0].model_dump()["answers_merged"] == 2


def test_a_modernization_changes_code_again_when_tests_fail() -> None:
    run = Run(with_workers("modernization")).answer("repository_scan", "change_plan")
    run.approve("change_plan").answer("code_change").answer("tests", passed=False).answer("review").answer("verdict")
    assert run.state.active() == ["code_change"]
    run.answer("code_change", "tests", "review", "verdict").answer("pull_request", url="file:///pr/1")
    assert run.state.status == "completed"
    assert run.decisions[-1].events[0].model_dump()["pull_request_url"] == "file:///pr/1"


# -- child flows


def a_child(run: Run) -> Run:
    """The flow that the parent's phase asks for."""
    request = run.request("inner")
    assert isinstance(request, PlanningRequested)
    planning = FLOW_TYPES.get("planning")
    return Run.of(planning, start(planning, request, run.now), run.now)


def told(run: Run) -> ChildFlowEnded:
    """What a child told its parent when it ended."""
    [event] = [event for event in run.decisions[-1].events if isinstance(event, ChildFlowEnded)]
    return event


def test_a_child_flow_is_begun_under_an_id_of_its_attempt() -> None:
    run = Run(PARENT).answer("before")
    inner = a_child(run)
    assert inner.state.flow_id == run.state.phases["inner"].child_flow_id != run.state.flow_id
    assert (inner.state.parent_flow_id, inner.state.parent_step) == (run.state.flow_id, "inner:1")


def test_a_completed_child_lets_its_parent_go_on() -> None:
    run = Run(PARENT).answer("before")
    ended = told(a_child(run).finish())
    assert (ended.flow_id, ended.step, ended.status) == (run.state.flow_id, "inner:1", "completed")

    run.hear(ended)

    assert run.state.active() == ["after"]
    assert run.state.phases["inner"].summary == {"waves": 1}
    assert run.hear(ended) is None


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_child_that_does_not_complete_fails_its_parent(status: str) -> None:
    run = Run(PARENT).answer("before")
    inner = a_child(run)
    ended = told(inner.fail("wave_planning") if status == "failed" else inner.control("cancel"))
    assert ended.status == status

    run.hear(ended)

    assert (run.state.status, run.statuses["inner"], run.statuses["after"]) == ("failed", "failed", "pending")
    assert run.problem_code == {"failed": "empty_file", "cancelled": "cancelled"}[status]


def test_a_child_that_could_not_even_begin_tells_its_parent() -> None:
    run = Run(PARENT).answer("before")
    planning = FLOW_TYPES.get("planning")
    lacking = replace(planning, phases=(replace(planning.phases[0], missing_worker="a planner"), *planning.phases[1:]))
    refused = Run.of(lacking, start(lacking, run.request("inner"), run.now), run.now)
    run.hear(told(refused))
    assert (run.state.status, run.problem_code) == ("failed", "worker_missing")


def test_a_child_that_failed_for_a_passing_reason_is_begun_anew() -> None:
    retrying = replace(PARENT, phases=(PARENT.phases[0], replace(PARENT.phases[1], retry=STEADY), PARENT.phases[2]))
    run = Run(retrying).answer("before")
    first = run.request("inner")
    problem = Problem(code="busy", detail="Try again.")
    run.hear(child_end(run.state, first, "failed", problem=problem))
    assert run.statuses["inner"] == "backing_off"
    run.tick(minutes=1)
    assert run.request("inner").flow_id != first.flow_id
    assert run.hear(child_end(run.state, first)) is None
    assert run.finish().state.status == "completed"


def test_cancelling_a_parent_cancels_its_child() -> None:
    run = Run(PARENT).answer("before")
    inner = a_child(run)
    run.control("cancel")

    [cancel] = [event for event in run.decisions[-1].events if isinstance(event, FlowControlRequested)]
    assert (cancel.flow_id, cancel.action) == (inner.state.flow_id, "cancel")
    inner.hear(cancel)
    assert inner.state.status == "cancelled"
    assert run.hear(told(inner)) is None


def test_a_child_that_takes_too_long_is_cancelled_before_another_begins() -> None:
    run = Run(PARENT).answer("before")
    first = run.state.phases["inner"].child_flow_id
    run.tick(days=7)
    [cancel] = [event for event in run.decisions[-1].events if isinstance(event, FlowControlRequested)]
    assert (cancel.flow_id, run.statuses["inner"]) == (first, "backing_off")
    run.tick(minutes=1)
    assert run.state.phases["inner"].child_flow_id != first

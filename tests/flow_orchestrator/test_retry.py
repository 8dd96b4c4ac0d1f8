"""Retry: a flow goes on from a phase that somebody names, or from where it stopped, and what is finished stays so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.envelope import Problem
from services.flow_orchestrator.engine import refuse
from tests.flow_orchestrator.run import NOW, Run, request_for
from tests.flow_orchestrator.shapes import (
    DIAMOND,
    ENDLESS,
    LINE,
    LOOP,
    LOOPED_DIAMOND,
    NESTED,
    SHAPES,
    with_workers,
)


def test_a_retry_goes_on_where_the_flow_stopped() -> None:
    run = Run(LINE).answer("first").fail("second").control("retry")
    assert (run.state.status, run.state.problem, run.state.ended_at) == ("queued", None, None)
    run.admit()
    assert run.asked() == ["first:1", "second:1", "second:2"]
    assert run.finish().state.status == "completed"


def test_a_retry_from_a_phase_goes_through_all_after_it_again() -> None:
    run = Run(LINE).answer("first", "second").approve("second").fail("third").control("retry", phase="second").admit()
    assert run.statuses == {"first": "completed", "second": "running", "third": "pending"}
    assert "agent_task.completed:first" in run.state.results
    assert "agent_task.completed:second" not in run.state.results
    run.answer("second")
    assert run.state.phases["second"].status == "waiting"
    run.approve("second").answer("third")
    assert run.state.status == "completed"
    assert run.asked() == ["first:1", "second:1", "third:1", "second:2", "third:2"]


def test_an_answer_to_what_was_asked_before_the_retry_changes_nothing() -> None:
    run = Run(LINE)
    old = run.reply("first")
    run.fail("first").control("retry").admit()
    assert run.hear(old) is None
    assert run.answer("first").state.active() == ["second"]


def test_a_rejected_task_is_asked_anew_with_its_work() -> None:
    run = Run(LINE).answer("first", "second")
    old = run.task("second")
    run.reject("second").control("retry").admit().answer("second")
    assert run.task("second").task_id != old.task_id
    assert run.finish().state.status == "completed"


def test_an_expired_task_is_asked_anew() -> None:
    run = Run(LINE).answer("first", "second")
    run.tick(days=3)
    run.tick(days=30)
    assert run.problem_code == "approval_expired"
    assert run.control("retry").finish().state.status == "completed"


# -- branches


@pytest.mark.parametrize("done", [(), ("right",), ("right", "left")])
def test_a_retry_of_one_failed_branch_leaves_finished_ones_alone(done: tuple[str, ...]) -> None:
    failing = "left_end" if "left" in done else "left"
    run = Run(DIAMOND).answer("split", *done).fail(failing).control("retry").admit()
    assert run.finish().state.status == "completed"
    again = {failing} if "right" in done else {failing, "right"}
    assert {step.partition(":")[0] for step in run.asked() if step.endswith(":2")} == again
    assert run.asked().count("merge:1") == 1


def test_a_retry_from_inside_a_branch_after_the_join_failed() -> None:
    run = Run(DIAMOND).answer("split", "left", "right", "left_end").approve("left_end").fail("merge")
    run.control("retry", phase="left").admit()
    assert run.state.active() == ["left"]
    run.answer("left", "left_end").approve("left_end")
    assert run.state.active() == ["merge"]
    assert run.answer("merge").state.status == "completed"
    assert "right:2" not in run.asked()


def test_a_retry_from_a_branch_that_had_not_failed_begins_both() -> None:
    run = Run(DIAMOND).answer("split", "left", "left_end").fail("right").control("retry", phase="left").admit()
    assert run.state.active() == ["left", "right"]
    assert run.finish().state.status == "completed"


def test_a_retry_inside_a_nested_branch_leaves_the_others_alone() -> None:
    run = Run(NESTED).answer("split", "deep", "deep_one", "deep_two", "deep_end", "plain").approve("asked")
    run.fail("merge").control("retry", phase="deep_one").admit()
    assert run.state.active() == ["deep_one"]
    assert run.answer("deep_one").state.active() == ["deep_end"]
    assert run.answer("deep_end").state.active() == ["merge"]


def test_a_retry_upstream_of_a_fork_goes_through_all_branches_again() -> None:
    run = Run(DIAMOND).answer("split", "right").fail("left").control("retry", phase="split").admit()
    assert run.state.active() == ["split"]
    assert run.finish().state.status == "completed"
    assert run.asked() == ["split:1", "left:1", "right:1", "split:2", "left:2", "right:2", "left_end:1", "merge:1"]


def test_a_retry_of_a_paused_branch_calls_its_work_back_and_leaves_the_other_running() -> None:
    run = Run(DIAMOND).answer("split", "left").control("pause").control("retry", phase="left")
    assert run.state.active() == ["left", "right"]
    assert run.last_events == ["work.cancelled", "agent_task.requested"]
    assert run.finish().state.status == "completed"
    assert "right:2" not in run.asked()


def test_a_retry_upstream_of_running_branches_calls_both_back() -> None:
    run = Run(DIAMOND).answer("split", "left").control("pause").control("retry", phase="split")
    assert run.state.active() == ["split"]
    assert run.last_events == ["work.cancelled", "work.cancelled", "agent_task.requested"]
    assert run.finish().state.status == "completed"


# -- loops


def test_a_retry_in_a_loop_keeps_what_led_there() -> None:
    run = Run(LOOP).answer("prepare").answer("check", odd=1).fail("mend").control("retry", phase="mend").admit()
    assert run.state.active() == ["mend"]
    assert "agent_task.completed:check" in run.state.results
    assert run.state.phases["check"].rounds == 1
    assert run.answer("mend").state.active() == ["check"]


def test_a_retry_in_a_loop_takes_the_place_of_the_phase_that_runs() -> None:
    run = Run(LOOP).answer("prepare").answer("check", odd=1).answer("mend").control("pause")
    run.control("retry", phase="mend")
    assert run.state.active() == ["mend"]
    assert run.last_events == ["work.cancelled", "agent_task.requested"]
    assert run.finish().state.status == "completed"
    assert run.asked() == ["prepare:1", "check:1", "mend:1", "check:2", "mend:2", "check:3", "publish:1"]


def test_a_loop_that_was_exhausted_gets_all_its_rounds_again() -> None:
    run = Run(ENDLESS)
    for _ in range(2):
        run.answer("check", odd=1).answer("mend")
    run.control("retry").admit()
    assert run.state.phases["check"].rounds == 1
    assert run.asked()[-1] == "check:3"
    assert run.finish().state.status == "completed"


def test_a_retry_of_one_branch_in_a_loop_leaves_the_fork_and_the_other_alone() -> None:
    run = Run(LOOPED_DIAMOND).answer("change", "tests", "review").fail("verdict")
    run.control("retry", phase="tests").admit()
    assert run.state.active() == ["tests"]
    assert run.answer("tests").state.active() == ["verdict"]
    assert run.asked() == ["change:1", "tests:1", "review:1", "verdict:1", "tests:2", "verdict:2"]


def test_a_modernization_is_retried_from_its_tests() -> None:
    run = Run(with_workers("modernization")).answer("repository_scan", "change_plan").approve("change_plan")
    run.answer("code_change", "review").fail("tests").control("retry", phase="tests").finish()
    assert run.state.status == "completed"
    assert run.asked()[-3:] == ["tests:2", "verdict:1", "pull_request:1"]


# -- what had not begun when the flow ended


def test_a_flow_that_was_cancelled_between_two_phases_goes_on_with_the_second() -> None:
    run = Run(LINE).control("pause").answer("first").control("cancel").control("retry").admit()
    assert run.asked() == ["first:1", "second:1"]
    assert run.finish().state.status == "completed"


def test_a_branch_that_could_not_begin_before_the_flow_failed_is_not_forgotten() -> None:
    run = Run(DIAMOND).control("pause").answer("split").control("cancel").control("retry").admit()
    assert run.state.active() == ["left", "right"]
    assert run.finish().state.status == "completed"


def test_a_flow_that_never_began_is_retried_from_its_beginning() -> None:
    run = Run(LINE, admitted=False, deadline=NOW + timedelta(hours=1))
    run.tick(hours=1)
    assert run.problem_code == "deadline_exceeded"
    run.control("retry").admit()
    assert (run.asked(), run.state.deadline) == (["first:1"], None)
    assert run.finish().state.status == "completed"


def test_a_start_that_was_refused_is_not_retried() -> None:
    refused = refuse(LINE, request_for(LINE), Problem(code="unknown_version", detail="There is no version 7."), NOW)
    run = Run.of(LINE, refused, NOW)
    assert (run.state.status, run.problem_code) == ("failed", "unknown_version")
    assert run.refused("retry").code == "start_was_refused"
    assert run.refused("skip").code == "phase_not_current"


def test_a_phase_that_was_not_reached_or_does_not_exist_is_not_retried() -> None:
    run = Run(LINE).fail("first")
    assert run.refused("retry", phase="third").code == "phase_not_reached"
    assert run.refused("retry", phase="fourth").code == "unknown_phase"


def test_a_flow_that_lacks_a_worker_is_not_retried_until_it_has_one() -> None:
    lacking = replace(LINE, phases=(*LINE.phases[:2], replace(LINE.phases[2], missing_worker="a publisher")))
    run = Run(lacking)
    assert (run.state.status, run.problem_code, run.asked()) == ("failed", "worker_missing", [])
    assert run.refused("retry").code == "worker_missing"

    run.flow_type = LINE
    assert run.control("retry").finish().state.status == "completed"


@pytest.mark.parametrize("name", SHAPES)
def test_every_flow_that_failed_anywhere_completes_after_a_retry_from_anywhere(name: str) -> None:
    flow_type = SHAPES[name]
    clean = Run(flow_type).finish()
    for phase in flow_type.phases:
        if f"{phase.name}:1" not in clean.asked():
            continue
        until_it_runs = Run(flow_type)
        while until_it_runs.statuses[phase.name] != "running":
            until_it_runs.serve(until_it_runs.state.active()[0])
        until_it_runs.fail(phase.name)
        for first in [None, *(name for name, view in until_it_runs.state.phases.items() if view.rounds)]:
            run = Run.of(flow_type, until_it_runs.decisions[-1], until_it_runs.now)
            run.decisions = list(until_it_runs.decisions)
            assert run.control("retry", phase=first).finish().state.status == "completed", (phase.name, first)
            steps = run.asked()
            assert len(set(steps)) == len(steps)

"""What people ask of a flow: every action at every status, and what pausing, cancelling, skipping and deleting mean."""

from datetime import timedelta
from typing import get_args

import pytest

from contracts.lifecycle import LEGAL_ACTIONS, FlowAction, FlowDeleted, FlowStatus
from tests.flow_orchestrator.run import NOW, Run
from tests.flow_orchestrator.shapes import DIAMOND, LINE, LOOP, NESTED

STATUSES, ACTIONS = get_args(FlowStatus), get_args(FlowAction)
AFTER = {
    ("created", "start"): "queued",
    ("scheduled", "start"): "queued",
    ("running", "pause"): "paused",
    ("waiting", "pause"): "paused",
    ("paused", "resume"): "waiting",
    ("paused", "retry"): "waiting",
    ("waiting", "retry"): "running",
    ("failed", "retry"): "queued",
    ("cancelled", "retry"): "queued",
    ("running", "skip"): "running",
    ("waiting", "skip"): "running",
    ("paused", "skip"): "paused",
    ("failed", "skip"): "queued",
}


def a_flow_that_is(status: str) -> Run:
    if status == "created":
        return Run(LINE, hold=True)
    if status == "scheduled":
        return Run(LINE, start_at=NOW + timedelta(days=1))
    if status == "queued":
        return Run(LINE, admitted=False)
    run = Run(LINE).answer("first")
    if status == "running":
        return run
    if status == "failed":
        return run.fail("second")
    run.answer("second")
    if status == "waiting":
        return run
    if status == "completed":
        return run.approve("second").answer("third")
    return run.control({"paused": "pause", "cancelled": "cancel"}[status])


@pytest.mark.parametrize("status", STATUSES)
def test_a_flow_can_be_brought_to_every_status(status: str) -> None:
    assert a_flow_that_is(status).state.status == status


@pytest.mark.parametrize("action", [*ACTIONS, "explode"])
@pytest.mark.parametrize("status", STATUSES)
def test_every_action_at_every_status_is_done_or_refused_with_the_possible_ones(status: str, action: str) -> None:
    run = a_flow_that_is(status)
    legal = LEGAL_ACTIONS[status]
    if action not in legal:
        problem = run.refused(action)
        assert problem.code == "illegal_transition"
        assert problem.detail == (f"A flow that is {status} cannot be asked to {action}; possible: {', '.join(legal)}.")
    elif action == "migrate":
        assert run.refused(action).code == "migration_not_possible"
    else:
        run.control(action, comment="because")
        assert run.decisions[-1].entry.actor == "Ada"
        assert run.decisions[-1].entry.note.endswith(": because") or action == "delete"
        assert run.decisions[-1].entry.cause == "flow_control.requested"
        expected = "cancelled" if action == "cancel" else AFTER.get((status, action), status)
        assert run.state.status == expected


def test_every_status_has_its_actions() -> None:
    assert set(LEGAL_ACTIONS) == set(STATUSES)
    assert {action for actions in LEGAL_ACTIONS.values() for action in actions} == set(ACTIONS)


# -- pause and resume


def test_what_is_being_worked_on_when_a_flow_pauses_is_kept_and_nothing_new_begins() -> None:
    run = Run(DIAMOND).answer("split").control("pause")
    assert run.last_events == []
    run.answer("left", "right")

    assert (run.state.status, run.state.active()) == ("paused", [])
    assert run.state.held == ["left_end"]
    assert run.asked() == ["split:1", "left:1", "right:1"]
    assert run.state.waits_for == "somebody to resume it"

    run.control("resume")
    assert run.asked()[3:] == ["left_end:1"]
    assert run.finish().state.status == "completed"
    assert run.asked().count("merge:1") == 1


def test_a_join_that_is_complete_while_paused_begins_when_resumed() -> None:
    run = Run(NESTED).answer("split", "deep").control("pause")
    run.answer("deep_one", "deep_two", "plain").approve("asked")
    assert run.state.held == ["deep_end"]
    run.control("resume").answer("deep_end")
    assert run.state.active() == ["merge"]


def test_a_decision_counts_while_the_flow_is_paused() -> None:
    run = Run(LINE).answer("first", "second").control("pause").approve("second")
    assert (run.state.status, run.state.held) == ("paused", ["third"])
    assert run.control("resume").state.active() == ["third"]


def test_a_failure_or_a_rejection_ends_a_paused_flow() -> None:
    assert Run(LINE).control("pause").fail("first").state.status == "failed"
    waiting = Run(LINE).answer("first", "second").control("pause")
    assert waiting.reject("second").state.status == "cancelled"


def test_the_clocks_of_a_paused_flow_stand_still() -> None:
    run = Run(LINE).answer("first", "second")
    before = run.state.phases["second"]
    assert before.due is not None
    assert before.remind_at is not None
    run.tick(days=1)
    run.control("pause")
    assert run.tick(days=365) is None

    run.control("resume")

    after = run.state.phases["second"]
    assert after.due == before.due + timedelta(days=365)
    assert after.remind_at == before.remind_at + timedelta(days=365)
    assert (run.state.waits_until, run.state.wake_at) == (after.due, after.remind_at)


def test_a_retry_of_a_paused_flow_moves_its_clocks_too() -> None:
    run = Run(DIAMOND).answer("split", "left").control("pause")
    due = run.state.phases["right"].due
    assert due is not None
    run.now += timedelta(days=1)
    run.control("retry", phase="left")
    assert run.state.status == "running"
    assert run.state.phases["right"].due == due + timedelta(days=1)


def test_a_wait_that_begins_during_a_pause_has_all_its_time_after_it() -> None:
    run = Run(LINE).answer("first").control("pause")
    run.now += timedelta(days=5)
    run.answer("second")
    run.now += timedelta(days=5)
    run.control("resume")
    assert run.state.phases["second"].due == run.now + timedelta(days=30)
    assert run.state.phases["second"].remind_at == run.now + timedelta(days=3)
    assert run.task("second").expires_at == run.now + timedelta(days=30)


def test_the_deadline_of_a_paused_flow_still_holds() -> None:
    run = Run(LINE, deadline=NOW + timedelta(days=2)).control("pause")
    assert run.state.waits_until == NOW + timedelta(days=2)
    assert run.tick(days=2) is not None
    assert run.problem_code == "deadline_exceeded"


def test_a_flow_can_be_paused_again_and_again() -> None:
    run = Run(LINE)
    for _ in range(3):
        run.control("pause").control("resume")
    assert run.asked() == ["first:1"]
    assert run.finish().state.status == "completed"


# -- retry while it waits


def test_a_waiting_flow_is_retried_from_the_phase_that_waits_or_an_earlier_one() -> None:
    run = Run(LINE).answer("first", "second")
    task_id = run.task("second").task_id
    run.control("retry")
    assert run.last_events == ["approval.withdrawn", "agent_task.requested"]
    assert run.asked()[-1] == "second:2"
    run.answer("second").control("retry", phase="first")
    assert (run.asked()[-1], run.statuses["second"]) == ("first:2", "pending")
    run.answer("first", "second")
    assert run.task("second").task_id != task_id
    assert run.finish().state.status == "completed"


# -- cancel


def test_cancelling_calls_back_work_and_tasks() -> None:
    run = Run(NESTED).answer("split", "deep", "deep_one")
    task = run.task("asked").task_id
    run.control("cancel", comment="not needed")

    assert run.state.status == "cancelled"
    assert run.state.problem == {
        "code": "cancelled",
        "detail": "Ada cancelled the flow: not needed.",
        "file_name": None,
        "row": None,
        "column": None,
    }
    events = run.decisions[-1].events
    assert {event.step for event in events if event.type_name == "work.cancelled"} == {"deep_two:1", "plain:1"}
    withdrawn = [event for event in events if event.type_name == "approval.withdrawn"]
    assert [event.model_dump()["task_id"] for event in withdrawn] == [task]
    assert sum(event.type_name == "modernization.failed" for event in events) == 1
    assert (run.state.waits_for, run.state.waits_until, run.state.wake_at) == (None, None, None)


@pytest.mark.parametrize("status", ["created", "scheduled", "queued"])
def test_a_flow_that_was_not_begun_is_cancelled_without_a_trace_of_work(status: str) -> None:
    run = a_flow_that_is(status).control("cancel")
    assert run.last_events == ["modernization.failed"]
    assert run.asked() == []


def test_a_phase_that_backs_off_has_nothing_to_call_back() -> None:
    run = Run(LINE)
    run.fail("first", "busy").control("cancel")
    assert run.last_events == ["modernization.failed"]
    assert run.statuses["first"] == "cancelled"


# -- start, skip, delete


def test_a_flow_that_was_held_begins_when_somebody_starts_it() -> None:
    run = Run(LINE, hold=True)
    assert (run.asked(), run.state.waits_for) == ([], "somebody to start it")
    assert run.tick(days=999) is None
    run.control("start").admit()
    assert (run.asked(), run.state.started_at) == (["first:1"], run.now)


def test_an_optional_phase_is_skipped_whether_it_runs_waits_or_failed() -> None:
    running = Run(LINE).answer("first").control("skip")
    assert (running.statuses["second"], running.state.active()) == ("skipped", ["third"])
    assert running.last_events == ["work.cancelled", "agent_task.requested"]

    waiting = Run(LINE).answer("first", "second").control("skip", phase="second")
    assert waiting.last_events == ["approval.withdrawn", "agent_task.requested"]

    failed = Run(LINE).answer("first").fail("second").control("skip").admit()
    assert (failed.statuses["second"], failed.state.active()) == ("skipped", ["third"])
    assert failed.finish().state.status == "completed"


def test_the_answer_to_a_skipped_phase_comes_too_late() -> None:
    run = Run(LINE).answer("first")
    late = run.reply("second")
    run.control("skip")
    assert run.hear(late) is None


def test_a_skipped_branch_counts_at_the_join() -> None:
    run = Run(DIAMOND).answer("split", "left", "left_end").control("skip", phase="left_end")
    assert run.answer("right").state.active() == ["merge"]


def test_skipping_one_failed_branch_begins_the_interrupted_others_again() -> None:
    run = Run(DIAMOND).answer("split", "left").fail("right").control("skip", phase="right")
    assert run.statuses["right"] == "skipped"
    run.admit()
    assert run.state.active() == ["left_end"]
    assert run.asked()[-1] == "left_end:2"
    assert run.finish().state.status == "completed"


def test_only_a_current_and_optional_phase_is_skipped() -> None:
    run = Run(LINE)
    problem = run.refused("skip")
    assert (problem.code, problem.detail.endswith("can be skipped: second.")) == ("phase_not_optional", True)
    assert run.refused("skip", phase="second").code == "phase_not_current"
    problem = run.refused("skip", phase="fourth")
    assert problem.code == "unknown_phase"
    assert problem.detail == "There is no phase 'fourth'; there are first, second, third."
    assert "none" in Run(LOOP).refused("skip").detail


def test_a_deleted_flow_says_that_it_is_gone() -> None:
    run = a_flow_that_is("completed").control("delete")
    last = run.decisions[-1]
    [gone] = last.events
    assert isinstance(gone, FlowDeleted)
    assert (last.deleted, gone.deleted_by, gone.flow_id) == (True, "Ada", run.state.flow_id)

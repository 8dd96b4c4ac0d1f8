"""What the clock does to flows: time-outs, back-off, reminders, expiry, deadlines and delayed starts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.lifecycle import ApprovalReminded
from services.flow_orchestrator.flow_type import Retry
from tests.flow_orchestrator.run import NOW, Run
from tests.flow_orchestrator.shapes import DIAMOND, LINE, a_gate, decided, flow, task

EXACT = Retry(attempts=4, first=timedelta(seconds=10), jitter=0, codes=frozenset({"busy"}))


def one(retry: Retry = EXACT, **changes: Any) -> Run:
    """A flow of one phase."""
    return Run(flow(task("only", retry=retry, **changes)))


def test_the_clock_does_nothing_before_something_is_due() -> None:
    run = Run(LINE)
    assert run.state.wake_at == run.state.waits_until == NOW + timedelta(hours=1)
    assert run.tick(minutes=59, seconds=59) is None
    assert run.tick(seconds=1) is not None


def test_a_time_out_backs_off_before_it_asks_again() -> None:
    run = one()
    run.tick(hours=1)
    assert (run.statuses["only"], run.asked()) == ("backing_off", ["only:1"])
    assert run.last_events == ["work.cancelled"]
    assert run.state.waits_for == "only to be tried again"
    assert run.state.waits_until == run.now + timedelta(seconds=10)
    problem = run.state.phases["only"].problem
    assert problem is not None
    assert problem["code"] == "phase_timed_out"
    assert "did not answer in 1:00:00, at attempt 1 of 4" in problem["detail"]

    assert run.tick(seconds=9) is None
    run.tick(seconds=1)
    assert (run.statuses["only"], run.asked()) == ("running", ["only:1", "only:2"])


def test_patience_and_back_off_grow_until_the_attempts_are_used_up() -> None:
    run, waits = one(), []
    while not run.state.ended:
        assert run.state.wake_at is not None
        waits.append(run.state.wake_at - run.now)
        run.tick(seconds=waits[-1].total_seconds())
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    assert waits == [hour, 10 * second, 2 * hour, 20 * second, 4 * hour, 40 * second, 8 * hour]
    assert (run.state.status, run.problem_code) == ("failed", "phase_timed_out")


def test_a_very_patient_phase_does_not_wait_beyond_the_calendar() -> None:
    run = one(replace(EXACT, attempts=200))
    while not run.state.ended:
        assert run.state.wake_at is not None
        assert run.state.wake_at - run.now <= timedelta(hours=64)
        run.tick(seconds=(run.state.wake_at - run.now).total_seconds())
    assert run.asked()[-1] == "only:200"


def test_an_answer_to_a_phase_that_backs_off_comes_too_late() -> None:
    run = one()
    late = run.reply("only")
    run.tick(hours=1)
    assert run.hear(late) is None
    run.tick(seconds=10)
    assert run.hear(late) is None
    assert run.answer("only").state.status == "completed"


def test_a_failure_is_tried_again_only_where_its_code_says_so() -> None:
    run = one().fail("only", "busy")
    assert run.statuses["only"] == "backing_off"
    assert run.last_events == []
    run.tick(seconds=10)
    run.fail("only", "broken")
    assert (run.state.status, run.problem_code) == ("failed", "broken")


def test_failures_that_may_pass_are_tried_as_often_as_is_said() -> None:
    run = one()
    for wait in (10, 20, 40):
        run.fail("only", "busy").tick(seconds=wait)
    run.fail("only", "busy")
    assert (run.state.status, run.problem_code, run.asked()[-1]) == ("failed", "busy", "only:4")


@given(
    retry=st.builds(
        Retry,
        first=st.timedeltas(timedelta(0), timedelta(hours=1)),
        factor=st.floats(1, 10),
        ceiling=st.timedeltas(timedelta(seconds=1), timedelta(days=1)),
        jitter=st.floats(0, 0.99),
    ),
    tries=st.integers(1, 300),
    seed=st.text(),
)
def test_every_wait_is_within_its_bounds_and_the_same_for_the_same_seed(retry: Retry, tries: int, seed: str) -> None:
    wait = retry.wait(tries, seed)
    steady = replace(retry, jitter=0).wait(tries, seed)
    slack = timedelta(microseconds=2)
    assert steady * (1 - retry.jitter) - slack <= wait <= steady * (1 + retry.jitter) + slack
    assert min(retry.first, retry.ceiling) <= steady <= retry.ceiling
    assert steady <= replace(retry, jitter=0).wait(tries + 1, seed)
    assert wait == retry.wait(tries, seed)


def test_jitter_spreads_the_flows_that_fail_at_once() -> None:
    runs = [one(replace(EXACT, jitter=0.2)).fail("only", "busy") for _ in range(20)]
    assert len({run.state.waits_until for run in runs}) > 15


def test_branches_have_clocks_of_their_own() -> None:
    short = tuple(
        replace(phase, time_out=timedelta(minutes=5), retry=EXACT) if phase.name == "left" else phase
        for phase in DIAMOND.phases
    )
    run = Run(replace(DIAMOND, phases=short)).answer("split")
    run.tick(minutes=5)
    assert (run.statuses["left"], run.statuses["right"]) == ("backing_off", "running")
    run.tick(seconds=10)
    assert run.asked() == ["split:1", "left:1", "right:1", "left:2"]


# -- gates


def test_a_task_is_reminded_of_again_and_again_until_it_expires() -> None:
    gate = a_gate("x", remind_after=timedelta(days=3), expires_after=timedelta(days=10), assignee=lambda state: "Bob")
    run = Run(flow(decided("x"), task("y")))
    run = Run(flow(replace(run.flow_type.phases[0], gate=gate), task("y")))
    task_id = run.task("x").task_id
    for _ in range(3):
        run.tick(days=3)
        [reminded] = [event for event in run.decisions[-1].events if isinstance(event, ApprovalReminded)]
        assert (reminded.task_id, reminded.assignee) == (task_id, "Bob")
        assert (reminded.title, reminded.expires_at) == ("the decision on x", NOW + timedelta(days=10))
    assert run.tick(hours=23) is None
    run.tick(hours=1)
    assert (run.state.status, run.problem_code) == ("failed", "approval_expired")
    assert run.last_events == ["approval.withdrawn", "modernization.failed"]


def test_a_gate_may_do_without_reminders() -> None:
    quiet = a_gate("x", remind_after=None, expires_after=timedelta(days=1))
    run = Run(flow(replace(decided("x"), gate=quiet)))
    assert (run.state.phases["x"].remind_at, run.state.wake_at) == (None, NOW + timedelta(days=1))
    assert run.task("x").remind_at is None


def test_a_reminder_after_the_expiry_is_none() -> None:
    run = Run(flow(replace(decided("x"), gate=a_gate("x", expires_after=timedelta(days=2)))))
    assert run.state.phases["x"].remind_at is None


def test_a_decision_after_the_expiry_comes_too_late() -> None:
    run = Run(LINE).answer("first", "second")
    task_id = run.task("second").task_id
    run.tick(days=30)
    assert run.state.ended
    late = run.decisions[-1].state
    assert run.hear(run.events[-1]) is None
    assert task_id not in {phase.task_id for phase in late.phases.values()}


# -- the flow as a whole


@pytest.mark.parametrize("status", ["running", "waiting", "queued", "created", "scheduled"])
def test_a_flow_that_has_not_ended_by_its_deadline_fails(status: str) -> None:
    deadline = NOW + timedelta(minutes=30)
    options: dict[str, Any] = {"hold": status == "created"}
    if status == "scheduled":
        options["start_at"] = NOW + timedelta(days=1)
    run = Run(LINE, admitted=status != "queued", deadline=deadline, **options)
    if status == "waiting":
        run.answer("first", "second")
    assert run.state.status == status
    assert run.state.wake_at == deadline
    run.tick(minutes=30)
    assert (run.state.status, run.problem_code, run.state.active()) == ("failed", "deadline_exceeded", [])
    assert run.state.problem is not None
    assert "2026-11-20 12:30" in run.state.problem["detail"]


def test_a_delayed_start_queues_when_its_time_has_come() -> None:
    start_at = NOW + timedelta(days=1)
    run = Run(LINE, start_at=start_at)
    assert (run.state.status, run.state.waits_until, run.state.wake_at) == ("scheduled", start_at, start_at)
    assert run.tick(hours=23) is None
    run.tick(hours=1)
    assert (run.state.status, run.asked()) == ("queued", [])
    assert run.admit().asked() == ["first:1"]


def test_a_start_in_the_past_is_a_start_now() -> None:
    assert Run(LINE, start_at=NOW).asked() == ["first:1"]


def test_a_delayed_start_may_be_started_sooner_by_hand() -> None:
    run = Run(LINE, start_at=NOW + timedelta(days=1)).control("start")
    assert (run.state.status, run.state.start_at) == ("queued", None)

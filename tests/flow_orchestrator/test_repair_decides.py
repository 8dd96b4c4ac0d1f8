"""What a repair finds in the rows of a flow: nothing in healthy ones, whatever happened to them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.repair import GRACE, REPEATED, Child, Journal, Mending, Rows, mend
from services.flow_orchestrator.state import FlowState
from tests.flow_orchestrator.run import Run, stored
from tests.flow_orchestrator.shapes import DIAMOND, LINE, PARENT, SHAPES, with_workers

Change = Callable[[FlowState], None]
PLANNING = with_workers("planning")
LIVE_CHILD = stored(Run(PLANNING).state)


def rows_of(run: Run, children: dict[UUID, Child] | None = None) -> Rows:
    """What the tables hold after all that was decided."""
    state, entries = stored(run.state), [each.entry for each in run.decisions]
    child_row = {"status": state.status, "current_phase": state.current_phase, **run.flow_type.child_row(state)}
    numbers = tuple(entry.seq for entry in entries)
    return Rows(
        master={**{name: getattr(state, name) for name in REPEATED}, "wake_at": state.wake_at},
        state=state,
        child_row=orjson.loads(orjson.dumps(child_row)),
        journal=Journal(numbers, entries[0].status, entries[-1].status, entries[-1].phase),
        children=children or {},
    )


def changed(rows: Rows, change: Change) -> Rows:
    """The same rows after the state was damaged, with the columns as the damaged state has them."""
    state = stored(rows.state)
    change(state)
    return replace(
        rows, state=state, master={**{name: getattr(state, name) for name in REPEATED}, "wake_at": state.wake_at}
    )


def mended(flow_type: FlowType, rows: Rows, run: Run) -> Mending:
    """What was found, once a second look finds nothing any more."""
    mending = mend(flow_type, rows, run.now)
    assert mending is not None
    after = Run.of(flow_type, mending.decisions[-1], run.now)
    entries = sorted({*rows.journal.numbers, *mending.lost, *(each.entry.seq for each in mending.decisions)})
    again = rows_of(after, dict(rows.children))
    again = replace(
        again, journal=replace(again.journal, numbers=tuple(entries), first_status=rows.journal.first_status)
    )
    assert mend(flow_type, again, run.now) is None
    return mending


def codes(mending: Mending) -> list[str]:
    return [each.code for each in mending.found]


@given(st.sampled_from(sorted(SHAPES)), st.lists(st.integers(0, 11), max_size=25), st.booleans())
def test_a_healthy_flow_is_never_touched(shape: str, steps: list[int], admitted: bool) -> None:
    run = Run(SHAPES[shape], admitted=admitted)
    for step in steps:
        active = run.state.active()
        waiting = [name for name in active if run.state.phases[name].status == "waiting"]
        running = [name for name in active if run.state.phases[name].status == "running"]
        action = ("pause", "resume", "cancel", "retry", "skip")[step % 5]
        if step < 4 and running and run.flow_type.phase(running[step % len(running)]).awaits is not None:
            run.answer(running[step % len(running)])
        elif step < 6 and waiting:
            run.approve(waiting[0])
        elif step == 6 and run.state.status == "queued":
            run.admit()
        elif step == 7:
            run.tick(days=1)
        else:
            run.hear(run.asks_for(action))
        begun = [view.child_flow_id for view in run.state.phases.values() if view.child_flow_id is not None]
        children = {flow_id: Child(LIVE_CHILD, run.now) for flow_id in begun}
        assert mend(run.flow_type, rows_of(run, children), run.now) is None


def test_the_columns_of_the_master_row_follow_the_state() -> None:
    run = Run(LINE)
    rows = rows_of(run)
    broken = replace(rows, master={**rows.master, "status": "completed", "priority": 7, "current_phase": None})
    mending = mended(LINE, broken, run)
    assert codes(mending) == ["master_row_differs"]
    assert "status completed instead of running" in mending.found[0].found
    assert mending.decisions[-1].entry.note.startswith("repaired: the master row said status completed")


@pytest.mark.parametrize("wake_at", [None, timedelta(days=1)])
def test_a_timer_that_would_ring_too_late_is_set(wake_at: timedelta | None) -> None:
    run = Run(LINE)
    rows = rows_of(run)
    assert rows.state.wake_at is not None
    later = None if wake_at is None else rows.state.wake_at + wake_at
    assert codes(mended(LINE, replace(rows, master={**rows.master, "wake_at": later}), run)) == ["timer_missing"]


def test_a_timer_that_rings_early_is_no_fault() -> None:
    run = Run(LINE)
    rows = rows_of(run)
    assert mend(LINE, replace(rows, master={**rows.master, "wake_at": run.now}), run.now) is None


@pytest.mark.parametrize("child_row", [None, {"status": "running", "current_phase": "third"}])
def test_a_child_row_that_is_missing_or_differs_is_rewritten(child_row: dict[str, Any] | None) -> None:
    run = Run(LINE)
    [code] = codes(mended(LINE, replace(rows_of(run), child_row=child_row), run))
    assert code == ("child_row_missing" if child_row is None else "child_row_differs")


@pytest.mark.parametrize("lost", [{1}, {2}, {3}, {1, 2}, {2, 3}, {1, 2, 3}])
def test_lost_journal_entries_are_marked(lost: set[int]) -> None:
    run = Run(LINE).answer("first", "second")
    rows = rows_of(run)
    kept = tuple(each for each in rows.journal.numbers if each not in lost)
    first, last = ("running", "waiting") if kept else (None, None)
    journal = replace(rows.journal, numbers=kept, first_status=first, last_status=last)
    mending = mended(LINE, replace(rows, journal=journal), run)
    assert set(mending.lost) == lost
    assert "journal_incomplete" in codes(mending)


def test_a_history_that_its_retention_shortened_is_no_fault() -> None:
    run = Run(LINE).control("cancel").control("retry")
    rows = rows_of(run)
    shortened = replace(rows.journal, numbers=(2, 3), first_status="cancelled")
    assert mend(LINE, replace(rows, journal=shortened), run.now) is None


def test_a_state_behind_its_journal_takes_the_next_number() -> None:
    run = Run(LINE).answer("first", "second")
    before = Run.of(LINE, run.decisions[0], run.now)
    mending = mended(LINE, replace(rows_of(before), journal=rows_of(run).journal), run)
    assert codes(mending) == ["state_behind_journal"]
    assert mending.decisions[-1].entry.seq == run.state.revision + 1


def test_a_last_entry_that_says_otherwise_is_answered_by_a_new_one() -> None:
    run = Run(LINE)
    rows = rows_of(run)
    assert codes(mended(LINE, replace(rows, journal=replace(rows.journal, last_status="failed")), run)) == [
        "journal_differs"
    ]


def forget_what_it_does(state: FlowState) -> None:
    for view in state.phases.values():
        if view.status in ("running", "waiting"):
            view.status, view.due, view.remind_at, view.task_id = "pending", None, None, None
    state.wake_at = state.waits_until = None


def test_a_flow_that_forgot_what_it_does_goes_on_after_what_it_finished() -> None:
    run = Run(LINE).answer("first")
    mending = mended(LINE, changed(rows_of(run), forget_what_it_does), run)
    assert codes(mending) == ["nothing_active"]
    after = Run.of(LINE, mending.decisions[-1], run.now)
    assert after.statuses == {"first": "completed", "second": "running", "third": "pending"}
    assert "modernization.failed" not in after.last_events
    assert after.state.phases["first"].finished_at == run.state.phases["first"].finished_at
    assert after.finish().state.status == "completed"


def test_a_flow_that_forgot_even_its_beginning_begins() -> None:
    run = Run(LINE)
    mending = mended(LINE, changed(rows_of(run), forget_what_it_does), run)
    assert mending.decisions[-1].state.active() == ["first"]


def test_a_flow_that_forgot_all_its_branches_fails_and_says_so() -> None:
    run = Run(DIAMOND).answer("split", "left")
    mending = mended(DIAMOND, changed(rows_of(run), forget_what_it_does), run)
    state = mending.decisions[-1].state
    assert (state.status, state.problem and state.problem["code"]) == ("failed", "nothing_active")
    assert "modernization.failed" in [event.type_name for event in mending.decisions[-1].events]


def test_a_phase_that_would_wait_for_ever_gets_its_time_out() -> None:
    def forget_time_outs(state: FlowState) -> None:
        state.phases["first"].due = state.wake_at = state.waits_until = None

    run = Run(LINE)
    mending = mended(LINE, changed(rows_of(run), forget_time_outs), run)
    assert codes(mending) == ["no_time_out"]
    after = Run.of(LINE, mending.decisions[-1], run.now)
    assert after.last_events == []
    after.tick(hours=1)
    assert after.last_events == ["work.cancelled"]


def test_a_task_that_nobody_was_asked_for_is_asked_for() -> None:
    def lose_task(state: FlowState) -> None:
        state.phases["second"].task_id = None

    run = Run(LINE).answer("first", "second")
    mending = mended(LINE, changed(rows_of(run), lose_task), run)
    assert codes(mending) == ["task_lost"]
    assert Run.of(LINE, mending.decisions[-1], run.now).approve("second").state.active() == ["third"]


def test_a_status_that_the_phases_do_not_have_is_derived_again() -> None:
    def say_waiting(state: FlowState) -> None:
        state.status = "waiting"

    run = Run(LINE)
    rows = changed(rows_of(run), say_waiting)
    rows = replace(rows, child_row={**(rows.child_row or {}), "status": "waiting"})
    rows = replace(rows, journal=replace(rows.journal, last_status="waiting"))
    assert codes(mended(LINE, rows, run)) == ["state_differs"]


def parent_and_child() -> tuple[Run, Run]:
    """A flow that waits for another, and that other, not ended yet."""
    run = Run(PARENT).answer("before")
    child = Run(PLANNING)
    state = stored(child.state)
    state.flow_id = run.state.phases["inner"].child_flow_id or state.flow_id
    state.parent_flow_id, state.parent_step = run.state.flow_id, run.state.step("inner")
    child.decisions[-1] = replace(child.decisions[-1], state=state)
    return run, child


def children_of(child: Run, run: Run, ago: timedelta) -> dict[UUID, Child]:
    return {child.state.flow_id: Child(stored(child.state), run.now - ago)}


def test_a_parent_that_did_not_hear_its_child_end_is_told() -> None:
    run, child = parent_and_child()
    child.finish()
    mending = mended(PARENT, rows_of(run, children_of(child, run, GRACE)), run)
    assert codes(mending) == ["child_flow_ended_unheard"]
    after = mending.decisions[-1].state
    assert after.active() == ["after"]
    assert after.phases["inner"].summary == {"waves": 1}


def test_a_parent_of_a_child_that_failed_fails_as_if_it_had_heard() -> None:
    run, child = parent_and_child()
    child.control("cancel")
    mending = mend(PARENT, rows_of(run, children_of(child, run, GRACE)), run.now)
    assert mending is not None
    assert mending.decisions[-1].state.status == "failed"


@pytest.mark.parametrize("ended", [True, False])
def test_news_that_may_be_on_its_way_is_waited_for(ended: bool) -> None:
    run, child = parent_and_child()
    ago = GRACE * 10
    if ended:
        child.finish()
        ago = GRACE - timedelta(seconds=1)
    assert mend(PARENT, rows_of(run, children_of(child, run, ago)), run.now) is None


def test_a_child_flow_that_never_began_is_asked_for_again_under_the_same_id() -> None:
    run, child = parent_and_child()
    assert mend(PARENT, rows_of(run), run.now + GRACE - timedelta(seconds=1)) is None
    first = next(event for event in run.events if event.flow_id == child.state.flow_id)
    run.now += GRACE
    mending = mended(PARENT, rows_of(run), run)
    assert codes(mending) == ["child_flow_missing"]
    [again] = [event for event in mending.decisions[-1].events if event.flow_id == child.state.flow_id]
    assert (again.type_name, again.step) == (first.type_name, first.step)
    assert mending.decisions[-1].state.phases["inner"].attempt == 1

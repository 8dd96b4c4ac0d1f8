"""What it takes to run is a slot: who goes on without room queues, with its clocks standing still."""

from datetime import timedelta

from tests.flow_orchestrator.run import Run
from tests.flow_orchestrator.shapes import DIAMOND, LINE, SHAPES, flow, task


def test_a_flow_that_is_approved_without_room_queues_and_goes_on_at_its_turn() -> None:
    run = Run(LINE).answer("first", "second")
    run.room = False
    run.approve("second")
    assert (run.state.status, run.state.held, run.asked()) == ("queued", ["third"], ["first:1", "second:1"])
    assert run.admit().asked()[-1] == "third:1"
    assert run.finish().state.status == "completed"


def test_the_last_decision_of_a_flow_needs_no_room() -> None:
    end = Run(flow(task("first", gate=SHAPES["line"].phases[1].gate))).answer("first")
    end.room = False
    assert end.approve("first").state.status == "completed"


def test_a_resumed_flow_without_room_queues_with_its_clocks_standing_still() -> None:
    run = Run(DIAMOND).answer("split", "left", "left_end")
    due = run.state.phases["right"].due
    assert due is not None
    run.control("pause")
    run.now += timedelta(days=1)
    run.room = False
    assert run.control("resume").state.status == "queued"
    assert run.tick(days=1) is None
    run.admit()
    assert (run.state.status, run.state.phases["right"].due) == ("running", due + timedelta(days=2))
    assert run.asked() == ["split:1", "left:1", "right:1", "left_end:1"]


def test_a_flow_that_only_waits_for_people_is_resumed_without_room() -> None:
    run = Run(LINE).answer("first", "second").control("pause")
    run.room = False
    assert run.control("resume").state.status == "waiting"

"""New flows from checkpoints of old ones, and flows that go on under a newer version of their type."""

from dataclasses import replace
from uuid import uuid4

import pytest

from contracts.flows import FlowUpdated
from contracts.lifecycle import FlowForkRequested
from services.flow_orchestrator.engine import decide
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.lifecycle import fork
from services.flow_orchestrator.state import FlowState, PhaseState
from tests.flow_orchestrator.run import NOW, Run, stored
from tests.flow_orchestrator.shapes import DIAMOND, LINE, LOOP, SHAPES, decided, flow, task


def outcomes(run: Run) -> dict[str, tuple[str, int]]:
    """How a flow ended, phase by phase."""
    return {name: (phase.status, phase.rounds) for name, phase in run.state.phases.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_a_fork_from_every_checkpoint_ends_as_its_origin_and_asks_nothing_finished_again(name: str) -> None:
    origin = Run(SHAPES[name]).finish()
    checkpoints = [each for each in origin.decisions if each.entry.checkpoint]
    for each in checkpoints:
        run = origin.fork(each.entry.seq).finish()
        assert outcomes(run) == outcomes(origin)
        assert run.state.results == origin.state.results or name in ("planning", "parent")
        finished = {phase for phase, view in each.state.phases.items() if view.status == "completed"}
        assert not finished & {step.partition(":")[0] for step in run.asked()}
        assert (run.state.status, run.state.forked_from) == ("completed", origin.state.flow_id)
    assert len(checkpoints) == sum(phase.status == "completed" for phase in origin.state.phases.values()) - 1


def test_every_phase_that_ended_is_a_checkpoint_but_the_last() -> None:
    run = Run(LINE).answer("first", "second").approve("second").answer("third")
    assert [each.entry.checkpoint for each in run.decisions] == [False, True, False, True, False]


def test_a_fork_has_a_history_of_its_own() -> None:
    origin = Run(LINE, concurrency_key="shop", priority=7).answer("first", "second")
    fork = origin.fork(2)

    state = fork.state
    assert (state.revision, state.created_at, state.started_at) == (1, origin.now, origin.now)
    assert (state.concurrency_key, state.deadline, state.priority) == (None, None, 7)
    assert [event.type_name for event in fork.events] == [
        "modernization.started",
        "agent_task.requested",
        "flow.updated",
    ]
    assert all(event.flow_id == state.flow_id for event in fork.events)
    told = fork.events[-1]
    assert isinstance(told, FlowUpdated)
    assert (told.forked_from, told.entry.note if told.entry else "") == (
        origin.state.flow_id,
        f"forked from {origin.state.flow_id} at 2",
    )
    assert origin.finish().state.status == fork.finish().state.status == "completed"


def test_answers_to_the_origin_do_not_count_in_its_fork() -> None:
    origin = Run(LINE).answer("first")
    fork = origin.fork(2)
    assert fork.hear(origin.reply("second")) is None
    assert fork.asked() == ["second:2"]


def test_a_fork_of_open_branches_asks_each_anew() -> None:
    origin = Run(DIAMOND).answer("split", "left", "left_end", "right")
    fork = origin.fork(5)
    assert (fork.state.status, fork.asked()) == ("waiting", [])
    assert fork.task("left_end").task_id != origin.task("left_end").task_id
    assert fork.approve("left_end").answer("merge").state.status == "completed"


@pytest.mark.parametrize("name", SHAPES)
def test_a_fork_without_room_queues_but_for_its_tasks_and_ends_as_its_origin(name: str) -> None:
    origin = Run(SHAPES[name]).finish()
    for each in origin.decisions:
        if each.entry.checkpoint:
            run = origin.fork(each.entry.seq, room=False)
            assert run.asked() == []
            expected = "queued" if run.state.held else "waiting"
            assert run.state.status == expected
            assert outcomes(run.finish()) == outcomes(origin)


def test_a_fork_of_a_paused_flow_runs() -> None:
    origin = Run(LINE).control("pause").answer("first")
    fork = origin.fork(3)
    assert (fork.state.status, fork.state.active(), fork.state.held) == ("running", ["second"], [])


def test_a_fork_whose_held_phase_has_no_rounds_left_fails_and_asks_nothing() -> None:
    bounded = flow(
        task("split", then=SHAPES["diamond"].phases[0].then),
        task("left", then="left_end"),
        task("left_end", then="merge"),
        task("right", then="merge"),
        task("merge"),
    )
    run = Run(bounded).answer("split").control("pause").answer("left")
    checkpoint = run.decisions[-1]
    exhausted = replace(
        bounded,
        phases=tuple(replace(phase, max_rounds=1) if phase.name == "left_end" else phase for phase in bounded.phases),
    )
    state = stored(checkpoint.state)
    state.phases["left_end"] = PhaseState(rounds=1)
    asked = FlowForkRequested(
        tenant=state.tenant,
        flow_id=uuid4(),
        origin_flow_id=state.flow_id,
        seq=4,
        requested_by="Ada",
    )
    decision = fork(exhausted, state, asked, NOW)
    assert decision.state.status == "failed"
    assert decision.state.active() == []


def test_a_flow_that_exists_is_not_forked_into() -> None:
    run = Run(LINE).answer("first")
    asked = FlowForkRequested(
        tenant=run.state.tenant, flow_id=run.state.flow_id, origin_flow_id=run.state.flow_id, seq=2, requested_by="Ada"
    )
    assert decide(LINE, run.state, asked, NOW) is None


# -- versions


def renamed(state: FlowState) -> FlowState:
    """Version 2 calls the third phase `publish`."""
    state.phases["publish"] = state.phases.pop("third")
    return state


SECOND = flow(
    task("first"),
    task("second", optional=True),
    task("checked"),
    task("publish"),
    version=2,
    migrations={1: renamed},
)


def migrated(run: Run, to: FlowType) -> Run:
    """The flow, asked to go on under another version."""
    run.flow_type = to
    return run.control("migrate")


def test_a_paused_flow_goes_on_under_a_newer_version() -> None:
    run = migrated(Run(LINE).answer("first").control("pause"), SECOND)
    assert (run.state.version, list(run.state.phases)) == (2, ["first", "second", "checked", "publish"])
    assert run.decisions[-1].note == "migrated from version 1 to 2"
    run.control("resume").answer("second").answer("checked").answer("publish")
    assert run.state.status == "completed"
    assert run.asked() == ["first:1", "second:1", "checked:1", "publish:1"]


def test_a_failed_flow_is_migrated_and_then_retried() -> None:
    run = Run(LINE).answer("first", "second").approve("second").fail("third")
    run = migrated(run, SECOND)
    assert (run.state.status, run.statuses["publish"]) == ("failed", "failed")
    run.control("retry").admit()
    assert run.asked()[-1] == "publish:2"
    assert run.finish().state.status == "completed"


def test_a_version_that_says_nothing_about_another_does_not_take_its_flows() -> None:
    run = Run(LINE).control("pause")
    run.flow_type = replace(SECOND, version=3, migrations={2: lambda state: state})
    problem = run.refused("migrate")
    assert problem.code == "migration_not_possible"
    assert problem.detail == "Version 3 of shape does not say how a flow of version 1 goes on."


@pytest.mark.parametrize("status", ["running", "held", "failed"])
def test_a_flow_whose_phase_the_new_version_lacks_is_not_migrated(status: str) -> None:
    run = Run(LOOP).answer("prepare").answer("check", odd=1)
    if status == "held":
        run = Run(LOOP).answer("prepare").control("pause").answer("check", odd=1)
    elif status == "running":
        run.control("pause")
    else:
        run.fail("mend")
    shorter = flow(task("prepare"), task("check"), decided("review"), task("publish"), version=2)
    run.flow_type = replace(shorter, migrations={1: lambda state: state})
    problem = run.refused("migrate")
    assert (problem.code, "in the phase mend" in problem.detail) == ("migration_not_possible", True)

"""What is true of every flow after every decision, whatever has happened to it."""

from itertools import combinations

from contracts.lifecycle import LEGAL_ACTIONS
from services.flow_orchestrator.flow_type import FlowType, Parallel
from services.flow_orchestrator.state import ACTIVE, FlowState

NOT_BEGUN = ("created", "scheduled", "queued")


def check(flow_type: FlowType, state: FlowState) -> None:
    """Raise `AssertionError` where a flow has not ended and could not say what it waits for, or would wait for ever."""
    assert state.status in LEGAL_ACTIONS, state.status
    assert list(state.phases) == [phase.name for phase in flow_type.phases]
    _check_waiting(state)
    _check_phases(flow_type, state)
    if state.begun and state.status != "completed":
        _check_tokens(flow_type, state)


def _check_waiting(state: FlowState) -> None:
    active = state.active()
    if state.ended:
        assert not active, f"an ended flow still does {active}"
        assert (state.waits_for, state.waits_until, state.wake_at) == (None, None, None)
        assert state.ended_at is not None
        assert (state.problem is None) == (state.status == "completed")
        assert state.held == [] or state.status != "completed"
        return
    assert state.waits_for, f"a flow that is {state.status} does not say what it waits for"
    assert state.problem is None
    assert state.ended_at is None
    # One that was resumed and queues has its clock stand still until its turn.
    assert state.paused_at is None or state.status in ("paused", "queued")
    assert state.paused_at is not None or state.status != "paused"
    if state.status in ("running", "waiting"):
        assert active, f"a flow is {state.status}, but nothing is"
        assert not state.held, f"a flow is {state.status} and holds {state.held} back"
        assert state.current_phase in active
        assert state.waits_until is not None
        assert (state.status == "waiting") == ({state.phases[name].status for name in active} == {"waiting"})
        timers = [view.due for view in state.phases.values()] + [view.remind_at for view in state.phases.values()]
        due = [each for each in (*timers, state.deadline) if each is not None]
        assert state.wake_at == min(due), "its timer rings too late, or too early"


def _check_phases(flow_type: FlowType, state: FlowState) -> None:
    for name, view in state.phases.items():
        phase = flow_type.phase(name)
        assert (view.due is not None) == (view.status in ACTIVE), f"{name} is {view.status} until {view.due}"
        assert (view.task_id is not None) == (view.status == "waiting")
        assert view.remind_at is None or view.status == "waiting"
        assert view.status != "waiting" or phase.gate is not None
        assert phase.max_rounds is None or view.rounds <= phase.max_rounds, f"{name} goes round too often"
        assert view.tries <= phase.retry.attempts, f"{name} is tried too often"


def _check_tokens(flow_type: FlowType, state: FlowState) -> None:
    """A flow is in one phase, or in one of each branch that has not come to its join: else a join waits for ever."""
    graph = flow_type.graph
    interrupted = [name for name, view in state.phases.items() if view.status in ("failed", "cancelled")]
    tokens = [*state.active(), *interrupted, *state.held]
    assert tokens, "a flow is nowhere"
    assert len(set(tokens)) == len(tokens), f"a flow is twice in one phase: {tokens}"
    for one, other in combinations(tokens, 2):
        assert graph.concurrent(one, other), f"{one} and {other} are at once, though neither is beside the other"
    for fork in flow_type.phases:
        if not isinstance(fork.then, Parallel):
            continue
        open_branches = {start for name in tokens if (start := graph.branches_of(name).get(fork.then.join))}
        if open_branches:
            missing = set(fork.then.branches) - open_branches - set(state.arrived.get(fork.then.join, ()))
            assert not missing, f"the join {fork.then.join} waits for {missing}, where nothing is"
            both = open_branches & set(state.arrived.get(fork.then.join, ()))
            assert not both, f"{both} has arrived at {fork.then.join} and is still on its way"

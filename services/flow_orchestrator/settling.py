"""What a flow as a whole does, waits for and until when, derived from its phases after every decision."""

from datetime import datetime

from services.flow_orchestrator.flow_type import FlowType, Phase
from services.flow_orchestrator.state import ACTIVE, FlowState, PhaseState

# What a flow that is held as a whole waits for.
_HELD = {
    "created": "somebody to start it",
    "scheduled": "its time to start",
    "queued": "its turn: the tenant's flows that run now, or one with the same concurrency key, go first",
    "paused": "somebody to resume it",
}


def settle(flow_type: FlowType, state: FlowState) -> None:
    """Set status, current phase, what it waits for, until when, and when to look at it again."""
    if state.ended:
        state.waits_for = state.waits_until = state.wake_at = None
        return
    active = {name: state.phases[name] for name in state.active()}
    if active:
        state.current_phase = next(iter(active))
    if state.status in ("running", "waiting"):
        state.status = "waiting" if {view.status for view in active.values()} == {"waiting"} else "running"
    if state.status in _HELD:
        state.waits_for = _HELD[state.status]
        timers = [state.start_at] if state.status == "scheduled" and state.start_at is not None else []
        state.waits_until = min(timers, default=state.deadline)
    else:
        state.waits_for = " and ".join(_words(flow_type.phase(name), view) for name, view in active.items())
        timers = [view.due for view in active.values() if view.due is not None]
        state.waits_until = min(timers, default=state.deadline)
        timers += [view.remind_at for view in active.values() if view.remind_at is not None]
    state.wake_at = _first([*timers, state.deadline])


def _first(times: list[datetime | None]) -> datetime | None:
    return min((each for each in times if each is not None), default=None)


def _words(phase: Phase, view: PhaseState) -> str:
    """What one active phase waits for."""
    assert view.status in ACTIVE
    if view.status == "waiting" and phase.gate is not None:
        return phase.gate.title
    name = phase.name.replace("_", " ")
    return f"{name} to be tried again" if view.status == "backing_off" else f"{name} to finish"

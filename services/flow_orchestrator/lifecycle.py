"""What people ask of a flow: pause, resume, cancel, retry, skip, migrate, delete, fork. Pure, as the engine is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.envelope import Event, Problem
from contracts.lifecycle import (
    LEGAL_ACTIONS,
    FlowControlRefused,
    FlowControlRequested,
    FlowDeleted,
    FlowForkRequested,
)
from services.flow_orchestrator.decision import Decision
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.state import FlowState, PhaseState
from services.flow_orchestrator.turn import Turn

# Why a flow never begins, whatever happens later.
REFUSED_STARTS = ("unknown_version", "state_too_large")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was asked is not possible; the flow stays as it is, and whoever asked is told why."""

    events: tuple[Event, ...]


class _Refused(Exception):
    """Carries the reason out of one of the actions below."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = Problem(code=code, detail=detail)


def control(
    flow_type: FlowType, state: FlowState, asked: FlowControlRequested, now: datetime, *, room: bool = True
) -> Decision | Refusal:
    """Do what somebody asks of a flow, or say what could be asked instead; without `room` it queues before it runs."""
    turn = Turn(flow_type, state, now, asked, room=room)
    try:
        legal = LEGAL_ACTIONS[state.status]
        if asked.action not in legal:
            detail = f"A flow that is {state.status} cannot be asked to {asked.action}; possible: {', '.join(legal)}."
            raise _Refused("illegal_transition", detail)
        if asked.action == "delete":
            turn.emit(FlowDeleted, deleted_by=asked.requested_by)
            return turn.decision("deleted", asked.requested_by, deleted=True)
        note = _ACTIONS[asked.action](turn, asked)
    except _Refused as refused:
        return refusal(asked, refused.problem)
    return turn.decision(f"{note}{f': {asked.comment}' if asked.comment else ''}", asked.requested_by)


def refusal(asked: FlowControlRequested, problem: Problem) -> Refusal:
    """Tell whoever asked why the flow stays as it is."""
    reply = FlowControlRefused.reply_to(asked, action=asked.action, requested_by=asked.requested_by, problem=problem)
    return Refusal((reply,))


def fork(
    flow_type: FlowType, checkpoint: FlowState, request: FlowForkRequested, now: datetime, *, room: bool = True
) -> Decision:
    """Begin a new flow from a checkpoint of another: what was finished then is kept, what went on is asked anew.

    Without `room` it queues, but for tasks, which take no slot.
    """
    if request.flow_id is None:
        raise ValueError(f"{request.type_name} does not say which flow it starts")
    origin = replace(
        checkpoint,
        flow_id=request.flow_id,
        forked_from=checkpoint.flow_id,
        revision=0,
        created_at=now,
        started_at=now,
        ended_at=None,
        deadline=None,
        problem=None,
        paused_at=None,
        parent_step=None,
        concurrency_key=None,
        status="running",
    )
    turn = Turn(flow_type, origin, now, request, room=room)
    turn.emit(flow_type.started, **flow_type.announce(origin))
    for name in checkpoint.active():
        gate, view = flow_type.phase(name).gate, turn.state.phases[name]
        if view.status == "waiting" and gate is not None:
            turn.open_gate(name, gate)
        elif room:
            view.tries = 0
            turn.ask(name)
        else:
            # The round that it is in counts when it begins, not twice.
            turn.state.phases[name] = PhaseState(attempt=view.attempt, rounds=view.rounds - 1)
            turn.state.held.append(name)
    turn.go_on()
    return turn.decision(f"forked from {checkpoint.flow_id} at {request.seq}", request.requested_by)


def migrate(state: FlowState, to: FlowType) -> FlowState:
    """The state as a flow of another version; raises `ValueError` where that version does not say how.

    The version's own rule changes names and results; phases of the same name keep what they did.
    """
    rule = to.migrations.get(state.version)
    if rule is None:
        raise ValueError(
            f"version {to.version} of {to.name} does not say how a flow of version {state.version} goes on"
        )
    moved = rule(state.copy())
    known = {phase.name for phase in to.phases}
    if homeless := [name for name in (*moved.active(), *_stopped(moved), *moved.held) if name not in known]:
        raise ValueError(f"it is in the phase {homeless[0]}, which version {to.version} does not have")
    phases = {phase.name: moved.phases.get(phase.name, PhaseState()) for phase in to.phases}
    return replace(moved, version=to.version, phases=phases)


def _start(turn: Turn, asked: FlowControlRequested) -> str:
    turn.state.status, turn.state.start_at = "queued", None
    return "told to start"


def _pause(turn: Turn, asked: FlowControlRequested) -> str:
    turn.state.status, turn.state.paused_at = "paused", turn.now
    return "paused; what is being worked on may end, nothing new begins"


def _resume(turn: Turn, asked: FlowControlRequested) -> str:
    state = turn.state
    works = state.held or any(state.phases[name].status != "waiting" for name in state.active())
    if works and not turn.room:
        state.status = "queued"
        return "resumed, and queues for its turn"
    turn.resume()
    return "resumed"


def _cancel(turn: Turn, asked: FlowControlRequested) -> str:
    detail = f"{asked.requested_by} cancelled the flow: {asked.comment or 'no comment'}."
    turn.fail(None, Problem(code="cancelled", detail=detail), status="cancelled")
    return "cancelled"


def _retry(turn: Turn, asked: FlowControlRequested) -> str:
    state, flow_type = turn.state, turn.flow_type
    if missing := next((phase for phase in flow_type.phases if phase.missing_worker), None):
        raise _Refused("worker_missing", f"The phase {missing.name} still needs {missing.missing_worker}.")
    if not state.begun and (state.problem or {}).get("code") in REFUSED_STARTS:
        raise _Refused("start_was_refused", "Nothing makes this request possible. Start a new flow with another one.")
    waiting = state.active()[0] if state.status == "waiting" else None
    first = waiting if asked.phase is None else _known(turn, asked.phase)
    if first is not None and state.phases[first].rounds == 0:
        raise _Refused("phase_not_reached", f"The flow has not come to its phase {first} yet.")
    begin = _stopped(state) if first is None else _step_back(turn, first, f"{asked.requested_by} retries from {first}.")
    for name in begin:
        turn.reset(name)
    state.held += begin
    if state.ended:
        _revive(turn)
    else:
        _resume(turn, asked)
    return f"retried from {', '.join(begin)}" if begin else "retried"


def _step_back(turn: Turn, first: str, reason: str) -> list[str]:
    """Let one phase take the place of all that do not run beside it; returns what is to begin."""
    state, graph = turn.state, turn.flow_type.graph
    stopped = _stopped(state)
    for name in (*state.active(), *stopped):
        if not graph.concurrent(first, name):
            turn.call_back(name, reason)
            turn.set_back(name)
    for name in graph.downstream(first):
        turn.reset(name)
    state.held = [name for name in state.held if graph.concurrent(first, name)]
    return [first, *(name for name in stopped if graph.concurrent(first, name))]


def _skip(turn: Turn, asked: FlowControlRequested) -> str:
    state = turn.state
    stopped = _stopped(state)
    candidates = state.active() if not state.ended else stopped
    name = _known(turn, asked.phase) if asked.phase is not None else next(iter(candidates), None)
    optional = [phase.name for phase in turn.flow_type.phases if phase.optional]
    if name is None or name not in candidates:
        raise _Refused("phase_not_current", f"Only a phase that runs, waits or failed can be skipped: {candidates}.")
    if name not in optional:
        detail = f"Later phases need what {name} finds. Phases that can be skipped: {', '.join(optional) or 'none'}."
        raise _Refused("phase_not_optional", detail)
    turn.call_back(name, f"{asked.requested_by} skipped {name}.")
    if state.ended:
        _revive(turn)
        others = [each for each in stopped if each != name]
        for other in others:
            turn.reset(other)
        state.held += others
    turn.leave(name, "skipped")
    return f"{name} skipped"


def _migrate(turn: Turn, asked: FlowControlRequested) -> str:
    before = turn.state.version
    try:
        turn.state = migrate(turn.state, turn.flow_type)
    except ValueError as error:
        raise _Refused("migration_not_possible", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    return f"migrated from version {before} to {turn.flow_type.version}"


def _known(turn: Turn, phase: str) -> str:
    if phase not in turn.state.phases:
        raise _Refused("unknown_phase", f"There is no phase {phase!r}; there are {', '.join(turn.state.phases)}.")
    return phase


def _revive(turn: Turn) -> None:
    """Let a flow that had ended queue for its turn again."""
    state = turn.state
    if state.deadline is not None and state.deadline <= turn.now:
        state.deadline = None
    state.status, state.problem, state.ended_at, state.paused_at = "queued", None, None, None


def _stopped(state: FlowState) -> list[str]:
    """The phases at which a flow ended before they had."""
    return [name for name, view in state.phases.items() if view.status in ("failed", "cancelled")]


_ACTIONS: dict[str, Callable[[Turn, FlowControlRequested], str]] = {
    "start": _start,
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "retry": _retry,
    "skip": _skip,
    "migrate": _migrate,
}

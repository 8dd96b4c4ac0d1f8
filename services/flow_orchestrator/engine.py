"""The flow engine: pure functions from a flow's state and an event, or the clock, to its next state and events."""

from datetime import datetime, timedelta

from contracts.envelope import Event, Problem
from contracts.flows import ApprovalDecided
from contracts.lifecycle import ChildFlowEnded, FlowControlRequested, StartOptions
from services.flow_orchestrator.decision import Decision
from services.flow_orchestrator.flow_type import FlowType, Phase
from services.flow_orchestrator.lifecycle import Refusal, control
from services.flow_orchestrator.state import STATE_CAP_BYTES, FlowState, PhaseState
from services.flow_orchestrator.turn import Turn

__all__ = ["Decision", "Refusal", "admit", "decide", "overflow", "refuse", "start", "tick"]


def start(flow_type: FlowType, request: Event, now: datetime, *, admitted: bool = True, weight: int = 1) -> Decision:
    """Create a flow from the event that asks for it, whose `flow_id` names it, and begin it if nothing is against it.

    `admitted` says whether its tenant may run one more flow now; if not, the flow is queued.
    """
    if request.flow_id is None:
        raise ValueError(f"{request.type_name} does not say which flow it starts")
    options: StartOptions = getattr(request, "options", None) or StartOptions()
    state = FlowState(
        flow_id=request.flow_id,
        tenant=request.tenant,
        flow_type=flow_type.name,
        version=flow_type.version,
        phases={phase.name: PhaseState() for phase in flow_type.phases},
        parent_flow_id=getattr(request, "parent_flow_id", None),
        parent_step=request.step,
        created_at=now,
        start_at=options.start_at,
        deadline=options.deadline,
        priority=options.priority,
        weight=weight,
        concurrency_key=options.concurrency_key,
        correlation_id=options.correlation_id,
        status="queued",
    ).with_result(request)
    turn = Turn(flow_type, state, now, request)
    if missing := next((phase for phase in flow_type.phases if phase.missing_worker), None):
        turn.fail(None, _missing(flow_type, missing))
        return turn.decision("refused: a worker is missing")
    if options.hold:
        turn.state.status = "created"
        return turn.decision("created, and held until somebody starts it")
    if options.start_at is not None and options.start_at > now:
        turn.state.status = "scheduled"
        return turn.decision("created, to start later")
    if not admitted:
        return turn.decision("queued")
    _run(turn)
    return turn.decision(f"started by {request.type_name}")


def refuse(flow_type: FlowType, request: Event, problem: Problem, now: datetime) -> Decision:
    """Record a flow that could not even begin, and why."""
    assert request.flow_id is not None
    state = FlowState(
        flow_id=request.flow_id,
        tenant=request.tenant,
        flow_type=flow_type.name,
        version=flow_type.version,
        phases={phase.name: PhaseState() for phase in flow_type.phases},
        parent_flow_id=getattr(request, "parent_flow_id", None),
        parent_step=request.step,
        created_at=now,
    ).with_result(request)
    turn = Turn(flow_type, state, now, request)
    turn.fail(None, problem)
    return turn.decision(f"refused: {problem.code}")


def overflow(flow_type: FlowType, state: FlowState, event: Event, size: int, now: datetime) -> Decision:
    """End a flow whose state would grow over its cap by what `event` brings; that is not kept."""
    detail = (
        f"What {event.type_name} says would make the flow's state {size:,} bytes large; the cap is"
        f" {STATE_CAP_BYTES:,}. Its sender has to put such data into a blob and send the reference."
    )
    turn = Turn(flow_type, state, now, event)
    turn.fail(_answered(state, event), Problem(code="state_too_large", detail=detail))
    return turn.decision("the state would be too large")


def admit(flow_type: FlowType, state: FlowState, now: datetime) -> Decision:
    """Begin a queued flow: there is room for it now."""
    turn = Turn(flow_type, state, now, None)
    if state.begun:
        turn.resume()
    else:
        _run(turn)
    return turn.decision("its turn came")


def decide(
    flow_type: FlowType, state: FlowState, event: Event, now: datetime, *, room: bool = True
) -> Decision | Refusal | None:
    """React to an event; None when it does not belong to what the flow waits for now (late, stale or repeated).

    `room`: whether a flow that a person lets go on may run now, or queues.
    """
    if isinstance(event, FlowControlRequested):
        return control(flow_type, state, event, now, room=room)
    if state.ended:
        return None
    if isinstance(event, ApprovalDecided):
        return _decided(flow_type, state, event, now, room=room)
    name = _answered(state, event)
    if name is None:
        return None
    phase = flow_type.phase(name)
    if isinstance(event, ChildFlowEnded) and phase.awaits is ChildFlowEnded:
        return _child_ended(flow_type, state, name, event, now)
    if phase.awaits is not None and isinstance(event, phase.awaits):
        turn = Turn(flow_type, state, now, event)
        turn.complete(name, event)
        note = "waits for a decision" if turn.state.phases[name].status == "waiting" else "completed"
        return turn.decision(f"{name} {note}")
    if phase.fails_with is not None and isinstance(event, phase.fails_with):
        problem: Problem = event.problem  # type: ignore[attr-defined]  # every `.failed` event has one
        turn = Turn(flow_type, state, now, event)
        turn.retry_or_fail(name, problem, again=problem.code in phase.retry.codes)
        return turn.decision(f"{name} failed: {problem.code}")
    return None


def tick(flow_type: FlowType, state: FlowState, now: datetime) -> Decision | None:
    """React to the clock; None while the flow may still wait."""
    if state.ended or state.wake_at is None or now < state.wake_at:
        return None
    turn = Turn(flow_type, state, now, None)
    if state.deadline is not None and now >= state.deadline:
        detail = f"The flow had not ended by its deadline, {state.deadline:%Y-%m-%d %H:%M %Z}."
        turn.fail(None, Problem(code="deadline_exceeded", detail=detail))
        return turn.decision("deadline exceeded")
    if state.status == "scheduled":
        turn.state.status = "queued"
        return turn.decision("its time to start came")
    notes = [note for name in state.active() if (note := _tick_phase(turn, name))]
    return turn.decision("; ".join(notes) or "looked again")


def _tick_phase(turn: Turn, name: str) -> str | None:
    if turn.state.ended:
        return None
    phase, view = turn.flow_type.phase(name), turn.state.phases[name]
    if view.due is not None and turn.now >= view.due:
        if view.status == "backing_off":
            turn.ask(name)
            return f"{name} asked again"
        if view.status == "waiting" and phase.gate is not None:
            detail = (
                f"Nobody decided on {phase.gate.title} until {view.due:%Y-%m-%d %H:%M}. Retry the flow to ask again."
            )
            turn.call_back(name, detail)
            turn.fail(name, Problem(code="approval_expired", detail=detail))
            return f"{name} expired"
        detail = f"The phase {name} did not answer in {_span(view, turn.now)}, at attempt {view.tries} of"
        detail += f" {phase.retry.attempts}. Look at the dead letters and the work's progress, then retry."
        turn.call_back(name, detail)
        turn.retry_or_fail(name, Problem(code="phase_timed_out", detail=detail), again=True)
        return f"{name} did not answer in time"
    if view.remind_at is not None and turn.now >= view.remind_at and phase.gate is not None:
        turn.remind(name, phase.gate)
        return f"{name}: reminded"
    return None


def _span(view: PhaseState, now: datetime) -> timedelta:
    waited = now - (view.started_at or now)
    return timedelta(seconds=round(waited.total_seconds()))


def _run(turn: Turn) -> None:
    state, flow_type = turn.state, turn.flow_type
    state.status, state.started_at = "running", turn.now
    turn.emit(flow_type.started, **flow_type.announce(state))
    turn.begin(flow_type.phases[0].name)


def _answered(state: FlowState, event: Event) -> str | None:
    """The phase whose current attempt the event answers, if it answers any."""
    name = (event.step or "").rpartition(":")[0]
    view = state.phases.get(name)
    return name if view is not None and view.status == "running" and event.step == state.step(name) else None


def _child_ended(
    flow_type: FlowType, state: FlowState, name: str, event: ChildFlowEnded, now: datetime
) -> Decision | None:
    turn = Turn(flow_type, state, now, event)
    if event.status == "completed":
        turn.complete(name, event)
        return turn.decision(f"{name}: the child flow completed")
    problem = event.problem or Problem(code="child_flow_failed", detail=f"The flow {event.child_flow_id} failed.")
    again = event.status == "failed" and problem.code in flow_type.phase(name).retry.codes
    turn.retry_or_fail(name, problem, again=again)
    return turn.decision(f"{name}: the child flow {event.status}")


def _decided(
    flow_type: FlowType, state: FlowState, event: ApprovalDecided, now: datetime, *, room: bool
) -> Decision | None:
    waiting = (name for name, view in state.phases.items() if view.task_id == event.task_id)
    name = next(waiting, None)
    gate = flow_type.phase(name).gate if name is not None else None
    if name is None or gate is None or state.phases[name].status != "waiting":
        return None
    turn = Turn(flow_type, state, now, event, room=room)
    turn.state.phases[name].task_id = None
    if event.decision == "reject":
        detail = f"{event.decided_by} rejected {gate.title}: {event.comment or 'no comment'}."
        turn.fail(name, Problem(code="rejected", detail=detail), status="cancelled")
        return turn.decision(f"{name} rejected", event.decided_by)
    turn.state = gate.apply(turn.state, event)
    turn.leave(name)
    return turn.decision(f"{name} approved{f': {event.comment}' if event.comment else ''}", event.decided_by)


def _missing(flow_type: FlowType, phase: Phase) -> Problem:
    detail = (
        f"A {flow_type.name} flow cannot run yet: no service does its phase {phase.name}, which needs"
        f" {phase.missing_worker}. Nothing was started."
    )
    return Problem(code="worker_missing", detail=detail)

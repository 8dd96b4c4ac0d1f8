"""The flow engine: a pure function from a flow's state and an event to its next state and the events it sends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid5

from contracts.envelope import Event, Problem
from contracts.flows import ApprovalDecided, ApprovalRequested, PhaseView
from services.flow_orchestrator.flow_type import FlowType, Gate, Phase
from services.flow_orchestrator.state import FlowState

# A time-out that strikes again waits longer each time, so that an overloaded worker can catch up.
TIME_OUT_GROWTH = 2


@dataclass(frozen=True)
class Decision:
    """What follows from an event: the new state, what to send, and a line for the journal."""

    state: FlowState
    events: tuple[Event, ...]
    note: str


def start(flow_type: FlowType, request: Event, now: datetime) -> Decision:
    """Begin a flow from the event that asks for it; `request.flow_id` names the flow."""
    if request.flow_id is None:
        raise ValueError(f"{request.type_name} does not say which flow it starts")
    state = FlowState(
        flow_id=request.flow_id,
        tenant=request.tenant,
        flow_type=flow_type.name,
        version=flow_type.version,
        phases=[PhaseView(name=phase.name, status="pending") for phase in flow_type.phases],
        parent_flow_id=getattr(request, "parent_flow_id", None),
        created_at=now,
    ).with_result(request)
    started = flow_type.started(tenant=state.tenant, flow_id=state.flow_id, **flow_type.announce(state))
    return _begin_phase(state, flow_type.phases[0], now, f"started by {request.type_name}", (started,))


def decide(flow_type: FlowType, state: FlowState, event: Event, now: datetime) -> Decision | None:
    """React to an event; None when it does not belong to what the flow waits for now (late, stale or repeated)."""
    if state.ended or state.current_phase is None:
        return None
    phase = flow_type.phase(state.current_phase)
    if isinstance(event, ApprovalDecided):
        return _decided(flow_type, state, phase, event, now)
    if state.status != "running" or event.step != state.step:
        return None
    if isinstance(event, phase.awaits):
        return _phase_done(flow_type, state, phase, event, now)
    if isinstance(event, phase.fails_with):
        problem: Problem = event.problem  # type: ignore[attr-defined]  # every `.failed` event has one
        return _fail(flow_type, state, problem, now)
    return None


def time_out(flow_type: FlowType, state: FlowState, now: datetime) -> Decision | None:
    """React to the clock; None while the flow may still wait."""
    if state.ended or state.current_phase is None or state.waits_until is None or now < state.waits_until:
        return None
    phase = flow_type.phase(state.current_phase)
    if state.status == "waiting":
        detail = f"Nobody decided on {state.waits_for} until {state.waits_until:%Y-%m-%d %H:%M}. Start the flow again."
        return _fail(flow_type, state, Problem(code="approval_expired", detail=detail), now)
    attempt = state.view(phase.name).attempt
    if attempt < phase.max_attempts:
        return _begin_phase(state, phase, now, f"{phase.name} did not answer in time; asked again")
    detail = f"The phase {phase.name} did not answer in {attempt} attempts. Look at the dead letters, then start again."
    return _fail(flow_type, state, Problem(code="phase_timed_out", detail=detail), now)


def _begin_phase(state: FlowState, phase: Phase, now: datetime, note: str, before: tuple[Event, ...] = ()) -> Decision:
    attempt = state.view(phase.name).attempt + 1
    patience: timedelta = phase.time_out * TIME_OUT_GROWTH ** (attempt - 1)
    state = state.with_phase(phase.name, status="running", attempt=attempt, started_at=now).model_copy(
        update={
            "status": "running",
            "current_phase": phase.name,
            "task_id": None,
            "waits_for": f"{phase.name.replace('_', ' ')} to finish",
            "waits_until": now + patience,
        }
    )
    request = phase.asks(tenant=state.tenant, flow_id=state.flow_id, step=state.step, **phase.request(state))
    return _decision(state, note, (*before, request))


def _phase_done(flow_type: FlowType, state: FlowState, phase: Phase, event: Event, now: datetime) -> Decision:
    state = state.with_result(event).with_phase(phase.name, summary=phase.summary(event))
    if phase.gate is not None and phase.gate.needed(state):
        return _wait_for_person(state, phase, phase.gate, now)
    return _leave_phase(flow_type, state, phase, now, f"{phase.name} completed")


def _wait_for_person(state: FlowState, phase: Phase, gate: Gate, now: datetime) -> Decision:
    task_id = uuid5(state.flow_id, f"{phase.name}:{state.view(phase.name).attempt}")
    expires_at = now + gate.expires_after
    state = state.with_phase(phase.name, status="waiting").model_copy(
        update={"status": "waiting", "task_id": task_id, "waits_for": gate.title, "waits_until": expires_at}
    )
    task = ApprovalRequested(
        tenant=state.tenant,
        flow_id=state.flow_id,
        task_id=task_id,
        kind=gate.kind,
        title=gate.title,
        details=gate.details(state),
        expires_at=expires_at,
    )
    return _decision(state, f"{phase.name} waits for a decision", (task,))


def _decided(
    flow_type: FlowType, state: FlowState, phase: Phase, event: ApprovalDecided, now: datetime
) -> Decision | None:
    if phase.gate is None or event.task_id != state.task_id:
        return None
    if event.decision == "reject":
        detail = f"{event.decided_by} rejected {phase.gate.title}: {event.comment or 'no comment'}."
        return _end(flow_type, state, "cancelled", Problem(code="rejected", detail=detail), now)
    state = phase.gate.apply(state, event)
    return _leave_phase(flow_type, state, phase, now, f"{phase.name} approved by {event.decided_by}")


def _leave_phase(flow_type: FlowType, state: FlowState, phase: Phase, now: datetime, note: str) -> Decision:
    state = state.with_phase(phase.name, status="completed", finished_at=now)
    following = flow_type.phase_after(phase.name)
    if following is not None:
        return _begin_phase(state, following, now, note)
    state = _ended(state, "completed", None)
    completed = flow_type.completed(tenant=state.tenant, flow_id=state.flow_id, **flow_type.outcome(state))
    next_flow = flow_type.next_flow(state)
    return _decision(state, note, (completed,) if next_flow is None else (completed, next_flow))


def _fail(flow_type: FlowType, state: FlowState, problem: Problem, now: datetime) -> Decision:
    return _end(flow_type, state, "failed", problem, now)


def _end(flow_type: FlowType, state: FlowState, status: str, problem: Problem, now: datetime) -> Decision:
    if state.current_phase is not None:
        state = state.with_phase(state.current_phase, status="failed", finished_at=now)
    failed = flow_type.failed(tenant=state.tenant, flow_id=state.flow_id, problem=problem)
    return _decision(_ended(state, status, problem), f"{status}: {problem.code}", (failed,))


def _ended(state: FlowState, status: str, problem: Problem | None) -> FlowState:
    return state.model_copy(
        update={"status": status, "problem": problem, "task_id": None, "waits_for": None, "waits_until": None}
    )


def _decision(state: FlowState, note: str, events: tuple[Event, ...]) -> Decision:
    state = state.model_copy(update={"revision": state.revision + 1})
    return Decision(state, (*events, state.updated_event()), note)

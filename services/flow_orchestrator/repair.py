"""What is wrong with a flow's rows, timers or work, and how to mend it. Pure: the same rows give the same answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from contracts.envelope import Problem
from contracts.lifecycle import ChildFlowEnded, FlowRepair
from services.flow_orchestrator import engine
from services.flow_orchestrator.decision import Decision
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.catalogue import FLOW_TYPES
from services.flow_orchestrator.settling import settle
from services.flow_orchestrator.state import ENDED, FlowState, PhaseState
from services.flow_orchestrator.turn import Turn, patience

# A message may be on its way for so long before it counts as lost.
GRACE = timedelta(minutes=5)
# Columns of the master row that repeat what the state says; `wake_at` may be earlier than that.
REPEATED = (
    *("flow_type", "version", "revision", "status", "current_phase", "waits_until", "priority", "concurrency_key"),
    *("parent_flow_id", "created_at"),
)
_DERIVED = ("status", "current_phase", "waits_until", "wake_at")


@dataclass(frozen=True)
class Journal:
    """What the journal of a flow has: the numbers of its entries in order, and what the first and last one say."""

    numbers: tuple[int, ...] = ()
    first_status: str | None = None
    last_status: str | None = None
    last_phase: str | None = None

    def missing(self, revision: int) -> list[int]:
        """Numbers that should be there. What is older than an entry about an end went with its retention."""
        start = self.numbers[0] if self.numbers and self.first_status in ENDED else 1
        return sorted(set(range(start, revision + 1)) - set(self.numbers))


@dataclass(frozen=True)
class Child:
    """A flow that a phase began: its state, and when that last changed."""

    state: FlowState
    updated_at: datetime


@dataclass(frozen=True)
class Rows:
    """What the tables hold about one flow; `child_row` is JSON, `children` are the flows that its phases wait for."""

    master: Mapping[str, Any]
    state: FlowState
    child_row: Mapping[str, Any] | None
    journal: Journal
    children: Mapping[UUID, Child]


@dataclass
class Mending:
    """What was found, the decisions that mend it, and the journal's numbers that are to be marked as lost."""

    found: list[FlowRepair] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


def mend(flow_type: FlowType, rows: Rows, now: datetime, by: str | None = None) -> Mending | None:
    """Compare what is known of a flow, and decide what makes it agree again; None where it does, the normal case."""
    mending = Mending()
    newest = max((rows.state.revision, *rows.journal.numbers[-1:]))
    state = _hear_of_children(flow_type, replace(rows.state, revision=newest), rows.children, now, mending)
    turn = Turn(flow_type, state, now, None)
    notes: list[FlowRepair] = []

    def note(code: str, found: str, done: str) -> None:
        notes.append(FlowRepair(flow_id=state.flow_id, code=code, found=found, done=done))

    _compare_rows(flow_type, rows, note)
    mending.lost = _compare_journal(rows, note)
    _compare_settled(flow_type, rows.state, note)
    _mend_phases(turn, rows, note)
    if notes:
        words = "; ".join(f"{each.found}: {each.done}" for each in notes)
        mending.decisions.append(turn.decision(f"repaired: {words}", by))
    mending.found += notes
    return mending if mending.found else None


def restored(flow_type: FlowType, checkpoint: FlowState, last: int, now: datetime, by: str | None) -> Decision:
    """Go on from a flow's own checkpoint, where the state that followed cannot be read; `last`: its newest entry."""
    turn = Turn(flow_type, replace(checkpoint, revision=last), now, None)
    turn.go_on()
    return turn.decision(f"repaired: its state could not be read; it goes on from {checkpoint.revision}", by)


Note = Callable[[str, str, str], None]


def _compare_rows(flow_type: FlowType, rows: Rows, note: Note) -> None:
    state, master = rows.state, rows.master
    wrong = [name for name in REPEATED if master[name] != getattr(state, name)]
    if wrong:
        found = ", ".join(f"{name} {_shown(master[name])} instead of {_shown(getattr(state, name))}" for name in wrong)
        note("master_row_differs", f"the master row said {found}", "rewritten from the state")
    if state.wake_at is not None and (master["wake_at"] is None or master["wake_at"] > state.wake_at):
        note("timer_missing", f"no timer would have rung at {_shown(state.wake_at)}", "set again")
    wanted = {"status": state.status, "current_phase": state.current_phase, **flow_type.child_row(state)}
    expected = orjson.loads(orjson.dumps(wanted))
    if rows.child_row is None:
        note("child_row_missing", "there was no child row", "written from the state")
    elif differ := [name for name, value in expected.items() if rows.child_row.get(name) != value]:
        note("child_row_differs", f"the child row differed in {', '.join(differ)}", "rewritten from the state")


def _compare_journal(rows: Rows, note: Note) -> list[int]:
    state, journal = rows.state, rows.journal
    last = max(journal.numbers, default=0)
    if last > state.revision:
        note(
            "state_behind_journal",
            f"the journal went to {last}, the state only to {state.revision}",
            f"the next entry is {last + 1}; what is missing is asked for again when its time is out",
        )
    elif last == state.revision and (journal.last_status, journal.last_phase) != (state.status, state.current_phase):
        found = f"the last entry said {journal.last_status} in {journal.last_phase}"
        note("journal_differs", f"{found}, the state {state.status} in {state.current_phase}", "a new entry says so")
    lost = journal.missing(max(last, state.revision))
    if lost:
        note("journal_incomplete", f"the journal lacked {', '.join(map(str, lost))}", "marked as lost")
    return lost


def _compare_settled(flow_type: FlowType, state: FlowState, note: Note) -> None:
    settled = state.copy()
    settle(flow_type, settled)
    wrong = [name for name in _DERIVED if getattr(state, name) != getattr(settled, name)]
    if wrong:
        found = ", ".join(
            f"{name} {_shown(getattr(state, name))} instead of {_shown(getattr(settled, name))}" for name in wrong
        )
        note("state_differs", f"the state said {found}", "derived from its phases again")


def _mend_phases(turn: Turn, rows: Rows, note: Note) -> None:
    state = turn.state
    for name in state.active():
        phase, view = turn.flow_type.phase(name), state.phases[name]
        if view.status == "waiting" and view.task_id is None and phase.gate is not None:
            turn.open_gate(name, phase.gate)
            note("task_lost", f"{name} waited for a decision that nobody was asked for", "asked for")
        elif view.due is None:
            waits = phase.gate.expires_after if view.status == "waiting" and phase.gate is not None else phase.time_out
            view.due = turn.now + waits
            note("no_time_out", f"{name} would have waited for ever", f"until {_shown(view.due)}")
        if _asked_for_nothing(turn, name, rows):
            _ask_again(turn, name)
            note("child_flow_missing", f"the flow that {name} waits for does not exist", "asked for again")
    if state.status in ("running", "waiting") and not state.active() and not state.held:
        note("nothing_active", f"the flow was {state.status}, and no phase of it", _go_on(turn))


def _hear_of_children(
    flow_type: FlowType, state: FlowState, children: Mapping[UUID, Child], now: datetime, mending: Mending
) -> FlowState:
    """The state once the ends of child flows that it did not hear of are told to it."""
    for name in state.active():
        child = children.get(state.phases[name].child_flow_id or UUID(int=0))
        if child is None or not child.state.ended or now - child.updated_at < GRACE:
            continue
        decision = engine.decide(flow_type, state, _ended(state, name, child.state), now)
        if isinstance(decision, Decision):
            mending.decisions.append(decision)
            mending.found.append(
                FlowRepair(
                    flow_id=state.flow_id,
                    code="child_flow_ended_unheard",
                    found=f"the flow {child.state.flow_id} had {child.state.status}, and {name} still waited for it",
                    done="told",
                )
            )
            state = decision.state
    return state


def _ended(parent: FlowState, name: str, child: FlowState) -> ChildFlowEnded:
    flow_type = FLOW_TYPES.get(child.flow_type, child.version)
    outcome: dict[str, Any] = {}
    if child.status == "completed":
        done = flow_type.completed(tenant=child.tenant, flow_id=child.flow_id, **flow_type.outcome(child))
        outcome = done.model_dump(mode="json", include=set(done.data_fields()))
    return ChildFlowEnded(
        tenant=parent.tenant,
        flow_id=parent.flow_id,
        step=parent.step(name),
        child_flow_id=child.flow_id,
        child_flow_type=child.flow_type,
        status=child.status,
        outcome=outcome,
        problem=None if child.problem is None else Problem.model_validate(child.problem),
    )


def _asked_for_nothing(turn: Turn, name: str, rows: Rows) -> bool:
    """Whether a phase waits for a flow that should long have begun."""
    phase, view = turn.flow_type.phase(name), turn.state.phases[name]
    if phase.awaits is not ChildFlowEnded or view.status != "running" or view.child_flow_id is None or not view.due:
        return False
    asked_at = view.due - patience(phase, view.tries)
    return view.child_flow_id not in rows.children and turn.now - asked_at >= GRACE


def _ask_again(turn: Turn, name: str) -> None:
    """Send a phase's request once more, for the same flow and step: should both arrive, the second finds it begun."""
    phase, view, state = turn.flow_type.phase(name), turn.state.phases[name], turn.state
    assert phase.asks is not None
    view.due = turn.now + patience(phase, view.tries)
    data = {**phase.request(state), "parent_flow_id": state.flow_id}
    turn.emit(phase.asks, of=view.child_flow_id, step=state.step(name), **data)


def _go_on(turn: Turn) -> str:
    """Let a flow that forgot what it was doing go on, where that can be known; else it fails."""
    state, flow_type = turn.state, turn.flow_type
    if not state.begun:
        state.status = "queued"
        return "queued again"
    gone_through = [name for name, view in state.phases.items() if view.status in ("completed", "skipped")]
    others = {view.status for view in state.phases.values()} - {"completed", "skipped", "pending"}
    if not gone_through and not others:
        turn.begin(flow_type.phases[0].name)
        return f"begun with {flow_type.phases[0].name}"
    last = max(gone_through, key=lambda name: _end_of(state.phases[name], state), default=None)
    if last is None or others or state.arrived or flow_type.graph.branch_of(last) is not None:
        detail = "The flow lost track of what it was doing, and that cannot be known. Retry it from a phase."
        turn.fail(None, Problem(code="nothing_active", detail=detail))
        return "failed, for it cannot be known where to go on"
    view = state.phases[last]
    finished_at = view.finished_at
    turn.leave(last, view.status)
    view.finished_at = finished_at
    return f"goes on after {last}"


def _end_of(view: PhaseState, state: FlowState) -> datetime:
    return view.finished_at or state.created_at


def _shown(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)

"""One decision in the making: a copy of the state that changes, and the events that leave with it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from contracts.envelope import Event, Problem
from contracts.flows import ApprovalRequested, TimelineEntry
from contracts.lifecycle import ApprovalReminded, ApprovalWithdrawn, ChildFlowEnded, FlowControlRequested
from contracts.work import WorkCancelled
from services.flow_orchestrator.decision import Decision
from services.flow_orchestrator.flow_type import END, Choice, FlowType, Gate, Parallel, Phase
from services.flow_orchestrator.settling import settle
from services.flow_orchestrator.state import ENDED, FlowState, PhaseState

# A time-out that strikes again waits longer each time, so that an overloaded worker can catch up.
TIME_OUT_GROWTH = 2
LONGEST_GROWTH = 64


def patience(phase: Phase, tries: int) -> timedelta:
    """How long an attempt may take: each further one of a round longer, up to a bound."""
    allowed: timedelta = phase.time_out * min(TIME_OUT_GROWTH ** max(0, tries - 1), LONGEST_GROWTH)
    return allowed


class Turn:
    """Moves a copy of a flow's state; `decision` closes it.

    `room` says whether its tenant may run one more flow now: a flow that takes no slot queues before it begins a phase.
    """

    def __init__(
        self, flow_type: FlowType, state: FlowState, now: datetime, cause: Event | None, *, room: bool = True
    ) -> None:
        self.flow_type = flow_type
        self.state = state.copy()
        self.now = now
        self.cause = cause
        self.room = room
        self.events: list[Event] = []
        self.left_phase = False

    def emit(self, event_class: type[Event], *, of: UUID | None = None, step: str | None = None, **data: Any) -> None:
        """Send an event about this flow, or about another (`of`), caused by what is being decided on."""
        cause = None if self.cause is None else self.cause.id
        flow_id = of or self.state.flow_id
        event = event_class(tenant=self.state.tenant, flow_id=flow_id, step=step, causation_id=cause, **data)
        self.events.append(event)

    @property
    def clock(self) -> datetime:
        """What waits are counted from: the clock of a paused flow stands still, and is set on when it is resumed."""
        return self.state.paused_at or self.now

    # -- beginning and ending phases

    def begin(self, name: str) -> None:
        """Enter a phase by one of its routes; a flow that is paused, ended or has no slot when it goes on again."""
        if not self.room or self.state.status in ("paused", "queued", *ENDED):
            self.state.held.append(name)
            return
        phase, view = self.flow_type.phase(name), self.state.phases[name]
        if phase.max_rounds is not None and view.rounds >= phase.max_rounds:
            self._exhausted(phase, phase.max_rounds)
            return
        view.rounds += 1
        view.tries = 0
        view.finished_at, view.problem, view.summary = None, None, {}
        self.ask(name)

    def resume(self) -> None:
        """Let a flow that was paused or queued run: its clocks go on, and what was held back begins."""
        state = self.state
        if state.paused_at is not None:
            self._set_clocks_on(self.now - state.paused_at)
        state.status, state.paused_at = "running", None
        self.go_on()

    def _set_clocks_on(self, paused: timedelta) -> None:
        """The clock stood still: each wait goes on with the time that it had left."""
        for name in self.state.active():
            view = self.state.phases[name]
            if view.due is not None:
                view.due += paused
            if view.remind_at is not None:
                view.remind_at += paused
            if view.status == "waiting" and (gate := self.flow_type.phase(name).gate) is not None:
                self.announce_task(name, gate)

    def go_on(self) -> None:
        """Enter the phases that were held back while the flow was paused or queued."""
        held, self.state.held = self.state.held, []
        for name in held:
            self.begin(name)

    def reset(self, name: str) -> None:
        """Make a phase as if it had not been gone through; its attempts keep counting, so old replies stay stale."""
        view, awaits = self.state.phases[name], self.flow_type.phase(name).awaits
        self.state.phases[name] = PhaseState(attempt=view.attempt)
        if awaits is not None:
            key = f"{awaits.type_name}:{name}" if self.flow_type.shares(awaits) else awaits.type_name
            self.state.results.pop(key, None)
        branch = self.flow_type.graph.branch_of(name)
        if branch is not None and branch.start in (arrived := self.state.arrived.get(branch.join, [])):
            arrived.remove(branch.start)

    def set_back(self, name: str) -> None:
        """Let a phase wait again until a route leads to it; what it found in earlier rounds stays."""
        self._close(name, "pending")

    def ask(self, name: str) -> None:
        """Ask for a phase's work, or for its decision where it has no work; each time it is a new attempt."""
        phase, view, state = self.flow_type.phase(name), self.state.phases[name], self.state
        view.attempt += 1
        view.tries += 1
        view.remind_at = None
        if view.tries == 1:
            view.started_at = self.now
        if phase.asks is None:
            assert phase.gate is not None
            if phase.gate.needed(state):
                self.open_gate(name, phase.gate)
            else:
                self.leave(name)
            return
        view.status, view.due = "running", self.now + patience(phase, view.tries)
        data = phase.request(state)
        if phase.awaits is ChildFlowEnded:
            view.child_flow_id = uuid5(state.flow_id, state.step(name))
            data = {**data, "parent_flow_id": state.flow_id}
        share = {"work_priority": state.priority or None, "work_weight": state.weight if state.weight != 1 else None}
        self.emit(phase.asks, of=view.child_flow_id, step=state.step(name), **share, **data)

    def complete(self, name: str, reply: Event) -> None:
        """Take the result of a phase's work; a person decides next where its gate says so."""
        phase, view = self.flow_type.phase(name), self.state.phases[name]
        self.state.remember(reply, name if self.flow_type.shares(type(reply)) else None)
        view.summary = phase.summary(reply)
        view.problem = None
        self._ask_or_leave(name, phase)

    def open_gate(self, name: str, gate: Gate) -> None:
        """Hand a task to a person."""
        view = self.state.phases[name]
        task_id = uuid5(self.state.flow_id, f"{name}:{view.attempt}")
        view.status, view.task_id, view.due = "waiting", task_id, self.clock + gate.expires_after
        remind = gate.remind_after is not None and gate.remind_after < gate.expires_after
        view.remind_at = self.clock + gate.remind_after if remind and gate.remind_after is not None else None
        self.announce_task(name, gate)

    def announce_task(self, name: str, gate: Gate) -> None:
        """Tell what is to be decided, by whom and until when; told again, the times are the new ones."""
        state, view = self.state, self.state.phases[name]
        self.emit(
            ApprovalRequested,
            task_id=view.task_id,
            kind=gate.kind,
            title=gate.title,
            details=gate.details(state),
            expires_at=view.due,
            assignee=gate.assignee(state),
            remind_at=view.remind_at,
        )

    def remind(self, name: str, gate: Gate) -> None:
        """Tell again that a task waits, and once more after the same time."""
        view = self.state.phases[name]
        assert view.task_id is not None
        assert gate.remind_after is not None
        assignee = gate.assignee(self.state)
        self.emit(ApprovalReminded, task_id=view.task_id, title=gate.title, assignee=assignee, expires_at=view.due)
        following = self.now + gate.remind_after
        view.remind_at = following if view.due is None or following < view.due else None

    def leave(self, name: str, status: str = "completed") -> None:
        """End a phase and go where its routes lead."""
        self._close(name, status)
        self.left_phase = True
        phase = self.flow_type.phase(name)
        if isinstance(phase.then, Parallel):
            self.state.arrived[phase.then.join] = []
        for target in self._targets(phase):
            self._arrive(name, target)

    def _targets(self, phase: Phase) -> tuple[str, ...]:
        then = phase.then
        if isinstance(then, Parallel):
            return then.branches
        if isinstance(then, Choice):
            return (next((target for holds, target in then.routes if holds(self.state)), then.otherwise),)
        return (then if then is not None else self.flow_type.graph.after(phase.name),)

    def _arrive(self, name: str, target: str) -> None:
        if target == END:
            self._complete_flow()
            return
        branch = self.flow_type.graph.branch_of(name)
        if branch is None or branch.join != target:
            self.begin(target)
            return
        # Who has arrived is kept, so that one branch can be gone through again without the others.
        arrived = self.state.arrived.setdefault(target, [])
        arrived.append(branch.start)
        if len(arrived) == self.flow_type.graph.width[target]:
            self.begin(target)

    def _exhausted(self, phase: Phase, rounds: int) -> None:
        if phase.exhausted is not None:
            self._arrive(phase.name, phase.exhausted)
            return
        detail = f"The phase {phase.name} was gone through {rounds} times without a way out. Look at its last result."
        self.fail(phase.name, Problem(code="loop_exhausted", detail=detail))

    # -- failures and ends

    def retry_or_fail(self, name: str, problem: Problem, *, again: bool) -> None:
        """Ask again after a pause if the phase has attempts left and `again`, else fail the flow."""
        phase, view, state = self.flow_type.phase(name), self.state.phases[name], self.state
        view.problem = problem.model_dump(mode="json")
        if again and view.tries < phase.retry.attempts:
            pause = phase.retry.wait(view.tries, f"{state.flow_id}:{state.step(name)}")
            view.status, view.due = "backing_off", self.clock + pause
        elif phase.dispensable:
            self._ask_or_leave(name, phase, "skipped")
        else:
            self.fail(name, problem)

    def _ask_or_leave(self, name: str, phase: Phase, status: str = "completed") -> None:
        if phase.gate is not None and phase.gate.needed(self.state):
            self.open_gate(name, phase.gate)
        else:
            self.leave(name, status)

    def fail(self, name: str | None, problem: Problem, status: str = "failed") -> None:
        """End the flow at a phase (None: at none in particular) that could not do its part."""
        if name is not None:
            self._close(name, "failed")
            self.state.phases[name].problem = problem.model_dump(mode="json")
            self.state.current_phase = name
        self.stop_work(problem.detail)
        state = self.state
        state.status, state.problem, state.ended_at = status, problem.model_dump(mode="json"), self.now
        self.emit(self.flow_type.failed, problem=problem)
        self._tell_parent({}, problem)

    def stop_work(self, reason: str) -> None:
        """Call back whatever is being done or waited for."""
        for name in self.state.active():
            self.call_back(name, reason)
            self._close(name, "cancelled")

    def call_back(self, name: str, reason: str) -> None:
        """Stop a phase's work, child flow or task, whichever it waits for."""
        state, view = self.state, self.state.phases[name]
        if view.status == "waiting" and view.task_id is not None:
            self.emit(ApprovalWithdrawn, task_id=view.task_id, reason=reason)
        elif view.status == "running" and view.child_flow_id is not None:
            child, asker = view.child_flow_id, f"flow {state.flow_id}"
            # The step says that a parent asks, whose request may be overtaken by this.
            step = state.step(name)
            self.emit(FlowControlRequested, of=child, step=step, action="cancel", requested_by=asker, comment=reason)
        elif view.status == "running":
            self.emit(WorkCancelled, step=state.step(name), reason=reason)

    def _complete_flow(self) -> None:
        state = self.state
        state.status, state.ended_at = "completed", self.now
        outcome = self.flow_type.outcome(state)
        self.emit(self.flow_type.completed, **outcome)
        completed = self.events[-1]
        following = self.flow_type.next_flow(state)
        if following is not None:
            self.events.append(following.model_copy(update={"causation_id": completed.causation_id}))
        self._tell_parent(completed.model_dump(mode="json", include=set(completed.data_fields())), None)

    def _tell_parent(self, outcome: dict[str, Any], problem: Problem | None) -> None:
        state = self.state
        if state.parent_flow_id is not None and state.parent_step is not None:
            self.emit(
                ChildFlowEnded,
                of=state.parent_flow_id,
                step=state.parent_step,
                child_flow_id=state.flow_id,
                child_flow_type=state.flow_type,
                status=state.status,
                outcome=outcome,
                problem=problem,
            )

    def _close(self, name: str, status: str) -> None:
        view = self.state.phases[name]
        view.status, view.finished_at = status, self.now
        view.due = view.remind_at = view.task_id = view.child_flow_id = None

    # -- closing the turn

    def decision(self, note: str, actor: str | None = None, *, deleted: bool = False) -> Decision:
        """What was decided, with the flow's visible state and the journal's entry."""
        state, cause = self.state, self.cause
        state.revision += 1
        if state.held and state.status in ("running", "waiting"):
            state.status = "queued"
        settle(self.flow_type, state)
        entry = TimelineEntry(
            seq=state.revision,
            at=self.now,
            cause="clock" if cause is None else cause.type_name,
            actor=actor,
            phase=state.current_phase,
            status=state.status,
            note=note,
            checkpoint=self.left_phase and not state.ended,
        )
        cause_id = None if cause is None else cause.id
        if not deleted:
            self.events.append(state.updated_event(entry, cause_id))
        return Decision(state, tuple(self.events), entry, cause_id, deleted)

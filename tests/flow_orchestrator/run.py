"""One flow driven by hand: every event goes through the engine on a state fresh from its row."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson

from contracts.envelope import Event, Problem
from contracts.flows import ApprovalRequested
from contracts.lifecycle import (
    ChildFlowEnded,
    FlowControlRefused,
    FlowControlRequested,
    FlowForkRequested,
    StartOptions,
)
from services.flow_orchestrator.engine import Decision, Refusal, admit, decide, start, tick
from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.lifecycle import fork
from services.flow_orchestrator.state import FlowState
from tests.flow_orchestrator.answers import (
    TENANT,
    a_collection,
    a_discovery,
    a_modernization,
    a_planning,
    an_assessment,
    answer,
    decision,
    failure,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
STARTS = {
    request(TENANT).type_name: request
    for request in (a_discovery, an_assessment, a_planning, a_collection, a_modernization)
}


def stored(state: FlowState) -> FlowState:
    """The state as it comes back from its row."""
    return FlowState.load(orjson.loads(state.dump()))


def request_for(flow_type: FlowType, **options: Any) -> Event:
    """What starts a flow of this type."""
    return STARTS[flow_type.requested.type_name](TENANT, options=StartOptions(**options))


class Run:
    """A flow, all that was decided about it, and the clock."""

    def __init__(self, flow_type: FlowType, *, now: datetime = NOW, admitted: bool = True, **options: Any) -> None:
        self.flow_type = flow_type
        self.now = now
        # Whether its tenant may run one more flow.
        self.room = True
        self.decisions = [start(flow_type, request_for(flow_type, **options), now, admitted=admitted)]

    @classmethod
    def of(cls, flow_type: FlowType, first: Decision, now: datetime) -> "Run":
        """A flow that somebody else began."""
        run = cls.__new__(cls)
        run.flow_type, run.now, run.room, run.decisions = flow_type, now, True, [first]
        return run

    def past(self, seq: int) -> "Run":
        """The flow as it was when so many decisions had been taken."""
        run = Run.of(self.flow_type, self.decisions[0], self.now)
        run.decisions = self.decisions[:seq]
        return run

    # -- what it is

    @property
    def state(self) -> FlowState:
        return self.decisions[-1].state

    @property
    def events(self) -> list[Event]:
        """All that it has sent so far."""
        return [event for each in self.decisions for event in each.events]

    @property
    def last_events(self) -> list[str]:
        """What its last decision sent, the news about the flow itself aside."""
        return [event.type_name for event in self.decisions[-1].events if event.type_name != "flow.updated"]

    @property
    def statuses(self) -> dict[str, str]:
        return {name: phase.status for name, phase in self.state.phases.items()}

    @property
    def problem_code(self) -> str | None:
        return None if self.state.problem is None else self.state.problem["code"]

    def asked(self) -> list[str]:
        """The steps that were asked for, in order."""
        asks = {phase.asks for phase in self.flow_type.phases}
        return [str(event.step) for event in self.events if type(event) in asks and event.step is not None]

    def request(self, phase: str) -> Event:
        """The request that a running phase waits for the answer of."""
        asks, step = self.flow_type.phase(phase).asks, self.state.step(phase)
        return next(event for event in reversed(self.events) if type(event) is asks and event.step == step)

    def task(self, phase: str) -> ApprovalRequested:
        """The task that a waiting phase waits for the decision of."""
        wanted = self.state.phases[phase].task_id
        tasks = (event for event in reversed(self.events) if isinstance(event, ApprovalRequested))
        return next(event for event in tasks if event.task_id == wanted)

    # -- what happens to it

    def hear(self, event: Event) -> Decision | Refusal | None:
        """Decide on an event; the state that the engine was given stays as it was."""
        # A flow that runs has its slot.
        room = self.room or self.state.status not in ("waiting", "paused")
        return self._kept(lambda state: decide(self.flow_type, state, event, self.now, room=room))

    def answer(self, *phases: str, **outputs: Any) -> "Run":
        """The workers of these phases answer well."""
        for phase in phases:
            self._must(self.hear(self.reply(phase, **outputs)))
        return self

    def fail(self, phase: str, code: str = "empty_file") -> "Run":
        """The worker of a phase answers that it cannot."""
        return self._must(self.hear(failure(self.flow_type.phase(phase).fails_with, self.request(phase), code)))

    def approve(self, phase: str, **data: Any) -> "Run":
        return self._must(self.hear(decision(self.task(phase), **data)))

    def reject(self, phase: str) -> "Run":
        return self._must(self.hear(decision(self.task(phase), "reject")))

    def control(self, action: str, **data: Any) -> "Run":
        """Ada asks for something that is possible."""
        return self._must(self.hear(self.asks_for(action, **data)))

    def refused(self, action: str, **data: Any) -> Problem:
        """Ada asks for something that is not possible: why not."""
        before = len(self.decisions)
        outcome = self.hear(self.asks_for(action, **data))
        assert isinstance(outcome, Refusal), f"{action} was not refused"
        assert len(self.decisions) == before
        [event] = outcome.events
        assert isinstance(event, FlowControlRefused)
        assert (event.flow_id, event.action, event.requested_by) == (self.state.flow_id, action, "Ada")
        return event.problem

    def asks_for(self, action: str, **data: Any) -> FlowControlRequested:
        state = self.state
        return FlowControlRequested(
            tenant=state.tenant, flow_id=state.flow_id, action=action, requested_by="Ada", **data
        )

    def tick(self, **later: float) -> Decision | None:
        """Let time pass, and the clock look at the flow."""
        self.now += timedelta(**later)
        outcome = self._kept(lambda state: tick(self.flow_type, state, self.now))
        assert not isinstance(outcome, Refusal)
        return outcome

    def admit(self) -> "Run":
        """There is room for it."""
        return self._must(self._kept(lambda state: admit(self.flow_type, state, self.now)))

    def fork(self, at: int, *, room: bool = True) -> "Run":
        """A flow of its own that begins at one of this one's checkpoints."""
        checkpoint = next(each for each in self.decisions if each.entry.seq == at)
        assert checkpoint.entry.checkpoint
        asked = FlowForkRequested(
            tenant=self.state.tenant,
            flow_id=uuid4(),
            origin_flow_id=self.state.flow_id,
            seq=at,
            requested_by="Ada",
        )
        forked = fork(self.flow_type, stored(checkpoint.state), asked, self.now, room=room)
        return Run.of(self.flow_type, forked, self.now)

    def finish(self) -> "Run":
        """Answer everything well, approve everything, until it ends."""
        for _ in range(200):
            if self.state.ended:
                return self
            if self.state.status in ("running", "waiting"):
                self.serve(self.state.active()[0])
            else:
                self.push()
        raise AssertionError(f"it does not end: {self.state}")

    def push(self) -> None:
        """Let a flow that is held as a whole go on: it is started, admitted, resumed or retried."""
        if self.state.status == "queued":
            self.admit()
        else:
            self.control({"paused": "resume", "failed": "retry", "cancelled": "retry"}.get(self.state.status, "start"))

    def serve(self, phase: str, **outputs: Any) -> None:
        """Give one active phase what it waits for."""
        view = self.state.phases[phase]
        if view.status == "waiting":
            self.approve(phase)
        elif view.status == "running":
            self.answer(phase, **outputs)
        else:
            assert view.due is not None
            self.now = max(self.now, view.due)
            assert self.tick() is not None

    def reply(self, phase: str, **outputs: Any) -> Event:
        """What completes the phase that runs."""
        request = self.request(phase)
        if self.flow_type.phase(phase).awaits is ChildFlowEnded:
            return child_end(self.state, request)
        return answer(request, **outputs)

    def _must(self, outcome: Decision | Refusal | None) -> "Run":
        assert isinstance(outcome, Decision), f"nothing was decided: {outcome}"
        return self

    def _kept(self, decide_on: Any) -> Decision | Refusal | None:
        given = stored(self.state)
        assert given == self.state, "a state does not survive its row"
        outcome: Decision | Refusal | None = decide_on(given)
        assert given == self.state, "the engine changed the state that it was given"
        if isinstance(outcome, Decision):
            assert outcome.state.revision == self.state.revision + 1
            self.decisions.append(outcome)
        return outcome


def child_end(parent: FlowState, request: Event, status: str = "completed", **data: Any) -> ChildFlowEnded:
    """What a child flow tells its parent at its end."""
    assert request.flow_id is not None
    return ChildFlowEnded(
        tenant=parent.tenant,
        flow_id=parent.flow_id,
        step=request.step,
        child_flow_id=request.flow_id,
        child_flow_type="planning",
        status=status,
        **{"outcome": {"wave_count": 1}, **data},
    )

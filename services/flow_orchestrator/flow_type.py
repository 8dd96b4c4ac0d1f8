"""What a flow type is made of: values only, so that a flow reads like its documentation."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from contracts.envelope import Event
from contracts.flows import ApprovalDecided, ApprovalKind, FlowTypeName

if TYPE_CHECKING:
    from services.flow_orchestrator.state import FlowState


@dataclass(frozen=True)
class Gate:
    """A decision that a person takes after a phase."""

    kind: ApprovalKind
    title: str
    needed: Callable[["FlowState"], bool]
    details: Callable[["FlowState"], dict[str, Any]]
    apply: Callable[["FlowState", ApprovalDecided], "FlowState"]
    expires_after: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class Phase:
    """One step of a flow: what it asks for, what it awaits, and when it asks again."""

    name: str
    asks: type[Event]
    awaits: type[Event]
    fails_with: type[Event]
    request: Callable[["FlowState"], dict[str, Any]]
    summary: Callable[[Any], dict[str, Any]]
    gate: Gate | None = None
    time_out: timedelta = timedelta(hours=1)
    max_attempts: int = 3


@dataclass(frozen=True)
class FlowType:
    """A kind of flow: its phases in order, and the events that begin and end it."""

    name: FlowTypeName
    version: int
    requested: type[Event]
    started: type[Event]
    completed: type[Event]
    failed: type[Event]
    phases: tuple[Phase, ...]
    announce: Callable[["FlowState"], dict[str, Any]]
    outcome: Callable[["FlowState"], dict[str, Any]]
    child_row: Callable[["FlowState"], dict[str, Any]]
    next_flow: Callable[["FlowState"], Event | None] = lambda state: None
    may_start: tuple[type[Event], ...] = ()

    def phase(self, name: str) -> Phase:
        """The phase of this name; raises `KeyError`."""
        return {phase.name: phase for phase in self.phases}[name]

    def phase_after(self, name: str) -> Phase | None:
        """The phase that follows, or None after the last."""
        position = [phase.name for phase in self.phases].index(name)
        return self.phases[position + 1] if position + 1 < len(self.phases) else None

    def hears(self) -> list[type[Event]]:
        """Every event this flow type reacts to, approvals aside."""
        return [self.requested, *(event for phase in self.phases for event in (phase.awaits, phase.fails_with))]

    def emits(self) -> list[type[Event]]:
        """Every event this flow type sends, those about all flows aside."""
        return [self.started, self.completed, self.failed, *self.may_start, *(phase.asks for phase in self.phases)]

"""What a flow type is made of: values only, so that a flow reads like its documentation."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from contracts.envelope import Event
from contracts.flows import ApprovalDecided

if TYPE_CHECKING:
    from services.flow_orchestrator.graph import Graph
    from services.flow_orchestrator.state import FlowState

END = "end"


@dataclass(frozen=True)
class Retry:
    """When a phase is asked for again: after a time-out, and after failures whose code is in `codes`.

    The n-th wait is `first * factor ** (n - 1)`, at most `ceiling`, spread by `jitter` (0.2: 20 % either way).
    """

    attempts: int = 3
    first: timedelta = timedelta(seconds=1)
    factor: float = 2
    ceiling: timedelta = timedelta(minutes=10)
    jitter: float = 0.2
    codes: frozenset[str] = frozenset()

    def wait(self, tries: int, seed: str) -> timedelta:
        """How long to wait after `tries` attempts; the same for the same seed, so that a decision can be replayed."""
        spread = random.Random(seed).uniform(1 - self.jitter, 1 + self.jitter)
        wait = min(self.first, self.ceiling)
        for _ in range(tries - 1):
            wait = min(wait * self.factor, self.ceiling)
        return wait * spread


@dataclass(frozen=True)
class Gate:
    """A decision that a person takes after a phase, or instead of one."""

    kind: str
    title: str
    needed: Callable[["FlowState"], bool] = lambda state: True
    details: Callable[["FlowState"], dict[str, Any]] = lambda state: {}
    apply: Callable[["FlowState", ApprovalDecided], "FlowState"] = lambda state, decision: state
    assignee: Callable[["FlowState"], str | None] = lambda state: None
    remind_after: timedelta | None = timedelta(days=3)
    expires_after: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class Choice:
    """One way out of several: the first whose condition holds, else `otherwise`."""

    routes: tuple[tuple[Callable[["FlowState"], bool], str], ...]
    otherwise: str


@dataclass(frozen=True)
class Parallel:
    """Several ways at once; `join` begins when each has come to it."""

    branches: tuple[str, ...]
    join: str


@dataclass(frozen=True)
class Phase:
    """One step of a flow: what it asks for, what it awaits, and where it goes on.

    `then` is a phase, `END`, a `Choice` or a `Parallel`; None means the phase that follows in the list. A phase with
    `max_rounds` may be gone through that often, then `exhausted` comes instead. A phase without `asks` is a gate alone,
    which is passed where it is not needed.
    A `dispensable` phase whose work fails is gone on from without what it would have found, by its gate if it has one.
    A phase that awaits `ChildFlowEnded` begins the flow that it asks for and waits for its end.
    """

    name: str
    asks: type[Event] | None = None
    awaits: type[Event] | None = None
    fails_with: type[Event] | None = None
    request: Callable[["FlowState"], dict[str, Any]] = lambda state: {}
    summary: Callable[[Any], dict[str, Any]] = lambda done: {}
    gate: Gate | None = None
    time_out: timedelta = timedelta(hours=1)
    retry: Retry = field(default_factory=Retry)
    then: str | Choice | Parallel | None = None
    max_rounds: int | None = None
    exhausted: str | None = None
    optional: bool = False
    dispensable: bool = False
    missing_worker: str | None = None


@dataclass(frozen=True)
class FlowType:
    """A kind of flow: its phases, and the events that begin and end it.

    `migrations` say how a flow of an older version goes on under this one: {older version: change of its state}.
    """

    name: str
    version: int
    requested: type[Event]
    started: type[Event]
    completed: type[Event]
    failed: type[Event]
    phases: tuple[Phase, ...]
    announce: Callable[["FlowState"], dict[str, Any]] = lambda state: {}
    outcome: Callable[["FlowState"], dict[str, Any]] = lambda state: {}
    child_row: Callable[["FlowState"], dict[str, Any]] = lambda state: {}
    next_flow: Callable[["FlowState"], Event | None] = lambda state: None
    may_start: tuple[type[Event], ...] = ()
    migrations: Mapping[int, Callable[["FlowState"], "FlowState"]] = field(default_factory=dict)

    def phase(self, name: str) -> Phase:
        """The phase of this name; raises `KeyError`."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Phase]:
        return {phase.name: phase for phase in self.phases}

    def check(self) -> None:
        """Raise `MalformedFlow`, naming the place, if a flow of this type could get stuck or never end."""
        assert self.graph

    @cached_property
    def graph(self) -> "Graph":
        """The checked graph of its phases; raises `MalformedFlow`, naming the place."""
        from services.flow_orchestrator.graph import Graph

        return Graph(self)

    def shares(self, reply: type[Event]) -> bool:
        """Whether several phases await events of this type, so that each has to remember its own."""
        return reply.type_name in self._shared

    @cached_property
    def _shared(self) -> frozenset[str]:
        awaited = [phase.awaits.type_name for phase in self.phases if phase.awaits is not None]
        return frozenset(name for name in awaited if awaited.count(name) > 1)

    def hears(self) -> list[type[Event]]:
        """Every event this flow type reacts to, those about all flows aside."""
        replies = (event for phase in self.phases for event in (phase.awaits, phase.fails_with))
        return list(dict.fromkeys([self.requested, *(event for event in replies if event is not None)]))

    def emits(self) -> list[type[Event]]:
        """Every event this flow type sends, those about all flows aside."""
        requests = (phase.asks for phase in self.phases if phase.asks is not None)
        return list(dict.fromkeys([self.started, self.completed, self.failed, *self.may_start, *requests]))
